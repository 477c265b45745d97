"""What the editor says against a draft is said in the words of a shop owner; days and facts beyond the text are checked too."""

from __future__ import annotations

import re
from datetime import date

import pytest

from portal.policy.analysis import analyse
from portal.policy.beside import Foreign, Untold, early, untold
from portal.policy.check_words import ABOUT, example
from portal.policy.checks import NOTE, WARNING, Check, check_policy, with_more
from portal.policy.diagnostics import Diagnostic
from portal.policy.loader import Policy
from portal.policy.terms import TERMS
from tests.pure.policy.samples import policy
from tests.pure.policy.test_every_diagnostic import WARNED

LAW = "laws: [uk-consumer, eu-consumer]\n"
FINAL = "- rule: Final sale\n  when: {item.tags: {has: final-sale}}\n  set: {returnable: false}\n  say: It was a final sale.\n"


def told(found: Policy, *more: Diagnostic, countries: tuple[str, ...] = ("GB",)) -> list[Check]:
    return list(with_more(check_policy(found, countries), found, more))


# What the editor lists first of each policy that has something wrong with it: title and help.
PLAIN = {
    "refuses in silence": (
        "“No” refuses and gives customers no reason",
        "Write what customers read, so that they know why it can’t come back",
    ),
    "gives away what comes back": (
        "“Gift it” asks to give away what customers have to send back",
        "Also let the customer keep it: what has to come back can’t be given away",
    ),
    "can never hold": (
        "“Never” never applies",
        "Its conditions contradict each other: no order can meet all of them",
    ),
    "has its days backwards": (
        "“Season” never applies",
        "“Order date” begins on 24 December 2026 and ends before that, on 1 November 2026. Swap the two days",
    ),
    "never decides": (
        "“B” changes nothing: “A” above it always decides first",
        "Move it up. For example, when the reason is something else, “A” decides about who decides",
    ),
    "shortens": (
        "“Sale” gives less time than “Faults” below it: 20 days, not 900 days",
        "Move “Faults” up if it should win. For example, when the item has the tag sale and the reason is faulty, "
        "“Sale” decides about the time",
    ),
    "shortens by a date": (
        "“Late” gives less time than “Faults” below it: until 31 January 2027, not 900 days",
        "Move “Faults” up if it should win. For example, when the order was placed on 1 November 2026 and the reason is faulty, "
        "delivered on 1 November 2026, “Late” decides about the time",
    ),
    "ends too early": (
        "“Season” takes nothing back: its time ends on 31 January 2025, before its orders are placed",
        "Choose a last day that is after the days on which the orders are placed",
    ),
    "is below the law": (
        "“Short” gives less than the law asks about the time to return (United Kingdom: Consumer Contracts Regulations 2013, "
        "regulations 29, 30, 34 and 35)",
        "Choose “UK consumer law” among the laws in Settings, and customers get what it asks. For example, when the item has the "
        "tag sale and the country is GB",
    ),
}


@pytest.mark.parametrize(("case", "said"), PLAIN.items())
def test_each_warning_is_said_without_a_word_of_the_document(case: str, said: tuple[str, str]) -> None:
    first = told(policy(WARNED[case]))[0]
    assert (first.title, first.help) == said


OF_THE_DOCUMENT = re.compile(
    r"`|\b[a-z]+[._][a-z]+\b|\d{4}-\d\d-\d\d|\botherwise\b|\bwindow\b|\breturnable\b|\bfalse\b"
)


def test_no_check_that_the_forms_can_cause_speaks_the_language_of_the_document() -> None:
    rules = [*WARNED.values(), FINAL]
    found = [check for each in rules for laws in ("", LAW) for check in told(policy(each, extra=laws))]
    late = policy("- rule: Season\n  when: {order.placed: {from: 2026-11-01}}\n  set: {review: always}")
    found += told(
        late, *early(late, policy(), date(2026, 11, 26)), *untold(late, [Untold("Season", "item.weight", 9)], 12)
    )
    assert len({each.title for each in found}) > 15
    assert [(each.title, each.help) for each in found if OF_THE_DOCUMENT.search(f"{each.title} {each.help}")] == []


def test_every_term_has_words_for_a_check() -> None:
    assert set(ABOUT) == set(TERMS)


def test_an_example_is_said_as_the_editor_says_a_condition() -> None:
    assert example({}) == "For example, whatever the order is"
    given = {"order.is_gift": True, "item.tags": (), "order.discount_percent": -1, "reason": "faulty"}
    assert example(given) == (
        "For example, when there is nothing in “Item tags”, the discount on the order is less than 0%, the order is a gift and "
        "the reason is faulty"
    )


