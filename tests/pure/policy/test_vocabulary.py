"""The whole vocabulary, walked: every fact with every operator, and every term with what it takes and what it refuses.

A fact, an operator or a term that is new to the language fails here until it has its cases.
"""

from __future__ import annotations

import pytest

from portal.policy import conditions as c
from portal.policy import terms as t
from portal.policy.cases import read_facts
from portal.policy.conditions import Unknown, compile_condition
from portal.policy.decision import REVIEW, Cause
from portal.policy.diagnostics import PolicyErrors
from portal.policy.document import Findings, parse
from portal.policy.engine import decide
from portal.policy.facts import Facts
from portal.policy.loader import load_policy
from portal.policy.read_conditions import read_condition
from portal.policy.read_terms import read_terms
from tests.pure.policy.samples import LONDON, document

ANSWER = c.find_fact("answer.worn")
assert ANSWER is not None
SPECS = [*c.FACTS.values(), ANSWER]
NOTHING_KNOWN = Facts(evidence=None)

# (type or kind, operator) -> what is written after it, a fact for which it holds, a fact for which it does not.
HOLDS: dict[tuple[str, str], tuple[str, str, str]] = {
    (c.TEXT, "is"): ("blue", "Blue", "blue green"),
    (c.TEXT, "in"): ("[blue, green]", "GREEN", "red"),
    (c.TEXT, "not_in"): ("[blue, green]", "red", "Green"),
    (c.TEXT, "matches"): ("bl.*", "BLUE", "dark blue"),
    (c.TEXTS, "has"): ("sale", "[new, Sale]", "[presale]"),
    (c.TEXTS, "has_any"): ("[sale, outlet]", "[OUTLET]", "[]"),
    (c.TEXTS, "has_all"): ("[sale, outlet]", "[outlet, new, sale]", "[sale]"),
    (c.NUMBER, "is"): ("7", "7", "8"),
    (c.NUMBER, "in"): ("[7, 9]", "9", "8"),
    (c.NUMBER, "not_in"): ("[7, 9]", "8", "7"),
    (c.NUMBER, "over"): ("7", "8", "7"),
    (c.NUMBER, "under"): ("7", "6", "7"),
    (c.NUMBER, "at_least"): ("7", "7", "6"),
    (c.NUMBER, "at_most"): ("7", "7", "8"),
    (c.NUMBER, "between"): ("[7, 9]", "9", "10"),
    (c.MONEY, "is"): ("7 GBP", "7.00 GBP", "7.01 GBP"),
    (c.MONEY, "over"): ("7 GBP", "7.01 GBP", "7 GBP"),
    (c.MONEY, "under"): ("7 GBP", "6.99 GBP", "7 GBP"),
    (c.MONEY, "at_least"): ("7 GBP", "7 GBP", "6.99 GBP"),
    (c.MONEY, "at_most"): ("7 GBP", "7 GBP", "7.01 GBP"),
    (c.MONEY, "between"): ("[7 GBP, 9 GBP]", "9 GBP", "9.01 GBP"),
    (c.YES_NO, "is"): ("true", "true", "false"),
    (c.SHARE, "is"): ("7%", "7.00%", "7.01%"),
    (c.SHARE, "over"): ("7%", "7.01%", "7%"),
    (c.SHARE, "under"): ("7%", "6.99%", "7%"),
    (c.SHARE, "at_least"): ("7%", "7%", "6.99%"),
    (c.SHARE, "at_most"): ("7%", "7%", "7.01%"),
    (c.SHARE, "between"): ("[7%, 9%]", "7%", "6.99%"),
    (c.WEIGHT, "is"): ("2 kg", "2000 g", "2001 g"),
    (c.WEIGHT, "over"): ("2 kg", "2001 g", "2000 g"),
    (c.WEIGHT, "under"): ("2 kg", "1999 g", "2000 g"),
    (c.WEIGHT, "at_least"): ("2 kg", "2000 g", "1999 g"),
    (c.WEIGHT, "at_most"): ("2 kg", "2000 g", "2.001 kg"),
    (c.WEIGHT, "between"): ("[500 g, 2 kg]", "500 g", "499 g"),
    (c.DAY, "is"): ("2026-11-07", "2026-11-07 23:59", "2026-11-08 00:00"),
    (c.DAY, "from"): ("2026-11-07", "2026-11-07 00:00", "2026-11-06 23:59"),
    (c.DAY, "to"): ("2026-11-07", "2026-11-07 23:59", "2026-11-08 00:00"),
    (c.DAY, "between"): ("[2026-11-07, 2026-11-09]", "2026-11-09 23:59", "2026-11-10 00:00"),
}  # fmt: skip
WORDS = {"country": ("GB", "DE", "FR"), "currency": ("GBP", "EUR", "JPY"), "reason": ("faulty", "damaged", "other")}
WORDS |= {"resolution": t.RESOLUTIONS, "method": t.METHODS[:3]}


