"""The ten meanings of the language, one by one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.money import Money
from portal.policy.decision import ACCEPT, OTHERWISE, REFUSE, REVIEW, Decision
from portal.policy.engine import decide, end_of_day, gives_reason
from portal.policy.facts import Facts, canonical
from portal.policy.terms import Evidence, Window
from tests.pure.policy.samples import JUMPER, item, order, policy, utc
from tests.pure.policy.samples import OTHERWISE as TERMS

FAULTY_AND_SALE = """
- rule: Faulty
  when: {reason: faulty}
  set: {returnable: true, window: {days: 365}}
- rule: Sale
  when: {item.tags: {has: sale}}
  set: {returnable: false, credit_bonus: 5%}
  say: It was on sale.
- rule: Everyone
  set: {credit_bonus: 10%, evidence: photo}
"""


def codes(decision: Decision) -> list[str]:
    return [cause.code for cause in decision.causes]


def test_1_the_first_rule_that_matches_and_sets_a_term_wins_and_terms_are_decided_apart():
    decision = decide(policy(FAULTY_AND_SALE), item(JUMPER, tags=("sale",)).asking(reason="faulty"))
    assert decision.value("returnable") is True
    assert decision.value("credit_bonus") == 500
    assert decision.value("evidence") == Evidence(1)
    assert decision.value("review") == "never"


def test_2_every_term_knows_who_set_it_and_whom_it_overruled_in_reading_order():
    decision = decide(policy(FAULTY_AND_SALE), item(JUMPER, tags=("sale",)).asking(reason="faulty"))
    assert decision.terms["returnable"].set_by == "Faulty"
    assert decision.terms["returnable"].instead_of == (("Sale", False), (OTHERWISE, True))
    assert decision.terms["credit_bonus"].set_by == "Sale"
    assert decision.terms["credit_bonus"].instead_of == (("Everyone", 1000), (OTHERWISE, 0))
    assert decision.terms["review"].set_by == OTHERWISE
    assert decision.terms["review"].instead_of == ()


def test_3_a_law_raises_a_term_is_named_as_its_source_and_never_lowers_one():
    short = "- rule: Short\n  set: {window: {days: 3}}"
    at = utc(2026, 11, 12)
    assert decide(policy(short), JUMPER.asking(at=at)).answer == REFUSE
    raised = decide(policy(short, extra="laws: [uk-consumer]\n"), JUMPER.asking(at=at))
    assert (raised.answer, raised.return_by_on) == (ACCEPT, date(2026, 11, 12))
    assert raised.terms["window"].set_by.startswith("law: UK right to cancel (Consumer Contracts Regulations 2013")
    assert raised.terms["window"].instead_of[0] == ("Short", Window(days=3))
    assert decide(policy(extra="laws: [uk-consumer]\n"), JUMPER).terms["window"].set_by == OTHERWISE


def test_4_the_answer_belongs_to_the_reason():
    loaded = policy(FAULTY_AND_SALE)
    sale = item(JUMPER, tags=("sale",))
    assert decide(loaded, sale.asking(reason="faulty")).answer == ACCEPT
    assert decide(loaded, sale.asking(reason="changed-mind")).answer == REFUSE


def test_5_a_refusal_lists_every_cause_with_what_would_have_changed_it():
    rules = (
        FAULTY_AND_SALE
        + """
- rule: No money
  when: {item.tags: {has: sale}}
  set: {resolutions: [exchange]}
"""
    )
    facts = item(JUMPER, tags=("sale",)).asking(reason="changed-mind", at=utc(2026, 12, 1))
    decision = decide(policy(rules), facts)
    assert decision.answer == REFUSE
    assert codes(decision) == ["not_returnable", "window_closed", "resolution_not_offered"]
    assert decision.causes[0].params == {"say": "It was on sale."}
    assert decision.causes[1].params == {
        "ended_on": "2026-11-28",
        "days": 30,
        "from": "delivered",
        "started_on": "2026-10-29",
    }
    assert decision.causes[2].params == {"resolution": "refund", "offered": ["exchange"]}


def test_5_two_rules_that_refuse_are_two_causes():
    rules = """
- rule: Sale
  when: {item.tags: {has: sale}}
  set: {returnable: false}
  say: It was on sale.
