"""What the loader says about a wrong document: text, help, line and column, and that it says all of it at once."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from portal.policy.diagnostics import ERROR, PolicyErrors
from portal.policy.document import MAX_ERRORS
from portal.policy.loader import load_policy
from portal.policy.promise import countries
from tests.pure.policy.samples import OTHERWISE, document


def errors(text: str):
    with pytest.raises(PolicyErrors) as caught:
        load_policy(text, "shop.yaml")
    return caught.value.diagnostics


def rule(when: str = "{}", sets: str = "{review: always}", rest: str = "") -> str:
    return document(f"- rule: A\n  when: {when}\n  set: {sets}{rest}")


# A rule stands on line 5, its `when` on line 6 and its `set` on line 7; what follows `when: ` starts at column 11.
WRONG_CONDITIONS = [
    ("{order.placd: 2026-01-01}", 12, "unknown condition `order.placd`", "did you mean `order.placed`?"),
    ("{item.tag: {has: x}}", 12, "unknown condition `item.tag`", "did you mean `item.tags`?"),
    (
        "{item.tags: {hass: x}}",
        24,
        "unknown operator `hass`",
        "did you mean `has`?; `item.tags` takes `has`, `has_any`, `has_all`",
    ),
    (
        "{item.tags: {over: 3}}",
        24,
        "`over` does not fit `item.tags`, which is a list",
        "`item.tags` takes `has`, `has_any`, `has_all`",
    ),
    ("{return.value: {over: 300}}", 33, "`300` has no currency", "write it like `300 GBP`"),
    ("{return.value: {over: 300 XXQ}}", 33, "`XXQ` is no ISO 4217 currency", "write it like `300 GBP`"),
    ("{return.value: {over: 3.005 GBP}}", 33, "`3.005` has more digits than GBP has", "write it like `300 GBP`"),
    ("{return.value: {over: NaN}}", 33, "`NaN` is no amount", "write it like `300 GBP`"),
    ("{return.value: {over: -3 GBP}}", 33, "`-3 GBP` is no amount a policy can use", "write it like `300 GBP`"),
    ('{return.value: {over: "3,50 GBP"}}', 33, "`3,50 GBP` is no amount", "write it like `300 GBP`"),
    (
        "{order.placed: {from: 2026-02-30}}",
        33,
        "`2026-02-30` is no day of the calendar",
        "write year, month and day like `2026-11-30`",
    ),
    (
        "{order.placed: {from: 9999-01-01}}",
        33,
        "`9999-01-01` is out of reach",
        "years from 1970 to 2199 are understood",
    ),
    ("{order.placed: {from: 1.11.2026}}", 33, "expected a date, not `1.11.2026`", "write it like `2026-11-30`"),
    ("{line.quantity: {over: 1e3}}", 34, "expected a whole number, not `1e3`", "write it in digits, like `30`"),
    ("{line.quantity: {over: -1}}", 34, "expected a whole number, not `-1`", "write it in digits, like `30`"),
    ("{line.quantity: {over: 99999999999}}", 34, "`99999999999` is too large", "at most 100000000"),
    ("{order.is_gift: yes}", 27, "expected `true` or `false`, not `yes`", "write `true` or `false` without quotes"),
    (
        '{order.is_gift: {is: "true"}}',
        32,
        "expected `true` or `false`, not `true`",
        "write `true` or `false` without quotes",
    ),
    ("{order.country: UK}", 27, "`UK` is no country code", "the United Kingdom is `GB`"),
    (
        "{order.country: {in: [GB, Ireland]}}",
        37,
        "`Ireland` is no country code",
        "write two capital letters, like `GB` or `DE`",
    ),
    ("{order.currency: gbp}", 28, "`gbp` is no currency", "write three capital letters, like `GBP`"),
    ("{reason: fualty}", 20, "`fualty` is no reason", "did you mean `faulty`?"),
    ("{resolution: {in: [refund, credit]}}", 38, "`credit` is no resolution", "did you mean `store_credit`?"),
    (
        '{item.sku: {matches: "("}}',
        32,
        "`(` is no pattern: missing ), unterminated subpattern at position 0",
        "write it like `SWIM-.*`",
    ),
    (
        '{item.sku: {matches: "(a+)+b"}}',
        32,
        "`(a+)+b` could take very long to match: a repeat inside a repeat",
        "use simpler patterns",
    ),
    (
        '{item.sku: {matches: "(a).*\\\\1"}}',
        32,
        "`(a).*\\1` could take very long to match: it refers back to a group",
        "use simpler patterns",
    ),
    (
        '{item.sku: {matches: ".*a.*b.*c.*d"}}',
        32,
        "`.*a.*b.*c.*d` could take very long to match: too many repeats",
        "use simpler patterns",
    ),
    ("{item.weight: {over: 3}}", 32, "expected a weight, not `3`", "write it like `500 g` or `2.5 kg`"),
    ("{customer.return_rate: {over: 60}}", 41, "expected a percentage, not `60`", "write it like `10%` or `12.5%`"),
    ("{customer.return_rate: {over: 101%}}", 41, "`101%` is more than 100%", "at most 100% are understood"),
    ("{return.value: {between: [5 GBP, 9 EUR]}}", 36, "`between` compares GBP with EUR", "use one currency"),
    (
        "{line.quantity: {between: [5, 2]}}",
        37,
        "`between` holds for nothing: the second value is below the first",
        "swap them",
    ),
    (
        "{line.quantity: {between: 5}}",
        37,
        "`between` takes two values",
        "write it like `between: [1, 10]`; both ends are included",
    ),
    (
        "{item.tags: {has: }}",
        28,
        "expected a text, but nothing is given",
        "write it after the colon, or delete the key",
    ),
    ("{item.tags: {}}", 23, "no test is given for `item.tags`", "`item.tags` takes `has`, `has_any`, `has_all`"),
    (
        "{item.tags: []}",
        23,
        "expected a list for `has_any`, but the list is empty",
        "name at least one, or delete the key",
    ),
    ("{return.value: [1 GBP]}", 26, "`return.value` takes no list", None),
    (
        "{reason: faulty, reason: damaged}",
        28,
        "`reason` is given twice",
        "it stands on line 6 already; keep one of them",
    ),
    ("{not: {}}", 17, "`not` of nothing never holds", "name what must not hold, or delete `not`"),
    ("{any: {reason: faulty}}", 17, "expected a list of conditions after `any`", "write it like `any: [{…}, {…}]`"),
    ("faulty", 11, "expected conditions, not `faulty`", "write them like `{reason: faulty}`"),
]


@pytest.mark.parametrize(("when", "column", "message", "help"), WRONG_CONDITIONS, ids=lambda value: str(value)[:40])
def test_a_wrong_condition_is_named_where_it_stands(when, column, message, help):
    found = errors(rule(when))
    assert (found[0].file, found[0].line, found[0].column) == ("shop.yaml", 6, column)
    assert found[0].message == message
    if help is not None:
        assert found[0].help_line == help
    assert len(found) == 1 or help is None


# What follows `set: ` starts at column 10.
WRONG_TERMS = [
    ("{retunable: true}", 11, "unknown term `retunable`", "did you mean `returnable`?"),
    ("{returnable: no}", 23, "expected `true` or `false`, not `no`", "write `true` or `false` without quotes"),
    ("{window: 30 days}", 19, "expected a mapping, not `30 days`", "write it like `{days: 30, from: delivered}`"),
    ("{window: {day: 30}}", 20, "unknown key `day`", "did you mean `days`?"),
    (
        "{window: {from: placed}}",
        19,
        "the window has no end",
        "write it like `{days: 30, from: delivered}` or `{until: 2027-01-31}`",
    ),
    (
        "{window: {days: 30, until: 2027-01-31}}",
        20,
        "`until` and `days` exclude each other",
        "a day is a day; keep one",
    ),
    ("{window: {days: 2.5}}", 26, "expected a number of days, not `2.5`", "write it in digits, like `30`"),
    (
        "{window: {days: 30, from: bought}}",
        36,
        "`bought` is no start of a window",
        "known: `placed`, `shipped`, `delivered`, `last_delivered`",
    ),
    (
        "{window: {days: 30, from: placed, if_undelivered: review}}",
        44,
        "`if_undelivered` means nothing from `placed`",
        "every order has that date; delete it",
    ),
    ("{window: {days: 30, if_undelivered: accept}}", 46, "`accept` is no fallback", "known: `review`, `refuse`"),
    (
        "{window: {days: 30, if_undelivered: {days: 9}}}",
        46,
        "the fallback has no `from`",
        "write it like `{days: 45, from: placed}`",
    ),
    (
        "{resolutions: []}",
        24,
        "expected a list for `resolutions`, but the list is empty",
        "name at least one, or delete the key",
    ),
    ("{resolutions: [refund, refnd]}", 33, "`refnd` is no `resolutions`", "did you mean `refund`?"),
    ("{resolutions: [refund, refund]}", 33, "`refund` is given twice", "keep one of them"),
    ("{review: sometimes}", 19, "`sometimes` is no `review`", "known: `never`, `always`"),
    ("{evidence: video}", 21, "`video` is no `evidence`", "known: `none`, `photo`"),
    ("{evidence: {photos: 0}}", 30, "no photo is `none`", "write `evidence: none`"),
    ("{restocking_fee: 15}", 27, "`15` has no currency", "write it like `15 GBP`"),
    ("{restocking_fee: 120%}", 27, "`120%` is more than 100%", "at most 100% are understood"),
    (
        "{return_shipping: {amount: 3.50 GBP}}",
        28,
        "nobody is said to pay",
        "write `paid_by: merchant` or `paid_by: customer`",
    ),
    (
        "{return_shipping: {paid_by: merchant, amount: 3 GBP}}",
        48,
        "`amount` means nothing when the merchant pays",
        "delete it",
    ),
    (
        "{return_shipping: {paid_by: customer, amount: 3 GBP, share: 5%}}",
        63,
        "`amount` and `share` exclude each other",
        "keep one of them",
    ),
    ("{credit_bonus: ten}", 25, "expected a percentage, not `ten`", "write it like `10%` or `12.5%`"),
    ("{on_inspection: {worn: 50%}}", 27, "unknown key `worn`", None),
    (
        "{exchange_for: any_variant}",
        25,
        "`any_variant` is not offered yet",
        "what a cheaper one leaves over is not paid out; `exchange_bonus` lets the replacement cost more",
    ),
    (
        "{exchange_for: any_product}",
        25,
        "`any_product` is not offered yet",
        "there is no catalogue to choose from; give `store_credit` instead",
    ),
    (
        "{instant_exchange: true}",
        11,
        "`instant_exchange` is not offered yet",
        "a replacement leaves when the goods have come: nothing could be charged if they never did",
    ),
    ("{}", 10, "`set` is empty", "name at least one term"),
]


@pytest.mark.parametrize(("sets", "column", "message", "help"), WRONG_TERMS, ids=lambda value: str(value)[:40])
def test_a_wrong_term_is_named_where_it_stands(sets, column, message, help):
    found = errors(rule(sets=sets))
    assert (found[0].line, found[0].column, found[0].message) == (7, column, message)
    if help is not None:
        assert found[0].help_line == help
    assert len(found) == 1


WRONG_DOCUMENTS = [
    ("", 1, 1, "the document is empty"),
    ("# nothing\n", 1, 1, "the document is empty"),
    ("just words", 1, 1, "expected a policy, not `just words`"),
    ("a: [", 1, 5, "this can’t be read: a value is missing"),
    ("a: 1\nb: [1, 2\nc: 3", 2, 4, "this can’t be read: the `[` is not closed"),
    ("a: 1\nb: {c: 2\nd: 3", 2, 4, "this can’t be read: the `{` is not closed"),
    ("a: 'x\nb: 1", 1, 4, "this can’t be read: the quote is not closed"),
    ("a: 1\nb\nc: 2", 2, 1, "this can’t be read: this line has no colon"),
    ("a: b: c", 1, 5, "this can’t be read: a colon stands where none can"),
    ("a:\n\tb: 1", 2, 1, "this can’t be read: a tab stands where blanks belong"),
    ("a: @x", 1, 4, "this can’t be read: a value cannot begin with `@`"),
    ('a: "\\q"', 1, 6, "this can’t be read: `\\q` means nothing between double quotes"),
    ("a:\n  - b: 1\n   c: 2", 3, 4, "this can’t be read: this line does not stand under the lines it belongs with"),
    ("{a: 1} b", 1, 8, "this can’t be read: something is not in its place"),
    (document(extra="retuns: 1\n"), 4, 1, "unknown key `retuns`"),
    (document(extra="laws: [eu-consumers]\n"), 4, 8, "`eu-consumers` is no law"),
    (document(zone="Europe/Londn"), 3, 11, "`Europe/Londn` is no timezone"),
    (document(zone="../../etc/passwd"), 3, 11, "`../../etc/passwd` is no timezone"),
    (document().replace("schema: 1", "schema: 2"), 1, 9, "schema 2 is not known"),
    (document().replace("name: Test", "name: ''"), 2, 7, "expected a name, but it is empty"),
    (document(otherwise=OTHERWISE.replace("  ship_by: 14 days\n", "")), 4, 1, "`otherwise` does not say `ship_by`"),
    (document("- when: {}\n  set: {review: always}"), 5, 5, "the rule has no name"),
    (document("- rule: otherwise\n  set: {review: always}"), 5, 11, "`otherwise` is no name for a rule"),
    (document("- rule: A\n  when: {}"), 5, 5, "`A` sets nothing"),
    (
        document("- rule: A\n  set: {review: always}\n- rule: a\n  set: {review: always}"),
        7,
        5,
        "two rules are called `a`",
    ),
    (document("- rule: A\n  sets: {review: always}"), 6, 5, "unknown key `sets`"),
    (document('- rule: "A\\u202eB"\n  set: {review: always}'), 5, 11, "hidden character U+202E"),
    (document("- rule: A\u202eB\n  set: {review: always}"), 5, 12, "hidden character U+202E"),
    ("a: &x 1\nb: *x\n", 1, 4, "anchors are not part of the language"),
    ("a: *x\n", 1, 4, "aliases are not part of the language"),
    (
        "a: !!python/object:os.system x\n",
        1,
        4,
        "tags are not part of the language: `tag:yaml.org,2002:python/object:os.system`",
    ),
    ("a: 1\n---\nb: 2\n", 2, 1, "a second document starts here"),
    ("? [a]\n: b\n", 1, 3, "a key is a word, not a list"),
]


@pytest.mark.parametrize(("text", "line", "column", "message"), WRONG_DOCUMENTS, ids=lambda value: str(value)[:40])
def test_a_wrong_document_is_named_where_it_is_wrong(text, line, column, message):
    first = errors(text)[0]
    assert (first.line, first.column, first.message) == (line, column, message)


def test_all_errors_are_reported_at_once_in_reading_order():
    text = rule("{reason: fualty, item.tags: {over: 3}}", "{retunable: true, credit_bonus: 10}").replace(
        "30, from", "x, from"
    )
    found = errors(text)
    assert [(each.line, each.message) for each in found] == [
        (6, "`fualty` is no reason"),
        (6, "`over` does not fit `item.tags`, which is a list"),
        (7, "unknown term `retunable`"),
        (7, "expected a percentage, not `10`"),
        (10, "expected a number of days, not `x`"),
    ]


def test_every_missing_term_is_named():
    found = errors("schema: 1\nname: A\ntimezone: UTC\notherwise: {returnable: true}\n")
    assert len(found) == 12
    assert {(each.line, each.column) for each in found} == {(4, 1)}


def test_an_error_renders_like_a_compilers():
    with pytest.raises(PolicyErrors) as caught:
        load_policy(rule("{reason: fualty}"), "shop.yaml")
    assert caught.value.rendered() == (
        "error: `fualty` is no reason\n"
        " --> shop.yaml:6:20\n"
        "  |\n"
        "6 |     when: {reason: fualty}\n"
        "  |                    ^^^^^^\n"
        "  = help: did you mean `faulty`?"
    )
    assert str(caught.value) == "shop.yaml:6:20: error: `fualty` is no reason (did you mean `faulty`?)"


@pytest.mark.parametrize("case", [*WRONG_CONDITIONS, *WRONG_TERMS], ids=lambda case: case[0][:40])
def test_messages_are_lower_case_without_a_full_stop(case):
    message = case[2]
    outside = "".join(message.split("`")[::2])
    assert not message.endswith(".")
    assert (
        outside.replace("GBP", "").replace("EUR", "").replace("ISO", "")
        == outside.replace("GBP", "").replace("EUR", "").replace("ISO", "").lower()
    )


def test_a_refusal_without_a_sentence_is_a_warning_and_no_error():
    (found,) = load_policy(document("- rule: No\n  set: {returnable: false}")).warnings
    assert (found.severity, found.line, found.message) == ("warning", 5, "`No` refuses without a sentence")


def test_a_policy_of_many_warnings_is_a_policy_and_tells_them_all():
    rules = "\n".join(f"- rule: No {at}\n  set: {{returnable: false}}" for at in range(60))
    assert [found.line for found in load_policy(document(rules)).warnings] == [*range(5, 125, 2)]


def test_warnings_take_no_place_from_errors_and_of_errors_fifty_are_told():
    rules = "\n".join(f"- rule: No {at}\n  set: {{returnable: false}}" for at in range(60))
    (wrong,) = (found for found in errors(document(f"{rules}\n- rule: X\n  sot: 1")) if found.severity == ERROR)
    assert wrong.message == "unknown key `sot`"
    assert len(errors(document("\n".join(f"- rule: No {at}\n  sot: 1" for at in range(60))))) == MAX_ERRORS == 50


def test_giving_away_what_has_to_come_back_is_a_warning():
    (found,) = load_policy(document("- rule: Gift it\n  set: {donate: true}")).warnings
    assert (found.severity, found.line, found.column) == ("warning", 5, 5)
    assert found.message == "`Gift it` asks to give away what it does not let customers keep"
    assert found.help_line == "add `keep_item: true`; what has to come back is not given away"
    assert load_policy(document("- rule: Gift it\n  set: {keep_item: true, donate: true}")).warnings == ()


@pytest.mark.parametrize("when", ["{order.country: EU}", "{not: {order.country: {in: [GB, EU]}}}"])
def test_a_country_that_there_is_not_is_a_warning_and_no_market(when):
    found = load_policy(rule(when))
    (warning,) = found.warnings
    assert (warning.severity, warning.line) == ("warning", 5)
    assert warning.message == "`A` asks for `EU`, which is no country"
    assert (
        warning.help_line
        == "no order goes there; write the two letters of a country, and those of each country of a union"
    )
    assert "EU" not in countries(found)
    assert load_policy(rule("{order.country: {in: [GB, XK]}}")).warnings == ()


@pytest.mark.parametrize(
    "when", ["{item.tags: {has: 'outlet, sale'}}", "{not: {item.tags: {has_any: [new, 'outlet, sale']}}}"]
)
def test_one_tag_that_looks_like_two_is_a_warning(when):
    (warning,) = load_policy(rule(when)).warnings
    assert (warning.severity, warning.line) == ("warning", 5)
    assert warning.message == "`A` asks for one `outlet, sale` in `item.tags`"
    assert warning.help_line == "for one of several write `{has_any: [outlet, sale]}`"
    assert load_policy(rule("{item.category: 'hats, caps'}")).warnings == (), (
        "a text may have commas, a tag hardly ever"
    )


BOMBS = {
    "a million lines": "- a\n" * 1_000_000,
    "nested lists": "[" * 100_000,
    "nested mappings": "a: " + "{a: " * 50_000,
    "indented": "\n".join(" " * depth + "a:" for depth in range(600)),
    "many nodes": "rules:\n" + "- {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6}\n" * 4_000,
    "aliases": "a: &a [1,1]\n" + "".join(f"b{n}: [*a,*a]\n" for n in range(50)),
    "a billion laughs": "a0: &a0 [ha, ha]\n"
    + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)),
    "a merge key": "base: &base {a: 1}\n<<: *base\n",
    "a number of many digits": document(f"- rule: A\n  set: {{window: {{days: {'9' * 100_000}}}}}"),
    "an amount of many digits": document(f"- rule: A\n  set: {{restocking_fee: {'9' * 100_000} GBP}}"),
    "a share of many digits": document(f"- rule: A\n  set: {{credit_bonus: {'9' * 100_000}%}}"),
    "a day of many digits": document(f"- rule: A\n  set: {{window: {{until: {'9' * 100_000}-01-01}}}}"),
    "no number at all": document("- rule: A\n  set: {window: {days: .nan, grace: .inf}}"),
    "a schema of many digits": document().replace("schema: 1", f"schema: {'1' * 18}"),
    "one long word": "name: " + "x" * 250_000,
    "one long key": "x" * 100_000 + ": 1",
    "many errors": document("\n".join(f"- rulee: {n}" for n in range(2_000))),
    "many rules": document("\n".join(f"- rule: R{n}\n  set: {{review: always}}" for n in range(900))),
    "zero bytes": "\x00" * 1000,
    "lone surrogate": "a: \ud800",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_document_is_refused_quickly_with_a_plain_sentence(name):
    started = time.process_time()
    found = errors(BOMBS[name])
    assert time.process_time() - started < 5
    assert 1 <= len(found) <= 50
    assert all(len(each.message) < 300 for each in found)


@pytest.mark.parametrize(
    "name", ["a million lines", "nested lists", "a billion laughs", "many errors", "one long word"]
)
def test_a_hostile_document_takes_little_memory(name):
    tracemalloc.start()
    try:
        errors(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


def test_norway_is_a_country_and_nothing_is_coerced():
    assert load_policy(rule("{order.country: NO}")).rules[0].when.value == "NO"
