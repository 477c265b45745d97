"""Amounts that are summed and not quoted one by one come out as if each had been quoted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st

from portal.money import Money
from portal.policy.engine import decide
from portal.policy.facts import Facts, ItemFacts, OrderFacts
from portal.policy.loader import Policy
from portal.policy.quote import REFUND, QuoteLine, ShippingPaid, quote
from portal.policy.simulate import QUESTIONS, Lines, LineTrial, Numbers
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
    trial = LineTrial(lambda facts: decide(before, facts), lambda facts: decide(after, facts))
    whole = Lines([()] * len(sold), *zip(*sold, strict=True), range(len(sold)), lambda _: ASKED)  # type: ignore[arg-type]
    assert trial.run([whole]) == slow


def test_a_number_is_learnt_once_from_the_first_that_has_the_value() -> None:
    numbers = Numbers()
    learnt: list[int] = []

    def learn(place: int) -> int:
        learnt.append(place)
        return 10 + place

    assert numbers.of(["a", "b", "a", "c", "b"], learn) == [10, 11, 10, 13, 11]
    assert numbers.of(["c", "b"], learn) == [13, 11]
    assert learnt == [0, 1, 3]
