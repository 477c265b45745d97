"""The analysis says "never" only of what never happens, finds what it names, and shows examples that are true."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.cli.policy import policy as group
from portal.money import Money
from portal.policy.analysis import analyse
from portal.policy.checks import check_policy, check_text, mended
from portal.policy.engine import decide
from portal.policy.facts import CustomerFacts, Facts, ItemFacts, OrderFacts
from portal.policy.reasons import REASONS
from tests.pure.policy.samples import POLICIES, document, policy, shipped

SALE = "- rule: Sale\n  when: {item.tags: {has: sale}}\n  set: {window: {days: 14}}\n"
FAULTS = "- rule: Faulty items\n  when: {reason: {in: [faulty, damaged]}}\n  set: {window: {days: 365}}\n"

CHRISTMAS = """\
- rule: Christmas
  when: {order.placed: {from: 2026-11-01, to: 2026-12-24}}
  set: {window: {until: 2027-01-31}}
"""

FINAL_SALE = "- rule: Final sale\n  when: {item.tags: {has: final-sale}}\n  set: {window: {days: 14}}\n"
LABEL = (
    "- rule: Label\n  when: {order.currency: GBP}\n  set: {return_shipping: {paid_by: customer, amount: 3.50 GBP}}\n"
)
FREE = "- rule: Faulty items\n  when: {reason: faulty}\n  set: {return_shipping: {paid_by: merchant}}\n"

EXACT = [
    pytest.param(
        CHRISTMAS + FAULTS,
        (
            5,
            5,
            "`Christmas` shortens the window of `Faulty items` below it: until `2027-01-31` instead of `365 days`",
            "move `Faulty items` up if it should win; for example, with `order.placed: 2026-11-01` and `reason: faulty`, "
            "delivered on 2026-11-01, `Christmas` decides `window`",
        ),
        id="a date shortens days",
    ),
    pytest.param(
        SALE + CHRISTMAS,
        (
            5,
            5,
            "`Sale` shortens the window of `Christmas` below it: `14 days` instead of until `2027-01-31`",
            "move `Christmas` up if it should win; for example, with `item.tags: [sale]` and `order.placed: 2026-11-01`, "
            "delivered on 2026-11-01, `Sale` decides `window`",
        ),
        id="days shorten a date",
    ),
    pytest.param(
        CHRISTMAS.replace("2027-01-31", "2025-01-31"),
        (
            5,
            5,
            "`Christmas` takes nothing back: its window ends on `2025-01-31`, before its orders are placed",
            "write the last day of the window after the days on which the orders are placed",
        ),
        id="a last day in the past",
    ),
    pytest.param(
        "- rule: Never\n  when: {all: [{order.country: GB}, {order.country: {in: [DE, FR]}}]}\n  set: {review: always}",
        (5, 5, "`Never` can never hold", "its conditions contradict each other"),
        id="never holds",
    ),
    pytest.param(
        "- rule: Christmas\n  when: {order.placed: {from: 2026-12-24, to: 2026-11-01}}\n  set: {review: always}",
        (
            5,
            5,
            "`Christmas` can never hold",
            "`order.placed` begins on 2026-12-24 and ends before that, on 2026-11-01; swap the two days",
        ),
        id="days written backwards",
    ),
    pytest.param(
        "- rule: Christmas\n  when: {reason: other, order.placed: {between: [2026-12-24, 2026-11-01]}}\n  set: {review: always}",
        (
            5,
            5,
            "`Christmas` can never hold",
            "`order.placed` begins on 2026-12-24 and ends before that, on 2026-11-01; swap the two days",
        ),
        id="days written backwards as a pair",
    ),
    pytest.param(
        "- rule: All\n  set: {review: always}\n- rule: Some\n  when: {reason: other}\n  set: {review: never}",
        (
            7,
            5,
            "`Some` never decides anything: `All` above it always does",
            "move it up; for example, with `reason: other`, `All` decides `review`",
        ),
        id="never decides, by one rule",
    ),
    pytest.param(
        "- rule: Home\n  when: {order.country: GB}\n  set: {review: always}\n"
        "- rule: Abroad\n  when: {order.country: {in: [DE, FR]}}\n  set: {review: always}\n"
        "- rule: Odd\n  when: {order.region: X}\n  set: {credit_bonus: 1%}\n"
        "- rule: Some\n  when: {order.country: {in: [GB, DE]}}\n  set: {review: never}",
        (
            14,
            5,
            "`Some` never decides anything: `Home` and `Abroad` above it always do",
            "move it up; for example, with `order.country: GB`, `Home` decides `review`",
        ),
        id="never decides, by two rules together",
    ),
    pytest.param(
        SALE + FAULTS,
        (
            5,
            5,
            "`Sale` shortens the window of `Faulty items` below it: `14 days` instead of `365 days`",
            "move `Faulty items` up if it should win; "
            "for example, with `item.tags: [sale]` and `reason: faulty`, `Sale` decides `window`",
        ),
        id="shortens",
    ),
    pytest.param(
        CHRISTMAS + FINAL_SALE,
        (
            5,
            5,
            "`Christmas` lengthens the window of `Final sale` below it: until `2027-01-31` instead of `14 days`",
            "move `Final sale` up if its goods have no season; for example, with `item.tags: [final-sale]` and "
            "`order.placed: 2026-11-01`, delivered on 2026-11-01, `Christmas` decides `window`",
        ),
        id="a season lengthens",
    ),
    pytest.param(
        LABEL + FREE,
        (
            5,
            5,
            "`Label` takes more for the way back than `Faulty items` below it: `3.50 GBP` instead of `Free`",
            "move `Faulty items` up if it should win; for example, with `order.currency: GBP` and `reason: faulty`, "
            "`Label` decides `return_shipping`",
        ),
        id="a label costs more",
    ),
]


@pytest.mark.parametrize(("rules", "wanted"), EXACT)
def test_each_kind_of_finding_says_where_what_and_how_to_mend_it(rules, wanted):
    (found,) = analyse(policy(rules))
    assert (found.line, found.column, found.message, found.help) == wanted
    assert found.severity == "warning"


def test_a_rule_below_the_law_is_named_with_the_article_until_the_policy_names_the_law():
    rules = "- rule: Sale\n  when: {item.tags: {has: sale}}\n  set: {restocking_fee: 10%}"
    low = policy(rules, otherwise=document().split("otherwise:\n")[1].replace("30, from", "731, from"))
    (found,) = analyse(low, countries=("GB",))
    assert (found.line, found.column) == (5, 5)
    assert found.message == (
        "`Sale` gives less than the law of `GB` asks: `restocking_fee` "
        "(Consumer Contracts Regulations 2013, regulations 29, 30, 34 and 35)"
    )
    assert found.help == (
        "add `uk-consumer` to `laws`, which raises it; for example, with `item.tags: [sale]` and `order.country: GB`"
    )
    assert analyse(low, countries=("US",)) == ()
    assert analyse(policy(rules, extra="laws: [uk-consumer]\n"), countries=("GB",)) == ()


@pytest.mark.parametrize(
    ("laws", "countries", "first"),
    [
        ("", ("GB", "DE"), "GB"),
        ("", ("DE", "GB"), "DE"),
        ("laws: [eu-consumer, uk-consumer]\n", ("GB", "DE"), "uk-consumer"),
    ],
)
def test_the_law_of_the_shops_own_country_is_named_first(laws, countries, first):
    final = "- rule: Final sale\n  when: {item.tags: {has: final-sale}}\n  set: {returnable: false}\n  say: No.\n"
    found = analyse(policy(final, extra=laws), countries=countries)
    assert f"`{first}`" in next(each.message for each in found if each.message.startswith("`Final sale`"))


def test_what_otherwise_gives_is_held_against_the_law_as_well():
    (found,) = analyse(policy(), countries=("DE",))
    assert (found.line, found.column, found.text) == (4, 1, "otherwise")
    assert found.message == (
        "`otherwise` gives less than the law of `DE` asks: `window` "
        "(Directive (EU) 2019/771, Articles 10, 13, 14 and 16)"
    )


def test_a_refusal_that_the_law_itself_allows_is_not_below_it():
    rules = "- rule: Made for you\n  when: {item.tags: {has: custom-made}, reason: changed-mind}\n"
    rules += "  set: {returnable: false}\n  say: It was made for you."
    assert [each.message.split("`")[1] for each in analyse(policy(rules), countries=("GB",))] == ["otherwise"]


def test_a_rule_that_no_past_order_meets_is_named_and_one_that_could_have_held_is_not():
    past = [(Facts(order=OrderFacts(country=country)), lines) for country, lines in (("GB", 1_200), ("DE", 34))]
    rules = "- rule: France\n  when: {order.country: FR}\n  set: {review: always}\n"
    rules += "- rule: Germany\n  when: {order.country: DE}\n  set: {credit_bonus: 1%}\n"
    rules += "- rule: Open\n  when: {item.tags: {has: x}}\n  set: {ship_by: 3 days}"
    (found,) = analyse(policy(rules), past=past)
    assert (found.line, found.column, found.message) == (5, 5, "`France` holds for no order of the past")
    assert found.help == "tried on 1,234 sold lines; check its words against those of your goods"
    assert analyse(policy(rules)) == ()


def test_a_rule_that_can_never_hold_is_said_to_once():
    never = "- rule: Never\n  when: {all: [{order.country: GB}, {order.country: FR}]}\n  set: {review: always}"
    found = analyse(policy(never), past=[(Facts(order=OrderFacts(country="GB")), 1)])
    assert [each.message for each in found] == ["`Never` can never hold"]


EMPTY = [
    "customer.orders: {over: 3, under: 4}",
    "order.placed: {from: 2026-02-01, to: 2026-01-31}",
    "{return.value: {over: 300 GBP}, not: {return.value: {over: 200 GBP}}}",
    "{return.value: {over: 300 GBP}, all: [{return.value: {over: 1 EUR}}]}",
    "order.discount_percent: {over: 50%, at_most: 50%}",
    "item.weight: {at_least: 2 kg, under: 2000 g}",
    "{order.is_gift: true, not: {order.is_gift: true}}",
    "{item.tags: {has_all: [a, b]}, not: {item.tags: {has: B}}}",
    "{item.tags: {has_any: [a, b]}, not: {any: [{item.tags: {has: a}}, {item.tags: {has: b}}]}}",
    "any: [{reason: faulty, all: [{reason: other}]}, {order.channel: web, all: [{order.channel: {not_in: [WEB]}}]}]",
    "days_since.delivered: {over: 10, under: 11}",
    f"reason: {{not_in: [{', '.join(REASONS)}]}}",
]
FULL = [
    "customer.orders: {over: 3, under: 5}",
    "order.placed: {from: 2026-01-31, to: 2026-01-31}",
    "{return.value: {over: 300 GBP}, not: {return.value: {over: 300.01 GBP}}}",
    "{item.sku: {matches: 'A-.*'}, not: {item.sku: {matches: 'A-1'}}}",
    "{item.sku: A-1, all: [{item.sku: {matches: 'A-.*'}}]}",
    "{item.tags: {has_any: [a, b]}, not: {item.tags: {has_all: [a, b]}}}",
    "{days_since.placed: 3, days_since.delivered: {over: 9}, today: 2026-03-01}",
    "not: {order.country: GB}",
]


@pytest.mark.parametrize(("when", "never"), [*((each, True) for each in EMPTY), *((each, False) for each in FULL)])
def test_contradictions_are_found_and_what_can_hold_is_not_one(when, never):
    when = when if when.startswith("{") else "{" + when + "}"
    found = analyse(policy(f"- rule: A\n  when: {when}\n  set: {{review: always}}"))
    assert [each.message for each in found] == (["`A` can never hold"] if never else [])


@pytest.mark.parametrize(
    "below",
    [
        "order.country: {in: [GB, FR]}",  # France is left
        "reason: faulty",  # the country may be unknown
        "not: {order.country: GB}",
    ],
)
def test_a_rule_that_can_still_decide_is_not_warned_about(below):
    rules = "- rule: A\n  when: {order.country: {in: [GB, DE]}}\n  set: {review: always}\n"
    rules += f"- rule: B\n  when: {{{below}}}\n  set: {{review: never}}"
    assert analyse(policy(rules)) == ()


def test_a_rule_that_sets_one_open_term_is_not_warned_about():
    rules = "- rule: All\n  set: {review: always}\n- rule: Some\n  set: {review: never, credit_bonus: 1%}"
    assert analyse(policy(rules)) == ()


def test_a_shorter_window_that_never_meets_the_longer_one_is_not_warned_about():
    ordinary = SALE.replace("{item.tags: {has: sale}}", "{reason: other}")
    assert analyse(policy(ordinary + FAULTS)) == ()
    assert analyse(policy(FAULTS + SALE)) == ()


@pytest.mark.parametrize(
    "rules",
    [
        "- rule: Final sale\n  when: {item.tags: {has: final-sale}}\n  set: {returnable: false}\n  say: No.\n"
        + CHRISTMAS,
        FAULTS + FINAL_SALE,  # what is wrong with goods is another matter than what goods they are
        CHRISTMAS + "- rule: Germany\n  when: {order.country: DE}\n  set: {window: {days: 14}}\n",
        CHRISTMAS.replace("2026-11-01", "2026-12-20") + FINAL_SALE.replace("{item", "{order.placed: 2026-11-11, item"),
        FREE + LABEL,
        LABEL + FREE.replace("{reason: faulty}", "{order.currency: EUR}"),
        LABEL + LABEL.replace("Label", "Dollars").replace("3.50 GBP", "2.00 USD"),  # nobody can say which is more
    ],
)
def test_what_is_meant_or_never_meets_is_not_warned_about(rules):
    assert [each.message for each in analyse(policy(rules)) if "below it" in each.message] == []


@pytest.mark.parametrize("name", ["default", "apparel", "electronics", "gifts"])
def test_the_shipped_policies_have_no_finding_by_themselves(name):
    assert analyse(shipped(name)) == ()


def test_the_shops_own_policy_is_never_below_a_law_where_it_sells():
    result = CliRunner().invoke(group, ["check", str(POLICIES / "default.yaml")], catch_exceptions=False)
    assert result.output.startswith(f"{POLICIES / 'default.yaml'}: ok, 8 rules, ")


def test_the_command_and_the_checks_of_the_editor_tell_the_findings_at_their_rule(tmp_path):
    (tmp_path / "mine.yaml").write_text(document(SALE + FAULTS), encoding="utf-8")
    result = CliRunner().invoke(
        group, ["check", str(tmp_path / "mine.yaml"), "--sells-to", "GB"], catch_exceptions=False
    )
    assert "warning: `Sale` shortens the window of `Faulty items` below it" in result.output
    assert "the law of `GB`" in result.output
    assert "not held against any law" not in result.output
    alone = CliRunner().invoke(group, ["check", str(tmp_path / "mine.yaml")], catch_exceptions=False)
    assert "the law of `GB`" not in alone.output
    assert alone.output.splitlines()[-2].startswith("not held against any law: there is no shop.yaml beside it")
    checks = check_policy(policy(SALE + FAULTS), ("GB",))
    assert [each.rule for each in checks] == ["Sale", "Sale", None]
    assert checks[0].title == "“Sale” gives less time than “Faulty items” below it: 14 days, not 365 days"
    assert len({each.key for each in checks}) == 3


def test_five_hundred_rules_are_analysed_in_a_bounded_number_of_steps():
    rules = "".join(
        f"- rule: R{at}\n  when: {{item.tags: {{has: t{at}}}, any: [{{order.country: GB}}, {{customer.orders: {at}}}]}}\n"
        f"  set: {{window: {{days: {at + 1}}}}}\n"
        for at in range(500)
    )
    assert isinstance(analyse(policy(rules), countries=("GB", "DE")), tuple)


# Few words and numbers, so that random rules meet, contradict and cover each other.
_TESTS = st.sampled_from(
    [
        *[f"order.country: {test}" for test in ("GB", "{in: [GB, DE]}", "{not_in: [GB]}")],
        *[
            f"customer.orders: {test}"
            for test in ("1", "{over: 1}", "{under: 2}", "{between: [1, 2]}", "{not_in: [2]}")
        ],
        *[
            f"return.value: {test}"
            for test in ("{over: 1 GBP}", "{at_most: 1 GBP}", "{under: 1.01 GBP}", "{is: 1 EUR}")
        ],
        *[f"item.tags: {test}" for test in ("a", "[a, b]", "{has_all: [a, b]}", "{has: b}")],
        *[f"order.placed: {test}" for test in ("{from: 2026-03-29}", "{to: 2026-03-28}", "{is: 2026-03-29}")],
        *[f"days_since.placed: {test}" for test in ("{over: 1}", "{at_most: 1}")],
        *[f"reason: {test}" for test in ("faulty", "{in: [faulty, other]}", "{not_in: [faulty]}")],
        *[f"item.sku: {test}" for test in ("A", "{matches: 'A.?'}", "{not_in: [A]}")],
        "order.is_gift: true",
        "order.is_gift: false",
        "evidence: {at_least: 1}",
        "evidence: {under: 1}",
    ]
)
_WHENS = st.recursive(
    _TESTS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(
            lambda parts: "all: [" + ", ".join(f"{{{p}}}" for p in parts) + "]"
        ),
        st.lists(inner, min_size=2, max_size=3).map(
            lambda parts: "any: [" + ", ".join(f"{{{p}}}" for p in parts) + "]"
        ),
        inner.map(lambda part: f"not: {{{part}}}"),
    ),
    max_leaves=4,
)
_SETS = st.lists(
    st.sampled_from(["review: always", "credit_bonus: 3%", "window: {days: 5}", "window: {days: 9}"]),
    min_size=1, max_size=2, unique_by=lambda term: term.split(":")[0],
)  # fmt: skip
_RULES = st.lists(st.tuples(st.one_of(st.just(""), _WHENS), _SETS), min_size=1, max_size=5)


def _maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(st.none(), values)


_MOMENTS = st.sampled_from(
    [datetime(2026, 3, day, hour, tzinfo=UTC) for day in (27, 28, 29, 30, 31) for hour in (0, 23)]
)
_FACTS = st.builds(
    Facts,
    order=st.builds(
        OrderFacts,
        country=_maybe(st.sampled_from(["GB", "gb", "DE", "FR"])),
        placed_at=_maybe(_MOMENTS),
        is_gift=_maybe(st.booleans()),
    ),
    customer=st.builds(CustomerFacts, orders=_maybe(st.integers(-1, 4))),
    item=st.builds(
        ItemFacts,
        tags=_maybe(st.lists(st.sampled_from(["a", "A", "b", "c"]), max_size=3).map(tuple)),
        sku=_maybe(st.sampled_from(["A", "a", "AB", "C"])),
    ),
    return_value=_maybe(st.builds(Money, st.integers(98, 103), st.sampled_from(["GBP", "EUR"]))),
    reason=_maybe(st.sampled_from(list(REASONS))),
    evidence=_maybe(st.integers(0, 2)),
    at=_maybe(_MOMENTS),
)


@settings(max_examples=50, deadline=None)
@given(rules=_RULES, asked=st.lists(_FACTS, min_size=12, max_size=12))
def test_no_decision_ever_contradicts_a_never(rules, asked):
    text = "".join(
        f"- rule: R{at}\n" + (f"  when: {{{when}}}\n" if when else "") + f"  set: {{{', '.join(sets)}}}\n"
        for at, (when, sets) in enumerate(rules)
    )
    there = policy(text)
    found = [each.message for each in analyse(there)]
    for facts in asked:
        terms = decide(there, facts).terms
        for rule in there.rules:
            if f"`{rule.name}` can never hold" in found:
                assert rule.holds(facts) is not True
            if any(message.startswith(f"`{rule.name}` never decides anything") for message in found):
                assert all(term.set_by != rule.name for term in terms.values())
                # Which rules stand in the way is as exact: they alone are enough.
                message = next(each for each in found if each.startswith(f"`{rule.name}` never decides"))
                stand = [each for each in there.rules if f"`{each.name}`" in message.partition(":")[2]]
                alone = decide(replace(there, rules=(*stand, rule)), facts).terms
                assert all(term.set_by != rule.name for term in alone.values())


FIXED = [
    (SALE + FAULTS, "above"),
    ("- rule: All\n  set: {review: always}\n- rule: Some\n  when: {reason: other}\n  set: {review: never}", "above"),
    ("- rule: Sale\n  when: {item.tags: {has: sale}}\n  set: {returnable: false}\n  say: Sold as it is.", "law"),
]


@pytest.mark.parametrize(("rules", "kind"), FIXED)
def test_the_edit_of_a_fix_ends_its_finding(rules: str, kind: str) -> None:
    text = document(rules)
    countries = ("GB",)
    found = [each for each in check_text(text, countries) if each.fix is not None and each.fix.kind == kind]
    assert found
    for check in found:
        after = {each.key for each in check_text(mended(text, check), countries)}
        assert check.key not in after, check.title


def test_a_word_that_was_meant_is_written_in_its_place_and_nowhere_else() -> None:
    text = document("- rule: Sale\n  when: {item.tags: {has: sale}}\n  sett: {returnable: false}\n  say: sett.")
    check = next(each for each in check_text(text) if each.fix is not None and each.fix.kind == "word")
    assert mended(text, check) == text.replace("  sett:", "  set:")