- rule: Hygiene
  when: {item.tags: {has: socks}}
  set: {returnable: false}
  say: Socks stay.
- rule: Members
  when: {item.tags: {has: member}}
  set: {returnable: true}
- rule: Below a yes
  when: {item.tags: {has: sale}}
  set: {returnable: false}
  say: Overruled.
"""
    decision = decide(policy(rules), item(JUMPER, tags=("sale", "socks", "member")))
    assert [cause.rule for cause in decision.causes] == ["Sale", "Hygiene"]
    assert [cause.rule for cause in decide(policy(rules), item(JUMPER, tags=("sale", "socks"))).causes] == [
        "Sale",
        "Hygiene",
        "Below a yes",
    ]


BIG = """
- rule: Small
  when: {item.tags: {has: small}}
  set: {review: never}
- rule: Big
  when: {return.value: {over: 300 GBP}}
  set: {review: always}
"""


@pytest.mark.parametrize(
    ("facts", "answer", "code"),
    [
        (JUMPER, ACCEPT, []),
        (replace(JUMPER, return_value=Money(30001, "GBP")), REVIEW, ["review_rule"]),
        (replace(JUMPER, return_value=Money(1, "INR")), REVIEW, ["other_currency"]),
        (replace(JUMPER, return_value=None), REVIEW, ["unknown_fact"]),
        # Where a rule above has decided every term of it, it does not matter that it could not be evaluated.
        (replace(item(JUMPER, tags=("small",)), return_value=None), ACCEPT, []),
    ],
)
def test_6_a_rule_that_cannot_be_evaluated_is_never_skipped(facts, answer, code):
    decision = decide(policy(BIG), facts)
    assert (decision.answer, codes(decision)) == (answer, code)


def test_6_the_cause_names_rule_fact_and_the_terms_at_stake():
    cause = decide(policy(BIG), replace(JUMPER, return_value=Money(1, "INR"))).causes[0]
    assert cause.rule == "Big"
    assert cause.params == {"fact": "return.value", "sets": ["review"], "found": "INR", "wanted": "GBP"}


def test_6_a_refusal_beside_a_rule_that_cannot_be_evaluated_becomes_a_review_that_lists_both():
    facts = replace(JUMPER, return_value=None, at=utc(2027, 5, 1))
    decision = decide(policy(BIG), facts)
    assert decision.answer == REVIEW
    assert codes(decision) == ["unknown_fact", "window_closed"]


def test_6_only_the_terms_still_open_count_as_at_stake():
    rules = """
- rule: First
  set: {review: never}
- rule: Second
  when: {customer.orders: {over: 3}}
  set: {review: always, credit_bonus: 10%}
"""
    decision = decide(policy(rules), JUMPER)
    assert decision.causes[0].params["sets"] == ["credit_bonus"]


def test_6_a_rule_below_still_decides_for_now_and_staff_see_why_a_person_must_look():
    rules = """
- rule: Loyal
  when: {customer.orders: {over: 3}}
  set: {credit_bonus: 20%}
- rule: All
  set: {credit_bonus: 10%}
