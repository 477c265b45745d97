"""What stands in a bench form, and what it would do to the money before anything is written.

In: the form's fields. Out: counts for `receiving.service`, or messages per control; the effect on each line's amount.
Invariant: the effect is computed by the very function that freezes the quote afterwards. Never: a write; the rows that are
changed to look ahead belong to a session that is thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from portal import ids
from portal.money import Money
from portal.policy.quote import Quote
from portal.policy.terms import CONDITIONS
from portal.receiving import disposition as goods
from portal.receiving.disposition import MISSING, Verdict
from portal.receiving.service import Count
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import accounted, expected_lines, grades, price
from portal.returns.queries import get_return
from portal.web.staff.text import _, ngettext

GROUPS = 3
"""So many different conditions of one line fit into the form."""


def to_count(line: ReturnLine, *, inspecting: bool) -> int:
    """How many units the form asks about: those that are still to come, or on inspection those that came."""
    return line.received_quantity if inspecting else line.quantity - accounted(line)


@dataclass
class Filled:
    """A form as it was filled in. ``errors`` maps ids of controls to what to do."""

    counts: list[Count] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


def read_form(return_: Return, form: Mapping[str, str], *, inspecting: bool) -> Filled:
    """The counts that a form names. Every mistake is told at its control."""
    found = Filled(
        values={
            name: value[:1000] for name, value in form.items() if name[:2] in ("q-", "c-", "d-", "n-") or name == "note"
        }
    )
    for line in expected_lines(return_):
        most, named = to_count(line, inspecting=inspecting), 0
        for group in range(GROUPS):
            count = _group(line, group, form, found, most=most)
            if count is not None:
                found.counts.append(count)
                named += count.quantity
        first = f"q-{line.id}-0"
        if named > most and first not in found.errors:
            found.errors[first] = ngettext(
                "Only %(num)s is still expected, %(named)s were counted",
                "Only %(num)s are still expected, %(named)s were counted",
                most,
                named=named,
            )
        elif inspecting and named != most and not any(key.startswith(f"q-{line.id}-") for key in found.errors):
            found.errors.setdefault(first, _("Name the condition of all %(most)s", most=most))
    if not found.counts and not found.errors:
        found.errors[""] = _("Count at least one item")
    return found


def _group(line: ReturnLine, group: int, form: Mapping[str, str], found: Filled, *, most: int) -> Count | None:
    name = f"{line.id}-{group}"
    text = form.get(f"q-{name}", "").strip()
    condition, goes = form.get(f"c-{name}", ""), form.get(f"d-{name}", "")
    if text in ("", "0") or not most:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        found.errors[f"q-{name}"] = _("Enter how many came, as a number")
        return None
    if condition not in CONDITIONS:
        found.errors[f"c-{name}"] = _("Choose the condition")
        return None
    if goes and (goes not in goods.DISPOSITIONS or not goods.fits(condition, goes)):
        found.errors[f"d-{name}"] = _("What is missing goes nowhere, and only that")
        return None
    note = form.get(f"n-{name}", "").strip()
    if len(note) > 1000 or not ids.is_text(note):
        found.errors[f"n-{name}"] = _("Use at most 1000 characters of text")
        return None
    return Count(line.order_line.ref, int(text), condition, goes or None, note)


@dataclass(frozen=True, slots=True)
class Effect:
    """What counting would do: the line's amount before and after, and whether a person decides before the customer is told."""

    was: Money
    now: Money
    asks: bool

    @property
    def drops(self) -> bool:
        """True when less would be paid."""
        return self.now < self.was


@dataclass(frozen=True, slots=True)
class Outlook:
    """The effect on each line (by ref) and on the whole return."""

    lines: dict[str, Effect]
    total: Effect
    to_come: int = 0
    """Units that would still be expected after these counts."""


def look_ahead(session: Session, rma: str, counts: Sequence[Count], *, inspecting: bool) -> Outlook:
    """What these counts would do to the money. ``session`` only reads and is thrown away; use a fresh one for each look."""
    return_ = get_return(session, rma)
    was = Quote.from_json(return_.quote)
    by_line: dict[str, list[Count]] = {}
    for count in counts:
        by_line.setdefault(count.line, []).append(count)
    for line in return_.lines:
        if line.order_line.ref in by_line:
            _pretend(line, by_line[line.order_line.ref], inspecting=inspecting)
    now = price(return_)
    paying = _waits(return_, inspecting=inspecting)
    after = {each.line: each.total_minor for each in now.lines}
    before = {each.line: each.total_minor for each in was.lines}
    effects: dict[str, Effect] = {}
    for line in expected_lines(return_):
        ref = line.order_line.ref
        asks = paying and goods.verdict(line.found or {}, grades(line)) is Verdict.QUESTION
        effects[ref] = Effect(
            Money(before.get(ref, 0), return_.currency), Money(after.get(ref, 0), return_.currency), asks
        )
    to_come = 0 if inspecting else sum(to_count(line, inspecting=False) for line in expected_lines(return_))
    return Outlook(effects, Effect(was.total, now.total, any(each.asks for each in effects.values())), to_come)


def _waits(return_: Return, *, inspecting: bool) -> bool:
    """True when money waits for exactly this step, so that a question of the goods is put to a person now."""
    moments = ("received", "inspected") if inspecting else ("received",)
    return return_.payout_planned_at is None and return_.refund_when in moments


def _pretend(line: ReturnLine, counts: Sequence[Count], *, inspecting: bool) -> None:
    found = dict(line.found or {})
    units_before = line.received_quantity if inspecting else line.quantity
    if inspecting:
        found = {MISSING: found[MISSING]} if MISSING in found else {}
    for count in counts:
        found[count.condition] = found.get(count.condition, 0) + count.quantity
    line.found = found
    line.received_quantity = sum(number for name, number in found.items() if name != MISSING)
    if line.amount_minor is not None and units_before and line.received_quantity < units_before:
        line.amount_minor = line.amount_minor * line.received_quantity // units_before


def each_condition(session: Session, rma: str, *, inspecting: bool) -> dict[str, dict[str, Effect]]:
    """For each line (by ref) and condition: what it would do if every unit of the line were in it, the others as they are."""
    return_ = get_return(session, rma)
    was = {each.line: each.total_minor for each in Quote.from_json(return_.quote).lines}
    paying = _waits(return_, inspecting=inspecting)
    effects: dict[str, dict[str, Effect]] = {}
    for line in expected_lines(return_):
        ref, quantity = line.order_line.ref, to_count(line, inspecting=inspecting)
        kept = (line.found, line.received_quantity, line.amount_minor)
        for condition in CONDITIONS if quantity else ():
            _pretend(line, [Count(ref, quantity, condition)], inspecting=inspecting)
            now = next((each.total_minor for each in price(return_).lines if each.line == ref), 0)
            asks = paying and goods.verdict(line.found or {}, grades(line)) is Verdict.QUESTION
            before, after = Money(was.get(ref, 0), return_.currency), Money(now, return_.currency)
            effects.setdefault(ref, {})[condition] = Effect(before, after, asks)
            line.found, line.received_quantity, line.amount_minor = kept
    return effects
