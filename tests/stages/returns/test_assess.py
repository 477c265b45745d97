"""What the item page and the decision call say, and what it costs to say it: nothing is written, and the number of queries does
not depend on the number of lines."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select

from portal.db import Database
from portal.errors import Invalid
from portal.money import Money
from portal.orders.models import Order
from portal.policy.reasons import REASONS
from portal.returns import service
from portal.returns.assess import Assessment, assess, line_options
from portal.returns.models import Return
from portal.timeline import TimelineEntry
from tests.stages.returns.trade import (
    BOOKED,
    CUSTOMER,
    DELIVERED,
    MAYA,
    POLICY,
    Item,
    add_order,
    book_return,
    counting,
    later,
    open_shop,
    rows,
    wish,
)


def ask(database: Database, shop: object, order: int, *wishes: object, **more: object) -> Assessment:
    with database.read() as session:
        found = session.get(Order, order)
        assert found is not None
        return assess(session, shop, found, wishes, at=BOOKED, **more)  # type: ignore[arg-type]


def states(database: Database, shop: object, order: int) -> list[str]:
    with database.read() as session:
        found = session.get(Order, order)
        assert found is not None
        return [row.state for row in line_options(session, shop, found, at=BOOKED)]  # type: ignore[arg-type]


def test_the_item_page_says_what_can_come_back(database: Database) -> None:
    shop = open_shop(database)
    no_socks = POLICY.replace(
        "  - rule: Faulty items",
        "  - rule: Socks\n    when: {item.tags: {has: socks}}\n    set: {returnable: false}\n    say: No.\n"
        "  - rule: Faulty items",
    )
    order = add_order(
        database,
        [
            Item(),
            Item(tags=("final-sale",)),
            Item(delivered_at=DELIVERED - timedelta(days=60)),
            Item(delivered_at=None),
            Item(delivered_at=DELIVERED - timedelta(days=500)),
        ],
    )
    assert states(database, shop, order) == ["returnable", "only_faulty", "only_faulty", "returnable", "no"]
    with database.transaction(at=later(1)) as tx:
        from portal.policybook.service import publish

        publish(tx, no_socks, filename="x", author="Maya")
    book_return(database, shop, order, wish("1"))
    assert states(database, shop, order)[0] == "already_returned"


def test_it_gives_the_last_day_and_the_causes_of_a_change_of_mind(database: Database) -> None:
    shop = open_shop(database)
    order = add_order(database, [Item(2, 30_01), Item(tags=("final-sale",))])
    with database.read() as session:
        found = session.get(Order, order)
        assert found is not None
        first, second = line_options(session, shop, found, at=BOOKED)
    assert first.return_by_on == date(2026, 11, 28)
    assert (first.units_left, first.causes, set(first.by_reason)) == (2, (), set(REASONS))
    assert first.worth is not None
    assert first.worth.gross_minor == 15_00
    assert [cause.code for cause in second.causes] == ["not_returnable"]


def test_asking_changes_nothing(database: Database) -> None:
    shop = open_shop(database)
    order = add_order(database)
    before = rows(database, select(func.count(TimelineEntry.id)))
    found = ask(database, shop, order, wish())
    assert found.answer == "accept"
    assert rows(database, select(Return)) == []
    assert rows(database, select(func.count(TimelineEntry.id))) == before


def test_the_whole_return_is_what_counts_for_its_rules(database: Database) -> None:
    """Two lines of 200.00 are each below the limit, the return is not."""
    shop = open_shop(database)
    order = add_order(database, [Item(gross=200_00), Item(gross=200_00)])
    assert ask(database, shop, order, wish("1")).answer == "accept"
    found = ask(database, shop, order, wish("1"), wish("2"))
    assert [line.decision.answer for line in found.lines] == ["review", "review"]
    facts = found.lines[0].facts
    assert (facts.return_value, facts.return_items, facts.return_is_full) == (Money(400_00, "GBP"), 2, True)
    assert facts.line_value == Money(200_00, "GBP")


def test_full_counts_what_came_back_before(database: Database) -> None:
    shop = open_shop(database)
    order = add_order(database, [Item(2, 20_00), Item()])
    assert ask(database, shop, order, wish("1", 2)).lines[0].facts.return_is_full is False
    book_return(database, shop, order, wish("1", 2))
    assert ask(database, shop, order, wish("2")).lines[0].facts.return_is_full is True


@pytest.mark.parametrize(
    ("condition", "books", "answer"),
    [
        ("customer.orders: {at_least: 3}", 0, "review"),
        ("customer.returns: {at_least: 2}", 1, "accept"),
        ("customer.returns: {at_least: 2}", 2, "review"),
        ("order.returns_so_far: {at_least: 1}", 0, "accept"),
        ("customer.return_rate: {over: 10%}", 0, "accept"),
        ("customer.return_rate: {over: 10%}", 1, "review"),
        ("customer.refunded_90_days: {over: 0 GBP}", 1, "accept"),
        ("customer.kept_items: {at_least: 1}", 1, "accept"),
        ("customer.failed_inspections: {at_least: 1}", 1, "accept"),
        ("customer.credit_received: {over: 0 GBP}", 1, "accept"),
    ],
)
def test_the_customers_history_is_known_when_a_rule_asks(
    database: Database, condition: str, books: int, answer: str
) -> None:
    shop = open_shop(database, POLICY.replace("return.value: {over: 300 GBP}", condition))
    orders = [add_order(database, [Item(2, 20_00)], customer_ref="C-1") for _ in range(3)]
    add_order(database, customer_ref="somebody else")
    for order in orders[:books]:
        book_return(database, shop, order)
    assert ask(database, shop, orders[2], wish()).answer == answer


def test_history_counts_money_and_refusals_that_really_happened(database: Database) -> None:
    from portal.returns.facts import customer_facts

    shop = open_shop(database)
    asked = ["customer.orders"]
    for tags, resolution in (((), "refund"), ((), "store_credit"), (("keep",), "refund"), ((), "refund")):
        order = add_order(database, [Item(tags=tags)], customer_ref="C-1")
        book_return(database, shop, order, wish(resolution=resolution))
    with database.transaction() as tx:
        first, second, third, fourth = tx.session.scalars(select(Return).order_by(Return.id))
        for paid in (first, second, third):
            paid.payout_planned_at = BOOKED
        fourth.status, fourth.received_at = "rejected", BOOKED
    with database.read() as session:
        row = session.get(Order, order)
        assert row is not None
        found = customer_facts(session, row, asked, later(days=89))
        assert (found.orders, found.returns, found.kept_items, found.failed_inspections) == (4, 3, 1, 1)
        assert (found.refunded_90_days, found.credit_received) == (Money(20_00, "GBP"), Money(11_00, "GBP"))
        assert found.return_rate_bp == 7_500
        assert customer_facts(session, row, asked, later(days=91)).refunded_90_days == Money(0, "GBP")
        assert customer_facts(session, row, [], BOOKED).orders is None


def test_history_without_a_customer_is_unknown_not_empty(database: Database) -> None:
    shop = open_shop(database, POLICY.replace("return.value: {over: 300 GBP}", "customer.returns: {over: 3}"))
    order = add_order(database, email="")
    found = ask(database, shop, order, wish())
    assert [cause.code for cause in found.lines[0].decision.causes] == ["unknown_fact"]


def test_the_ways_to_send_are_those_that_all_lines_share(database: Database) -> None:
    shop = open_shop(database)
    order = add_order(database, [Item(), Item(tags=("delicate",)), Item(tags=("own",)), Item(tags=("keep",))])
    assert ask(database, shop, order, wish("1")).ship_with == ("label", "qr")
    assert ask(database, shop, order, wish("1"), wish("2")).ship_with == ("label",)
    assert ask(database, shop, order, wish("1"), wish("3")).ship_with == ()
    assert ask(database, shop, order, wish("4")).ship_with == ()


@pytest.mark.parametrize(
    "moment", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC), BOOKED.replace(tzinfo=None)]
)
def test_a_moment_beyond_the_calendar_is_no_question(database: Database, moment: datetime) -> None:
    shop = open_shop(database)
    order = add_order(database)
    with database.read() as session:
        found = session.get(Order, order)
        assert found is not None
        with pytest.raises(Invalid) as refused:
            assess(session, shop, found, [wish()], at=moment)
    assert set(refused.value.fields) == {"/at"}


def _big(database: Database, lines: int) -> int:
    return add_order(database, [Item(3, 30_00) for _ in range(lines)], customer_ref="C-1")


@pytest.mark.parametrize("asks_history", [False, True])
def test_queries_do_not_grow_with_the_lines(database: Database, asks_history: bool) -> None:
    condition = "customer.returns: {over: 30}" if asks_history else "return.value: {over: 30000 GBP}"
    shop = open_shop(database, POLICY.replace("return.value: {over: 300 GBP}", condition))
    seen = {}
    for lines in (2, 60):
        order = _big(database, lines)
        book_return(database, shop, order, *(wish(str(n)) for n in range(1, lines + 1)))
        with database.read() as session:
            found = session.get(Order, order)
            assert found is not None
            assert found.lines
            with counting(database) as page:
                line_options(session, shop, found, at=BOOKED)
            with counting(database) as decision:
                assess(session, shop, found, [wish(str(n)) for n in range(1, lines + 1)], at=BOOKED)
        with counting(database) as whole:
            rma = book_return(database, shop, order, *(wish(str(n)) for n in range(1, lines + 1)))
        with counting(database) as ended, database.transaction(CUSTOMER, at=later(1)) as tx:
            service.cancel(tx, rma, by="customer")
        # A line is one row to write; what is read and changed beside it must not grow.
        booked = [statement for statement in whole if not statement.startswith("INSERT")]
        seen[lines] = tuple(len(each) for each in (page, decision, booked, ended))
    assert seen[2] == seen[60]
    page_queries, decision_queries, booking_queries, _ = seen[2]
    assert page_queries == decision_queries == (5 if asks_history else 2)
    assert booking_queries <= (13 if asks_history else 10)


def test_deciding_under_review_costs_the_same_for_any_number_of_lines(database: Database) -> None:
    shop = open_shop(database)
    seen = {}
    for lines in (2, 60):
        order = add_order(database, [Item(3, 900_00) for _ in range(lines)])
        rma = book_return(database, shop, order, *(wish(str(n)) for n in range(1, lines + 1)))
        with counting(database) as statements, database.transaction(MAYA, at=later(1)) as tx:
            service.authorize(tx, rma, lines=["1"], message="Worn.", note="One only")
        seen[lines] = len(statements)
    assert seen[2] == seen[60]


def test_the_version_that_decided_is_the_one_that_is_told(database: Database) -> None:
    open_shop(database)
    late = add_order(database, [Item(delivered_at=DELIVERED - timedelta(days=20))])
    kinder = POLICY.replace("rules:", "apply_to_open_orders: true\nrules:", 1).replace("days: 30", "days: 90")
    shop = open_shop(database, kinder, at=BOOKED - timedelta(days=1))
    with database.read() as session:
        order = session.get_one(Order, late)
        told = assess(session, shop, order, [wish("1")], at=BOOKED)
    assert (told.policy_number, told.lines[0].decision.answer) == (2, "accept")
    assert told.lines[0].decision.policy_hash == shop.versions[1].policy.content_hash
    fresh = add_order(database, [Item()])
    with database.read() as session:
        told = assess(session, shop, session.get_one(Order, fresh), [wish("1")], at=BOOKED)
    assert told.lines[0].decision.answer == "accept"
