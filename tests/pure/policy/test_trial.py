"""Amounts that are summed and not quoted one by one come out as if each had been quoted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.money import Money
from portal.policy.engine import decide
from portal.policy.facts import Facts, ItemFacts, OrderFacts
from portal.policy.loader import Policy
from portal.policy.quote import REFUND, Quote, QuoteLine, ShippingPaid, quote
from portal.policy.simulate import QUESTIONS, Change, Lines, LineTrial, Numbers, Request, RequestTrial
from portal.policy.tally import Comparison, sums_of
from tests.pure.policy import samples

TERMS = (
    "return_shipping: {paid_by: customer, amount: 3.50 GBP}",
    "return_shipping: {paid_by: customer, amount: 4.00 EUR}",
    "return_shipping: {paid_by: customer, share: 7.5%}",
    "return_shipping: {paid_by: customer}",
    "return_shipping: {paid_by: customer, amount: 3.50 GBP, free_for: [refund]}",
    "restocking_fee: 12.5%",
    "restocking_fee: 1.35 GBP",
    "restocking_fee: 2.00 EUR",
    "keep_item: true",
    "review: always",
    "returnable: false",
)
DELIVERED = datetime(2026, 10, 5, 9, tzinfo=UTC)
ASKED = Facts(
    order=OrderFacts(number="1", placed_at=DELIVERED, country="GB", currency="GBP", tags=()),
    item=ItemFacts(tags=(), price=Money(1, "GBP"), delivered_at=DELIVERED),
    answers={}, evidence=0, at=DELIVERED + timedelta(days=3), is_consumer=True,
)  # fmt: skip


def trial(before: Policy, after: Policy, met: list[str | None] | None = None) -> LineTrial:
    """A trial of the two, which notes the article of every kind that it meets."""
    seen = [] if met is None else met
    return LineTrial(
        lambda facts: decide(before, facts),
        lambda facts: decide(after, facts),
        lambda facts: seen.append(facts.item.sku),
    )


def policy(terms: list[str], reason: str, outbound: str) -> Policy:
    rules = [f"- {{rule: Rule {n}, when: {{reason: {reason}}}, set: {{{term}}}}}" for n, term in enumerate(terms)]
    otherwise = samples.OTHERWISE.replace("outbound_shipping: full_return", f"outbound_shipping: {outbound}")
    return samples.policy("\n".join(rules), otherwise=otherwise)


policies = st.builds(
    policy,
    st.lists(st.sampled_from(TERMS), max_size=3),
    st.sampled_from([question.reason for question in QUESTIONS]),
    st.sampled_from(["never", "full_return", "always"]),
)
money = st.tuples(
    st.sampled_from([0, 1, 120, 349, 350, 351, 399, 400, 2599]), st.integers(1, 3), st.booleans(), st.sampled_from([0, 395])
)  # fmt: skip


@given(before=policies, after=policies, sold=st.lists(money, min_size=1, max_size=12))
@example(
    before=policy(TERMS[:1], "faulty", "always"),
    after=policy([], "faulty", "full_return"),
    sold=[(120, 1, True, 0), (349, 1, True, 395), (350, 2, False, 395), (2599, 1, True, 395)],
)
@settings(max_examples=60, deadline=None)
def test_money_is_the_sum_of_the_quotes_of_all_lines(
    before: Policy, after: Policy, sold: list[tuple[int, int, bool, int]]
) -> None:
    slow = {question.name: Comparison() for question in QUESTIONS}
    for gross, units, alone, shipping in sold:
        for question in QUESTIONS:
            asked = ASKED.asking(reason=question.reason, resolution=REFUND)
            here = slow[question.name]
            decided = decide(before, asked), decide(after, asked)
            here.count(*decided)
            for tally, decision in zip((here.before, here.after), decided, strict=True):
                if decision.refused:
                    continue
                line = QuoteLine("1", units, gross, 0, gross, 0, REFUND, decision.terms)
                sums = sums_of(quote([line], "GBP", shipping=ShippingPaid(shipping), full_return=alone))
                tally.add("GBP", sums if decision.accepted else {"waiting": sums["refund"]})
    assert trial(before, after).run([lines_of(sold)]) == slow
    # However the book is cut, and however little is remembered of it at once.
    one_by_one = [Lines([at], *([each] for each in line), [at], lambda _: ASKED) for at, line in enumerate(sold)]  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("portal.policy.simulate.MAX_KNOWN", 1)
        assert trial(before, after).run(one_by_one) == slow


@pytest.mark.parametrize(
    ("term", "sold", "quotes"),
    [
        # gross, units, whether it is its whole order, shipping paid
        ("ship_by: 7", [(0, 1, False, 0), (120, 1, False, 0), (350, 2, False, 0), (9000, 3, False, 0)], 1),
        ("return_shipping: {paid_by: customer, amount: 3.50 GBP}",
         [(120, 1, False, 0), (120, 2, False, 0), (349, 1, False, 0), (350, 1, False, 0), (500, 1, False, 0)], 3),
        ("return_shipping: {paid_by: customer, share: 10%}", [(120, 1, False, 0), (120, 2, False, 0), (121, 1, False, 0)], 2),
        ("restocking_fee: 10%", [(120, 1, False, 0), (120, 2, False, 0), (121, 1, False, 0)], 2),
        ("restocking_fee: 1.00 GBP", [(500, 1, False, 0), (500, 2, False, 0), (500, 2, True, 0), (600, 1, False, 0)], 3),
        ("outbound_shipping: never", [(120, 1, False, 395), (120, 1, True, 0), (120, 1, True, 395)], 1),
        ("outbound_shipping: always", [(120, 1, False, 395), (120, 1, True, 0), (120, 1, True, 395)], 2),
        ("outbound_shipping: full_return", [(120, 1, False, 395), (120, 1, True, 0), (120, 1, True, 395)], 2),
    ],
)  # fmt: skip
def test_lines_whose_money_depends_on_nothing_that_differs_are_quoted_once(
    term: str, sold: list[tuple[int, int, bool, int]], quotes: int
) -> None:
    there = samples.policy(f"- {{rule: Term, set: {{{term}}}}}")
    tried = trial(there, there)
    assert quotes_made(lambda: tried.run([lines_of(sold)])) == quotes
    assert quotes_made(lambda: tried.run([lines_of(sold)])) == 0, "what was learnt is kept"


def test_only_so_many_quotes_are_remembered() -> None:
    there = samples.policy("- {rule: Fee, set: {restocking_fee: 10%}}")
    one, two, three = ([(gross, 1, False, 0)] for gross in (120, 130, 140))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("portal.policy.simulate.MAX_KNOWN", 2)
        tried = trial(there, there)
        made = [quotes_made(partial(tried.run, [lines_of(sold)])) for sold in (one, two, one, three, three)]
    assert made == [1, 1, 0, 1, 1]


def lines_of(sold: list[tuple[int, int, bool, int]]) -> Lines:
    """Lines that no rule can tell apart."""
    return Lines([()] * len(sold), *zip(*sold, strict=True), range(len(sold)), lambda _: ASKED)  # type: ignore[arg-type]


def quotes_made(work: Callable[[], object]) -> int:
    """How often an amount is worked out meanwhile, which is what a trial's time is spent on."""
    made: list[str] = []

    def counted(asked: list[QuoteLine], currency: str, **more: Any) -> Quote:
        made.append(currency)
        return quote(asked, currency, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("portal.policy.simulate.quote", counted)
        work()
    return len(made)


KINDS = {
    "S0": "",
    "S1": "- {rule: One, when: {item.sku: S1}, set: {returnable: false}, say: No.}",
    "S2": "- {rule: Two, when: {item.sku: S2, reason: faulty}, set: {review: always}}",
    "S3": "- {rule: Three, when: {item.sku: S3}, set: {returnable: false, restocking_fee: 10%}, say: No.}",
}
FEE = "- {rule: Fee, when: {item.sku: S3}, set: {restocking_fee: 10%}}"


def lines(skus: str, first_id: int) -> Lines:
    """Lines of these kinds, at 10.00 each, called by numbers from ``first_id`` on."""
    kinds = [f"S{each}" for each in skus]
    count = len(kinds)
    return Lines(
        kinds, [1000] * count, [1] * count, [False] * count, [0] * count, range(first_id, first_id + count),
        lambda place: samples.item(ASKED, sku=kinds[place]),
    )  # fmt: skip


def test_the_first_line_of_each_way_in_which_answers_change_is_an_example_of_it() -> None:
    met: list[str | None] = []
    changed = trial(samples.policy(FEE), samples.policy("\n".join(filter(None, KINDS.values()))), met)
    to_refuse, to_review = ("accept", "refuse"), ("accept", "review")
    one = {"ordinary": to_refuse, "fault": to_refuse}
    two = {"ordinary": ("accept", "accept"), "fault": to_review}
    changed.run([lines("0013", 100), lines("2", 200)])
    # Lines of the third kind are answered as those of the first are, though for other money.
    assert changed.examples == [(102, one), (200, two)]
    assert met == ["S0", "S1", "S3", "S2"]
    changed.run([lines("0231", 300)])
    assert changed.examples == [(301, two), (302, one)], "of the last batch, in its own order"
    assert met == ["S0", "S1", "S3", "S2"], "a kind is met once"


def test_every_line_is_asked_for_a_refund() -> None:
    refuses = samples.policy("- {rule: No, when: {resolution: refund}, set: {returnable: false}, say: No.}")
    for found in trial(samples.policy(), refuses).run([lines("0", 1)]).values():
        assert found.turned == {("accept", "refuse"): 1}


def test_where_everything_is_refused_there_is_no_money() -> None:
    refuses = samples.policy("- {rule: No, set: {returnable: false}, say: No.}")
    for found in trial(refuses, refuses).run([lines("01", 1)]).values():
        assert (found.before, found.before.answers["refuse"], found.before.money) == (found.after, 2, {})


def test_kinds_are_learnt_again_when_too_many_are_known() -> None:
    numbers, learnt = Numbers(), []

    def learn(place: int) -> int:
        learnt.append(place)
        return place

    numbers.of(range(200_000), learn)
    numbers.of([0], learn)
    assert len(learnt) == 200_000
    numbers.of([200_000], learn)
    numbers.of([0], learn)
    assert len(learnt) == 200_002


GIVEN = samples.policy(otherwise=samples.OTHERWISE.replace("credit_bonus: 0%", "credit_bonus: 10%"))
LABEL = "return_shipping: {paid_by: customer, amount: 3.50 GBP"


@pytest.mark.parametrize(
    ("after", "more", "change", "sums"),
    [
        ("", {}, None, (3395, 0, 0, 0, 0)),
        (KINDS["S1"], {}, Change(3395, 1000, (("b", "accept", "refuse"),)), (1000, 0, 0, 0, 0)),
        (KINDS["S2"], {}, None, (3395, 0, 0, 0, 0)),
        # What waits for a person is what the refund would be with it: here all, and so the shipping too.
        (KINDS["S1"].replace("returnable: false", "review: always"), {},
         Change(3395, 3395, (("b", "accept", "review"),)), (1000, 0, 0, 0, 2395)),
        ("- {rule: All, set: {review: always}}", {},
         Change(3395, 3395, (("a", "accept", "review"), ("b", "accept", "review"))), (0, 0, 0, 0, 3395)),
        ("- {rule: All, set: {restocking_fee: 10%}}", {}, Change(3395, 3095, ()), (3095, 0, 0, 300, 0)),
        ("- {rule: All, set: {restocking_fee: 10%}}", {"resolution": "store_credit"}, Change(3695, 3365, ()),
         (0, 3365, 0, 300, 0)),
        (f"- {{rule: All, set: {{{LABEL}}}}}}}", {}, Change(3395, 3045, ()), (3045, 0, 0, 350, 0)),
        (f"- {{rule: All, set: {{{LABEL}, once_per: order}}}}}}", {"fee_charged": True}, None, (3395, 0, 0, 0, 0)),
        (f"- {{rule: All, set: {{{LABEL}}}}}}}", {"ship_with": "own"}, None, (3395, 0, 0, 0, 0)),
        (f"- {{rule: All, set: {{{LABEL}}}}}}}", {"ship_with": ""}, Change(3395, 3045, ()), (3045, 0, 0, 350, 0)),
        ("", {"full_return": False}, None, (3000, 0, 0, 0, 0)),
        # Another answer is a change, also about what was given away for nothing.
        (KINDS["S1"], {"full_return": False, "price": 0}, Change(1000, 1000, (("b", "accept", "refuse"),)), (1000, 0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_a_past_request_is_asked_line_by_line_and_quoted_as_a_whole(
    after: str, more: dict[str, Any], change: Change | None, sums: tuple[int, ...]
) -> None:
    resolution = more.get("resolution", REFUND)
    sold = tuple(
        (ref, 1, resolution, gross, 0, samples.item(ASKED, sku=sku).asking(resolution=resolution, reason="other"))
        for ref, gross, sku in (("a", 1000, "S0"), ("b", more.get("price", 2000), "S1"))
    )
    asked = Request(
        "GBP", sold, ShippingPaid(395), more.get("full_return", True), more.get("fee_charged", False),
        more.get("ship_with", "label"),
    )  # fmt: skip
    otherwise = samples.OTHERWISE.replace("credit_bonus: 0%", "credit_bonus: 10%")
    tried = RequestTrial(
        lambda facts: decide(GIVEN, facts), lambda facts: decide(samples.policy(after, otherwise=otherwise), facts)
    )
    assert tried.run(asked) == change
    names = ("refund", "credit", "exchange", "fees", "waiting")
    assert tried.comparison.after.money == {"GBP": dict(zip(names, sums, strict=True))}
    assert tried.comparison.turned == Counter((was, now) for _, was, now in (change.lines if change else ()))
    assert sum(tried.comparison.before.answers.values()) == 2
    was = dict.fromkeys(names, 0) | {
        "credit" if resolution != REFUND else "refund": change.before_minor if change else sums[0]
    }
    assert tried.comparison.before.money == {"GBP": was}


def test_a_number_is_learnt_once_from_the_first_that_has_the_value() -> None:
    numbers = Numbers()
    learnt: list[int] = []

    def learn(place: int) -> int:
        learnt.append(place)
        return 10 + place

    assert numbers.of(["a", "b", "a", "c", "b"], learn) == [10, 11, 10, 13, 11]
    assert numbers.of(["c", "b"], learn) == [13, 11]
    assert learnt == [0, 1, 3]
