"""Exchanges: stock is held at booking, sent when the goods have come, and never promised twice."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select

from portal.errors import Conflict
from portal.orders.models import Order, OrderLine, Variant
from portal.refunds import exchange, goodwill
from portal.refunds.models import Exchange
from portal.returns.models import ReturnLine
from tests.stages.refunds.world import KEPT, SHOP, STAFF, World


def _exchange(world: World, order_id: int, quantity: int = 1, **how: object) -> int:
    decision = how.pop("decision", None)
    return_id = world.return_(
        order_id,
        0,
        resolution="exchange",
        quantity=quantity,
        sku="NAVY-L",
        **({"decision": decision} if decision else {}),  # type: ignore[arg-type]
        **how,  # type: ignore[arg-type]
    )
    with world.database.transaction() as tx:
        for line in tx.session.scalars(select(ReturnLine).where(ReturnLine.return_id == return_id)):
            line.gross_minor, line.tax_minor = 4450 * quantity, 740 * quantity
    return return_id


def _reserve(world: World, return_id: int) -> None:
    with world.database.transaction() as tx:
        exchange.reserve(tx, return_id)


def _stock(world: World) -> tuple[int, int]:
    with world.database.read() as session:
        variant = session.get_one(Variant, "NAVY-L")
        return variant.stock, variant.reserved


def _replacements(world: World) -> list[Order]:
    with world.database.read() as session:
        rows = list(session.scalars(select(Order).where(Order.replaces_return_id.is_not(None)).order_by(Order.id)))
        for row in rows:
            assert row.lines
            assert not row.payments
        session.expunge_all()
        return rows


def test_goods_that_came_are_replaced_once_at_the_same_worth(world: World) -> None:
    world.variant("NAVY-L", stock=3, price=5000)
    order_id = world.order(10000, quantity=2)
    return_id = _exchange(world, order_id, 2)
    _reserve(world, return_id)
    _reserve(world, return_id)
    assert _stock(world) == (3, 2)
    for moment in ("received", "received", "inspected"):
        world.pay(return_id, moment)
    assert _stock(world) == (1, 0)
    (order,) = _replacements(world)
    with world.database.read() as session:
        origin = session.get_one(Order, order_id)
        (line,) = session.scalars(select(OrderLine).where(OrderLine.order_id == order.id))
        assert order.number == f"{origin.number}-X1"
        assert (line.sku, line.quantity, line.unit_price_minor) == ("NAVY-L", 2, 5000)
        assert (line.list_minor, line.discount_minor, line.gross_minor, line.tax_minor) == (10000, 1100, 8900, 1480)
    assert order.total_minor == 8900
    assert world.status(return_id) == "closed"
    (piece,) = world.money(return_id).pieces
    assert (piece.kind, piece.state, piece.order_number) == ("exchange", "ordered", order.number)
    assert world.at_stripe() == []


def test_72_stock_for_one_of_two_refuses_the_whole_booking_with_a_sentence(world: World) -> None:
    world.variant("NAVY-L", stock=1)
    return_id = _exchange(world, world.order(10000, quantity=2), 2)
    with pytest.raises(Conflict, match="only 1 are left") as refused:
        _reserve(world, return_id)
    assert refused.value.state == "out_of_stock"
    assert _stock(world) == (1, 0)


def test_an_article_nobody_knows_is_out_of_stock(quick_world: World) -> None:
    return_id = _exchange(quick_world, quick_world.order(5000))
    with pytest.raises(Conflict):
        _reserve(quick_world, return_id)


def test_a_return_that_ends_gives_its_stock_back_once(quick_world: World) -> None:
    world = quick_world
    world.variant("NAVY-L", stock=2)
    return_id = _exchange(world, world.order(5000))
    _reserve(world, return_id)
    for _ in range(2):
        with world.database.transaction() as tx:
            exchange.release(tx, return_id)
    assert _stock(world) == (2, 0)
    assert world.pay(return_id) == []
    assert _replacements(world) == []


@pytest.mark.parametrize(
    ("found", "sent"),
    [
        ({"as_new": 1}, 1),
        ({"as_new": 1, "missing": 1}, 1),
        ({"missing": 2}, 0),
        ({"wrong_item": 2}, 0),
        ({"damaged": 2}, 2),
        (None, 2),
    ],
    ids=str,
)
def test_only_what_came_is_replaced_and_the_rest_is_let_go(
    quick_world: World, found: dict[str, int] | None, sent: int
) -> None:
    world = quick_world
    world.variant("NAVY-L", stock=5)
    return_id = _exchange(world, world.order(10000, quantity=2), 2)
    _reserve(world, return_id)
    with world.database.transaction() as tx:
        for line in tx.session.scalars(select(ReturnLine)):
            line.found = found
    world.pay(return_id)
    assert _stock(world) == (5 - sent, 0)
    assert len(_replacements(world)) == (1 if sent else 0)


def test_money_may_go_ahead_but_goods_follow_goods(quick_world: World) -> None:
    world = quick_world
    world.variant("NAVY-L", stock=1)
    return_id = _exchange(world, world.order(5000), status="authorized", when="authorized")
    _reserve(world, return_id)
    world.pay(return_id, "authorized")
    assert _replacements(world) == []
    assert world.status(return_id) == "authorized"


def test_what_the_customer_keeps_is_replaced_at_once(quick_world: World) -> None:
    world = quick_world
    world.variant("NAVY-L", stock=1)
    return_id = _exchange(world, world.order(5000), status="authorized", decision=KEPT)
    _reserve(world, return_id)
    world.pay(return_id, "authorized")
    assert len(_replacements(world)) == 1
    assert world.status(return_id) == "closed"


def test_74_a_replacement_given_back_is_refunded_to_the_payment_of_the_original_and_never_more(world: World) -> None:
    world.variant("NAVY-L", stock=2, price=4450)
    order_id = world.order(4450)
    first = _exchange(world, order_id)
    _reserve(world, first)
    world.pay(first)
    (replacement,) = _replacements(world)
    world.pay(world.return_(replacement.id, 4450))
    world.work()
    assert world.at_stripe() == [(4450, "succeeded")]
    assert world.refundable(order_id) == [0]
    assert world.pay(world.return_(order_id, 4450)) == []
    world.check_books()


def test_credit_for_a_replacement_counts_against_the_payments_of_the_original(quick_world: World) -> None:
    world = quick_world
    world.variant("NAVY-L", stock=2, price=5000)
    order_id = world.order(10000, quantity=2)
    first = _exchange(world, order_id)
    _reserve(world, first)
    world.pay(first)
    (replacement,) = _replacements(world)
    world.pay(world.return_(replacement.id, 0, credit=5000, resolution="store_credit"))
    (refund_id,) = world.pay(world.return_(order_id, 6000))
    assert world.refund(refund_id).amount_minor == 5000, "the other half was given as credit"
    with pytest.raises(Conflict, match="left to give back"), world.database.transaction(STAFF) as tx:
        goodwill.give(tx, order_id, goodwill.Gift(100), reason="sorry", command_key="k", shop=SHOP)


def test_second_exchange_of_an_order_gets_the_next_number(quick_world: World) -> None:
    world = quick_world
    world.variant("NAVY-L", stock=5)
    order_id = world.order(10000, quantity=2)
    for _ in range(2):
        return_id = _exchange(world, order_id)
        _reserve(world, return_id)
        world.pay(return_id)
    assert [order.number.split("-")[-1] for order in _replacements(world)] == ["X1", "X2"]


def test_two_bookings_race_for_the_last_one(pg_world: World) -> None:
    world = pg_world
    world.variant("NAVY-L", stock=1)
    ids = [_exchange(world, world.order(5000)) for _ in range(4)]
    refused: list[Conflict] = []

    def book(return_id: int) -> None:
        try:
            _reserve(world, return_id)
        except Conflict as conflict:
            refused.append(conflict)

    threads = [threading.Thread(target=book, args=(return_id,)) for return_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 3
    assert _stock(world) == (1, 1)
    with world.database.read() as session:
        assert session.query(Exchange).count() == 1
