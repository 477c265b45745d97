"""Every sample order of Shopify and WooCommerce comes in with lines + shipping + tax + rounding = total charged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from portal.adapters import shopify_orders, woocommerce_orders
from portal.db import Database
from portal.errors import Invalid
from portal.orders.incoming import IncomingOrder
from portal.orders.prepare import prepare
from portal.orders.source import BadRow, UnreadableFile, choose
from tests.stages.orders.samples import DATA, SOURCES, bring_in, everything

ZONE = "America/New_York"

# file: number, currency, total, rounding, shipping with tax, (gross, tax, gone of quantity) per line, payments
SHOPIFY: dict[str, tuple[Any, ...]] = {
    # 3 x 199.00 less 3.34, 3.33, 3.33, each with 3.98 tax; two units refunded, 209.00 of it paid back.
    "2026-07-order-partly-refunded": (
        "#1001", "USD", 59_894, 0, 0, [(19_964, 398, "1/1"), (19_965, 398, "0/1"), (19_965, 398, "1/1")],
        [("bogus", 59_894, 20_900)],
    ),
    "2022-04-order-partly-refunded": (
        "#1001", "USD", 59_894, 0, 0, [(19_964, 398, "1/1"), (19_965, 398, "0/1"), (19_965, 398, "1/1")],
        [("bogus", 59_894, 20_900)],
    ),
    # Canceled: the unit that was never sent is gone as well.
    "2026-07-order-canceled": (
        "#1001", "USD", 59_894, 0, 0, [(19_964, 398, "1/1"), (19_965, 398, "1/1"), (19_965, 398, "1/1")],
        [("bogus", 59_894, 20_900)],
    ),
    # Shopify calls it refunded, so nothing is left, whatever its transactions say.
    "2026-07-order-refunded": (
        "#1001", "USD", 59_894, 0, 0, [(19_964, 398, "1/1"), (19_965, 398, "1/1"), (19_965, 398, "1/1")],
        [("external", 59_894, 59_894)],
    ),
    # 149.00 of 199.00 are outstanding.
    "2026-07-order-partly-paid": ("#1002", "USD", 19_900, 0, 0, [(19_900, 0, "0/1")], [("external", 5000, 0)]),
    "2026-07-order-fulfilled": ("#1002", "USD", 19_900, 0, 0, [(19_900, 0, "0/1")], [("external", 19_900, 0)]),
    "2026-07-order-discounted": ("#1002", "USD", 18_109, 0, 0, [(18_109, 0, "0/1")], [("external", 18_109, 0)]),
    "2022-04-order-without-email": ("#1002", "USD", 19_900, 0, 0, [(19_900, 0, "0/1")], [("external", 19_900, 0)]),
    # Tax for the whole order only: 11.94 spread. Its total is of two of its three lines: the difference is explicit.
    "flat-order": (
        "#1001", "USD", 40_994, -19_900, 0, [(20_298, 398, "0/1"), (20_298, 398, "0/1"), (20_298, 398, "0/1")], [],
    ),
    # A discount per line the old way (5.00 off 5.00), shipping 10.00, voided: nothing was ever captured.
    "flat-orders-voided": ("#9999", "USD", 1000, 0, 1000, [(0, 0, "1/1"), (0, 0, "1/1")], []),
}  # fmt: skip

WOOCOMMERCE: dict[str, tuple[Any, ...]] = {
    "v3-customers-20": ("531", "USD", 3000, 0, 1000, [(2000, 0, "0/1")], []),
    # 43.98 + 4.40, 19.99 + 1.00, shipping 10.00 + 0.50.
    "v3-orders-12": ("645", "USD", 7987, 0, 1050, [(4838, 440, "0/2"), (2099, 100, "0/1")], [("bacs", 7987, 0)]),
    "wp-api-v1-orders-08": ("154", "USD", 3795, 0, 1000, [(645, 45, "0/2"), (2150, 150, "0/1")], [("bacs", 3795, 0)]),
    "wp-api-v2-orders-04": ("727", "USD", 2935, 0, 1000, [(645, 45, "0/2"), (1290, 90, "0/1")], [("bacs", 2935, 0)]),
    "wp-api-v3-orders-00": ("727", "USD", 2935, 0, 1000, [(645, 45, "0/2"), (1290, 90, "0/1")], [("bacs", 2935, 0)]),
    "wp-api-v3-orders-02": ("727", "USD", 2935, 0, 1000, [(645, 45, "0/2"), (1290, 90, "0/1")], [("bacs", 2935, 0)]),
}
SAMPLES = [("shopify", name) for name in SHOPIFY] + [("woocommerce", name) for name in WOOCOMMERCE]


def path_of(format_: str, name: str) -> Path:
    return DATA / format_ / f"{name}.json"


def read(format_: str, name: str) -> IncomingOrder:
    path = path_of(format_, name)
    source = choose(SOURCES, path, None)
    assert source.name == format_
    (found,) = source.open(path, ZONE).items
    assert not isinstance(found, BadRow), found
    return found.order


@pytest.mark.parametrize(("format_", "name"), SAMPLES)
def test_the_sample_comes_in_with_the_amounts_checked_by_hand(format_: str, name: str) -> None:
    expected = (SHOPIFY if format_ == "shopify" else WOOCOMMERCE)[name]
    order = read(format_, name)
    frozen = prepare(order).frozen
    lines = [
        (amounts.gross_minor, amounts.tax_minor, f"{line.units_gone}/{line.quantity}")
        for line, amounts in zip(order.lines, frozen.lines, strict=True)
    ]
    payments = [(each.provider, each.captured_minor, each.refunded_minor) for each in order.payments]
    found = (
        order.number, order.currency, frozen.total_minor, frozen.rounding_minor, order.shipping_minor, lines, payments,
    )  # fmt: skip
    assert found == expected
    parts = sum(each.gross_minor for each in frozen.lines) + order.shipping_minor + frozen.extras_minor
    assert parts + frozen.rounding_minor == frozen.total_minor


@pytest.mark.parametrize(("format_", "name"), SAMPLES)
def test_the_sample_is_written_and_a_second_import_changes_nothing(database: Database, format_: str, name: str) -> None:
    path = path_of(format_, name)
    assert bring_in(database, path, zone=ZONE).outcomes == {"created": 1}
    assert bring_in(database, path, zone=ZONE).outcomes == {"unchanged": 1}
    (order,) = everything(database)
    assert sum(each.gross_minor for each in order.lines) + order.shipping_minor + order.extras_minor == (
        order.total_minor - order.rounding_minor
    )


def test_postgresql_takes_the_samples_and_keeps_shops_apart(pg_database: Database) -> None:
    for format_, name in SAMPLES:
        report = bring_in(pg_database, path_of(format_, name), zone=ZONE)
        assert report.good == 1, report.bad
    assert {order.number for order in everything(pg_database)} == {
        "#1001",
        "#1002",
        "#9999",
        "531",
        "645",
        "154",
        "727",
    }


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("shopify/draft-order", "none of the known formats"),
        ("shopify/2026-07-refunds", "holds no shopify orders|none of the known formats"),
    ],
)
def test_a_body_of_another_resource_is_refused_whole(database: Database, name: str, says: str) -> None:
    with pytest.raises(UnreadableFile, match=says):
        bring_in(database, DATA / f"{name}.json")


def test_a_request_for_an_order_is_no_order(database: Database) -> None:
    report = bring_in(database, path_of("shopify", "2026-07-request-for-an-order"))
    assert report.outcomes == {}
    assert "/name is missing" in report.bad[0].message


def shopify(**more: Any) -> dict[str, Any]:
    """A small order of one line of 2 x 10.00."""
    line = {"id": 1, "price": "10.00", "quantity": 2, "title": "Mug", "tax_lines": []}
    return {
        "name": "#1", "created_at": "2026-10-01T08:00:00+01:00", "currency": "GBP", "financial_status": "paid",
        "taxes_included": True, "total_price": "20.00", "line_items": [line | more.pop("line", {})], **more,
    }  # fmt: skip


def both(shop: str, shown: str) -> dict[str, Any]:
    return {
        "shop_money": {"amount": shop, "currency_code": "GBP"},
        "presentment_money": {"amount": shown, "currency_code": "INR"},
    }


def test_the_currency_that_the_customer_saw_is_used_throughout() -> None:
    order = shopify_orders.read_order(
        shopify(
            presentment_currency="INR",
            total_price="950.00",
            total_price_set=both("950.00", "98633.00"),
            line={"price": "475.00", "price_set": both("475.00", "49316.50")},
        )
    )
    frozen = prepare(order).frozen
    assert (order.currency, frozen.total_minor, frozen.rounding_minor) == ("INR", 9_863_300, 0)
    assert order.payments[0].captured_minor == 9_863_300


def test_an_amount_without_the_charged_currency_is_refused_not_converted() -> None:
    with pytest.raises(Invalid, match="price_set is missing, and the order was charged in INR"):
        shopify_orders.read_order(shopify(presentment_currency="INR", total_price_set=both("20.00", "2000.00")))


def test_duties_tips_shipping_discounts_and_their_taxes_are_told_apart() -> None:
    duty = {
        "presentment_money": {"amount": "5.00", "currency_code": "GBP"},
        "tax_lines": [{"price": "1.00"}],
    }
    order = shopify_orders.read_order(
        shopify(
            line={"duties": [duty], "tax_lines": [{"price": "3.33"}]},
            shipping_lines=[
                {"price": "6.00", "tax_lines": [{"price": "0.50"}], "discount_allocations": [{"amount": "3.00"}]}
            ],
            total_discounts="3.00",
            total_tip_received="2.00",
            total_price="31.00",
        )
    )
    frozen = prepare(order).frozen
    assert [(each.kind, each.amount_minor, each.tax_minor) for each in order.extras] == [
        ("duties", 600, 100),
        ("tip", 200, 0),
    ]
    assert (order.shipping_minor, order.shipping_tax_minor, order.discount_minor) == (300, 50, 0)
    assert (frozen.lines[0].gross_minor, frozen.lines[0].tax_minor, frozen.rounding_minor) == (2000, 333, 0)


def test_an_old_orders_discount_is_spread_over_its_lines() -> None:
    lines = [
        {"id": 1, "price": "80.00", "quantity": 1, "title": "A"},
        {"id": 2, "price": "20.00", "quantity": 1, "title": "B"},
    ]
    data = shopify(total_discounts="10.00", total_price="90.00") | {"line_items": lines}
    frozen = prepare(shopify_orders.read_order(data)).frozen
    assert [each.gross_minor for each in frozen.lines] == [7200, 1800]


def test_transactions_say_what_each_payment_took_and_gave_back() -> None:
    def transaction(number: int, kind: str, amount: str, gateway: str, **more: Any) -> dict[str, Any]:
        return {
            "id": number,
            "kind": kind,
            "status": "success",
            "amount": amount,
            "currency": "GBP",
            "gateway": gateway,
            **more,
        }

    data = shopify(
        total_price="100.00",
        transactions=[
            transaction(1, "authorization", "60.00", "stripe"),
            transaction(2, "capture", "60.00", "stripe", parent_id=1, receipt={"payment_intent_id": "pi_9"}),
            transaction(3, "sale", "40.00", "gift_card"),
            transaction(4, "sale", "99.00", "stripe") | {"status": "failure"},
        ],
        refunds=[{"transactions": [transaction(5, "refund", "15.00", "gift_card", parent_id=3)]}],
        line={"price": "50.00"},
    )
    payments = shopify_orders.read_order(data).payments
    assert [(each.provider, each.payment_intent, each.captured_minor, each.refunded_minor) for each in payments] == [
        ("stripe", "pi_9", 6000, 0),
        ("gift_card", None, 4000, 1500),
    ]


@pytest.mark.parametrize(
    ("transactions", "expected"),
    [
        # Two captures of one authorization are one payment at Stripe.
        (
            [
                ("authorization", "100.00", "pi_9", 1, None),
                ("capture", "60.00", "pi_9", 2, 1),
                ("capture", "40.00", "pi_9", 3, 1),
            ],
            [("stripe", "pi_9", 10000)],
        ),
        # Authorized and not captured yet: known, so that a return captures less or cancels it.
        ([("authorization", "100.00", "pi_9", 1, None)], [("stripe", "pi_9", 10000)]),
        ([("authorization", "100.00", "pi_9", 1, None), ("void", "100.00", None, 2, 1)], []),
        # Nobody could cancel an authorization of another gateway from here.
        ([("authorization", "100.00", None, 1, None)], []),
        (
            [("sale", "40.00", None, 1, None), ("authorization", "60.00", "pi_9", 2, None)],
            [("bogus", None, 4000), ("stripe", "pi_9", 6000)],
        ),
    ],
)
def test_what_stripe_holds_is_one_payment_per_intent(
    transactions: list[tuple[str, str, str | None, int, int | None]], expected: list[tuple[str, str | None, int]]
) -> None:
    data = shopify(
        total_price="100.00",
        financial_status="authorized",
        line={"price": "50.00"},
        transactions=[
            {
                "id": number, "kind": kind, "status": "success", "amount": amount, "currency": "GBP", "gateway": "bogus",
                "parent_id": parent, "receipt": {"payment_intent_id": intent},
            }
            for kind, amount, intent, number, parent in transactions
        ],
    )  # fmt: skip
    payments = shopify_orders.read_order(data).payments
    assert [(each.provider, each.payment_intent, each.captured_minor) for each in payments] == expected


def test_a_line_is_delivered_when_its_last_parcel_was() -> None:
    def parcel(day: int, status: str | None, units: int) -> dict[str, Any]:
        return {
            "status": "success", "shipment_status": status, "created_at": f"2026-10-0{day}T08:00:00Z",
            "updated_at": f"2026-10-0{day + 2}T09:00:00Z", "line_items": [{"id": 1, "quantity": units}],
        }  # fmt: skip

    one = shopify_orders.read_order(shopify(fulfillments=[parcel(2, "delivered", 1)])).lines[0]
    assert (one.shipped_at, one.delivered_at) == (None, None)
    both_ = shopify_orders.read_order(
        shopify(fulfillments=[parcel(4, "delivered", 1), parcel(2, "delivered", 1)])
    ).lines[0]
    assert both_.delivered_at is not None
    assert both_.delivered_at.isoformat() == "2026-10-06T09:00:00+00:00"


def woo(**more: Any) -> dict[str, Any]:
    """A small order of one line of 2 x 10.00 and 20 % tax."""
    line = {
        "id": 1, "name": "Mug", "product_id": 5, "quantity": 2, "subtotal": "20.00", "subtotal_tax": "4.00",
        "total": "20.00", "total_tax": "4.00",
    }  # fmt: skip
    return {
        "number": "7", "currency": "EUR", "date_created": "2026-10-01T08:00:00", "date_paid": "2026-10-01T08:01:00",
        "status": "processing", "total": "24.00", "prices_include_tax": False, "line_items": [line | more.pop("line", {})],
        "payment_method": "stripe", "transaction_id": "pi_5", **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "fact"),
    [
        ("completed", "fulfilled"),
        ("processing", "unfulfilled"),
        ("on-hold", "unfulfilled"),
        ("refunded", None),
        ("x", None),
    ],
)
def test_woocommerce_tells_what_was_sent_by_its_own_states(status: str, fact: str | None) -> None:
    assert woocommerce_orders.read_order(woo(status=status), ZONE).facts.get("fulfilment") == fact


@pytest.mark.parametrize(
    ("told", "facts"),
    [
        ({}, {}),
        ({"fulfillment_status": None}, {"fulfilment": "unfulfilled"}),
        ({"fulfillment_status": "partial"}, {"fulfilment": "partial"}),
        ({"fulfillment_status": "restocked"}, {}),
        ({"company": {"id": 1, "location_id": 2}}, {"is_business": True}),
        ({"company": None}, {"is_business": False}),
    ],
)
def test_shopify_tells_whether_it_was_sent_and_who_bought_and_what_it_does_not_tell_is_unknown(
    told: dict[str, Any], facts: dict[str, Any]
) -> None:
    found = shopify_orders.read_order(shopify(**told)).facts
    assert {name: found[name] for name in ("fulfilment", "is_business") if name in found} == facts


def test_woocommerce_refunds_are_negative_there_and_money_that_went_back_here() -> None:
    order = woocommerce_orders.read_order(
        woo(refunds=[{"id": 3, "total": "-10.00"}, {"id": 4, "total": "-2.50"}]), ZONE
    )
    payment = order.payments[0]
    assert (payment.provider, payment.payment_intent, payment.captured_minor, payment.refunded_minor) == (
        "stripe", "pi_5", 2400, 1250,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("total", "cards", "refunds", "expected"),
    [
        ("14.00", ["10.00"], [], [("stripe", "pi_5", 1400, 0), ("gift_card", None, 1000, 0)]),
        ("0.00", ["20.00", "4.00"], [], [("gift_card", None, 2000, 0), ("gift_card", None, 400, 0)]),
        ("14.00", ["10.00"], ["-20.00"], [("stripe", "pi_5", 1400, 1400), ("gift_card", None, 1000, 600)]),
        ("24.00", ["0.00"], [], [("stripe", "pi_5", 2400, 0)]),
    ],
)
def test_what_a_gift_card_paid_is_a_payment_and_part_of_what_was_charged(
    total: str, cards: list[str], refunds: list[str], expected: list[tuple[str, str | None, int, int]]
) -> None:
    order = woocommerce_orders.read_order(
        woo(
            total=total,
            gift_cards=[{"id": at, "code": f"ABCD-EFGH-{at}XYZ", "amount": amount} for at, amount in enumerate(cards)],
            refunds=[{"id": 3, "total": each} for each in refunds],
        ),
        ZONE,
    )
    assert [
        (each.provider, each.payment_intent, each.captured_minor, each.refunded_minor) for each in order.payments
    ] == expected
    assert "EFGH" not in str(order.payments), "the code of a card is as good as money"
    frozen = prepare(order).frozen
    assert (frozen.total_minor, frozen.rounding_minor) == (2400, 0)


def test_a_fee_that_was_taken_off_is_a_discount_and_its_tax_too() -> None:
    fee = {"total": "-5.00", "total_tax": "-1.00"}
    for included in (False, True):
        order = woocommerce_orders.read_order(woo(fee_lines=[fee], total="18.00", prices_include_tax=included), ZONE)
        frozen = prepare(order).frozen
        assert (frozen.lines[0].gross_minor, frozen.lines[0].tax_minor, frozen.rounding_minor) == (1800, 300, 0)


def test_a_fee_that_was_charged_is_an_extra() -> None:
    order = woocommerce_orders.read_order(
        woo(fee_lines=[{"name": "Gift wrap", "total": "3.00", "total_tax": "0.60"}], total="27.60"), ZONE
    )
    assert [(each.kind, each.name, each.amount_minor, each.tax_minor) for each in order.extras] == [
        ("fee", "Gift wrap", 360, 60)
    ]
    assert prepare(order).frozen.rounding_minor == 0


def test_times_without_a_zone_are_the_shops_and_gmt_is_gmt() -> None:
    assert woocommerce_orders.read_order(woo(), "Europe/Berlin").placed_at.isoformat() == "2026-10-01T08:00:00+02:00"
    order = woocommerce_orders.read_order(woo(date_created_gmt="2026-10-01T06:00:00"), "Europe/Berlin")
    assert order.placed_at.isoformat() == "2026-10-01T06:00:00+00:00"


def test_names_and_variants_are_text_not_html() -> None:
    line = {
        "name": "Ship &ndash; it",
        "meta_data": [{"key": "pa_color", "value": "<b>black</b>"}, {"key": "_x", "value": "1"}],
    }
    found = woocommerce_orders.read_order(woo(line=line), ZONE).lines[0]
    assert (found.name, found.variant) == ("Ship – it", "Color: black")


BROKEN: list[dict[str, Any]] = [
    {"currency": "XYZ"}, {"currency": None}, {"line_items": {}}, {"line_items": [3]}, {"total_price": "NaN"},
    {"total_price": "1e999999"}, {"total_price": []}, {"total_price": True}, {"created_at": 5}, {"created_at": "soon"},
    {"line": {"quantity": 1.5}}, {"line": {"quantity": "many"}}, {"line": {"price": "-4.00"}}, {"refunds": "all"},
    {"line": {"id": None}}, {"name": "#"}, {"shipping_lines": [{"price": "1.00", "discounted_price": "9.00", "tax_lines": 4}]},
]  # fmt: skip


@pytest.mark.parametrize("change", BROKEN)
def test_a_broken_order_is_a_bad_row_and_never_a_traceback(
    database: Database, tmp_path: Path, change: dict[str, Any]
) -> None:
    path = tmp_path / "orders.json"
    path.write_text(json.dumps({"orders": [shopify(**dict(change)), shopify() | {"name": "#2"}]}), encoding="utf-8")
    report = bring_in(database, path, format="shopify")
    assert report.outcomes == {"created": 1}
    assert report.bad_count == 1


def read_woo(data: dict[str, Any]) -> IncomingOrder:
    return woocommerce_orders.read_order(data, ZONE)


LONG_INTENT = "pi_" + "3" * 78


@pytest.mark.parametrize(
    ("read_order", "data", "pointer"),
    [
        (
            shopify_orders.read_order,
            shopify(
                transactions=[
                    {"id": 1, "kind": "sale", "status": "success", "amount": "1", "authorization": LONG_INTENT}
                ]
            ),
            "/payments/0/payment_intent",
        ),
        (read_woo, woo(transaction_id=LONG_INTENT), "/payments/0/payment_intent"),
        (read_woo, woo(transaction_id="x" * 121), "/transaction_id"),
        (shopify_orders.read_order, shopify(line={"sku": "S" * 101}), "/line_items/0/sku"),
        (shopify_orders.read_order, shopify(line={"id": "1" * 65}), "/line_items/0/id"),
        (shopify_orders.read_order, shopify(line={"product_id": "1" * 101}), "/line_items/0/product_id"),
        (shopify_orders.read_order, shopify(customer={"id": "1" * 65}), "/customer/id"),
        (shopify_orders.read_order, shopify(email="a" * 309 + "@example.com"), "/email"),
        (shopify_orders.read_order, shopify(name="#" + "1" * 80), "/name"),
        (read_woo, woo(billing={"email": "a" * 309 + "@example.com"}), "/billing/email"),
        (read_woo, woo(customer_id="1" * 65), "/customer_id"),
        (read_woo, woo(number="1" * 80), "/number"),
    ],
)
def test_what_names_a_thing_or_a_person_is_refused_and_never_cut(
    read_order: Callable[[dict[str, Any]], IncomingOrder], data: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(Invalid) as refused:
        prepare(read_order(data))
    assert list(refused.value.fields) == [pointer]
