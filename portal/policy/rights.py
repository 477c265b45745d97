"""What the laws under a policy give, in sentences: for whom, for how long, by which article, checked when.

In: a policy with its laws, countries, a `Wording`. Out: `LawTold`. Invariants: every floor is told with its citation, and
every law with the day on which somebody compared it with its own text. Never: legal advice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from portal.policy.conditions import ALWAYS, NEVER, Comparison, Condition, comparisons
from portal.policy.customer_words import window
from portal.policy.explain import ENGLISH, Wording, resolution_words
from portal.policy.facts import Facts, OrderFacts
from portal.policy.laws import Floor, nearest_first
from portal.policy.loader import Policy
from portal.policy.pieces import listed_words
from portal.policy.reasons import FAULTS
from portal.policy.sentences import condition_words, plain


def _(message: str) -> str:
    """Mark a message id for the extractor; it is translated when it is said."""
    return message


_EXEMPT: Mapping[str, str] = {
    "custom-made": _("goods made to order"),
    "personalized": _("personalised goods"),
    "perishable": _("goods that spoil quickly"),
    "hygiene": _("sealed hygiene goods once they are open"),
    "mixed": _("goods that can’t be separated from others"),
    "wine-futures": _("drinks ordered long before delivery at a fixed price"),
    "market-price": _("goods whose price follows a market"),
    "sealed-media": _("sealed recordings and software once they are open"),
    "newspaper": _("newspapers and magazines"),
    "auction": _("goods bought at a public auction"),
    "dated-service": _("services for a certain date"),
    "digital": _("digital content once it has begun"),
}
"""The tags of goods to which a right of withdrawal does not extend."""


@dataclass(frozen=True, slots=True)
class Right:
    """One floor. ``text`` is what it gives, ``cite`` the article."""

    name: str
    text: str
    exempt: str
    cite: str


@dataclass(frozen=True, slots=True)
class LawTold:
    """One law. ``countries`` are those of the shop's to which it extends (ISO 3166-1 alpha-2)."""

    name: str
    title: str
    countries: tuple[str, ...]
    checked: date
    rights: tuple[Right, ...]


def laws_told(policy: Policy, countries: Sequence[str], wording: Wording = ENGLISH) -> tuple[LawTold, ...]:
    """Every law of the policy that extends to one of the countries, that of the first country first."""
    found = []
    for law in nearest_first(policy.floors, countries):
        mine = tuple(each for each in countries if law.holds(Facts(order=OrderFacts(country=each))) is True)
        if mine:
            rights = tuple(_right(floor, wording) for floor in law.floors)
            found.append(LawTold(law.name, law.title, mine, law.checked, rights))
    return tuple(found)


def _right(floor: Floor, wording: Wording) -> Right:
    _ = wording.gettext
    given = floor.grants
    gains = []
    if "resolutions" in given:
        gains.append(listed_words([resolution_words(each, wording) for each in given["resolutions"]], wording))
    if "return_shipping" in given:
        gains.append(_("a free way back"))
    if "restocking_fee" in given:
        gains.append(_("no restocking fee"))
    if given.get("outbound_shipping") == "always":
        gains.append(_("delivery costs paid back"))
    elif "outbound_shipping" in given:
        gains.append(_("delivery costs paid back when the whole order comes back"))
    said = {"case": _case(floor.when, wording), "days": window(given["window"], wording)}
    text = _("%(case)s: %(days)s.") % said
    if gains:
        text = _("%(case)s: %(days)s, with %(gains)s.") % {**said, "gains": listed_words(gains, wording, last="and")}
    return Right(floor.name, text, exempt_words(floor, wording), floor.cite)


def _case(when: Condition, wording: Wording) -> str:
    _ = wording.gettext
    if when == ALWAYS:
        return _("For any reason")
    match when:
        case Comparison("reason", "in", tuple() as reasons) if set(reasons) == set(FAULTS):
            return _("If something is wrong with it")
    return _("If %(condition)s") % {"condition": plain(condition_words(when, wording))}


def goods_words(tag: str, wording: Wording) -> str:
    """Goods as people call them, by the tag that the laws know them by: ``hygiene`` as "sealed hygiene goods once they are open";
    another tag or category in its own words."""
    return wording.gettext(_EXEMPT[tag]) if tag in _EXEMPT else tag.replace("-", " ").replace("_", " ").strip()


def exempt_words(floor: Floor, wording: Wording) -> str:
    """The goods to which a right of a law does not extend: "Not for goods made to order or newspapers and magazines."; nothing
    where it extends to all."""
    if floor.unless == NEVER:
        return ""
    goods = [
        goods_words(str(value), wording)
        for test in comparisons(floor.unless)
        for value in (test.value if isinstance(test.value, tuple) else (test.value,))
    ]
    return wording.gettext("Not for %(goods)s.") % {"goods": listed_words(goods, wording)}
