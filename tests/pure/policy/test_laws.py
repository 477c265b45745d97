"""Laws are floors: they raise what a policy gives, for whom they hold and as long as they hold, and never lower anything."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.policy.conditions import ALWAYS, FACTS, NEVER, Comparison, Miss, Unknown
from portal.policy.decision import ACCEPT, REFUSE, REVIEW, Decision, Term
from portal.policy.diagnostics import PolicyErrors
from portal.policy.document import MAX_ERRORS
from portal.policy.engine import decide
from portal.policy.facts import Facts, ItemFacts
from portal.policy.laws import FOLDER, GRANTABLE, PREFIX, Blocked, Law, applied, last_day, laws_in, load_law, shipped
from portal.policy.loader import Policy, load_policy
from portal.policy.page import policy_page
from portal.policy.promise import Purchase, promise
from portal.policy.quote import QuoteLine, ShippingPaid, quote
from portal.policy.reasons import CHANGED_MIND, FAULTS, REASONS
from portal.policy.terms import OUTBOUND, Fee, ReturnShipping, Window
from tests.pure.policy.samples import JUMPER, LONDON, OTHERWISE, document, item, order, utc
from tests.pure.policy.test_facts import FACTS as ANY_FACTS

LAWS = "laws: [eu-consumer, uk-consumer]\n"
STRICT = """\
  returnable: false
  window: {days: 7, from: delivered, if_undelivered: refuse}
  resolutions: [store_credit]
  review: never
  evidence: none
  ship_with: [label, qr]
  return_shipping: {paid_by: customer, amount: 3.50 GBP}
  restocking_fee: 15%
  outbound_shipping: never
  credit_bonus: 0%
  keep_item: false
  refund_when: received
  ship_by: 14 days
"""
OPEN = STRICT.replace("returnable: false", "returnable: true")
LAST = utc(2026, 10, 29, 11)
"""The jumper's parcel, the last of its order."""


def policy(otherwise: str = STRICT, rules: str = "", laws: str = LAWS) -> Policy:
    return load_policy(document(rules, otherwise=otherwise, extra=laws))


def bought(days_ago: int, country: str | None = "GB", reason: str = "changed-mind", **changes: Any) -> Facts:
    facts = order(JUMPER, country=country, last_delivered_at=LAST)
    return replace(facts, reason=reason, resolution="refund", at=LAST + timedelta(days=days_ago), **changes)


@pytest.mark.parametrize("country", ["GB", "DE", "IE", "NO"])
def test_what_a_policy_refuses_can_be_withdrawn_from_for_14_days_and_no_day_longer(country: str) -> None:
    for days, answer in ((0, ACCEPT), (14, ACCEPT), (15, REFUSE)):
        said = decide(policy(), bought(days, country))
        assert said.answer == answer, days
    said = decide(policy(), bought(3, country))
    assert said.return_by_on == date(2026, 11, 12)
    assert said.value("resolutions") == ("store_credit", "refund")
    assert said.value("restocking_fee") == Fee()
    assert said.value("outbound_shipping") == "full_return"
    # Who withdraws may have to pay for the way back: the fee stays.
    assert said.value("return_shipping").paid_by == "customer"


def test_a_raised_term_names_law_and_article_and_what_it_overruled() -> None:
    term = decide(policy(rules="- rule: Sale\n  set: {returnable: false}\n  say: No."), bought(3, "DE")).terms[
        "returnable"
    ]
    assert term.set_by == PREFIX + "EU right of withdrawal (Directive 2011/83/EU, Articles 9, 13 and 14)"
    assert term.instead_of == (("Sale", False), ("otherwise", False))


@pytest.mark.parametrize(
    ("facts", "helped"),
    [
        (bought(3), True),
        (order(bought(3), is_business=True), False),
        (replace(bought(3), is_consumer=False), False),
        (order(bought(3), is_business=None), True),
        (order(bought(3), country="US"), False),
        (order(bought(3), country="CH"), False),
        (item(bought(3), tags=("hygiene",)), False),
        (item(bought(3), tags=("custom-made", "red")), False),
        (item(bought(3), tags=("red",)), True),
    ],
)
def test_floors_hold_for_consumers_of_the_country_and_not_for_exempt_goods(facts: Facts, helped: bool) -> None:
    assert (decide(policy(), facts).answer == ACCEPT) is helped