def test_a_refusal_that_a_law_of_the_policy_lifts_is_told_and_needs_no_tick() -> None:
    (note,) = told(policy(FINAL, extra=LAW))
    assert (note.severity, note.rule) == (NOTE, "Final sale")
    assert note.title == (
        "“Final sale” is overruled by law where the law lets customers send it back "
        "(UK consumer law: Consumer Contracts Regulations 2013, regulations 29, 30, 34 and 35)"
    )
    assert note.help.endswith("the country is GB, it can come back all the same")


@pytest.mark.parametrize(
    ("rules", "countries"),
    [
        (FINAL, ("US",)),  # no law of the policy extends there
        (FINAL.replace("returnable: false", "returnable: true"), ("GB", "DE")),
        (FINAL.replace("{item.tags: {has: final-sale}}", "{order.is_business: true}"), ("GB", "DE")),
        ("- rule: All\n  set: {returnable: true}\n" + FINAL, ("GB",)),  # a rule above decides
    ],
)
def test_nothing_is_told_of_a_refusal_that_no_law_lifts(rules: str, countries: tuple[str, ...]) -> None:
    found = analyse(policy(rules, extra=LAW), countries=countries)
    assert [each.message for each in found if each.severity == NOTE] == []


CHRISTMAS = "- rule: Christmas\n  when: {order.placed: %s}\n  set: {window: {until: 2027-01-31}}\n"
BEGINS = "“Christmas” begins on 1 November 2026, before this version starts on 26 November 2026"
LATE = (
    "“Christmas” comes too late: its last order is placed on 25 November 2026, "
    "before this version starts on 26 November 2026"
)
STARTS = date(2026, 11, 26)


@pytest.mark.parametrize(
    ("days", "title"),
    [
        ("{from: 2026-11-01, to: 2026-12-24}", BEGINS),
        ("{between: [2026-11-01, 2026-12-24]}", BEGINS),
        ("{from: 2026-11-01}", BEGINS),
        ("{from: 2026-11-26, to: 2026-12-24}", None),  # the very day
        ("{from: 2026-12-01}", None),
        ("{to: 2026-12-24}", None),  # names no first day
        (
            "{from: 2026-11-01, to: 2026-11-25}",
            LATE,
        ),
        (
            "2026-11-25",
            LATE,
        ),
        ("2026-11-26", None),
    ],
)
def test_a_rule_for_days_before_its_version_starts_is_told(days: str, title: str | None) -> None:
    draft, live = policy(CHRISTMAS % days), policy()
    found = told(draft, *early(draft, live, STARTS), countries=())
    assert [each.title for each in found] == ([] if title is None else [title])
    assert all(each.severity == WARNING and each.rule == "Christmas" for each in found)


def test_days_that_the_version_before_keeps_or_that_are_offered_to_older_orders_are_no_trouble() -> None:
    rule = CHRISTMAS % "{from: 2026-11-01, to: 2026-12-24}"
    assert list(early(policy(rule), policy(rule), STARTS)) == []
    assert list(early(policy(rule), None, STARTS)) == [], "the first version binds older orders as well"
    assert list(early(policy(rule, extra="apply_to_open_orders: true\n"), policy(), STARTS)) == []
    other = rule.replace("2027-01-31", "2027-01-15")
    assert [each.plain[0] for each in early(policy(rule), policy(other), STARTS)] == [BEGINS]


def test_a_fact_that_nobody_tells_is_told_at_its_rule() -> None:
    heavy = policy("- rule: Heavy\n  when: {item.weight: {over: 20 kg}}\n  set: {review: always}\n")
    gone = Untold("law: UK", "item.tags", 1)
    (check, *_rest) = told(heavy, *untold(heavy, [Untold("Heavy", "item.weight", 36), gone], 40))
    assert (check.severity, check.rule) == (WARNING, "Heavy")
    assert check.title == "“Heavy” sends returns to a person: “Weight” isn’t known of any item"
    assert check.help.startswith("36 of the last 40 items sold would wait. ")
    (other,) = untold(heavy, [Untold("Heavy", "order.region", 1)], 40)
    assert other.plain[0].endswith("isn’t known of any order")


def test_an_amount_of_one_currency_alone_is_told_at_its_rule() -> None:
    dear = policy("- rule: Dear\n  when: {item.price: {over: 50 GBP}}\n  set: {review: always}\n")
    (check, *_rest) = told(dear, *untold(dear, [Foreign("Dear", "GBP", ("EUR", "JPY"), 3)], 40))
    assert (check.severity, check.rule) == (WARNING, "Dear")
    assert check.title == "“Dear” sends returns to a person: it counts in GBP, and there are orders in EUR and JPY"
    assert check.help.startswith("3 of the last 40 items sold would wait. ")
    (default,) = untold(dear, [Foreign("otherwise", "GBP", ("EUR",), 1)], 40)
    assert default.plain[0].startswith("The default sends returns to a person: it counts in GBP")
    assert dear.source.splitlines()[default.line - 1].startswith("otherwise")