def told(spec: c.FactSpec, op: str) -> tuple[str, str, str]:
    """The table's entry for a fact, in its own words where it has such."""
    if spec.kind in WORDS or spec.words:
        one, two, other = WORDS[spec.kind or spec.name]
        written = {"is": one, "in": f"[{one}, {two}]", "not_in": f"[{two}, {other}]", "matches": f"({one}|{two})"}
        return written[op], one, other
    return HOLDS[spec.type, op]


def facts_of(spec: c.FactSpec, value: str) -> Facts:
    """Facts of which this one alone is known, written as a case writes them."""
    if spec.kind == "days":
        moment = {"days_since.placed": "order.placed", "days_since.shipped": "order.shipped"}.get(
            spec.name, "order.delivered"
        )
        text = f"{{{moment}: 2026-11-01 23:59, at: 2026-11-{1 + int(value):02} 00:01}}"
    else:
        text = f"{{{'at' if spec.name == 'today' else spec.name}: {value}}}"
    findings = Findings("facts")
    root = parse(text, findings)
    assert root is not None
    read = read_facts(root, NOTHING_KNOWN, LONDON, findings)
    assert findings.found == []
    return read


def holds(text: str):
    findings = Findings("condition")
    root = parse(text, findings)
    assert root is not None
    condition = read_condition(root, findings)
    assert condition is not None, findings.found
    return compile_condition(condition, LONDON)


PAIRS = [pytest.param(spec, op, id=f"{spec.name} {op}") for spec in SPECS for op in c.OPERATORS[spec.type]]


def test_the_table_has_every_type_with_every_operator_it_takes():
    assert set(HOLDS) == {(type_, op) for type_, ops in c.OPERATORS.items() for op in ops}
    assert set(WORDS) == {
        spec.kind or spec.name for spec in SPECS if spec.words or spec.kind in ("country", "currency")
    }


@pytest.mark.parametrize(("spec", "op"), PAIRS)
def test_a_condition_holds_does_not_hold_or_is_unknown(spec, op):
    written, yes, no = told(spec, op)
    test = holds(f"{{{spec.name}: {{{op}: {written}}}}}")
    assert test(facts_of(spec, yes)) is True
    assert test(facts_of(spec, no)) is False
    got = test(NOTHING_KNOWN)
    assert isinstance(got, Unknown)
    assert [(miss.fact, miss.why) for miss in got.misses] == [(spec.name, "missing")]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_value_alone_and_a_list_mean_what_the_language_says(spec):
    alone, several = ("has", "has_any") if spec.type == c.TEXTS else ("is", "in")
    written, yes, no = told(spec, alone)
    assert (holds(f"{{{spec.name}: {written}}}")(facts_of(spec, yes)), alone) == (True, alone)
    assert holds(f"{{{spec.name}: {written}}}")(facts_of(spec, no)) is False
    if several in c.OPERATORS[spec.type]:
        written, yes, no = told(spec, several)
        assert holds(f"{{{spec.name}: {written}}}")(facts_of(spec, yes)) is True
        assert holds(f"{{{spec.name}: {written}}}")(facts_of(spec, no)) is False


