"""Imported orders are paid with Stripe's test card: once each, outside the transaction, and never with a live key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.adapters.stripe_payments import StripePayments
from portal.db import Database
from portal.errors import ConfigError, UpstreamError
from portal.orders.payments import Paid
from tests.stages.orders.samples import DATA, bring_in, dump, everything, line, order, write_lines
from tests.stand_in_fixture import StandInHandle, running_stand_in


@pytest.fixture(scope="module")
def stand_in() -> Iterator[StandInHandle]:
    with running_stand_in() as handle:
        yield handle


@pytest.fixture
def maker(stand_in: StandInHandle) -> StripePayments:
    stand_in.reset()
    return StripePayments(stand_in.key, stand_in.url)


@pytest.mark.parametrize("key", ["", "sk_live_1234567890", "rk_live_1234567890", "pk_test_1", "test"])
def test_anything_but_a_test_key_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="needs a test key"):
        StripePayments(key, "https://api.stripe.com")


def test_each_new_order_is_paid_once_however_often_it_is_imported(
    any_database: Database, stand_in: StandInHandle, maker: StripePayments
) -> None:
    path = DATA / "retail" / "customers.csv"
    report = bring_in(any_database, path, maker=maker)
    assert report.paid == report.outcomes["created"] > 20
    paid = {each["id"]: each for each in (r for r in stand_in.client().v1.payment_intents.list({"limit": 100}).data)}
    for found in everything(any_database):
        (payment,) = found.payments
        assert payment.provider == "stripe"
        assert paid[payment.payment_intent].amount_received == found.total_minor == payment.captured_minor
        assert paid[payment.payment_intent].metadata.order == found.number
    before = dump(any_database)
    again = bring_in(any_database, path, maker=maker)
    assert (again.paid, set(again.outcomes)) == (0, {"unchanged"})
    assert dump(any_database) == before
    assert len(stand_in.requests("POST", "/v1/payment_intents")) == report.paid


def test_an_import_that_was_killed_after_paying_finds_the_same_payment(
    database: Database, stand_in: StandInHandle, maker: StripePayments, tmp_path: Path
) -> None:
    path = write_lines(tmp_path / "x.jsonl", order())

    class Killed(Exception):
        pass

    class KilledAfterwards:
        def pay(self, amount_minor: int, currency: str, order_number: str, *, key: str) -> Paid:
            maker.pay(amount_minor, currency, order_number, key=key)
            raise Killed

    with pytest.raises(Killed):
        bring_in(database, path, maker=KilledAfterwards())
    bring_in(database, path, maker=maker)
    assert len(stand_in.client().v1.payment_intents.list().data) == 1


@pytest.mark.parametrize(
    ("currency", "minor", "amount"), [("JPY", 9899, 9899), ("ISK", 5000, 500_000), ("KWD", 12_340, 12_340)]
)
def test_each_currency_is_paid_in_stripes_own_unit(
    database: Database,
    stand_in: StandInHandle,
    maker: StripePayments,
    tmp_path: Path,
    currency: str,
    minor: int,
    amount: int,
) -> None:
    rows = order(currency=currency, lines=[line() | {"quantity": 1, "unit_price": minor}], payments=[])
    bring_in(database, write_lines(tmp_path / "x.jsonl", rows), maker=maker)
    (intent,) = stand_in.client().v1.payment_intents.list().data
    assert (intent.amount, everything(database)[0].payments[0].captured_minor) == (amount, minor)


def test_an_order_that_cannot_be_paid_is_a_bad_row(database: Database, maker: StripePayments, tmp_path: Path) -> None:
    odd = order("1", currency="KWD", payments=[], lines=[line() | {"quantity": 1, "unit_price": 12_345}])
    small = order("2", payments=[], lines=[line() | {"quantity": 1, "unit_price": 5}])
    report = bring_in(database, write_lines(tmp_path / "x.jsonl", odd, small, order("3")), maker=maker)
    assert report.outcomes == {"created": 1}
    assert ["steps of" in report.bad[0].message, "at least" in report.bad[1].message] == [True, True]


def test_what_was_paid_otherwise_stays_and_a_known_payment_is_not_made_again(
    database: Database, stand_in: StandInHandle, maker: StripePayments, tmp_path: Path
) -> None:
    payments = [
        {"provider": "gift_card", "captured": 4000},
        {"captured": 6000},
        {"captured": 19_000, "payment_intent": "pi_known"},
    ]
    bring_in(database, write_lines(tmp_path / "x.jsonl", order(payments=payments)), maker=maker)
    found = everything(database)[0].payments
    assert [each.provider for each in found] == ["gift_card", "stripe", "stripe"]
    assert found[2].payment_intent == "pi_known"
    assert [each.amount for each in stand_in.client().v1.payment_intents.list().data] == [6000]


def test_a_dry_run_pays_nothing(
    database: Database, stand_in: StandInHandle, maker: StripePayments, tmp_path: Path
) -> None:
    bring_in(database, write_lines(tmp_path / "x.jsonl", order()), maker=maker, dry_run=True)
    assert stand_in.requests("POST") == []


def test_a_later_change_keeps_the_payment_that_stripe_took(
    database: Database, maker: StripePayments, tmp_path: Path
) -> None:
    bring_in(database, write_lines(tmp_path / "x.jsonl", order()), maker=maker)
    before = everything(database)[0].payments[0]
    bring_in(database, write_lines(tmp_path / "y.jsonl", order(email="new@example.com")), maker=maker)
    after = everything(database)[0].payments[0]
    assert (after.provider, after.payment_intent, after.method) == ("stripe", before.payment_intent, "Visa ending 4242")


def test_stripes_sentence_reaches_the_person_at_the_command_line(stand_in: StandInHandle) -> None:
    with pytest.raises(UpstreamError, match="Invalid currency"):
        StripePayments(stand_in.key, stand_in.url).pay(100, "XXX", "1", key="k1")
