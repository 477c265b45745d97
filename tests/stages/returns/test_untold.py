"""Facts that no order tells: said of every rule for which a return would wait, whatever becomes of other lines."""

from __future__ import annotations

from sqlalchemy import select

from portal.db import Database
from portal.orders.models import OrderLine
from portal.policy.beside import Foreign, Untold
from portal.policy.loader import load_policy
from portal.returns.untold import untold
from tests.stages.returns.trade import BOOKED, POLICY, Item, add_order

GIFTS = "  - rule: Gift cards\n    when: {item.type: gift-card}\n    set: {returnable: false}\n    say: No.\n"
HEAVY = "  - rule: Heavy\n    when: {item.weight: {over: 20 kg}}\n    set: {review: always}\n"
BIG = "return.value: {over: 300 GBP}"


def below(rules: str) -> str:
    return POLICY.replace("otherwise:", f"{rules}otherwise:", 1)


def found(database: Database, text: str) -> tuple[list[Untold | Foreign], int]:
    with database.read() as session:
        return untold(session, load_policy(text), BOOKED)


def test_lines_that_a_rule_above_refuses_hide_no_fact_from_the_rules_below_it(database: Database) -> None:
    add_order(database, [Item(tags=("final-sale",)), Item(), Item()])
    add_order(database)
    assert found(database, below(GIFTS)) == ([Untold("Gift cards", "item.type", 3)], 4)


def test_lines_of_which_a_rule_asks_nothing_hide_no_fact_from_it(database: Database) -> None:
    lamps = (
        "  - rule: Lamps\n    when: {item.tags: {has: lamp}, item.weight: {over: 20 kg}}\n    set: {review: always}\n"
    )
    add_order(database, [Item(tags=("lamp",)), Item(), Item()])
    assert found(database, below(lamps)) == ([Untold("Lamps", "item.weight", 1)], 3)


def test_a_fact_that_one_line_tells_is_told(database: Database) -> None:
    order = add_order(database, [Item(), Item()])
    with database.transaction(at=BOOKED) as tx:
        line = tx.session.scalars(select(OrderLine).where(OrderLine.order_id == order)).first()
        assert line is not None
        line.facts = {"weight_g": 400}
    assert found(database, below(HEAVY)) == ([], 2)


def test_nothing_is_said_of_a_rule_for_which_nobody_waits(database: Database) -> None:
    add_order(database, [Item(tags=("final-sale",))])
    assert found(database, below(GIFTS)) == ([], 1), "all that was sold is refused above it"
    assert found(database, POLICY) == ([], 1)


def test_a_rule_that_counts_in_one_currency_is_told_of_the_orders_in_others(database: Database) -> None:
    dear = "  - rule: Dear\n    when: {item.price: {over: 50 GBP}}\n    set: {evidence: photo}\n"
    fee = "  - rule: Opened\n    when: {item.tags: {has: open}}\n    set: {restocking_fee: 5 GBP}\n"
    add_order(database, [Item(listed=60_00)])
    add_order(database, [Item(listed=60_00), Item(listed=60_00, tags=("open",))], currency="EUR")
    add_order(database, [Item(listed=60_00, tags=("open",))], currency="JPY")
    told, _lines = found(database, below(dear + fee).replace(BIG, f"order.currency: GBP, {BIG}"))
    assert told == [Foreign("Dear", "GBP", ("EUR", "JPY"), 3), Foreign("Opened", "GBP", ("EUR", "JPY"), 2)]
    pounds = dear.replace("{item", "{order.currency: GBP, item")
    assert [each.rule for each in found(database, below(pounds))[0]] == ["Big returns"]


def test_a_fee_of_the_default_is_told_of_as_well(database: Database) -> None:
    add_order(database, currency="EUR")
    text = POLICY.replace("restocking_fee: 0%", "restocking_fee: 5 GBP").replace(BIG, f"order.currency: GBP, {BIG}")
    assert found(database, text) == ([Foreign("otherwise", "GBP", ("EUR",), 1)], 1)


def test_rules_are_named_in_their_order(database: Database) -> None:
    add_order(database, [Item(), Item(tags=("final-sale",))])
    told, _lines = found(database, below(HEAVY + GIFTS))
    assert told == [Untold("Heavy", "item.weight", 2), Untold("Gift cards", "item.type", 1)]