def refusal(when: str = "{}", sets: str = "{review: always}"):
    """The one error of a rule. Its `when` begins at line 6, column 11, its `set` at line 7, column 10."""
    with pytest.raises(PolicyErrors) as caught:
        load_policy(document(f"- rule: A\n  when: {when}\n  set: {sets}"), "shop.yaml")
    (found,) = caught.value.diagnostics
    return found


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_other_operator_is_refused_where_it_stands_with_those_that_fit(spec):
    takes = f"`{spec.name}` takes " + ", ".join(f"`{op}`" for op in c.OPERATORS[spec.type])
    for op in set(c.ALL_OPERATORS) - set(c.OPERATORS[spec.type]):
        found = refusal(f"{{{spec.name}: {{{op}: 7}}}}")
        assert (found.file, found.line, found.column, found.text) == ("shop.yaml", 6, 15 + len(spec.name), op)
        assert found.message == f"`{op}` does not fit `{spec.name}`, which is {c.TYPE_WORDS[spec.type]}"
        assert found.help_line == takes
    if not {"in", "has_any"} & set(c.OPERATORS[spec.type]):
        found = refusal(f"{{{spec.name}: [7, 8]}}")
        assert (found.line, found.column, found.message) == (6, 14 + len(spec.name), f"`{spec.name}` takes no list")
        assert found.help_line == takes


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("reason: tired", "`tired` is no reason"),
        ("resolution: money", "`money` is no resolution"),
        ("method: mule", "`mule` is no method"),
    ],
)
def test_a_fact_of_few_words_takes_no_other(written, message):
    assert refusal(f"{{{written}}}").message.startswith(message)


# The words that policies are written in: a name that is gone from here is gone from policies that are published.
FACTS_OF = {
    "date": "order.placed order.shipped order.delivered order.last_delivered today",
    "number": "days_since.placed days_since.shipped days_since.delivered order.returns_so_far customer.orders"
    " customer.returns customer.kept_items customer.failed_inspections item.quantity line.quantity return.items evidence",
    "text": "order.country order.currency order.number order.region order.channel order.payment_method order.fulfilment"
    " customer.email item.sku item.product item.vendor item.type item.category reason resolution method",
    "list": "order.tags order.discount_codes customer.tags item.tags",
    "amount": "order.total customer.refunded_90_days customer.credit_received item.price item.paid line.value return.value",
    "percentage": "order.discount_percent customer.return_rate",
    "true or false": "order.is_gift order.is_business customer.is_consumer item.discounted item.hazardous item.is_exchange"
    " return.is_full",
    "weight": "item.weight",
}
TYPES_IN_WORDS = {
    "text": "a text", "list": "a list", "number": "a number", "amount": "an amount", "true or false": "true or false",
    "percentage": "a percentage", "weight": "a weight", "date": "a date",
}  # fmt: skip
REQUIRED = {
    "returnable": ("true or false", ""),
    "window": ("a window", ""),
    "resolutions": ("a list", "refund exchange store_credit"),
    "review": ("one of its words", "never always"),
    "evidence": ("evidence", ""),
    "ship_with": ("a list", "label qr shop own"),
    "return_shipping": ("return shipping", ""),
    "restocking_fee": ("a percentage or an amount", ""),
    "outbound_shipping": ("one of its words", "never full_return always"),
    "credit_bonus": ("a percentage", ""),
    "keep_item": ("true or false", ""),
    "refund_when": ("one of its words", "authorized in_transit received inspected"),
    "ship_by": ("days", ""),
}
OPTIONAL = {
    "exchange_for": ("one of its words", "same_price"),
    "exchange_bonus": ("a percentage", ""),
    "donate": ("true or false", ""),
    "on_inspection": ("grades", "as_new opened used damaged wrong_item missing"),
    "questions": ("questions", ""),
    "destination": ("a text", ""),
    "message": ("a text", ""),
}