"""
    decision = decide(policy(rules), JUMPER)
    assert decision.answer == REVIEW
    assert decision.terms["credit_bonus"].set_by == "All"


WINDOWS = [
    # zone, delivered (UTC), days, asked (UTC), in time, last day
    # New York: 1 March 23:30 is 2 March 04:30 UTC; the clocks go forward on 8 March.
    ("America/New_York", utc(2026, 3, 2, 4, 30), 30, utc(2026, 4, 1, 2, 0), True, date(2026, 3, 31)),
    ("America/New_York", utc(2026, 3, 2, 4, 30), 30, utc(2026, 4, 1, 3, 59, 59), True, date(2026, 3, 31)),
    ("America/New_York", utc(2026, 3, 2, 4, 30), 30, utc(2026, 4, 1, 4, 1), False, date(2026, 3, 31)),
    # London, clocks forward on 29 March 2026: the last day has 23 hours and ends at 23:00 UTC.
    ("Europe/London", utc(2026, 3, 15, 12), 14, utc(2026, 3, 29, 22, 59, 59), True, date(2026, 3, 29)),
    ("Europe/London", utc(2026, 3, 15, 12), 14, utc(2026, 3, 29, 23, 0), False, date(2026, 3, 29)),
    # London, clocks back on 25 October 2026: the last day has 25 hours and ends at 24:00 UTC.
    ("Europe/London", utc(2026, 10, 11, 12), 14, utc(2026, 10, 25, 23, 59, 59), True, date(2026, 10, 25)),
    ("Europe/London", utc(2026, 10, 11, 12), 14, utc(2026, 10, 26, 0, 0), False, date(2026, 10, 25)),
    # Delivered after midnight in summer time, which is still the day before in UTC.
    ("Europe/London", utc(2026, 7, 1, 23, 30), 1, utc(2026, 7, 3, 22, 59), True, date(2026, 7, 3)),
    ("Europe/London", utc(2026, 7, 1, 23, 30), 1, utc(2026, 7, 3, 23, 0), False, date(2026, 7, 3)),
    # Zero days: to the end of the day of delivery.
    ("Asia/Tokyo", utc(2026, 5, 1, 0), 0, utc(2026, 5, 1, 14, 59), True, date(2026, 5, 1)),
    ("Asia/Tokyo", utc(2026, 5, 1, 0), 0, utc(2026, 5, 1, 15, 0), False, date(2026, 5, 1)),
    # Over a leap day.
    ("UTC", utc(2028, 2, 1), 29, utc(2028, 3, 1, 23, 59), True, date(2028, 3, 1)),
    ("UTC", utc(2028, 2, 1), 29, utc(2028, 3, 2), False, date(2028, 3, 1)),
]


@pytest.mark.parametrize(("zone", "delivered", "days", "asked", "in_time", "last"), WINDOWS)
def test_7_a_window_ends_with_the_nth_calendar_day_in_the_policys_timezone(zone, delivered, days, asked, in_time, last):
    loaded = policy(zone=zone, otherwise=TERMS.replace("days: 30", f"days: {days}"))
    decision = decide(loaded, item(JUMPER, delivered_at=delivered).asking(at=asked))
    assert decision.answer == (ACCEPT if in_time else REFUSE)
    assert decision.return_by_on == last
    assert decision.return_by.astimezone(ZoneInfo(zone)).date() == last
    assert (asked <= decision.return_by) is in_time


def test_7_until_is_inclusive():
    loaded = policy(
        otherwise=TERMS.replace("{days: 30, from: delivered, if_undelivered: review}", "{until: 2027-01-31}")
    )
    assert decide(loaded, JUMPER.asking(at=utc(2027, 1, 31, 23, 59, 59))).answer == ACCEPT
    closed = decide(loaded, JUMPER.asking(at=utc(2027, 2, 1)))
    assert (closed.answer, closed.causes[0].params) == (REFUSE, {"ended_on": "2027-01-31"})


@pytest.mark.parametrize(
    ("window", "answer", "code", "last"),
    [
        ("{days: 30}", REVIEW, ["no_start_date"], None),
        ("{days: 30, if_undelivered: review}", REVIEW, ["no_start_date"], None),
        ("{days: 30, if_undelivered: refuse}", REFUSE, ["not_delivered"], None),
        ("{days: 30, if_undelivered: {days: 45, from: placed}}", ACCEPT, [], date(2026, 11, 23)),
        ("{days: 30, if_undelivered: {days: 10, from: placed}}", REFUSE, ["window_closed"], date(2026, 10, 19)),
        ("{days: 30, if_undelivered: {days: 30, from: shipped}}", ACCEPT, [], date(2026, 11, 26)),
        ("{days: 45, from: placed}", ACCEPT, [], date(2026, 11, 23)),
        ("{until: 2026-12-31}", ACCEPT, [], date(2026, 12, 31)),
    ],
)
def test_7_what_holds_without_a_delivery_date_is_what_the_term_says(window, answer, code, last):
    loaded = policy(otherwise=TERMS.replace("{days: 30, from: delivered, if_undelivered: review}", window))
    decision = decide(loaded, item(JUMPER, delivered_at=None))
    assert (decision.answer, codes(decision), decision.return_by_on) == (answer, code, last)


def test_7_the_fallback_itself_may_lack_its_moment_and_then_a_person_looks():
    window = "{days: 30, if_undelivered: {days: 30, from: shipped}}"
    loaded = policy(otherwise=TERMS.replace("{days: 30, from: delivered, if_undelivered: review}", window))
    decision = decide(loaded, item(JUMPER, delivered_at=None, shipped_at=None))
    assert (decision.answer, decision.causes[0].params) == (REVIEW, {"from": "shipped"})


def test_7_what_can_never_come_back_needs_no_delivery_date_to_be_refused():
    decision = decide(policy(FAULTY_AND_SALE), item(JUMPER, tags=("sale",), delivered_at=None))
    assert (decision.answer, codes(decision)) == (REFUSE, ["not_returnable"])


def test_7_without_a_moment_of_asking_a_person_looks():
    decision = decide(policy(), JUMPER.asking(at=None))
    assert decision.causes[0].params == {"fact": "today", "sets": ["window"]}
    assert (decision.answer, codes(decision)) == (REVIEW, ["unknown_fact"])


def _naive(year: int) -> datetime:
    return utc(year, 1, 1).replace(tzinfo=None)


ZONES = ("Europe/London", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe", "UTC")
WINDOWED = {
    (days, zone): policy(zone=zone, otherwise=TERMS.replace("days: 30", f"days: {days}"))
    for days in (0, 1, 14, 365)
    for zone in ZONES
}


@settings(deadline=None)
@given(st.datetimes(_naive(2012), _naive(2099), timezones=st.just(UTC)), st.sampled_from(sorted(WINDOWED)))
def test_7_any_window_accepts_its_last_second_and_refuses_the_next(delivered, window):
    days, zone = window
    facts = item(JUMPER, delivered_at=delivered)
    last = decide(WINDOWED[window], facts.asking(at=delivered)).return_by
    local = ZoneInfo(zone)
    assert last.astimezone(local).date() - delivered.astimezone(local).date() == timedelta(days=days)
    assert decide(WINDOWED[window], facts.asking(at=last.astimezone(UTC))).answer == ACCEPT
    assert decide(WINDOWED[window], facts.asking(at=last.astimezone(UTC) + timedelta(seconds=1))).answer == REFUSE


def test_10_deciding_twice_gives_the_same_bytes_and_the_record_replays():
    loaded = policy(FAULTY_AND_SALE)
    first, second = decide(loaded, JUMPER), decide(loaded, JUMPER)
    assert first.to_bytes() == second.to_bytes()
    stored = JUMPER.to_json()
    assert decide(policy(FAULTY_AND_SALE), Facts.from_json(stored)).to_bytes() == first.to_bytes()
    assert canonical(Facts.from_json(stored).to_json()) == canonical(stored)


@pytest.mark.parametrize(
    ("given_photos", "required"),
    [(0, 2), (1, 2), (2, None), (5, None), (None, 2)],
)
def test_photos_that_are_asked_for_are_required_and_refuse_nothing(given_photos, required):
    loaded = policy(otherwise=TERMS.replace("evidence: none", "evidence: {photos: 2, of: the tags}"))
    decision = decide(loaded, JUMPER.asking(evidence=given_photos))
    assert decision.answer == ACCEPT
    assert [cause.params["photos"] for cause in decision.requires] == ([required] if required else [])


def test_a_refused_line_asks_for_no_photo():
    loaded = policy(otherwise=TERMS.replace("evidence: none", "evidence: photo"))
    assert decide(loaded, JUMPER.asking(at=utc(2027, 6, 1))).requires == ()


@pytest.mark.parametrize(
    ("currency", "resolution", "answer"),
    [
        ("GBP", "refund", ACCEPT),
        ("USD", "refund", REVIEW),
        (None, "refund", REVIEW),
        ("USD", None, REVIEW),
        ("USD", "store_credit", ACCEPT),
    ],
)
def test_a_label_fee_in_another_currency_is_for_a_person_unless_the_wish_makes_it_free(currency, resolution, answer):
    fee = "{paid_by: customer, amount: 3.50 GBP, free_for: [exchange, store_credit]}"
    loaded = policy(otherwise=TERMS.replace("{paid_by: merchant}", fee))
    decision = decide(loaded, order(JUMPER, currency=currency).asking(resolution=resolution))
    assert decision.answer == answer
    assert codes(decision) == (["fee_currency"] if answer == REVIEW else [])


def test_a_restocking_fee_in_another_currency_is_for_a_person_too():
    loaded = policy(otherwise=TERMS.replace("restocking_fee: 0%", "restocking_fee: 5 EUR"))
    decision = decide(loaded, JUMPER)
    assert (decision.answer, decision.causes[0].params) == (
        REVIEW,
        {"term": "restocking_fee", "wanted": "EUR", "found": "GBP"},
    )


def test_the_window_is_a_value_that_knows_its_own_defaults():
    assert decide(policy("- rule: A\n  set: {window: {days: 3}}"), JUMPER).value("window") == Window(days=3)


@pytest.mark.parametrize(
    ("window", "at", "answer", "shown"),
    [
        # Delivered on Thursday 29 October 2026: 30 days end on Saturday 28 November.
        ("{days: 30}", utc(2026, 11, 28, 23), ACCEPT, date(2026, 11, 28)),
        ("{days: 30}", utc(2026, 11, 29, 9), REFUSE, date(2026, 11, 28)),
        ("{days: 30, ends_on: business_day}", utc(2026, 11, 30, 23), ACCEPT, date(2026, 11, 30)),
        ("{days: 30, ends_on: business_day}", utc(2026, 12, 1, 9), REFUSE, date(2026, 11, 30)),
        ("{days: 31, ends_on: business_day}", utc(2026, 11, 30, 23), ACCEPT, date(2026, 11, 30)),
        ("{days: 29, ends_on: business_day}", utc(2026, 11, 28, 9), REFUSE, date(2026, 11, 27)),
        ("{days: 30, grace: 2}", utc(2026, 11, 30, 23), ACCEPT, date(2026, 11, 28)),
        ("{days: 30, grace: 2}", utc(2026, 12, 1, 9), REFUSE, date(2026, 11, 28)),
        ("{until: 2026-11-28, grace: 1, ends_on: business_day}", utc(2026, 12, 1, 9), ACCEPT, date(2026, 11, 30)),
        ("{until: 2026-11-28, grace: 1, ends_on: business_day}", utc(2026, 12, 2, 9), REFUSE, date(2026, 11, 30)),
    ],
)
def test_7_grace_is_accepted_and_not_told_and_a_last_day_may_wait_for_monday(window, at, answer, shown):
    decision = decide(policy(f"- rule: A\n  set: {{window: {window}}}"), JUMPER.asking(at=at))
    assert (decision.answer, decision.return_by_on) == (answer, shown)
    if answer == REFUSE:
        assert decision.causes[0].params["ended_on"] == shown.isoformat()


@pytest.mark.parametrize(
    ("delivered", "until"),
    # The 9 days end on Saturday 7 November, the 44 on Sunday 22 November.
    [(utc(2026, 10, 29, 11), date(2026, 11, 9)), (None, date(2026, 11, 23))],
)
def test_7_a_fallback_counts_only_for_what_is_not_delivered_and_ends_on_the_same_kind_of_day(delivered, until):
    window = "{days: 9, if_undelivered: {days: 44, from: placed}, ends_on: business_day}"
    decision = decide(policy(f"- rule: A\n  set: {{window: {window}}}"), item(JUMPER, delivered_at=delivered))
    assert decision.return_by_on == until


def test_7_the_day_of_delivery_that_is_told_is_the_shops():
    late = item(JUMPER, delivered_at=utc(2026, 6, 30, 23, 30))  # half past midnight in London
    closed = decide(policy(), late).causes[0]
    assert (closed.params["started_on"], closed.params["ended_on"]) == ("2026-07-01", "2026-07-31")


def test_7_where_clocks_go_back_before_midnight_the_day_ends_with_the_second_of_both():
    last = end_of_day(date(2018, 2, 17), ZoneInfo("America/Sao_Paulo"))
    assert last.astimezone(UTC) == utc(2018, 2, 18, 2, 59, 59)


def test_what_holds_otherwise_is_no_second_cause():
    closed = TERMS.replace("returnable: true", "returnable: false")
    refused = decide(policy("- rule: A\n  set: {returnable: false}", otherwise=closed), JUMPER)
    assert [(cause.code, cause.rule) for cause in refused.causes] == [("not_returnable", "A")]


def test_7_a_fallback_for_what_is_not_delivered_has_the_same_grace():
    rules = "- rule: A\n  set: {window: {days: 9, if_undelivered: {days: 40, from: placed}, grace: 2}}"
    waiting = item(JUMPER, delivered_at=None)
    assert decide(policy(rules), waiting.asking(at=utc(2026, 11, 20, 9))).answer == ACCEPT
    assert decide(policy(rules), waiting.asking(at=utc(2026, 11, 21, 9))).answer == REFUSE


ASKS = """- rule: Worn shoes
  when: {answer.worn: "yes"}
  set: {returnable: false}
  say: Worn shoes can’t come back.
