"""What a policy says about one line: the answer, every cause of it, and every term with the rule that set it.

In: what `engine.decide` found. Out: a frozen value and its one canonical JSON form.
Invariants: each term knows who set it and what was overruled; a cause names its rule and carries the dates and amounts of it.
Never: a sentence that is not derived from code and params (`explain` makes them), nor a look at anything outside itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from portal.policy.facts import canonical
from portal.policy.terms import value_from_json, value_to_json

if TYPE_CHECKING:
    from portal.policy.explain import Wording

ACCEPT, REVIEW, REFUSE = "accept", "review", "refuse"
OTHERWISE = "otherwise"

# What each code does to the answer. `explain` has a sentence for every one of them.
REFUSING = ("not_returnable", "window_closed", "not_delivered", "resolution_not_offered")
REVIEWING = ("review_rule", "unknown_fact", "other_currency", "no_start_date", "fee_currency")
REQUIRING = ("photo_required", "question_unanswered")


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the answer is not simply "accept", or what is still required. ``params`` are JSON values (dates ISO, money
    ``{"amount", "currency"}``)."""

    code: str
    rule: str
    params: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Term:
    """A decided term: its typed value (see `terms`), the rule that set it, and what later rules would have set."""

    value: Any
    set_by: str
    instead_of: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer for one line, reason and resolution.

    ``causes`` made the answer `review` or `refuse`; ``requires`` is what the customer still has to add (photos) and never
    refuses by itself. ``return_by`` is the last second of the last day, aware, in the policy's timezone;
    ``return_by_on`` is that day in the shop's calendar and the one to show. Both are None when no day can be known.
    """

    answer: str
    causes: tuple[Cause, ...]
    terms: Mapping[str, Term]
    return_by: datetime | None
    policy_hash: str
    policy_name: str
    requires: tuple[Cause, ...] = ()
    return_by_on: date | None = None

    @property
    def accepted(self) -> bool:
        return self.answer == ACCEPT

    @property
    def refused(self) -> bool:
        return self.answer == REFUSE

    def value(self, term: str) -> Any:
        """The decided value of a term, or None for an optional term that nothing set."""
        found = self.terms.get(term)
        return None if found is None else found.value

    def to_json(self, wording: Wording | None = None) -> dict[str, Any]:
        """The shape of the contract, and what is needed to rebuild it (``params``, ``policy``).

        ``message`` is the customer's sentence in ``wording`` (default: English).
        """
        from portal.policy.explain import ENGLISH, cause_message

        words = wording or ENGLISH

        def causes(found: tuple[Cause, ...]) -> list[dict[str, Any]]:
            return [
                {
                    "code": cause.code,
                    "rule": cause.rule,
                    "message": cause_message(cause, words),
                    "params": dict(cause.params),
                }
                for cause in found
            ]

        return {
            "answer": self.answer,
            "causes": causes(self.causes),
            "requires": causes(self.requires),
            "terms": {
                name: {
                    "value": value_to_json(name, term.value),
                    "set_by": term.set_by,
                    "instead_of": [
                        {"rule": rule, "value": value_to_json(name, value)} for rule, value in term.instead_of
                    ],
                }
                for name, term in self.terms.items()
            },
            "return_by": None
            if self.return_by is None
            else self.return_by.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "return_by_on": None if self.return_by_on is None else self.return_by_on.isoformat(),
            "policy": {"name": self.policy_name, "hash": self.policy_hash},
        }

    def to_bytes(self) -> bytes:
        """`to_json` in canonical form; equal decisions give equal bytes."""
        return canonical(self.to_json())

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Decision:
        """The decision that `to_json` wrote; its sentences are made anew and so may be in another language."""

        def causes(key: str) -> tuple[Cause, ...]:
            return tuple(Cause(each["code"], each["rule"], each["params"]) for each in data[key])

        return cls(
            answer=data["answer"],
            causes=causes("causes"),
            terms={
                name: Term(
                    value_from_json(name, term["value"]),
                    term["set_by"],
                    tuple((each["rule"], value_from_json(name, each["value"])) for each in term["instead_of"]),
                )
                for name, term in data["terms"].items()
            },
            return_by=None if data["return_by"] is None else datetime.fromisoformat(data["return_by"]),
            policy_hash=data["policy"]["hash"],
            policy_name=data["policy"]["name"],
            requires=causes("requires"),
            return_by_on=None if data["return_by_on"] is None else date.fromisoformat(data["return_by_on"]),
        )


def stored_value(decision: Mapping[str, Any], term: str) -> Any:
    """What a decision that `Decision.to_json` wrote says about one term, or None; the others are not read."""
    found = decision["terms"].get(term)
    return None if found is None else value_from_json(term, found["value"])
