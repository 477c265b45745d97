"""The findings of the analysis in the words of a shop owner, who never saw the document.

In: what was found: rules, windows, laws, an example. Out: plain text without a name of the language in it.
Invariants: rules are named as the editor names them; days are written out; every term has words. Never: a finding of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from babel import Locale

from portal.policy.conditions import Comparison
from portal.policy.decision import OTHERWISE
from portal.policy.explain import ENGLISH, length_words
from portal.policy.pieces import plain
from portal.policy.sentences import condition_words, fact_label
from portal.policy.terms import Window

ABOUT: Mapping[str, str] = {
    "returnable": "what can come back",
    "window": "the time to return",
    "resolutions": "what customers can choose",
    "exchange_for": "what it is exchanged for",
    "review": "who decides",
    "evidence": "photos",
    "questions": "questions to the customer",
    "ship_with": "how it is sent back",
    "return_shipping": "the cost of sending it back",
    "restocking_fee": "the restocking fee",
    "outbound_shipping": "the delivery costs that were paid",
    "credit_bonus": "the bonus on store credit",
    "exchange_bonus": "the bonus on exchanges",
    "keep_item": "what customers keep",
    "donate": "what is given away",
    "refund_when": "when the money is sent",
    "ship_by": "the time to send it",
    "destination": "where it is sent",
    "message": "the message to the customer",
    "on_inspection": "what is paid after the check",
}
_COUNTRIES = Locale("en").territories


def named(rule: str) -> str:
    """``“Final sale”``; what holds when no rule speaks is "The default"."""
    return "The default" if rule == OTHERWISE else f"“{rule}”"


def called(fact: str) -> str:
    """``“Order date”``, as the editor calls a fact."""
    return f"“{fact_label(fact)}”"


def day(value: date) -> str:
    """``1 November 2026``."""
    return ENGLISH.date(value)


def country(code: str) -> str:
    """``Germany`` of ``DE``."""
    return str(_COUNTRIES.get(code, code))


def limit(window: Window) -> str:
    """``until 31 January 2027``, ``365 days``."""
    return f"until {day(window.until)}" if window.until is not None else length_words(window.days or 0, ENGLISH)


def example(given: Mapping[str, Any]) -> str:
    """``For example, when the country is GB and the reason is faulty``."""
    parts = [_part(name, value) for name, value in sorted(given.items())]
    if not parts:
        return "For example, whatever the order is"
    return "For example, when " + (parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1])


def _part(fact: str, value: Any) -> str:
    if value == ():
        return f"there is nothing in {called(fact)}"
    if isinstance(value, int) and value < 0:
        return plain(condition_words(Comparison(fact, "under", 0)))
    if isinstance(value, tuple):
        test = Comparison(fact, "has", value[0]) if len(value) == 1 else Comparison(fact, "has_all", value)
    else:
        test = Comparison(fact, "is", value)
    return plain(condition_words(test))
