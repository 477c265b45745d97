"""The money of a return: the sums of the design, and what must hold for any return."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.money import Money, share_bp, units_worth
from portal.policy.engine import decide
from portal.policy.facts import canonical
from portal.policy.quote import Quote, QuoteLine, QuotePart, ShippingPaid, quote
from portal.policy.terms import OUTBOUND, RESOLUTIONS, Fee, Grade, ReturnShipping
from tests.pure.policy.samples import JUMPER as SOLD
from tests.pure.policy.samples import LABEL_FEE, shipped, terms

DEFAULT = terms(return_shipping=LABEL_FEE, credit_bonus=1000)
FAULTY = terms(outbound_shipping="always", credit_bonus=1000)
JUMPER = QuoteLine("jumper", 1, 8010, 1335, 8900, 890, "store_credit", DEFAULT)
SHIRT = QuoteLine("shirt", 1, 5760, 960, 6400, 640, "refund", DEFAULT)
JEANS = QuoteLine("jeans", 1, 7200, 1200, 7200, 0, "refund", FAULTY)
ON_ANY = replace(LABEL_FEE, free_for=())


def kinds(found: Quote) -> list[tuple[str, int]]:
    return [(part.kind, part.amount_minor) for part in found.all_parts()]


def line(amount: int, resolution: str = "refund", **changes) -> QuoteLine:
    return QuoteLine("1", 1, amount, amount // 6, amount, 0, resolution, terms(**changes))


def test_the_jumper_of_the_design_is_worth_88_11_in_credit():
    assert kinds(quote([JUMPER], "GBP")) == [("item", 8900), ("discount", -890), ("credit_bonus", 801)]
    assert quote([JUMPER], "GBP").credit_total == Money(8811, "GBP")


def test_the_jumper_refunded_is_76_60_and_includes_13_35_of_tax():
    found = quote([replace(JUMPER, resolution="refund")], "GBP")
    assert kinds(found) == [("item", 8900), ("discount", -890), ("return_shipping", -350)]
    assert (found.total, found.tax_minor) == (Money(7660, "GBP"), 1335)


def test_the_jumper_exchanged_owes_nothing_either_way():
    found = quote([replace(JUMPER, resolution="exchange")], "GBP")
    assert kinds(found) == [("item", 8900), ("discount", -890), ("replacement", -8010)]
    assert (found.total, found.tax_minor) == (Money(0, "GBP"), 0)


def test_return_r_48213_is_54_10_refund_and_88_11_credit_with_22_95_of_tax():
    found = quote([JUMPER, SHIRT], "GBP", shipping=ShippingPaid(495, 82))
    assert found.refund_total == Money(5410, "GBP")
    assert found.credit_total == Money(8811, "GBP")
    assert found.total == Money(14221, "GBP")
    assert found.tax_minor == 2295


def test_the_shirt_graded_c_is_36_82_and_the_parcel_124_93():
    found = quote([JUMPER, replace(SHIRT, worth_bp=7000)], "GBP")
    assert found.refund_total == Money(3682, "GBP")
    assert found.total == Money(12493, "GBP")
    assert found.line("shirt").parts[2].params == {"worth_bp": 7000}


def test_the_default_policy_grades_worn_goods_and_never_the_sellers_faults():
    worn = decide(shipped("default"), SOLD)
    assert worn.value("on_inspection")["used"] == Grade(7000, review=True)
    assert "as_new" not in worn.value("on_inspection")
    faulty = decide(shipped("default"), SOLD.asking(reason="faulty"))
    assert faulty.value("on_inspection")["used"] == Grade()


def test_units_of_a_line_in_different_conditions_are_graded_apart():
    whole = QuoteLine("socks", 2, 2000, 0, 2000, 0, "refund", DEFAULT)
    worn = QuoteLine("socks", 1, 1000, 0, 1000, 0, "refund", DEFAULT, 7000)
    found = quote([whole, worn], "GBP")
    assert found.total == Money(2000 + 700 - 350, "GBP")
    assert Quote.from_json(found.to_json()) == found


def test_return_r_48226_pays_72_00_and_63_36_and_no_label():
    shirt = replace(SHIRT, resolution="store_credit")
    found = quote([JEANS, shirt], "GBP")
    assert (found.refund_total, found.credit_total) == (Money(7200, "GBP"), Money(6336, "GBP"))
    assert found.total == Money(13536, "GBP")


def test_the_contracts_shape_is_total_and_parts_of_kind_and_amount():
    data = quote([SHIRT], "GBP").to_json()
    assert data["total"] == {"amount": 5410, "currency": "GBP"}
    assert [(part["kind"], part["amount"], part["currency"]) for part in data["parts"]] == [
        ("item", 6400, "GBP"),
        ("discount", -640, "GBP"),
        ("return_shipping", -350, "GBP"),
    ]


def test_what_is_kept_of_a_quote_tells_both_pots_the_tax_and_each_lines_own_sum():
    data = quote([JUMPER, SHIRT], "GBP").to_json()
    sums = {name: data[name] for name in ("total", "refund_total", "credit_total", "tax")}
    assert sums == {
        name: {"amount": amount, "currency": "GBP"}
        for name, amount in {"total": 14221, "refund_total": 5410, "credit_total": 8811, "tax": 2295}.items()
    }
    lines = [(each["line"], each["resolution"], each["quantity"], each["total"]) for each in data["lines"]]
    assert lines == [
        ("jumper", "store_credit", 1, {"amount": 8811, "currency": "GBP"}),
        ("shirt", "refund", 1, {"amount": 5760, "currency": "GBP"}),  # the label is of the whole return
    ]
    assert [("params" in part, "line" in part) for part in data["parts"][-2:]] == [(False, True), (False, False)]


def test_the_tax_of_a_line_is_what_is_left_of_it_after_the_inspection():
    assert quote([replace(SHIRT, worth_bp=7000)], "GBP").line("shirt").tax_minor == 672


def test_the_label_is_paid_once_however_many_lines_bear_it():
    lines = [replace(SHIRT, line=str(number)) for number in range(3)]
    found = quote(lines, "GBP")
    assert [part for part in kinds(found) if part[0] == "return_shipping"] == [("return_shipping", -350)]


def test_a_line_whose_label_the_merchant_pays_does_not_free_the_others():
    assert quote([JEANS, SHIRT], "GBP").refund_total == Money(7200 + 5760 - 350, "GBP")


@pytest.mark.parametrize(
    "other",
    [
        line(
            5000, "exchange", return_shipping=ReturnShipping("customer", Money(100, "GBP"))
        ),  # gives nothing to take it from
        line(5000, return_shipping=ReturnShipping("customer")),  # whose carrier the customer pays
    ],
)
def test_a_line_that_bears_no_fee_makes_no_smaller_one_for_the_others(other):
    for lines in ([SHIRT, other], [other, SHIRT]):
        assert kinds(quote(lines, "GBP"))[-1] == ("return_shipping", -350)
    assert quote([other], "GBP").parts == ()


@pytest.mark.parametrize(
    ("resolutions", "into"),
    [(("refund",), "refund"), (("store_credit",), "store_credit"), (("store_credit", "refund"), "refund")],
)
def test_a_fee_that_nothing_can_bear_is_one_row_that_says_so(resolutions, into):
    lines = [line(0, resolution, return_shipping=ON_ANY) for resolution in resolutions]
    assert quote(lines, "GBP").parts == (QuotePart("return_shipping", 0, 0, {"full_minor": 350}, None, into),)


def test_a_fee_passes_by_a_refund_of_nothing_and_is_taken_from_shipping_that_goes_back():
    worthless, credit = (
        line(each, into, return_shipping=ON_ANY) for each, into in ((0, "refund"), (900, "store_credit"))
    )
    assert quote([worthless, credit], "GBP").parts == (QuotePart("return_shipping", -350, into="store_credit"),)
    shipped_free = line(100, return_shipping=ON_ANY, outbound_shipping="always")
    assert quote([shipped_free], "GBP", shipping=ShippingPaid(495, 82)).parts == (
        QuotePart("outbound_shipping", 495, 82),
        QuotePart("return_shipping", -350),
    )


def test_a_fee_that_the_refund_cannot_bear_leaves_the_credit_of_a_line_without_one_alone():
    lines = [line(100, return_shipping=LABEL_FEE), line(5000, "store_credit", return_shipping=ReturnShipping())]
    assert quote(lines, "GBP").parts == (QuotePart("return_shipping", -100, 0, {"full_minor": 350}),)


def test_where_lines_bear_different_fees_the_smallest_is_taken():
    dear = terms(return_shipping=ReturnShipping("customer", Money(900, "GBP")))
    share = terms(return_shipping=ReturnShipping("customer", None, 500))
    assert quote([SHIRT, replace(SHIRT, line="2", terms=dear)], "GBP").parts[0].amount_minor == -350
    assert quote([SHIRT, replace(SHIRT, line="2", terms=share)], "GBP").parts[0].amount_minor == -288


@pytest.mark.parametrize(
    ("shipping", "ship_with", "already", "fee"),
    [
        (LABEL_FEE, None, False, -350),
        (LABEL_FEE, "qr", False, -350),
        (LABEL_FEE, "shop", False, 0),  # no label is made
        (LABEL_FEE, "own", False, 0),
        (LABEL_FEE, None, True, -350),  # once per return, and this is another one
        (replace(LABEL_FEE, once_per="order"), None, True, 0),
        (replace(LABEL_FEE, once_per="order"), None, False, -350),
        (replace(LABEL_FEE, free_for=("refund",)), None, False, 0),
        (ReturnShipping("customer"), None, False, 0),  # posts and pays the carrier
        (ReturnShipping("customer", None, 1000), None, False, -576),
        (ReturnShipping("customer", None, 0), None, False, 0),
        (ReturnShipping("merchant"), None, False, 0),
        (ReturnShipping("merchant", Money(350, "GBP")), None, False, 0),  # who pays goes before how much
    ],
)
def test_who_pays_the_label(shipping, ship_with, already, fee):
    changed = replace(SHIRT, terms=terms(return_shipping=shipping))
    found = quote([changed], "GBP", ship_with=ship_with, fee_already_charged=already)
    assert sum(part.amount_minor for part in found.parts) == fee


def test_a_return_is_the_orders_first_unless_it_is_told_otherwise():
    first = replace(SHIRT, terms=terms(return_shipping=replace(LABEL_FEE, once_per="order")))
    assert kinds(quote([first], "GBP"))[-1] == ("return_shipping", -350)


def test_what_the_customer_keeps_needs_no_label():
    kept = replace(SHIRT, terms=terms(return_shipping=LABEL_FEE, keep_item=True))
    assert quote([kept], "GBP").total == Money(5760, "GBP")


@pytest.mark.parametrize(
    ("amount", "taken", "params"),
    [(350, -350, {}), (349, -349, {"full_minor": 350}), (1, -1, {"full_minor": 350}), (0, 0, {"full_minor": 350})],
)
def test_a_fee_above_the_worth_is_clipped_and_says_so(amount, taken, params):
    found = quote([line(amount, return_shipping=LABEL_FEE)], "GBP")
    assert (found.total.minor, found.parts[0].amount_minor, found.parts[0].params) == (amount + taken, taken, params)


def test_a_fee_that_the_refund_cannot_bear_falls_on_the_credit_that_bears_it_too():
    fee = terms(return_shipping=ReturnShipping("customer", Money(500, "GBP")))
    lines = [
        QuoteLine("a", 1, 200, 0, 200, 0, "refund", fee),
        QuoteLine("b", 1, 1000, 0, 1000, 0, "store_credit", fee),
    ]
    found = quote(lines, "GBP")
    assert (found.refund_total.minor, found.credit_total.minor) == (0, 700)


def test_a_fee_in_another_currency_is_shown_and_not_taken():
    euro = ReturnShipping("customer", Money(350, "EUR"))
    found = quote([line(1000, return_shipping=euro, restocking_fee=Fee(amount=Money(100, "EUR")))], "GBP")
    assert found.total == Money(1000, "GBP")
    assert [part.params["not_charged"]["currency"] for part in found.all_parts() if part.kind != "item"] == [
        "EUR",
        "EUR",
    ]


@pytest.mark.parametrize(
    ("amount", "fee", "quantity", "kept"),
    [
        (10000, Fee(1500), 1, 8500),
        (9999, Fee(1500), 1, 8499),  # 8499.15
        (9990, Fee(2500), 1, 7493),  # 7492.5: the half penny is the customer's
        (100, Fee(10000), 1, 0),
        (10000, Fee(10000), 1, 0),
        (3000, Fee(amount=Money(500, "GBP")), 3, 1500),
        (1000, Fee(amount=Money(500, "GBP")), 3, 0),
    ],
)
def test_restocking_fees(amount, fee, quantity, kept):
    found = quote([replace(line(amount, restocking_fee=fee), quantity=quantity)], "GBP")
    assert found.total.minor == kept


POUNDS, EUROS, NO_FEE = (Fee(amount=Money(500, "GBP")), Fee(amount=Money(500, "EUR")), Fee(amount=Money(0, "GBP")))


@pytest.mark.parametrize(
    ("worth", "fee", "taken", "params"),
    [
        (1500, POUNDS, -1000, {}),
        (1000, POUNDS, -1000, {}),  # takes all there is, and no more would have been due
        (999, POUNDS, -999, {"full_minor": 1000}),
        (1500, EUROS, 0, {"not_charged": {"amount": 500, "currency": "EUR"}}),
    ],
)
def test_a_fixed_restocking_fee_is_of_each_unit_bears_no_tax_and_says_what_was_not_taken(worth, fee, taken, params):
    found = quote([replace(line(worth, restocking_fee=fee), quantity=2)], "GBP")
    assert found.all_parts()[1:] == (QuotePart("restocking_fee", taken, 0, params, "1"),)


def test_a_fee_or_a_bonus_of_nothing_is_no_row():
    assert kinds(quote([line(1000, restocking_fee=NO_FEE)], "GBP")) == [("item", 1000)]
    assert kinds(quote([line(4, "store_credit", credit_bonus=1000)], "GBP")) == [("item", 4)]
    assert kinds(quote([replace(line(1000, "store_credit"), terms={})], "GBP")) == [("item", 1000)]


def test_the_bonus_counts_on_what_is_left_after_fees_and_never_on_the_label():
    changed = line(
        10000,
        "store_credit",
        restocking_fee=Fee(1000),
        credit_bonus=1000,
        return_shipping=ReturnShipping("customer", Money(350, "GBP")),
    )
    assert kinds(quote([changed], "GBP")) == [
        ("item", 10000),
        ("restocking_fee", -1000),
        ("credit_bonus", 900),
        ("return_shipping", -350),
    ]


def test_of_a_credit_the_bonus_is_a_gift_and_nothing_else():
    assert quote([JUMPER], "GBP").bonus_minor == 801
    assert quote([replace(JUMPER, resolution="refund")], "GBP").bonus_minor == 0
    assert [part.bonus_minor for part in quote([JUMPER], "GBP").all_parts()] == [0, 0, 801]


@pytest.mark.parametrize(
    ("amount", "bonus", "into", "gift"),
    [
        (-500, -100, "store_credit", 701),  # what staff took off, a part of it off the bonus
        (500, 45, "store_credit", 846),
        (-500, 0, "store_credit", 801),
        (-8500, 0, "store_credit", 311),  # never more than there is credit
        (-9000, 0, "store_credit", 0),
        (-500, -900, "store_credit", 0),
        (500, 45, "refund", 801),  # another pot's
    ],
)
def test_what_staff_change_of_a_credit_is_a_gift_as_far_as_it_says_so(amount, bonus, into, gift):
    changed = QuotePart("adjustment", amount, 0, {"bonus_minor": bonus} if bonus else {}, None, into)
    assert changed.bonus_minor == bonus
    found = quote([JUMPER], "GBP")
    assert replace(found, parts=(*found.parts, changed)).bonus_minor == gift


PAID = ShippingPaid(495, 82)


@pytest.mark.parametrize(
    ("outbound", "full", "resolutions", "given_back"),
    [
        (("never",), True, ("refund",), 0),
        (("full_return",), True, ("refund",), 495),
        (("full_return",), False, ("refund",), 0),
        (("always",), False, ("refund",), 495),
        (("always", "never"), False, ("refund", "refund"), 495),
        (("full_return", "never"), True, ("refund", "refund"), 0),
        (("full_return", "always"), True, ("refund", "exchange"), 0),
        (("full_return", "full_return"), True, ("refund", "exchange"), 0),
        (("always", "full_return"), True, ("exchange", "refund"), 0),
        (("full_return", "full_return"), True, ("refund", "store_credit"), 495),
        (("always",), True, ("exchange",), 0),
    ],
)
def test_outbound_shipping_goes_back_once_and_only_by_policy(outbound, full, resolutions, given_back):
    lines = [
        replace(line(1000, resolution, outbound_shipping=term), line=str(number))
        for number, (term, resolution) in enumerate(zip(outbound, resolutions, strict=True))
    ]
    found = quote(lines, "GBP", shipping=PAID, full_return=full)
    rows = [part for part in found.parts if part.kind == "outbound_shipping"]
    assert sum(part.amount_minor for part in rows) == given_back
    assert all((part.tax_minor, part.into) == (82, "refund") for part in rows)


def test_outbound_shipping_becomes_credit_where_all_is_credit():
    found = quote([line(1000, "store_credit", outbound_shipping="always")], "GBP", shipping=PAID)
    assert found.credit_total == Money(1495, "GBP")


def test_shipping_that_was_refunded_already_is_not_given_again():
    assert kinds(quote([JEANS], "GBP", shipping=ShippingPaid())) == [("item", 7200)]


def test_a_penny_that_is_left_of_the_shipping_goes_back():
    assert kinds(quote([JEANS], "GBP", shipping=ShippingPaid(1))) == [("item", 7200), ("outbound_shipping", 1)]


def test_shipping_of_which_no_tax_is_told_brings_none():
    found = quote([JEANS], "GBP", shipping=ShippingPaid(495))
    assert (found.total, found.tax_minor) == (Money(7695, "GBP"), 1200)


def test_prices_before_tax_show_the_tax_as_its_own_row():
    found = quote([QuoteLine("1", 1, 10700, 700, 11000, 1000, "refund", terms())], "USD")
    assert kinds(found) == [("item", 11000), ("discount", -1000), ("tax", 700)]
    assert found.total == Money(10700, "USD")


def test_yen_have_no_hundredths():
    assert quote([line(9899)], "JPY").total == Money(9899, "JPY")


# The unit splits of cases that broke other systems: what three or ten single returns are worth.
@pytest.mark.parametrize(
    ("gross", "quantity", "worth"),
    [
        (29000, 3, [9666, 9667, 9667]),
        (17925, 10, [1792, 1793, 1792, 1793, 1792, 1793, 1792, 1793, 1792, 1793]),
        (5397, 3, [1799, 1799, 1799]),
    ],
)
def test_single_units_returned_one_by_one_sum_to_what_was_paid(gross, quantity, worth):
    quotes = [
        quote([line(units_worth(gross, quantity, unit, unit))], "GBP").total.minor for unit in range(1, quantity + 1)
    ]
    assert quotes == worth
    assert sum(quotes) == gross


FEES = st.one_of(
    st.builds(Fee, st.integers(0, 10_000)),
    st.builds(lambda minor: Fee(amount=Money(minor, "GBP")), st.integers(0, 5000)),
)
SHIPPING = st.one_of(
    st.just(ReturnShipping()),
    st.builds(
        ReturnShipping,
        st.just("customer"),
        st.builds(lambda minor: Money(minor, "GBP"), st.integers(0, 20_000)) | st.none(),
        st.none(),
        st.lists(st.sampled_from(RESOLUTIONS), unique=True).map(tuple),
        st.sampled_from(["return", "order"]),
    ),
    st.builds(ReturnShipping, st.just("customer"), st.none(), st.integers(0, 10_000)),
)
TERMS = st.builds(
    lambda shipping, fee, outbound, bonus, keep: terms(
        return_shipping=shipping, restocking_fee=fee, outbound_shipping=outbound, credit_bonus=bonus, keep_item=keep
    ),
    SHIPPING,
    FEES,
    st.sampled_from(OUTBOUND),
    st.integers(0, 5000),
    st.booleans(),
)
_ids = itertools.count()


@st.composite
def quote_lines(draw):
    listed = draw(st.integers(0, 1_000_000))
    discount = draw(st.integers(0, listed))
    gross = listed - discount
    return QuoteLine(
        f"line-{next(_ids)}",
        draw(st.integers(1, 9)),
        gross,
        draw(st.integers(0, gross)),
        listed,
        discount,
        draw(st.sampled_from(RESOLUTIONS)),
        draw(TERMS),
        draw(st.integers(0, 10_000)),
    )


@given(
    st.lists(quote_lines(), max_size=5),
    st.integers(0, 5000),
    st.booleans(),
    st.booleans(),
    st.sampled_from([None, "qr", "own"]),
)
def test_any_quote_adds_up_is_never_negative_and_never_gives_more_than_was_paid(lines, paid, full, charged, way):
    shipping = ShippingPaid(paid, paid // 6)
    found = quote(lines, "GBP", shipping=shipping, full_return=full, fee_already_charged=charged, ship_with=way)
    assert sum(part.amount_minor for part in found.all_parts()) == found.total.minor
    assert found.refund_total + found.credit_total == found.total
    assert min(found.refund_total.minor, found.credit_total.minor) >= 0
    assert all(each.total_minor >= 0 for each in found.lines)
    refundable = sum(each.gross_minor for each in lines if each.resolution == "refund") + paid
    assert found.refund_total.minor <= refundable
    bonuses = sum(part.amount_minor for part in found.all_parts() if part.kind == "credit_bonus")
    assert found.total.minor - bonuses <= sum(each.gross_minor for each in lines) + paid
    assert sum(part.kind == "outbound_shipping" for part in found.parts) <= 1
    again = Quote.from_json(found.to_json())
    assert canonical(again.to_json()) == canonical(found.to_json())
    assert again == found


@given(st.integers(0, 10_000_000), st.integers(0, 10_000))
def test_no_rounding_costs_the_customer(amount, bp):
    found = quote([line(amount, restocking_fee=Fee(bp))], "GBP")
    assert found.total.minor * 10_000 >= amount * (10_000 - bp) - 5_000
    assert amount - found.total.minor <= share_bp(amount, bp)


def test_a_line_that_is_not_quoted_is_an_error():
    with pytest.raises(KeyError):
        quote([SHIRT], "GBP").line("hat")


def test_every_row_says_what_it_was_made_of():
    sold = terms(restocking_fee=Fee(bp=1000), credit_bonus=500)
    found = quote([QuoteLine("1", 2, 9000, 1500, 10_000, 1000, "store_credit", sold, worth_bp=5000)], "GBP")
    credit = {"line": "1", "into": "store_credit"}
    assert found.all_parts() == (
        QuotePart("item", 10_000, 1500, {"quantity": 2}, **credit),
        QuotePart("discount", -1000, **credit),
        QuotePart("inspection", -4500, -750, {"worth_bp": 5000}, **credit),
        QuotePart("restocking_fee", -450, 0, {"fee_bp": 1000}, **credit),
        QuotePart("credit_bonus", 203, 0, {"bonus_bp": 500, "of_minor": 4050}, **credit),  # 202.5, half up
    )


def test_a_line_of_which_no_terms_are_known_gives_its_price_and_takes_nothing():
    found = quote(
        [QuoteLine("1", 1, 1000, 0, 1000, 0, "refund", {})], "GBP", shipping=ShippingPaid(395), full_return=True
    )
    assert kinds(found) == [("item", 1000)]


def test_a_foreign_label_stands_in_the_pot_that_would_have_borne_it():
    foreign = {"return_shipping": ReturnShipping("customer", Money(400, "EUR"))}
    for resolution in ("refund", "store_credit"):
        (label,) = quote([line(1000, resolution, **foreign)], "GBP").parts
        told = {"not_charged": {"amount": 400, "currency": "EUR"}}
        assert label == QuotePart("return_shipping", 0, 0, told, None, resolution)
    mixed = [line(1000, "store_credit", **foreign), line(1000, "refund", **foreign)]
    assert [part.into for part in quote(mixed, "GBP").parts] == ["refund"]


def test_an_exchange_bears_no_label_and_a_share_of_the_label_is_of_what_its_own_lines_give():
    share = ReturnShipping("customer", bp=1000)
    lines = [
        line(5000, return_shipping=share),
        line(3000, return_shipping=share),
        line(9000, return_shipping=ReturnShipping()),
    ]
    assert kinds(quote(lines, "GBP"))[-1] == ("return_shipping", -800)
    assert kinds(quote([line(5004, return_shipping=share)], "GBP"))[-1] == ("return_shipping", -500)
    assert quote([line(5000, "exchange", return_shipping=share)], "GBP").parts == ()


def test_outbound_shipping_that_goes_back_as_credit_pays_no_label_out_of_the_refund():
    credit = replace(line(50_00, "store_credit", return_shipping=ON_ANY, outbound_shipping="always"), line="2")
    small = line(1_00, return_shipping=ON_ANY, outbound_shipping="never")
    found = quote([small, credit], "GBP", shipping=ShippingPaid(4_95, 82))
    assert (found.refund_total, found.credit_total) == (Money(0, "GBP"), Money(50_00 + 4_95 - 2_50, "GBP"))