def test_the_language_has_these_facts_and_terms_and_no_others():
    assert {type_: names.split() for type_, names in FACTS_OF.items()} == {
        type_: [spec.name for spec in c.FACTS.values() if spec.type == type_] for type_ in c.OPERATORS
    }
    assert dict(c.TYPE_WORDS) == TYPES_IN_WORDS
    assert {name: (spec.type.name, " ".join(spec.words)) for name, spec in t.TERMS.items()} == REQUIRED | OPTIONAL
    assert tuple(REQUIRED) == t.REQUIRED_TERMS
    assert (t.STARTS, t.ENDS_ON) == (("placed", "shipped", "delivered", "last_delivered"), ("day", "business_day"))


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        (
            "any_variant",
            "what a cheaper one leaves over is not paid out; `exchange_bonus` lets the replacement cost more",
        ),
        ("any_product", "there is no catalogue to choose from; give `store_credit` instead"),
        (
            "instant_exchange",
            "a replacement leaves when the goods have come: nothing could be charged if they never did",
        ),
    ],
)
def test_what_other_products_promise_is_refused_with_its_reason(word, reason):
    found = refusal(sets=f"{{exchange_for: {word}}}")
    assert (found.message, found.help_line) == (f"`{word}` is not offered yet", reason)


def rule_that_refuses(spec: c.FactSpec, op: str):
    when = f"{{{spec.name}: {{{op}: {told(spec, op)[0]}}}}}"
    return load_policy(document(f"- rule: Never\n  when: {when}\n  set: {{returnable: false}}\n  say: No."))


@pytest.mark.parametrize(("spec", "op"), PAIRS)
def test_a_fact_that_is_not_known_never_passes_in_silence(spec, op):
    decision = decide(rule_that_refuses(spec, op), NOTHING_KNOWN)
    assert decision.answer == REVIEW
    assert Cause("unknown_fact", "Never", {"fact": spec.name, "sets": ["returnable"]}) in decision.causes


@pytest.mark.parametrize(
    ("spec", "op"), [each for each in PAIRS if each.values[0].type == c.MONEY]
)  # fmt: skip
def test_an_amount_in_another_currency_is_a_question_and_never_converted(spec, op):
    decision = decide(rule_that_refuses(spec, op), facts_of(spec, "7 USD"))
    assert decision.answer == REVIEW
    params = {"fact": spec.name, "sets": ["returnable"], "found": "USD", "wanted": "GBP"}
    assert Cause("other_currency", "Never", params) in decision.causes


