"""Laws as floors under the terms of a policy: data in the language of policies, with the article beside each floor.

In: a law document (text), facts, the terms that the rules gave. Out: the terms, each raised to the floors in force.
Invariants: a floor can only help the customer: the longer window, the lower fee and the greater choice win; what a floor gives
beside its window ends with that window; an exemption of the law is data too; a floor that cannot be judged and would have
changed something is told, never skipped. Never: legal advice; a look at the clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from portal.policy.conditions import ALWAYS, NEVER, Condition, Holds, Unknown, compile_condition
from portal.policy.decision import Term
from portal.policy.diagnostics import PolicyErrors
from portal.policy.document import Findings, Mapping_, Node, TooManyErrors, entries, parse, shown
from portal.policy.facts import Facts, OrderFacts
from portal.policy.read_conditions import read_condition
from portal.policy.read_terms import read_terms
from portal.policy.schema import read_date, read_list, read_number, read_text
from portal.policy.terms import OUTBOUND, Fee, ReturnShipping, Window

FOLDER = Path(__file__).parents[2] / "policies" / "laws"
PREFIX = "law: "
"""What `Term.set_by` begins with where a law set the term; no rule can be called so."""

START_OF: Mapping[str, Callable[[Facts], datetime | None]] = {
    "placed": attrgetter("order.placed_at"),
    "shipped": attrgetter("item.shipped_at"),
    "delivered": attrgetter("item.delivered_at"),
    "last_delivered": attrgetter("order.last_delivered_at"),
}
"""Where `Facts` keep the moments that a window is counted from."""


@dataclass(frozen=True, slots=True)
class Floor:
    """One floor. ``holds`` and ``exempt`` are the compiled ``when`` and ``unless``; ``cite`` names the article."""

    name: str
    cite: str
    when: Condition
    unless: Condition
    grants: Mapping[str, Any]
    holds: Holds = field(repr=False, compare=False)
    exempt: Holds = field(repr=False, compare=False)

    @property
    def label(self) -> str:
        """What `Term.set_by` says where this floor set the term."""
        return f"{PREFIX}{self.name} ({self.cite})"


@dataclass(frozen=True, slots=True)
class Blocked:
    """A floor that could not be judged, with the terms that it would have raised."""

    floor: str
    why: Unknown
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Law:
    """The floors of one country or union. ``checked`` is the day on which somebody compared it with the law's own text."""

    name: str
    title: str
    checked: date
    note: str
    applies: Condition
    floors: tuple[Floor, ...]
    content_hash: str
    source: str = field(repr=False)
    holds: Holds = field(repr=False, compare=False)

    def raise_terms(self, facts: Facts, terms: dict[str, Term], zone: ZoneInfo) -> list[Blocked]:
        """Raise each term that is below a floor in force, keeping what was overruled in ``instead_of``.

        Also gives the floors that could not be judged and would have raised something. A business buyer has no floors; who is
        not known to be one is a consumer.
        """
        if facts.is_consumer is False or facts.order.is_business is True:
            return []
        applies = self.holds(facts)
        if applies is False:
            return []
        blocked = []
        for floor in self.floors:
            holds = floor.holds(facts)
            if holds is False:
                continue
            exempt = floor.exempt(facts)
            if exempt is True:
                continue
            raised = _raised(floor, facts, terms, zone)
            if not raised:
                continue
            misses = tuple(
                miss for each in (applies, holds, exempt) if isinstance(each, Unknown) for miss in each.misses
            )
            if misses:
                blocked.append(Blocked(floor.label, Unknown(misses), tuple(raised)))
                continue
            for name, value in raised.items():
                before = terms[name]
                instead = ((before.set_by, before.value), *before.instead_of)
                terms[name] = Term(value, floor.label, instead)
        return blocked


