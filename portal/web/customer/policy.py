"""The shop's policy as a page for people, made from the policy that decides."""

from __future__ import annotations

from dataclasses import dataclass

from portal import clock
from portal.policy.explain import term_label, value_words
from portal.policy.loader import Rule
from portal.policy.plain import general_terms, policy_lines
from portal.policy.terms import Fee
from portal.policybook.service import load_book
from portal.web.customer.base import page, pages, ports, read, speech

SHOWN = (
    "window", "resolutions", "evidence", "ship_with", "ship_by", "return_shipping", "restocking_fee", "credit_bonus",
    "outbound_shipping", "refund_when",
)  # fmt: skip
"""What customers ask about; who decides and where parcels go is the shop's own business."""


@dataclass(frozen=True, slots=True)
class Exception_:
    """A rule that sets something apart: its name, the merchant's words, and what it changes."""

    name: str
    say: str
    changes: tuple[tuple[str, str], ...]


@pages.get("/policy")
def policy() -> tuple[str, int]:
    """What holds for everything, then what is set apart."""
    shop = ports().shop
    words = speech().wording()
    with read() as session:
        book = load_book(session)
    if not book.versions:
        return page("policy", points=(), general=(), rules=())
    _number, current = book.current(clock.now())
    general = general_terms(current, shop.currency)
    rows = tuple(
        (term_label(name, words), value_words(name, general[name], words))
        for name in SHOWN
        if name in general and general[name] != Fee()
    )

    def described(rule: Rule) -> Exception_:
        changes = tuple(
            (term_label(name, words), value_words(name, rule.sets[name], words)) for name in SHOWN if name in rule.sets
        )
        return Exception_(rule.name, rule.say or "", changes)

    rules = tuple(found for rule in current.rules if (found := described(rule)).say or found.changes)
    points = policy_lines(current, words, currency=shop.currency, refund_days=shop.bank_days)
    return page("policy", points=points, general=rows, rules=rules)