def test_the_14_days_count_from_the_last_parcel_of_the_order() -> None:
    early = item(bought(14), delivered_at=utc(2026, 10, 13, 10))
    assert decide(policy(OPEN), early).answer == ACCEPT
    assert decide(policy(OPEN), early).return_by_on == date(2026, 11, 12)
    late = replace(early, at=LAST + timedelta(days=15))
    said = decide(policy(OPEN), late)
    assert (said.answer, said.causes[0].params["ended_on"]) == (REFUSE, "2026-11-12")


def test_while_a_parcel_is_still_to_come_nothing_is_refused_for_its_date() -> None:
    waiting = order(item(bought(20), delivered_at=utc(2026, 10, 13, 10)), last_delivered_at=None)
    assert decide(policy(OPEN), waiting).answer == REVIEW
    assert decide(policy(), waiting).answer == REVIEW
    # Within the policy's own days there is no question.
    soon = replace(waiting, at=utc(2026, 10, 18, 9))
    assert decide(policy(OPEN), soon).answer == ACCEPT


def test_a_longer_window_of_the_policy_stays_and_its_fee_comes_back_when_the_law_ends() -> None:
    long = policy(OPEN.replace("days: 7", "days: 60"))
    during, after = decide(long, bought(10)), decide(long, bought(40))
    assert during.terms["window"].set_by == "otherwise"
    assert during.value("restocking_fee") == Fee()
    assert (after.answer, after.value("restocking_fee")) == (REFUSE, Fee(bp=1500))  # store credit alone by then
    assert [cause.code for cause in after.causes] == ["resolution_not_offered"]


@pytest.mark.parametrize("reason", sorted(FAULTS))
@pytest.mark.parametrize(
    ("country", "days", "answer"), [("DE", 731, ACCEPT), ("DE", 732, REFUSE), ("GB", 184, ACCEPT), ("GB", 185, REFUSE)]
)
def test_faults_are_the_sellers_for_as_long_as_the_law_says(reason: str, country: str, days: int, answer: str) -> None:
    said = decide(policy(), bought(days, country, reason))
    assert said.answer == answer
    if answer == ACCEPT:
        assert said.value("return_shipping") == ReturnShipping()
        assert said.value("restocking_fee") == Fee()
        assert "refund" in said.value("resolutions")


def test_hygiene_goods_that_are_faulty_are_not_exempt() -> None:
    assert decide(policy(), item(bought(100, "DE", "faulty"), tags=("hygiene",))).answer == ACCEPT


def test_a_floor_that_cannot_be_judged_is_a_question_and_only_where_it_matters() -> None:
    said = decide(policy(), bought(3, None))
    assert said.answer == REVIEW
    assert {cause.params["fact"] for cause in said.causes if cause.code == "unknown_fact"} == {"order.country"}
    generous = load_policy(document(extra=LAWS))
    assert decide(generous, bought(3, None)).answer == ACCEPT


def test_without_the_moment_of_asking_a_law_that_has_not_begun_to_run_turns_no_question_into_a_refusal() -> None:
    rules = "- rule: Sale\n  when: {item.tags: {has: sale}}\n  set: {returnable: false}"
    known = OPEN.replace("from: delivered", "from: shipped")
    waiting = replace(item(bought(3), tags=("sale",), delivered_at=None), at=None, resolution="exchange")
    waiting = order(waiting, last_delivered_at=None)
    assert decide(policy(known, rules, laws=""), waiting).answer == REVIEW
    assert decide(policy(known, rules), waiting).answer == REVIEW


def test_where_a_law_moved_the_end_the_shop_still_says_why_its_own_was_earlier() -> None:
    rules = (
        "- rule: Sale\n  when: {item.tags: {has: sale}}\n  set: {window: {days: 3}}\n  say: Three days on sale goods."
    )
    closed = decide(policy(OPEN, rules), item(bought(15), tags=("sale",)))
    (cause,) = [each for each in closed.causes if each.code == "window_closed"]
    assert cause.rule.startswith(PREFIX)
    assert cause.params["say"] == "Three days on sale goods."
    assert "say" not in decide(policy(OPEN), bought(15)).causes[0].params


RANK = {REFUSE: 0, REVIEW: 1, ACCEPT: 2}


