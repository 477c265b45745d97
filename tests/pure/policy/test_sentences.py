"""What customers and staff read: every cause has words of both kinds, dates and amounts included, and all can be translated."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pytest

from portal.money import Money
from portal.policy import terms
from portal.policy.decision import REFUSING, REQUIRING, REVIEWING, Cause, Decision
from portal.policy.engine import decide
from portal.policy.explain import (
    ENGLISH,
    Wording,
    cause_message,
    customer_summary,
    length_words,
    staff_message,
    term_label,
    trace,
    value_words,
    years_of,
)
from portal.policy.loader import load_policy
from portal.policy.plain import Point, policy_points
from portal.policy.promise import Purchase, ordinary
from portal.policy.reasons import REASONS
from portal.policy.survey import survey
from portal.policy.terms import TERMS
from tests.pure.policy.samples import JUMPER, OTHERWISE, document, item, policy, shipped, utc

# The longest that so many years can be, wherever they begin.
YEARS = {
    count: max((date(first + count, 3, 1) - date(first, 3, 1)).days for first in range(2001, 2041))
    for count in range(1, 21)
}


def test_days_are_said_as_years_where_they_hold_them_however_leap_days_fall():
    assert [YEARS[count] for count in (1, 2, 3, 4, 5)] == [366, 731, 1096, 1461, 1827]
    years = {days: count for count, days in YEARS.items()}
    for days in range(7306):
        assert years_of(days) == years.get(days, 0)
    told = [length_words(days, ENGLISH) for days in (1, 30, 365, 366, 730, 731)]
    assert told == ["1 day", "30 days", "365 days", "1 year", "730 days", "2 years"]


CLOSED = {"ended_on": "2026-11-12", "days": 30, "from": "delivered", "started_on": "2026-10-13"}

SENTENCES = [
    ("not_returnable", {}, "This item can’t be returned.", "“Rule” says that this can’t be returned."),
    ("not_returnable", {"say": "Socks stay."}, "Socks stay.", "“Rule” says that this can’t be returned."),
    (
        "window_closed",
        CLOSED,
        "The 30 days ended on 12 November 2026. It was delivered on 13 October 2026.",
        "“Rule” sets the time limit. The 30 days ended on 12 November 2026. It was delivered on 13 October 2026.",
    ),
    (
        "window_closed",
        {**CLOSED, "days": 1, "from": "placed"},
        "The 1 day ended on 12 November 2026. It was ordered on 13 October 2026.",
        None,
    ),
    (
        "window_closed",
        {**CLOSED, "from": "shipped"},
        "The 30 days ended on 12 November 2026. It was sent on 13 October 2026.",
        None,
    ),
    (
        "window_closed",
        {**CLOSED, "from": "last_delivered"},
        "The 30 days ended on 12 November 2026. The last parcel of the order was delivered on 13 October 2026.",
        None,
    ),
    (
        "window_closed",
        {**CLOSED, "days": 366},
        "The 1 year ended on 12 November 2026. It was delivered on 13 October 2026.",
        None,
    ),
    (
        "window_closed",
        {**CLOSED, "days": 731},
        "The 2 years ended on 12 November 2026. It was delivered on 13 October 2026.",
        None,
    ),
    ("window_closed", {"ended_on": "2027-01-31"}, "Returns were open until 31 January 2027.", None),
    (
        "window_closed",
        {**CLOSED, "say": "Final sale."},
        "Final sale. The 30 days ended on 12 November 2026. It was delivered on 13 October 2026.",
        None,
    ),
    (
        "not_delivered",
        {"from": "delivered"},
        "It hasn’t been delivered yet. You can return it when it has arrived.",
        "“Rule” refuses as long as nothing was delivered.",
    ),
    ("not_delivered", {"from": "shipped"}, "It hasn’t been sent yet. You can return it when it has arrived.", None),
    (
        "resolution_not_offered",
        {"resolution": "refund", "offered": ["exchange", "store_credit"]},
        "We don’t offer a refund for this item. You can choose an exchange or store credit.",
        "“Rule” doesn’t offer a refund.",
    ),
    (
        "resolution_not_offered",
        {"resolution": "store_credit", "offered": ["refund"]},
        "We don’t offer store credit for this item. You can choose a refund.",
        None,
    ),
    ("photo_required", {"photos": 1, "given": 0}, "Add a photo.", "“Rule” asks for a photo: 1 needed, 0 given."),
    ("photo_required", {"photos": 3, "given": 1}, "Add 3 photos.", None),
    ("photo_required", {"photos": 2, "given": 0, "of": "the fault"}, "Add 2 photos of the fault.", None),
    (
        "unknown_fact",
        {"fact": "answer.worn", "sets": []},
        "A person in our team checks this before we answer.",
        "“Rule” could not be checked: Answer to “worn” is not known.",
    ),
    (
        "question_unanswered",
        {"question": "worn", "ask": "Have you worn it?"},
        "Answer the question: Have you worn it?",
        "“Rule” asks a question that was not answered: Have you worn it?",
    ),
    (
        "photo_required",
        {"photos": 1, "given": 0, "of": "the tags", "say": "Over £75."},
        "Add a photo of the tags. Over £75.",
        None,
    ),
    ("review_rule", {}, "A person in our team checks this before we answer.", "“Rule” asks for a person to decide."),
    ("review_rule", {"say": "We call you."}, "We call you.", None),
    (
        "unknown_fact",
        {"fact": "item.price", "sets": []},
        "A person in our team checks this before we answer.",
        "“Rule” could not be checked: “Item price” is not known.",
    ),
    (
        "other_currency",
        {"fact": "return.value", "sets": [], "found": "INR", "wanted": "GBP"},
        "A person in our team checks this before we answer.",
        "“Rule” could not be checked: “Value of the return” is in INR, the rule counts in GBP.",
    ),
    (
        "no_start_date",
        {"from": "delivered"},
        "We don’t know yet when it was delivered, so a person checks this first.",
        "We don’t know the day of delivery, and “Rule” counts the time limit from it.",
    ),
    (
        "no_start_date",
        {"from": "shipped"},
        "We don’t know yet when it was sent, so a person checks this first.",
        "We don’t know the day it was sent, and “Rule” counts the time limit from it.",
    ),
    (
        "no_start_date",
        {"from": "placed"},
        "We don’t know when it was ordered, so a person checks this first.",
        "We don’t know the day of the order, and “Rule” counts the time limit from it.",
    ),
    (
        "no_start_date",
        {"from": "last_delivered"},
        "Not all of the order has been delivered yet, so a person checks this first.",
        "We don’t know the day the last parcel came, and “Rule” counts the time limit from it.",
    ),
    (
        "fee_currency",
        {"term": "return_shipping", "wanted": "GBP", "found": "USD"},
        "A person in our team checks this before we answer.",
        "“Rule” takes a fee in GBP, but the order was charged in another currency.",
    ),
]


@pytest.mark.parametrize(("code", "params", "customer", "staff"), SENTENCES)
def test_a_cause_in_words(code, params, customer, staff):
    cause = Cause(code, "Rule", params)
    assert cause_message(cause) == customer
    if staff is not None:
        assert staff_message(cause) == staff


def test_a_law_is_called_by_its_own_name():
    cause = Cause("no_start_date", "law: UK right to cancel (regulation 29)", {"from": "last_delivered"})
    assert staff_message(cause) == (
        "We don’t know the day the last parcel came, and “UK right to cancel (regulation 29)” counts the time limit from it."
    )


def test_every_code_has_its_sentences():
    assert {code for code, *_ in SENTENCES} == {*REFUSING, *REVIEWING, *REQUIRING}


def test_a_code_of_another_release_is_named_to_staff_and_is_a_person_s_to_decide():
    assert staff_message(Cause("of_another_release", "Rule", {})) == "of_another_release"
    assert (
        cause_message(Cause("of_another_release", "Rule", {})) == "A person in our team checks this before we answer."
    )


MARKED = Wording(gettext=lambda text: f"⟦{text}⟧", ngettext=lambda one, many, count: f"⟦{one if count == 1 else many}⟧")


@pytest.mark.parametrize(("code", "params"), [case[:2] for case in SENTENCES])
def test_every_sentence_is_translated_before_its_parameters_are_put_in(code, params):
    quiet = {key: value for key, value in params.items() if key != "say"}
    text = cause_message(Cause(code, "R", quiet), MARKED)
    assert text.startswith("⟦")
    assert text.endswith("⟧")
    assert "%(" not in text


@pytest.mark.parametrize("name", ["default", "apparel", "electronics", "gifts"])
def test_every_row_of_the_trace_is_translated(name):
    rows = trace(decide(shipped(name), JUMPER), MARKED)
    assert {row.term for row in rows} <= set(TERMS)
    assert all(row.label.startswith("⟦") for row in rows)


def test_the_trace_says_which_rule_set_what_instead_of_what():
    faulty = item(JUMPER, tags=("final-sale",)).asking(reason="faulty", evidence=2)
    rows = {row.term: row for row in trace(decide(shipped("default"), faulty))}
    assert (rows["window"].label, rows["window"].result, rows["window"].set_by) == (
        "Time limit",
        "365 days",
        "Faulty items",
    )
    assert rows["window"].instead_of == (("14 days", "Final sale"), ("30 days", "Default"))
    assert rows["return_shipping"].result == "Free"
    assert rows["return_shipping"].instead_of == (("3.50 GBP, free for an exchange or store credit", "Label fee"),)
    assert (rows["review"].result, rows["review"].set_by) == ("A person", "Final-sale faults")
    assert rows["review"].instead_of == (("Automatic", "Default"),)
    assert rows["returnable"].instead_of == ()


def test_the_trace_is_in_the_order_of_the_language_also_of_a_decision_that_was_stored():
    rules = "- rule: Near\n  set: {message: Thanks., destination: Depot 4, donate: true}"
    decision = decide(policy(rules), JUMPER)
    stored = Decision.from_json(json.loads(decision.to_bytes()))
    assert list(stored.terms) == sorted(stored.terms), "the stored form has an order of its own"
    rows = [row.term for row in trace(stored)]
    assert rows == [name for name in TERMS if name in decision.terms]
    assert trace(stored) == trace(decision)


LABELS = [
    "Can it come back?",
    "Time limit",
    "What we offer",
    "Who decides",
    "Photo",
    "Ways to send it",
    "Return label",
    "Restocking fee",
    "Delivery costs back",
    "Store credit bonus",
    "Customer keeps the item",
    "Money is sent",
    "Send it within",
    "Exchange for",
    "Dearer replacement",
    "Give it away",
    "After the check",
    "Questions",
    "Send it to",
    "Message",
]
WORDS = {
    "resolutions": {"refund": "Refund", "exchange": "Exchange", "store_credit": "Store credit"},
    "ship_with": {"label": "Label to print", "qr": "QR code", "shop": "Hand in at a shop", "own": "Customer posts it"},
    "review": {"never": "Automatic", "always": "A person"},
    "outbound_shipping": {"never": "Never", "full_return": "When everything comes back", "always": "Always"},
    "refund_when": {
        "authorized": "When approved",
        "in_transit": "When handed to the carrier",
        "received": "When received",
        "inspected": "After the check",
    },
    "exchange_for": {"same_price": "The same product at the same price"},
}


def test_every_word_of_a_term_has_human_words():
    shown = {
        spec.name: {word: value_words(spec.name, (word,) if spec.type is terms.WORDS else word) for word in spec.words}
        for spec in TERMS.values()
        if spec.type in (terms.WORD, terms.WORDS)
    }
    assert shown == WORDS


def test_every_term_has_a_label():
    assert [term_label(term) for term in TERMS] == LABELS


@pytest.mark.parametrize(
    ("sets", "name", "words"),
    [
        ("{window: {until: 2027-01-31}}", "window", "Until 31 January 2027"),
        ("{window: {days: 1}}", "window", "1 day"),
        ("{window: {days: 30, ends_on: business_day}}", "window", "30 days, to a business day"),
        ("{resolutions: [refund, store_credit]}", "resolutions", "Refund, Store credit"),
        (
            "{return_shipping: {paid_by: customer, share: 5%, free_for: [refund, exchange, store_credit]}}",
            "return_shipping",
            "5%, free for a refund, an exchange or store credit",
        ),
        ("{return_shipping: {paid_by: customer}}", "return_shipping", "Customer posts it"),
        ("{return_shipping: {paid_by: customer, share: 5%}}", "return_shipping", "5%"),
        ("{restocking_fee: 12.5%}", "restocking_fee", "12.5%"),
        ("{restocking_fee: 5 GBP}", "restocking_fee", "5.00 GBP"),
        ("{evidence: {photos: 2, of: the tags}}", "evidence", "Needed, of the tags"),
        ("{evidence: photo}", "evidence", "Needed"),
        ("{evidence: none}", "evidence", "Not needed"),
        ("{credit_bonus: 10%}", "credit_bonus", "10%"),
        ("{ship_by: 7 days}", "ship_by", "7 days"),
        ("{keep_item: true}", "keep_item", "Yes"),
        ("{keep_item: false}", "keep_item", "No"),
        ("{questions: [{name: worn, ask: Worn?}, {name: washed, ask: Washed?}]}", "questions", "Worn? Washed?"),
        (
            "{on_inspection: {wrong_item: {refund: 70%, review: always}, missing: 0%}}",
            "on_inspection",
            "wrong item: 70% (a person decides), missing: 0%",
        ),
        ("{destination: Depot 4}", "destination", "Depot 4"),
    ],
)
def test_values_in_words(sets, name, words):
    value = load_policy(document(f"- rule: A\n  set: {sets}")).rules[0].sets[name]
    assert value_words(name, value) == words


def test_a_summary_says_each_sentence_once():
    facts = item(JUMPER, tags=("sale",)).asking(at=utc(2026, 12, 24))
    decision = decide(shipped("apparel"), replace(facts, order=replace(facts.order, currency="EUR")))
    text = customer_summary(decision)
    assert text.count("Sale items can be exchanged") == 1


def test_a_summary_has_the_sentences_of_all_causes_one_after_the_other():
    rules = "- rule: Sale\n  when: {item.tags: sale}\n  set: {returnable: false}\n  say: It was on sale."
    late = item(JUMPER, tags=("sale",)).asking(at=utc(2026, 12, 24))
    assert customer_summary(decide(policy(rules), late)) == (
        "It was on sale. The 30 days ended on 28 November 2026. It was delivered on 29 October 2026."
    )


def test_english_names_every_month():
    named = [ENGLISH.date(date(2026, month, 3)) for month in range(1, 13)]
    assert named[0] == "3 January 2026"
    assert " ".join(each.split()[1] for each in named) == (
        "January February March April May June July August September October November December"
    )


def pounds(amount: Money) -> str:
    return f"£{amount.decimal}"


def test_how_returns_work_here_is_what_the_design_shows():
    points = lines(shipped("default"), replace(ENGLISH, money=pounds))
    assert [(point.title, point.text) for point in points] == [
        ("30 days to decide", "Counted from the day your parcel was delivered."),
        (
            "Free exchanges and store credit",
            "A refund takes £3.50 off for the return label. Faulty items are always free.",
        ),
        ("No printer needed", "Show a QR code at the drop-off point and they print the label."),
        ("Money back in about 5 working days", "From the day your parcel reaches us."),
    ]


@pytest.mark.parametrize(
    ("old", "new", "point", "title", "text"),
    [
        ("", "", 1, "Free returns", "We pay for the way back."),
        (
            "paid_by: merchant",
            "paid_by: customer",
            1,
            "You send it back",
            "You choose the carrier and pay for the way back.",
        ),
        (
            "paid_by: merchant",
            "paid_by: customer, share: 5%",
            1,
            "Free exchanges",
            "Otherwise 5% comes off what you get back, for the return label.",
        ),
        (
            "paid_by: merchant",
            "paid_by: customer, amount: 2 GBP, free_for: [exchange]",
            1,
            "Free exchanges",
            "Otherwise 2.00 GBP comes off what you get back, for the return label.",
        ),
        (
            "restocking_fee: 0%",
            "restocking_fee: 15%",
            1,
            "Free returns",
            "We pay for the way back. A restocking fee of 15% comes off what you get back.",
        ),
        (
            "from: delivered, if_undelivered: review",
            "from: placed",
            0,
            "30 days to decide",
            "Counted from the day you ordered.",
        ),
        (
            "days: 30, from: delivered, if_undelivered: review",
            "until: 2027-01-31",
            0,
            "Open until 31 January 2027",
            "The last day counts in full. It holds for orders placed from 20 November 2026 to 31 January 2027.",
        ),
        ("[label, qr]", "[label]", 2, "A label to print", "You get it at once. Put it on the parcel and drop it off."),
        ("[label, qr]", "[own]", 2, "Send it your way", "Any carrier will do. Keep the receipt."),
        (
            "refund_when: received",
            "refund_when: inspected",
            3,
            "Money back in about 5 working days",
            "From the day we have checked your parcel.",
        ),
    ],
)
def test_the_points_follow_the_policy(old, new, point, title, text):
    points = lines(policy(otherwise=OTHERWISE.replace(old, new) if old else OTHERWISE))
    assert (points[point].title, points[point].text) == (title, text)


def lines(of, wording=ENGLISH):
    return policy_points(of, asks, Purchase("GB", "GBP", utc(2026, 11, 20), ordinary()), wording)


def asks(of):
    return lambda facts: decide(of, facts)


def test_a_rule_for_some_items_is_no_promise_on_the_page():
    rules = "- rule: VIP\n  when: {customer.tags: {has: vip}}\n  set: {window: {days: 365}}"
    assert lines(policy(rules))[0].title == "30 days to decide"


def test_a_time_for_some_days_of_purchase_is_told_with_them() -> None:
    season = "- rule: Christmas\n  when: {order.placed: {from: 2026-11-01, to: 2026-12-24}}\n  set: {%s}\n"
    assert lines(policy(season % "window: {until: 2027-01-31}"))[0] == Point(
        "calendar",
        "Open until 31 January 2027",
        "The last day counts in full. It holds for orders placed from 1 November 2026 to 24 December 2026.",
    )
    same = lines(policy(season % "credit_bonus: 10%"))[0]
    assert same.text == "Counted from the day your parcel was delivered.", "all have the same time"
    assert lines(policy(season % "review: always"))[0].text.endswith("from 1 November 2026 to 24 December 2026.")


def test_what_may_change_the_cost_of_the_way_back_is_said_beside_it() -> None:
    free = "- rule: {0}\n  when: {{order.total: {{at_least: {1} GBP}}}}\n  set: {{return_shipping: {{paid_by: merchant}}}}\n"
    label = OTHERWISE.replace("paid_by: merchant", "paid_by: customer, amount: 3.50 GBP")
    point = lines(policy(free.format("Large", 100), otherwise=label))[1]
    assert point.title == "Free exchanges"
    assert point.text.endswith(
        "for the return label. The way back is free if your order’s total is 100.00 GBP or more."
    )
    dear = "- rule: Dear\n  when: {order.tags: {has: sale}}\n  set: {return_shipping: {paid_by: customer}}\n"
    fee = "- rule: Many\n  when: {return.items: {over: 5}}\n  set: {restocking_fee: 10%}\n"
    assert lines(policy(free.format("Large", 100)))[1].text == "We pay for the way back.", "it changes nothing"
    assert lines(policy(dear + free.format("Large", 100) + fee))[1].text == (
        "We pay for the way back. It may cost something else if your order is of the kind sale. "
        "It may cost something else if the number of items in your return is more than 5."
    )


@pytest.mark.parametrize(
    ("facts", "kind", "open_reasons"),
    [
        (JUMPER, "returnable", len(REASONS)),
        (JUMPER.asking(at=utc(2027, 2, 1)), "only_if_faulty", 4),
        (item(JUMPER, tags=("hygiene",)), "only_if_faulty", 4),
        (JUMPER.asking(at=utc(2028, 2, 1)), "not_returnable", 0),
        (item(JUMPER, delivered_at=None), "returnable", len(REASONS)),
    ],
)
def test_an_item_is_returnable_only_if_faulty_or_not_at_all(facts, kind, open_reasons):
    standing = survey(shipped("default"), facts.asking(reason=None, resolution=None))
    assert (standing.kind, len(standing.open_reasons)) == (kind, open_reasons)
    assert bool(standing.causes) == (kind != "returnable")
    assert set(standing.by_reason) == set(REASONS)
