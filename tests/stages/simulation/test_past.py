"""A promise that no order of the past could have used is named, computed from what was sold."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from portal.cli.policy import policy as policy_command
from portal.db import Database
from portal.orders.models import Order
from portal.policy.analysis import analyse
from portal.policy.facts import CustomerFacts, Facts
from portal.policy.loader import load_policy
from portal.policybook.simulation import Sample
from portal.returns import facts as gather
from portal.returns import past
from portal.returns.past import sold_facts
from portal.returns.simulation import simulate
from tests.blank import lay_tables
from tests.stages.simulation.test_simulation import RULES, fill, published, text_of

SINCE = date(2026, 10, 5)
NEVER_SOLD = [
    "- {rule: Furniture, when: {item.tags: {has: furniture}}, set: {ship_with: [own]}}",
    "- {rule: Spain, when: {order.country: ES, reason: faulty}, set: {ship_by: 30 days}}",
    "- {rule: Fortune, when: {item.price: {over: 900 GBP}, order.currency: GBP}, set: {evidence: photo}}",
    "- {rule: Spring, when: {order.placed: {to: 2026-10-04}}, set: {credit_bonus: 2%}}",
]
COULD_BE = [
    # Some parcels of the book have not come yet.
    "- {rule: Next year, when: {order.last_delivered: {from: 2027-01-01}}, set: {credit_bonus: 3%}}",
    "- {rule: Tomorrow, when: {today: {from: 2030-01-01}}, set: {credit_bonus: 4%}}",
    "- {rule: Third return, when: {order.returns_so_far: {over: 2}}, set: {review: always}}",
    "- {rule: Good friend, when: {customer.orders: {over: 900}}, set: {review: never}}",
    "- {rule: Photos, when: {evidence: {over: 8}}, set: {review: never}}",
    "- {rule: Worn, when: {answer.worn: often}, set: {restocking_fee: 50%}}",
    "- {rule: Few, when: {return.items: {under: 1}}, set: {review: never}}",
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('past') / 'portal.sqlite3'}")
    lay_tables(database)
    fill(database, orders=40)
    yield database
    database.dispose()


def one_by_one(database: Database) -> list[Facts]:
    """The same facts the slow way: an object for every line."""
    start = datetime.combine(SINCE, time(0), tzinfo=load_policy(text_of([])).zone).astimezone(UTC)
    with database.read() as session:
        query = select(Order).options(selectinload(Order.lines)).where(Order.placed_at >= start)
        return [
            Facts(
                order=gather.order_facts(order, gather.Earlier()),
                customer=CustomerFacts(tags=gather.texts(order.customer_tags), email=order.email_key),
                item=gather.item_facts(order, line),
                evidence=None,
                is_consumer=gather.is_consumer(order),
            )
            for order in session.scalars(query)
            for line in order.lines
        ]


def named(text: str, found: list[tuple[Facts, int]]) -> list[str]:
    return [
        each.message.split("`")[1] for each in analyse(load_policy(text), past=found) if "of the past" in each.message
    ]


@pytest.mark.parametrize("batch", [7, past.BATCH])
def test_what_nothing_sold_could_meet_is_named_and_nothing_else(
    shop: Database, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(past, "BATCH", batch)
    text = text_of([*RULES, *NEVER_SOLD, *COULD_BE])
    found = sold_facts(shop, load_policy(text), SINCE)
    slow = one_by_one(shop)
    assert sum(times for _, times in found) == len(slow) > 40
    assert named(text, found) == ["Furniture", "Spain", "Fortune", "Spring"]
    policy = load_policy(text)
    for rule in policy.rules:
        fast = sum(times for facts, times in found if rule.holds(facts) is False)
        assert fast == sum(rule.holds(facts) is False for facts in slow if _open(rule.name, facts)), rule.name


def _open(name: str, facts: Facts) -> bool:
    """The slow facts say that no return was made yet, which the fast ones leave open."""
    return name != "Third return"


def test_the_simulation_names_the_same_rules_whatever_day_it_asks_about(shop: Database) -> None:
    text = text_of([*RULES, *NEVER_SOLD, *COULD_BE])
    number = published(shop, text_of([]))
    found = [
        simulate(
            shop, text, against=number, sample=Sample(SINCE, asked_after=day), processes=processes, batch=batch
        ).unused
        for day, processes, batch in ((0, 1, 25_000), (30, 1, 7), (400, 2, 50))
    ]
    assert found == [("Furniture", "Spain", "Fortune", "Spring")] * 3
    assert simulate(shop, text, against=number, sample=Sample(date(2029, 1, 1))).unused == ()


def test_a_shop_that_has_sold_nothing_is_told_nothing(shop: Database) -> None:
    text = text_of(NEVER_SOLD)
    assert sold_facts(shop, load_policy(text), date(2100, 1, 1)) == []
    assert named(text, []) == []


def test_the_command_tries_the_rules_on_the_book(
    shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("portal.cli.policy"), "ports", lambda: SimpleNamespace(database=shop))
    file = tmp_path / "draft.yaml"
    file.write_text(text_of([NEVER_SOLD[0], RULES[4]]), encoding="utf-8")
    said = CliRunner().invoke(policy_command, ["check", str(file), "--since", "2026-10-05"], catch_exceptions=False)
    lines = len(one_by_one(shop))
    assert said.exit_code == 0
    assert "warning: `Furniture` holds for no order of the past" in said.output
    assert f"= help: tried on {lines} sold lines; check its words against those of your goods" in said.output
    assert "2 rules, 1 warning" in said.output
    assert "of the past" not in CliRunner().invoke(policy_command, ["check", str(file)]).output