def _total(decision: Decision) -> int:
    line = QuoteLine("1", 1, 10_000, 1_667, 11_000, 1_000, "refund", decision.terms)
    return quote([line], "GBP", shipping=ShippingPaid(395, 66), full_return=True).total.minor


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    ANY_FACTS,
    st.sampled_from(
        [STRICT, OPEN, OTHERWISE, OPEN.replace("days: 7", "days: 400"), OPEN.replace("delivered, if", "shipped, if")]
    ),
    st.sampled_from(["", "- rule: Sale\n  when: {item.tags: {has: final-sale}}\n  set: {returnable: false}"]),
    st.sampled_from(["GB", "DE", "NO", "US", None]),
    st.sampled_from([*REASONS, None]),
    st.integers(-5, 900),
)
def test_a_law_can_only_help(
    facts: Facts, otherwise: str, rules: str, country: str | None, reason: str | None, days: int
) -> None:
    facts = order(facts, country=country, last_delivered_at=facts.item.delivered_at)
    start = facts.item.delivered_at
    if start is not None and start.year < 2100:
        facts = replace(facts, at=start + timedelta(days=days))
    facts = replace(facts, reason=reason)
    without, with_ = decide(policy(otherwise, rules, ""), facts), decide(policy(otherwise, rules), facts)
    asked = any(cause.rule.startswith(PREFIX) for cause in with_.causes)
    assert RANK[with_.answer] >= RANK[without.answer] or (asked and with_.answer == REVIEW)
    assert _total(with_) >= _total(without)
    for name in ("returnable", "restocking_fee", "outbound_shipping", "resolutions", "return_shipping"):
        now, then = with_.value(name), without.value(name)
        if name == "resolutions":
            assert now[: len(then)] == then
        elif name == "outbound_shipping":
            assert OUTBOUND.index(now) >= OUTBOUND.index(then)
        elif now != then:
            assert now in (True, Fee(), ReturnShipping())
    if without.value("returnable") and without.return_by_on and with_.return_by_on:
        assert with_.return_by_on >= without.return_by_on
    for name, term in with_.terms.items():
        if term.set_by.startswith(PREFIX):
            assert term.instead_of[-1] == ("otherwise", policy(otherwise).otherwise[name])


def test_the_text_of_a_law_is_part_of_what_a_policy_means() -> None:
    text = document(extra="laws: [uk-consumer]\n")
    now = load_policy(text)
    changed = load_law(shipped()["uk-consumer"].source.replace("days: 14", "days: 21"))
    later = load_policy(text, laws={"uk-consumer": changed})
    before_laws = load_policy(text, laws={})
    assert len({now.content_hash, later.content_hash, before_laws.content_hash}) == 3
    assert decide(later, bought(18)).return_by_on == decide(now, bought(18)).return_by_on  # the policy's own 30 days
    assert load_policy(text).content_hash == now.content_hash


@pytest.mark.parametrize("law", shipped().values(), ids=lambda law: law.name)
def test_every_shipped_floor_has_its_article_and_its_day(law: Any) -> None:
    assert law.checked <= datetime.now(UTC).date()
    assert "no legal advice" in law.source
    for floor in law.floors:
        assert any(sign.isdigit() for sign in floor.cite)
        assert isinstance(floor.grants["window"], Window)
        assert set(floor.grants) <= set(GRANTABLE)


TINY = """\
schema: 1
law: tiny
title: A tiny law
checked: 2026-11-26
applies: {order.country: GB}
floors:
- floor: One
  cite: Article 1
  grant: {window: {days: 14}}
"""


def test_a_law_is_read_whole() -> None:
    law = load_law(TINY)
    (floor,) = law.floors
    assert (law.name, law.title, law.checked, law.note) == ("tiny", "A tiny law", date(2026, 11, 26), "")
    assert (law.source, law.content_hash) == (TINY, hashlib.sha256(TINY.encode()).hexdigest())
    assert law.applies == Comparison("order.country", "is", "GB")
    assert (floor.name, floor.cite, floor.label) == ("One", "Article 1", "law: One (Article 1)")
    assert (floor.when, floor.unless, floor.grants) == (ALWAYS, NEVER, {"window": Window(14)})
    assert load_law(TINY) == law
    text = (
        TINY.replace("law: tiny", "law: tiny\nnote: Not all.")
        + "  when: {order.is_gift: true}\n  unless: {order.is_gift: false}\n"
    )
    more = load_law(text)
    assert load_law(text) == more
    assert more.note == "Not all."
    assert (more.floors[0].when, more.floors[0].unless) == tuple(
        Comparison("order.is_gift", "is", each) for each in (True, False)
    )


