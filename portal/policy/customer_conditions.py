"""When a rule holds, as its customers read it: "you answer “yes” to “Have you opened it?”".

In: a rule's condition, what is known of a purchase, a `Wording`. Out: a clause.
Invariants: what holds for every reader of the place is left out; a question is told by its own words.
Never: a rule's name, the name that rules give a question, a word of the staff's pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from portal.policy.conditions import ANSWER_PREFIX, All, Any_, Comparison, Condition, Not, compile_condition
from portal.policy.explain import Wording
from portal.policy.facts import Facts
from portal.policy.loader import Policy
from portal.policy.phrases import FACT_WORDS, FactWords
from portal.policy.rights import goods_words
from portal.policy.sentences import condition_words, plain
from portal.policy.terms import Questions


def _(message: str) -> str:
    """Mark a message id for the extractor; it is translated when a sentence is made."""
    return message


_KIND = FactWords("", _("it is of the kind"), _("it is of the kinds"), _("it is not of the kind"))
_KINDS = ("item.category", "item.type", "item.tags")
_YOURS: Mapping[str, FactWords] = {
    "order.placed": FactWords("", _("you ordered")),
    "order.shipped": FactWords("", _("it was sent")),
    "order.delivered": FactWords("", _("it was delivered")),
    "order.last_delivered": FactWords("", _("the last parcel of your order was delivered")),
    "today": FactWords("", _("you ask")),
    "order.total": FactWords("", _("your order’s total is")),
    "order.tags": FactWords(
        "", _("your order is of the kind"), _("your order is of the kinds"), _("your order is not of the kind")
    ),
    "order.discount_codes": FactWords(
        "", _("you used the discount code"), _("you used the discount codes"), _("you didn’t use the discount code")
    ),
    "order.discount_percent": FactWords("", _("the discount on your order is")),
    "order.returns_so_far": FactWords("", _("the number of returns you made of this order is")),
    "order.is_gift": FactWords("", _("your order is"), yes=_("a gift"), no=_("not a gift")),
    "customer.tags": FactWords(
        "", _("you are in the group"), _("you are in the groups"), _("you are not in the group")
    ),
    "customer.email": FactWords("", _("your e-mail address is")),
    "customer.orders": FactWords("", _("the number of your orders is")),
    "customer.returns": FactWords("", _("the number of your returns is")),
    "customer.kept_items": FactWords("", _("the number of items you kept before is")),
    "customer.failed_inspections": FactWords("", _("the number of your items that failed our check is")),
    "customer.return_rate": FactWords("", _("the share of what you bought that you sent back is")),
    "customer.refunded_90_days": FactWords("", _("your refunds in 90 days are")),
    "customer.credit_received": FactWords("", _("your store credit so far is")),
    **dict.fromkeys(_KINDS, _KIND),
    "item.price": FactWords("", _("it cost")),
    "item.paid": FactWords("", _("you paid for it")),
    "item.discounted": FactWords("", _("it was sold"), yes=_("at a discount"), no=_("at full price")),
    "item.hazardous": FactWords("", _("it is"), yes=_("hazardous"), no=_("not hazardous")),
    "item.is_exchange": FactWords(
        "", _("it was"), yes=_("sent as an exchange"), no=_("not sent as an exchange")
    ),
    "line.value": FactWords("", _("what you send back of it is worth")),
    "line.quantity": FactWords("", _("the number you send back of it is")),
    "return.value": FactWords("", _("your return is worth")),
    "return.items": FactWords("", _("the number of items in your return is")),
    "return.is_full": FactWords("", _("you send back"), yes=_("the whole order"), no=_("a part of the order")),
    "evidence": FactWords("", _("the number of photos you give is")),
    "resolution": FactWords("", _("you choose")),
    "method": FactWords("", _("you send it with")),
}  # fmt: skip
_PATTERNS: Mapping[str, FactWords] = {
    "item": FactWords("", _("it is"), yes=_("one of certain items")),
    "order": FactWords("", _("your order is"), yes=_("one of certain orders")),
    "customer": FactWords("", _("you are"), yes=_("one of certain customers")),
    "answer": FactWords("", _("your answer is"), yes=_("one of certain answers")),
}
"""What a pattern asks, by what it is asked of: the signs that a merchant writes for it are nobody else's words."""
_ANYTHING_ELSE = FactWords("", _("your return is"), yes=_("one of certain returns"))
_WORDS = {**FACT_WORDS, **_YOURS, **{f"{of}.*": words for of, words in _PATTERNS.items()}, "*": _ANYTHING_ELSE}


def customer_condition(policy: Policy, condition: Condition, known: Facts, wording: Wording) -> str:
    """The condition as a clause, without what is known to hold for everybody who reads it."""
    told = _told(_left(condition, known, policy), dict(_questions(policy)), wording)
    parts = told.parts if isinstance(told, All) else (told,)
    holds = All(tuple(part for part in parts if not isinstance(part, Not)))
    unless = All(tuple(part.part for part in parts if isinstance(part, Not)))
    if not holds.parts or len(unless.parts) != 1:
        return plain(condition_words(told, wording, _WORDS))
    words = {
        "condition": plain(condition_words(holds, wording, _WORDS)),
        "other": plain(condition_words(unless, wording, _WORDS)),
    }
    return wording.gettext("%(condition)s, unless %(other)s") % words


def _left(condition: Condition, known: Facts, policy: Policy) -> Condition:
    """What of a condition is still a question."""
    match condition:
        case All(parts):
            left = [_left(part, known, policy) for part in parts if _holds(part, known, policy) is not True]
            return left[0] if len(left) == 1 else All(tuple(left)) if left else condition
        case Any_(parts):
            left = [_left(part, known, policy) for part in parts if _holds(part, known, policy) is not False]
            return left[0] if len(left) == 1 else Any_(tuple(left)) if left else condition
        case _:
            return condition


def _holds(condition: Condition, known: Facts, policy: Policy) -> object:
    return compile_condition(condition, policy.zone)(known)


def _told(condition: Condition, asked: Mapping[str, str], wording: Wording) -> Condition:
    """The same condition with questions and goods in the words of customers."""
    match condition:
        case All(parts):
            return All(tuple(_told(part, asked, wording) for part in parts))
        case Any_(parts):
            return Any_(tuple(_told(part, asked, wording) for part in parts))
        case Not(part):
            return Not(_told(part, asked, wording))
        case Comparison(fact, "matches"):
            of = fact.partition(".")[0]
            return Comparison(f"{of}.*" if of in _PATTERNS else "*", "is", True)
        case Comparison(fact, _op, value) if fact in _KINDS:
            words = tuple(goods_words(each, wording) for each in (value if isinstance(value, tuple) else (value,)))
            return replace(condition, value=words if isinstance(value, tuple) else words[0])
        case Comparison(fact) if fact.startswith(ANSWER_PREFIX):
            name = fact[len(ANSWER_PREFIX) :]
            return replace(condition, fact=ANSWER_PREFIX + asked.get(name, name))
        case _:
            return condition


def _questions(policy: Policy) -> Iterator[tuple[str, str]]:
    for sets in (policy.otherwise, *(rule.sets for rule in policy.rules)):
        value = sets.get("questions")
        if isinstance(value, Questions):
            yield from ((each.name, each.ask) for each in value.items)