@dataclass(frozen=True, slots=True)
class Applied:
    """A floor that set terms of a decision."""

    law: Law
    floor: Floor
    terms: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Law and floor with article and the day of the check."""
        return {
            "law": self.law.name,
            "title": self.law.title,
            "checked": self.law.checked.isoformat(),
            "floor": self.floor.name,
            "cite": self.floor.cite,
            "terms": list(self.terms),
        }


def applied(laws: Iterable[Law], terms: Mapping[str, Term]) -> tuple[Applied, ...]:
    """The floors that set these terms, in the order of the laws."""
    found = []
    for law in laws:
        for floor in law.floors:
            raised = tuple(name for name, term in terms.items() if term.set_by == floor.label)
            if raised:
                found.append(Applied(law, floor, raised))
    return tuple(found)


def nearest_first(laws: Iterable[Law], countries: Sequence[str]) -> list[Law]:
    """The laws in the order of the countries to which they extend, the shop's own first; those of no country come last."""

    def place(law: Law) -> int:
        held = (law.holds(Facts(order=OrderFacts(country=each))) is True for each in countries)
        return next((at for at, holds in enumerate(held) if holds), len(countries))

    return sorted(laws, key=place)


def _raised(floor: Floor, facts: Facts, terms: Mapping[str, Term], zone: ZoneInfo) -> dict[str, Any]:
    """The terms that this floor makes better for the customer, with their new values."""
    granted: Window = floor.grants["window"]
    end = last_day(granted, facts, zone)
    today = None if facts.at is None else facts.at.astimezone(zone).date()
    open_ = end is None or today is None or today <= end
    raised: dict[str, Any] = {}
    refused = terms["returnable"].value is False
    if not refused:
        if _is_longer(granted, end, terms["window"].value, facts, zone, today):
            raised["window"] = granted
    elif open_ and floor.grants.get("returnable") is True:
        # The rules gave no window for what they refuse: the law's own holds, and no day more.
        raised["returnable"] = True
        if terms["window"].value != granted:
            raised["window"] = granted
    if open_:
        for name, raise_ in _RAISE.items():
            if name in floor.grants:
                better = raise_(floor.grants[name], terms[name].value)
                if better is not None:
                    raised[name] = better
    return raised


def last_day(window: Window, facts: Facts, zone: ZoneInfo) -> date | None:
    """The last day of a window in the shop's calendar; None when the moment that it is counted from is not known."""
    day = window.until
    if day is None:
        start = START_OF[window.start](facts)
        if start is None:
            return None
        # The n-th calendar day after the day of the start, whatever clocks did between.
        day = date.fromordinal(start.astimezone(zone).toordinal() + (window.days or 0))
    return day if window.ends_on == "day" else _business_day(day)


def _business_day(day: date) -> date:
    """The Monday after a day that is no business day."""
    late = day.weekday() - 4
    return day + timedelta(days=3 - late) if late > 0 else day


def _is_longer(
    granted: Window, end: date | None, given: Window, facts: Facts, zone: ZoneInfo, today: date | None
) -> bool:
    theirs = last_day(given, facts, zone)
    if theirs is None and isinstance(given.if_undelivered, Window):
        theirs = last_day(given.if_undelivered, facts, zone)
    if theirs is None:
        # A right that has not begun to run is not refused; where the policy asks a person, a person is right.
        return given.if_undelivered == "refuse"
    if end is None:
        # The law's days begin with a parcel that is still to come: what the policy refuses by now is a question.
        return today is not None and today > theirs
    return end > theirs


def _resolutions(granted: tuple[str, ...], given: tuple[str, ...]) -> tuple[str, ...] | None:
    more = tuple(each for each in granted if each not in given)
    return given + more if more else None


def _fee(granted: Fee, given: Fee) -> Fee | None:
    # A law knows fees as none at all, see `load_law`.
    return granted if (given.amount is not None and given.amount.minor) or given.bp else None


def _outbound(granted: str, given: str) -> str | None:
    return granted if OUTBOUND.index(granted) > OUTBOUND.index(given) else None


def _shipping(granted: ReturnShipping, given: ReturnShipping) -> ReturnShipping | None:
    return granted if given.paid_by != "merchant" else None


_RAISE: Mapping[str, Callable[[Any, Any], Any]] = {
    "resolutions": _resolutions,
    "restocking_fee": _fee,
    "outbound_shipping": _outbound,
    "return_shipping": _shipping,
}
GRANTABLE = ("returnable", "window", *_RAISE)
"""The terms that a law may give."""


def load_law(text: str, filename: str = "law.yaml") -> Law:
    """The law of a document. Raises `PolicyErrors` with every error of it."""
    findings = Findings(filename)
    law: Law | None = None
    with suppress(TooManyErrors):
        root = parse(text, findings)
        if root is not None:
            law = _read_law(root, text, findings)
        elif not findings.failed:
            findings.at(1, 1, "the document is empty", "start with `schema: 1` and `law: …`")
    if law is None:
        raise PolicyErrors(sorted(findings.found, key=lambda each: (each.line, each.column)), text)
    return law