KEYS_OF_A_LAW = "it has the keys schema, law, title, checked, note, applies, floors"
KEYS_OF_A_FLOOR = "it has the keys floor, cite, when, unless, grant"
MAY_GIVE = "it may give returnable, window, resolutions, restocking_fee, outbound_shipping, return_shipping"
NEEDED = "a law and each of its floors need it"
SOME_TEXT = "give one value"


@pytest.mark.parametrize(
    ("before", "after", "place", "message", "help_line"),
    [
        (TINY, "", (1, 1), "the document is empty", "start with `schema: 1` and `law: …`"),
        (TINY, "{law", (1, 1), "this can’t be read: the `{` is not closed",
         "end it with `}`, with a comma between two entries"),
        (TINY, "[law]", (1, 1), "expected a mapping, not a list", KEYS_OF_A_LAW),
        ("schema: 1", "schema: 2", (1, 9), "this schema is not known", "this program reads schema 1"),
        ("schema: 1", "schema: one", (1, 9), "expected a whole number, not `one`", "write it in digits, like `30`"),
        ("law: tiny", "law: [tiny]", (2, 6), "expected a name, not a list", SOME_TEXT),
        ("A tiny law", "[A, law]", (3, 8), "expected a title, not a list", SOME_TEXT),
        ("floors:", "note: []\nfloors:", (6, 7), "expected a note, not a list", SOME_TEXT),
        ("2026-11-26", "soon", (4, 10), "expected a date, not `soon`", "write it like `2026-11-30`"),
        ("order.country: GB", "order.country: UK", (5, 26), "`UK` is no country code", "the United Kingdom is `GB`"),
        ("order.country: GB", "order.contry: GB", (5, 11), "unknown condition `order.contry`",
         "did you mean `order.country`?"),
        ("title:", "titel: x\ntitle:", (3, 1), "unknown key `titel`", "did you mean `title`?"),
        *((line, "", (1, 1), f"`{line.partition(':')[0]}` is missing", NEEDED) for line in TINY.splitlines(True)[1:5]),
        ("schema: 1\n", "", (1, 1), "`schema` is missing", NEEDED),
        (TINY[TINY.index("floors"):], "", (1, 1), "`floors` is missing", NEEDED),
        (TINY[TINY.index("- floor"):], "  a: b", (7, 3), "expected a list of floors, not a mapping", "write it like `[a, b]`"),
        (TINY[TINY.index("- floor"):], "- One", (7, 3), "expected a mapping, not `One`", KEYS_OF_A_FLOOR),
        ("- floor: One\n ", "-", (7, 3), "`floor` is missing", NEEDED),
        ("  cite: Article 1\n", "", (7, 3), "`cite` is missing", NEEDED),
        ("  grant: {window: {days: 14}}\n", "", (7, 3), "`grant` is missing", NEEDED),
        ("floor: One", "floor: [One]", (7, 10), "expected a name, not a list", SOME_TEXT),
        ("Article 1", "[1]", (8, 9), "expected a citation, not a list", SOME_TEXT),
        ("  grant", "  when: {moon: full}\n  grant", (9, 10), "unknown condition `moon`", None),
        ("  grant", "  unless: {moon: full}\n  grant", (9, 12), "unknown condition `moon`", None),
        ("{window: {days: 14}}", "{moon: full}", (9, 11), "unknown term `moon`", None),
        ("{window: {days: 14}}", "{returnable: true}", (9, 10), "the floor has no `window`",
         "say for how long the right lasts"),
        ("14}}", "14}, credit_bonus: 10%}", (9, 10), "a law gives no `credit_bonus`", MAY_GIVE),
        ("14}}", "14}, restocking_fee: 5%}", (9, 10), "a law only forbids a restocking fee",
         "write `restocking_fee: 0%`"),
        ("14}}", "14}, return_shipping: {paid_by: customer}}", (9, 10), "a law only puts the way back on the merchant",
         "write `{paid_by: merchant}`"),
    ],
)  # fmt: skip
def test_a_law_with_a_mistake_is_refused_with_its_place_and_what_to_do(
    before: str, after: str, place: tuple[int, int], message: str, help_line: str | None
) -> None:
    assert before in TINY
    with pytest.raises(PolicyErrors) as refused:
        load_law(TINY.replace(before, after, 1))
    (found,) = refused.value.diagnostics
    assert ((found.line, found.column), found.message) == (place, message)
    assert found.file == "law.yaml"
    assert help_line is None or found.help_line == help_line


