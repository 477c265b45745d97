"""What the customer has chosen so far, as the draft keeps it. Pure.

In: a draft's JSON and an order. Out: `Plan`, which fits the order as it is now, and the wishes for `returns.assess`.
Invariant: what cannot be read is left out, never guessed. Never: a write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from portal.orders.models import Order, OrderLine
from portal.policy.quote import REFUND
from portal.policy.reasons import CHANGED_MIND, OTHER
from portal.policy.terms import RESOLUTIONS
from portal.returns.assess import Wish


@dataclass(frozen=True, slots=True)
class Choice:
    """One order line that is to come back. ``ask`` puts it to a person although the policy refuses it; ``fault`` reports what is
    the shop's fault, where nothing else is accepted."""

    line: str
    quantity: int = 1
    reason: str = ""
    resolution: str = ""
    note: str = ""
    exchange_sku: str = ""
    answers: Mapping[str, str] = field(default_factory=dict)
    """Answers to the policy's questions, by their names."""
    ask: bool = False
    fault: bool = False

    @property
    def answered(self) -> bool:
        """True when reason and outcome are chosen; photos are judged by the assessment."""
        chosen = bool(self.reason and self.resolution) and not (self.resolution == "exchange" and not self.exchange_sku)
        return chosen and (bool(self.note) or not self.ask)

    def asking(self) -> Choice:
        """The same as a question to a person, who needs neither a reason nor an outcome to begin with."""
        return replace(self, ask=True, reason=self.reason or OTHER, resolution=self.resolution or REFUND)

    def wish(self, photos: int = 0, resolution: str = "") -> Wish:
        """The wish for the assessment; what is not answered yet counts as the most ordinary answer."""
        return Wish(
            self.line,
            self.quantity,
            self.reason or CHANGED_MIND,
            resolution or self.resolution or RESOLUTIONS[0],
            self.note,
            self.exchange_sku or None,
            photos,
            dict(self.answers),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything chosen. ``email`` is where updates go instead of the order's address."""

    choices: tuple[Choice, ...] = ()
    ship_with: str = ""
    email: str = ""
    gone: tuple[str, ...] = ()
    """Lines that were chosen and of which nothing is left: they went into a return that was booked meanwhile."""

    def find(self, line: str) -> Choice | None:
        """The choice for an order line."""
        return next((choice for choice in self.choices if choice.line == line), None)

    def put(self, choice: Choice) -> Plan:
        """The plan with this choice in place of the one for its line."""
        if self.find(choice.line) is None:
            return replace(self, choices=(*self.choices, choice))
        return replace(self, choices=tuple(choice if each.line == choice.line else each for each in self.choices))

    def fitting(self, lines: Sequence[OrderLine]) -> Plan:
        """The plan for the order as it is now: in its order, and never more units than are left."""
        fitted, gone = [], []
        for line in lines:
            choice = self.find(line.ref)
            if choice is not None and line.units_left > 0:
                fitted.append(replace(choice, quantity=max(1, min(choice.quantity, line.units_left))))
            elif choice is not None:
                gone.append(line.ref)
        return replace(self, choices=tuple(fitted), gone=tuple(gone))

    def to_json(self) -> dict[str, Any]:
        """What the draft keeps."""
        return {
            "lines": [asdict(choice) for choice in self.choices],
            "ship_with": self.ship_with,
            "email": self.email,
        }


def read_plan(data: Mapping[str, Any], order: Order) -> Plan:
    """The plan that `Plan.to_json` wrote, fitted to ``order``."""
    choices = tuple(
        Choice(
            line=str(each["line"]),
            quantity=int(each.get("quantity", 1)),
            reason=str(each.get("reason", "")),
            resolution=str(each.get("resolution", "")),
            note=str(each.get("note", "")),
            exchange_sku=str(each.get("exchange_sku", "")),
            answers={str(name): str(said) for name, said in dict(each.get("answers") or {}).items()},
            ask=bool(each.get("ask", False)),
            fault=bool(each.get("fault", False)),
        )
        for each in data.get("lines", ())
    )
    plan = Plan(choices, str(data.get("ship_with", "")), str(data.get("email", "")))
    return plan.fitting(order.lines)
