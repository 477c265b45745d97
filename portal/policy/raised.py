"""What the laws under a policy change in it: each term that a law raises, with what the policy itself would have given.

In: a policy with its laws, a way to decide, where the shop sells. Out: `Raised`, grouped by the countries it holds for.
Invariants: read from the provenance of decisions, never worked out beside them; nothing is listed that a customer would not
see. Never: legal advice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from portal.policy.customer_words import label, phrase
from portal.policy.decision import Decision
from portal.policy.explain import ENGLISH, Wording, rule_words
from portal.policy.facts import ItemFacts
from portal.policy.laws import PREFIX
from portal.policy.loader import Policy
from portal.policy.pieces import listed_words
from portal.policy.promise import Asks, Purchase, kinds, on_arrival, ordinary
from portal.policy.reasons import CHANGED_MIND, FAULTY


@dataclass(frozen=True, slots=True)
class Change:
    """One term in one case. ``floor`` names the right with its article, ``rule`` the rule that it is stronger than."""

    case: str
    term: str
    given: str
    instead: str
    rule: str
    floor: str


@dataclass(frozen=True, slots=True)
class Raised:
    """The changes for some countries (ISO 3166-1 alpha-2); none where the policy gives what their laws ask."""

    countries: tuple[str, ...]
    changes: tuple[Change, ...]


def raised(
    policy: Policy, asks: Asks, purchase: Purchase, countries: Sequence[str], wording: Wording = ENGLISH
) -> tuple[Raised, ...]:
    """The changes for purchases like this one in each of the countries; those with the same ones together."""
    grouped: dict[tuple[Change, ...], list[str]] = {}
    for country in countries:
        grouped.setdefault(_changes(policy, asks, replace(purchase, country=country), wording), []).append(country)
    return tuple(Raised(tuple(places), changes) for changes, places in grouped.items())


def _changes(policy: Policy, asks: Asks, here: Purchase, wording: Wording) -> tuple[Change, ...]:
    _ = wording.gettext

    def of(item: ItemFacts, reason: str) -> tuple[Change, ...]:
        return tuple(_of(on_arrival(policy, asks, replace(here, item=item), reason), wording))

    usual = of(ordinary(), CHANGED_MIND)
    cases = [(_("A change of mind"), usual), (_("Something is wrong with it"), of(ordinary(), FAULTY))]
    # Kinds of items are worth lines of their own only where a law changes something that it does not change anyhow.
    alike: dict[tuple[Change, ...], list[str]] = {}
    for kind in kinds(policy):
        mine = tuple(each for each in of(kind.item(), CHANGED_MIND) if each not in usual)
        alike.setdefault(mine, []).append(f"“{kind.value}”")
    cases += [
        (_("Items with %(words)s") % {"words": listed_words(words, wording)}, mine) for mine, words in alike.items()
    ]
    return tuple(replace(change, case=case) for case, changes in cases for change in changes)


def _of(decision: Decision, wording: Wording) -> list[Change]:
    out: list[Change] = []
    refused = decision.terms["returnable"].set_by.startswith(PREFIX)
    for name, term in decision.terms.items():
        if not term.set_by.startswith(PREFIX):
            continue
        rule, before = next((each for each in term.instead_of if not each[0].startswith(PREFIX)), ("", None))
        given, instead = phrase(name, term.value, wording), phrase(name, before, wording) if rule else ""
        if given == instead:
            continue
        if refused and name != "returnable":
            # What the policy refused has no other terms to be compared with.
            rule, instead = decision.terms["returnable"].instead_of[0][0], ""
        floor = term.set_by.removeprefix(PREFIX)
        out.append(Change("", label(name, wording), given, instead, rule_words(rule, wording), floor))
    return out