def test_the_mistakes_of_a_law_are_told_in_reading_order_and_not_without_end() -> None:
    broken = TINY.replace("checked: 2026-11-26\n", "chequed: 2026-11-26\n")
    with pytest.raises(PolicyErrors) as refused:
        load_law(broken, "tiny.yaml")
    assert [(each.file, each.line) for each in refused.value.diagnostics] == [("tiny.yaml", 1), ("tiny.yaml", 4)]
    assert refused.value.source == broken
    nameless = TINY.replace("floor: One", "floor: []").replace("days: 14}", "days: 14}, message: Hello")
    with pytest.raises(PolicyErrors) as both:
        load_law(nameless)
    assert [(each.line, each.column) for each in both.value.diagnostics] == [(7, 10), (9, 10)]
    with pytest.raises(PolicyErrors) as endless:
        load_law(TINY + "- x\n" * 1000)
    assert len(endless.value.diagnostics) == MAX_ERRORS


def law_of(*floors: str) -> Law:
    """A law of these floors (called F1, F2, …) for buyers in Great Britain."""
    told = (f"- {{floor: F{at}, cite: Article {at}, {each}}}\n" for at, each in enumerate(floors, 1))
    return load_law(TINY.partition("- floor")[0] + "".join(told))


def under(law: Law, facts: Facts, otherwise: str = OPEN) -> tuple[dict[str, Term], list[Blocked]]:
    """The terms that a law raises in those that hold otherwise, and the floors that it could not judge."""
    terms = dict(policy(otherwise, laws="").defaults)
    blocked = law.raise_terms(facts, terms, LONDON)
    return {name: term for name, term in terms.items() if term.set_by.startswith(PREFIX)}, blocked


@pytest.mark.parametrize(
    ("first", "blocked"),
    [
        ("when: {reason: faulty}, grant: {window: {days: 50}}", 0),  # does not hold
        ("unless: {order.country: GB}, grant: {window: {days: 50}}", 0),  # exempt
        ("grant: {window: {days: 1}}", 0),  # less than the policy gives
        ("when: {order.is_gift: true}, grant: {window: {days: 50}}", 1),  # cannot be judged
    ],
)
def test_a_floor_that_raises_nothing_keeps_no_other_from_it(first: str, blocked: int) -> None:
    raised, open_ = under(law_of(first, "grant: {window: {days: 60}}"), bought(3))
    assert (raised["window"].set_by, raised["window"].value, len(raised)) == ("law: F2 (Article 2)", Window(60), 1)
    assert len(open_) == blocked


def test_a_floor_that_cannot_be_judged_names_all_that_is_missing_and_what_it_would_have_raised() -> None:
    floor = "when: {order.is_gift: true}, unless: {item.type: ring}, grant: {window: {days: 60}, restocking_fee: 0%}"
    raised, blocked = under(law_of(floor), bought(3, None))
    misses = tuple(Miss(fact, "missing") for fact in ("order.country", "order.is_gift", "item.type"))
    assert raised == {}
    assert blocked == [Blocked("law: F1 (Article 1)", Unknown(misses), ("window", "restocking_fee"))]


WAITING = item(order(bought(3), last_delivered_at=None, placed_at=LAST), delivered_at=None)
OLD = item(bought(0), delivered_at=LAST - timedelta(days=7))
"""Asked on the last of the policy's 7 days."""
TO_COME = order(OLD, last_delivered_at=None)