_KEYS = ("schema", "law", "title", "checked", "note", "applies", "floors")
_FLOOR_KEYS = ("floor", "cite", "when", "unless", "grant")


def _keyed(node: Node, known: tuple[str, ...], needed: Iterable[str], findings: Findings) -> dict[str, Node] | None:
    if not isinstance(node, Mapping_):
        findings.error(node, f"expected a mapping, not {shown(node)}", f"it has the keys {', '.join(known)}")
        return None
    given: dict[str, Node] = {}
    for key, value in entries(node, findings):
        if key.text not in known:
            findings.error(key, f"unknown key {shown(key)}", known=known)
        given[key.text] = value
    missing = [key for key in needed if key not in given]
    for key_name in missing:
        findings.error(node, f"`{key_name}` is missing", "a law and each of its floors need it")
    return None if missing else given


def _read_law(root: Node, text: str, findings: Findings) -> Law | None:
    """The law; None where anything of it is wrong."""
    given = _keyed(root, _KEYS, (key for key in _KEYS if key != "note"), findings)
    if given is None:
        return None
    if read_number(given["schema"], findings) not in (None, 1):
        findings.error(given["schema"], "this schema is not known", "this program reads schema 1")
    read: dict[str, Any] = {
        "name": read_text(given["law"], findings, "a name"),
        "title": read_text(given["title"], findings, "a title"),
        "checked": read_date(given["checked"], findings),
        "note": read_text(given["note"], findings, "a note") if "note" in given else "",
        "applies": read_condition(given["applies"], findings),
    }
    items = read_list(given["floors"], findings, "a list of floors") or []
    floors = [_read_floor(item, findings) for item in items]
    if findings.failed:
        return None
    return Law(
        **read, floors=tuple(_floor(**floor) for floor in floors), holds=compile_condition(read["applies"], _UTC),
        content_hash=hashlib.sha256(text.encode()).hexdigest(), source=text,
    )  # fmt: skip


_UTC = ZoneInfo("UTC")


def _read_floor(node: Node, findings: Findings) -> dict[str, Any]:
    """What `_floor` takes; less where something is wrong."""
    given = _keyed(node, _FLOOR_KEYS, ("floor", "cite", "grant"), findings)
    if given is None:
        return {}
    grants = read_terms(given["grant"], findings)
    if grants is not None:
        _check_grants(given["grant"], grants, findings)
    return {
        "name": read_text(given["floor"], findings, "a name"),
        "cite": read_text(given["cite"], findings, "a citation"),
        "when": read_condition(given["when"], findings) if "when" in given else ALWAYS,
        "unless": read_condition(given["unless"], findings) if "unless" in given else NEVER,
        "grants": grants,
    }


def _check_grants(node: Node, grants: Mapping[str, Any], findings: Findings) -> None:
    for term in grants:
        if term not in GRANTABLE:
            findings.error(node, f"a law gives no `{term}`", f"it may give {', '.join(GRANTABLE)}")
    if "window" not in grants:
        findings.error(node, "the floor has no `window`", "say for how long the right lasts")
    if grants.get("restocking_fee", Fee()) != Fee():
        findings.error(node, "a law only forbids a restocking fee", "write `restocking_fee: 0%`")
    if grants.get("return_shipping", ReturnShipping()) != ReturnShipping():
        findings.error(node, "a law only puts the way back on the merchant", "write `{paid_by: merchant}`")


def _floor(name: str, cite: str, when: Condition, unless: Condition, grants: Mapping[str, Any]) -> Floor:
    return Floor(
        name, cite, when, unless, grants, holds=compile_condition(when, _UTC), exempt=compile_condition(unless, _UTC)
    )


@cache
def shipped() -> Mapping[str, Law]:
    """The laws of this release by name: constants, read once. A published version keeps the texts that it was published with."""
    return laws_in(FOLDER)


def laws_in(folder: Path) -> Mapping[str, Law]:
    """The laws of a folder by name, in the order of its files' names. Raises `PolicyErrors`."""
    found = [load_law(path.read_bytes().decode(), path.name) for path in sorted(folder.glob("*.yaml"))]
    return {law.name: law for law in found}