# Kind of term -> values it refuses: (written, column of the offence within the value, message). `*` stands for the term.
REFUSES: dict[str, list[tuple[str, int, str]]] = {
    t.YES_NO.name: [
        ("yes", 0, "expected `true` or `false`, not `yes`"),
        ('"true"', 0, "expected `true` or `false`, not `true`"),
        ("[true]", 0, "expected `true` or `false`, not a list"),
        ("", -1, "expected `true` or `false`, but nothing is given"),
    ],
    t.WORD.name: [("perhaps", 0, "`perhaps` is no `*`"), ("{a: 1}", 0, "expected `*`, not a mapping")],
    t.WORDS.name: [
        ("perhaps", 0, "`perhaps` is no `*`"),
        ("[]", 0, "expected a list for `*`, but the list is empty"),
        ("{a: 1}", 0, "expected a list for `*`, not a mapping"),
    ],
    t.TEXT.name: [
        ("''", 0, "expected a text, but it is empty"),
        ("[a, b]", 0, "expected a text, not a list"),
        ('"\\u202e"', 0, "hidden character U+202E"),
        ("x" * 501, 0, "a text of 501 characters"),
    ],
    t.SHARE.name: [
        ("10", 0, "expected a percentage, not `10`"),
        ("0.125%", 0, "expected a percentage, not `0.125%`"),
        ("10%5", 0, "expected a percentage, not `10%5`"),
        ("-1%", 0, "expected a percentage, not `-1%`"),
        ("NaN%", 0, "expected a percentage, not `NaN%`"),
        ("100.01%", 0, "`100.01%` is more than 100%"),
    ],
    t.DAYS.name: [
        ("-1", 0, "expected a number of days, not `-1`"),
        ("2 weeks", 0, "expected a number of days, not `2 weeks`"),
        ("36501", 0, "`36501` is too large"),
    ],
    t.FEE.name: [
        ("5", 0, "`5` has no currency"),
        ("101%", 0, "`101%` is more than 100%"),
        ("5 XXY", 0, "`XXY` is no ISO 4217 currency"),
        ("GBP-5", 0, "`GBP-5` is no amount a policy can use"),
        ("0.001 GBP", 0, "`0.001` has more digits than GBP has"),
    ],
    t.EVIDENCE.name: [
        ("2", 0, "`2` is no `*`"),
        ("{photos: 11}", 9, "`11` is too large"),
        ("{photos: 0}", 9, "no photo is `none`"),
        ("{of: []}", 5, "expected a text, not a list"),
    ],
    t.WINDOW.name: [
        ("30 days", 0, "expected a mapping, not `30 days`"),
        ("{}", 0, "the window has no end"),
        ("{until: 2026-02-30}", 8, "`2026-02-30` is no day of the calendar"),
        ("{until: 9999-01-01}", 8, "`9999-01-01` is out of reach"),
        ("{until: 2027-01-01, from: placed}", 20, "`until` and `from` exclude each other"),
        ("{days: 30, grace: some}", 18, "expected a number of days, not `some`"),
        ("{days: 30, ends_on: friday}", 20, "`friday` is no `ends_on`"),
        ("{days: 30, from: shipped, if_undelivered: {days: 9, from: shipped}}", 42,
         "the fallback must count from an earlier moment"),
    ],
    t.SHIPPING.name: [
        ("free", 0, "expected a mapping, not `free`"),
        ("{paid_by: us}", 10, "`us` is no payer"),
        ("{paid_by: customer, amount: 3}", 28, "`3` has no currency"),
        ("{paid_by: customer, free_for: [credit]}", 31, "`credit` is no `resolutions`"),
        ("{paid_by: customer, once_per: year}", 30, "`year` is no `once_per`"),
        ("{paid_by: merchant, share: 5%}", 20, "`share` means nothing when the merchant pays"),
    ],
    t.GRADES.name: [
        ("70%", 0, "expected a mapping, not `70%`"),
        ("{worn: 70%}", 1, "unknown key `worn`"),
        ("{used: 70}", 7, "expected a percentage, not `70`"),
        ("{used: {refund: 70%, review: maybe}}", 29, "`maybe` is no `review`"),
    ],
    t.QUESTIONS.name: [
        ("worn", 0, "expected a mapping, not `worn`"),
        ("[{name: worn}]", 1, "the question has no `ask`"),
        ("[{name: Worn, ask: Worn?}]", 8, "`Worn` is no name of a question"),
        ("[{name: a, ask: A?}, {name: a, ask: B?}]", 21, "two questions are called `a`"),
        ("[{name: a, ask: A?, choices: [yes]}]", 29, "1 choice"),
        ("[{name: a, ask: A?, choices: [yes, yes]}]", 29, "a choice is given twice"),
        (f"[{', '.join(f'{{name: q{n}, ask: A?}}' for n in range(6))}]", 106, "more than 5 questions"),
    ],
}  # fmt: skip
TERM_REFUSALS = [
    pytest.param(name, *each, id=f"{name}: {each[0][:30]}") for name, spec in t.TERMS.items() for each in REFUSES[spec.type.name]
]  # fmt: skip


def test_the_table_has_every_kind_of_term():
    assert set(REFUSES) == {spec.type.name for spec in t.TERMS.values()}


@pytest.mark.parametrize(("name", "written", "column", "message"), TERM_REFUSALS)
def test_a_term_refuses_a_value_that_is_not_its_own_where_it_stands(name, written, column, message):
    found = refusal(sets=f"{{{name}: {written}}}")
    assert found.message == message.replace("*", name)
    assert (found.line, found.column) == (7, 10 + len(f"{{{name}: ") + column)


@pytest.mark.parametrize("name", t.TERMS)
def test_no_term_takes_a_mapping_with_a_word_that_is_not_its_own(name):
    findings = Findings("terms")
    root = parse(f"{{{name}: {{such: no}}}}", findings)
    assert root is not None
    assert read_terms(root, findings) is None
    assert findings.found[0].line == 1