@pytest.mark.parametrize(
    ("facts", "before", "after", "grant", "raised"),
    [
        (bought(3), "", "", "window: {days: 8}", {"window": Window(8)}),
        (bought(3), "", "", "window: {days: 7}", {}),
        # Before the parcel came: the policy's own fallback counts, and where there is none, what it says instead.
        (WAITING, "review}", "{days: 9, from: placed}}", "window: {days: 10, from: placed}",
         {"window": Window(10, start="placed")}),
        (WAITING, "review}", "{days: 9, from: placed}}", "window: {days: 9, from: placed}", {}),
        (bought(3), "review}", "{days: 60, from: placed}}", "window: {days: 8}", {"window": Window(8)}),
        (WAITING, "review}", "refuse}", "window: {days: 8}", {"window": Window(8)}),
        (WAITING, "review}", "review}", "window: {days: 8}", {}),
        # The law's days have not begun: a question only once the policy's own are over.
        (TO_COME, "", "", "window: {days: 1, from: last_delivered}", {}),
        (replace(TO_COME, at=LAST + timedelta(days=1)), "", "", "window: {days: 1, from: last_delivered}",
         {"window": Window(1, start="last_delivered")}),
        (replace(TO_COME, at=None), "", "", "window: {days: 1, from: last_delivered}", {}),
        # What a law gives beside its window ends with the last of its days.
        (OLD, "", "", "window: {days: 7}, restocking_fee: 0%", {"restocking_fee": Fee()}),
        (OLD, "", "", "window: {days: 6}, restocking_fee: 0%", {}),
        (OLD, "15%", "0.01%", "window: {days: 7}, restocking_fee: 0%", {"restocking_fee": Fee()}),
        (OLD, "15%", "0.01 GBP", "window: {days: 7}, restocking_fee: 0%", {"restocking_fee": Fee()}),
        (OLD, "15%", "0 GBP", "window: {days: 7}, restocking_fee: 0%", {}),
        (OLD, "15%", "0%", "window: {days: 7}, restocking_fee: 0%", {}),
        (OLD, "", "", "window: {days: 7}, outbound_shipping: full_return", {"outbound_shipping": "full_return"}),
        (OLD, "g: never", "g: full_return", "window: {days: 7}, outbound_shipping: full_return", {}),
        (OLD, "g: never", "g: always", "window: {days: 7}, outbound_shipping: full_return", {}),
        (OLD, "", "", "window: {days: 7}, return_shipping: {paid_by: merchant}", {"return_shipping": ReturnShipping()}),
        (OLD, "customer, amount: 3.50 GBP", "merchant", "window: {days: 7}, return_shipping: {paid_by: merchant}", {}),
        (OLD, "", "", "window: {days: 7}, resolutions: [store_credit, refund]",
         {"resolutions": ("store_credit", "refund")}),
        (OLD, "", "", "window: {days: 7}, resolutions: [store_credit]", {}),
        # What the rules refuse is given by a law that says so, while it lasts, and with the law's own days.
        (OLD, "returnable: true", "returnable: false", "window: {days: 8}", {}),
        (OLD, "returnable: true", "returnable: false", "window: {days: 8}, returnable: true",
         {"returnable": True, "window": Window(8)}),
        (OLD, "returnable: true", "returnable: false", "window: {days: 6}, returnable: true", {}),
        (OLD, "returnable: true\n  window: {days: 7, from: delivered, if_undelivered: refuse}",
         "returnable: false\n  window: {days: 7}", "window: {days: 7}, returnable: true", {"returnable": True}),
        (replace(OLD, at=None), "returnable: true", "returnable: false", "window: {days: 8}, returnable: true",
         {"returnable": True, "window": Window(8)}),
        (WAITING, "returnable: true", "returnable: false", "window: {days: 8}, returnable: true",
         {"returnable": True, "window": Window(8)}),
    ],
)  # fmt: skip
def test_a_floor_raises_what_is_below_it_and_nothing_else(
    facts: Facts, before: str, after: str, grant: str, raised: dict[str, Any]
) -> None:
    otherwise = OPEN.replace("undelivered: refuse", "undelivered: review") if before == "review}" else OPEN
    assert before in otherwise
    found, blocked = under(law_of(f"grant: {{{grant}}}"), facts, otherwise.replace(before, after, 1))
    assert ({name: term.value for name, term in found.items()}, blocked) == (raised, [])


def test_the_days_of_a_law_end_at_midnight_where_the_shop_is() -> None:
    june = item(bought(0), delivered_at=utc(2026, 6, 1, 10))
    law = law_of("grant: {window: {days: 14}, restocking_fee: 0%}")
    assert "restocking_fee" in under(law, replace(june, at=utc(2026, 6, 15, 22, 59)))[0]
    assert "restocking_fee" not in under(law, replace(june, at=utc(2026, 6, 15, 23)))[0]