- rule: Shoes
  when: {item.category: shoes}
  set:
    questions:
      - {name: worn, ask: Have you worn them outside?, choices: ["yes", "no"]}
      - {name: why, ask: What is wrong with them?}
"""


@pytest.mark.parametrize(
    ("answers", "answer", "open_"),
    [
        ({}, REVIEW, ["worn", "why"]),
        ({"worn": "perhaps", "why": "tight"}, ACCEPT, ["worn"]),
        ({"worn": "no"}, ACCEPT, ["why"]),
        ({"worn": "no", "why": ""}, ACCEPT, ["why"]),
        ({"worn": "no", "why": "tight"}, ACCEPT, []),
        ({"worn": "yes", "why": "tight"}, REFUSE, []),
    ],
)
def test_questions_are_required_until_they_are_answered_and_rules_ask_the_answers(answers, answer, open_):
    shoes = item(JUMPER, category="shoes").asking(answers=answers)
    decision = decide(policy(ASKS), shoes)
    assert (decision.answer, [cause.params["question"] for cause in decision.requires]) == (answer, open_)
    assert decide(policy(ASKS), item(JUMPER, category="hats").asking(answers={"worn": "no"})).requires == ()


def test_what_is_required_is_told_with_what_was_given_and_in_the_shops_words():
    rules = "- rule: Tags\n  set: {evidence: {photos: 2, of: the tags}}\n  say: We look at the tags."
    (photos,) = decide(policy(rules), JUMPER.asking(evidence=1)).requires
    assert (photos.code, photos.rule) == ("photo_required", "Tags")
    assert photos.params == {"photos": 2, "given": 1, "of": "the tags", "say": "We look at the tags."}
    (photo,) = decide(policy("- rule: A\n  set: {evidence: photo}"), JUMPER.asking(evidence=None)).requires
    assert photo.params == {"photos": 1, "given": 0}
    worn, _ = decide(policy(ASKS), item(JUMPER, category="shoes").asking(answers=None)).requires
    assert (worn.code, worn.rule) == ("question_unanswered", "Shoes")
    assert worn.params == {"question": "worn", "ask": "Have you worn them outside?"}


def test_no_restocking_fee_is_taken_from_an_exchange_in_any_currency():
    loaded = policy(otherwise=TERMS.replace("restocking_fee: 0%", "restocking_fee: 5 EUR"))
    assert decide(loaded, JUMPER.asking(resolution="exchange")).answer == ACCEPT
    unknown = decide(loaded, order(JUMPER, currency=None)).causes[0]
    assert (unknown.code, unknown.params) == ("fee_currency", {"term": "restocking_fee", "wanted": "EUR"})


@pytest.mark.parametrize(
    ("sets", "reason"),
    [
        ("returnable: false", True),
        ("returnable: true", False),
        ("review: always", True),
        ("review: never", False),
        ("window: {days: 3}", True),
        ("resolutions: [exchange]", True),
        ("evidence: photo", True),
        ("evidence: {photos: 2}", True),
        ("evidence: none", False),
        ("restocking_fee: 5%", False),
        ("restocking_fee: 5%, review: always", True),
    ],
)
def test_only_what_refuses_limits_or_asks_is_ever_a_reason(sets, reason):
    (rule,) = policy(f"- {{rule: It, set: {{{sets}}}}}").rules
    assert gives_reason(rule) is reason