def test_the_floors_that_set_a_term_are_told_with_their_article_and_the_day_of_the_check() -> None:
    law = law_of(
        "grant: {window: {days: 60}}", "grant: {window: {days: 1}}", "grant: {window: {days: 9}, restocking_fee: 0%}"
    )
    terms = dict(policy(OPEN, laws="").defaults)
    law.raise_terms(bought(3), terms, LONDON)
    window, fee = applied([load_law(TINY.replace("tiny", "other")), law], terms)
    assert (window.law, window.floor, window.terms) == (law, law.floors[0], ("window",))
    assert fee.to_json() == {
        "law": "tiny", "title": "A tiny law", "checked": "2026-11-26", "floor": "F3", "cite": "Article 3",
        "terms": ["restocking_fee"],
    }  # fmt: skip


MOMENTS = order(
    item(JUMPER, shipped_at=utc(2026, 10, 2, 9), delivered_at=utc(2026, 10, 3, 9)),
    placed_at=utc(2026, 10, 1, 9), last_delivered_at=utc(2026, 10, 4, 9),
)  # fmt: skip


@pytest.mark.parametrize(
    ("window", "last"),
    [
        (Window(20, start="placed"), date(2026, 10, 21)),
        (Window(0, start="placed"), date(2026, 10, 1)),
        (Window(20, start="shipped"), date(2026, 10, 22)),
        (Window(20, start="delivered"), date(2026, 10, 23)),
        (Window(20, start="last_delivered"), date(2026, 10, 24)),
        # The last day is a Friday, a Saturday, a Sunday, a Monday.
        *(
            (Window(days, start="placed", ends_on="business_day"), date(2026, 10, day))
            for days, day in ((22, 23), (23, 26), (24, 26), (25, 26))
        ),
        (Window(until=date(2026, 10, 24)), date(2026, 10, 24)),
        (Window(until=date(2026, 10, 24), ends_on="business_day"), date(2026, 10, 26)),
    ],
)
def test_the_last_day_is_counted_from_the_windows_own_moment_to_a_day_the_shop_is_open(
    window: Window, last: date
) -> None:
    assert last_day(window, MOMENTS, LONDON) == last


def test_the_last_day_is_one_of_the_shops_calendar_and_unknown_without_its_moment() -> None:
    late = item(MOMENTS, delivered_at=utc(2026, 10, 3, 23, 30))  # summer time: the fourth in London
    assert last_day(Window(20), late, LONDON) == date(2026, 10, 24)
    assert last_day(Window(20), item(MOMENTS, delivered_at=None), LONDON) is None


def test_laws_are_listed_in_the_order_of_their_files_whatever_the_folders_own(tmp_path: Path) -> None:
    for name in "dhbgcaef":
        (tmp_path / f"{name}.yaml").write_text(TINY.replace("tiny", name), encoding="utf-8")
    assert list(laws_in(tmp_path)) == list("abcdefgh")
    assert laws_in(FOLDER) == shipped()


def test_laws_ask_only_facts_of_the_language() -> None:
    assert {"order.country", "item.tags", "reason"} <= set(FACTS)


def test_what_a_law_forbids_for_its_own_days_is_not_promised_for_the_whole_window() -> None:
    buyer = Purchase("GB", "GBP", utc(2026, 11, 1, 9))
    long = promise(
        policy(OPEN.replace("days: 7", "days: 60")),
        lambda found: lambda facts: decide(found, facts),
        buyer,
        CHANGED_MIND,
    )
    assert long.fee == Fee(bp=1500)
    final = replace(buyer, item=ItemFacts(tags=("final-sale",)))
    sale = policy(
        OTHERWISE,
        "- rule: Sale\n  when: {item.tags: {has: final-sale}}\n  set: {returnable: false, restocking_fee: 10%}",
    )
    short = promise(sale, lambda found: lambda facts: decide(found, facts), final, CHANGED_MIND)
    assert (short.decision.answer, short.fee, short.decision.value("window").days) == (ACCEPT, Fee(), 14)
    abroad = promise(sale, lambda found: lambda facts: decide(found, facts), replace(final, country="US"), CHANGED_MIND)
    assert abroad.decision.answer == REFUSE


def test_countries_where_the_law_changes_a_kind_of_item_are_not_told_together() -> None:
    sale = policy(OTHERWISE, "- rule: Sale\n  when: {item.tags: {has: final-sale}}\n  set: {returnable: false}")
    page = policy_page(
        sale, lambda found: lambda facts: decide(found, facts), Purchase("GB", "GBP", utc(2026, 11, 1, 9)),
        sold_to=["GB", "US"], currencies=["GBP"],
    )  # fmt: skip
    assert [market.countries for market in page.markets] == [("GB",), ("US",)]
