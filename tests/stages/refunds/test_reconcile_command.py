"""``portal refunds reconcile``: what it prints and how it ends."""

from __future__ import annotations

from types import SimpleNamespace

from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo
from sqlalchemy import select

from portal.cli.refunds import refunds
from portal.orders.models import Order, Payment
from portal.refunds.report import last_report
from tests.stages.refunds.world import World


def run(world: World, *arguments: str) -> Result:
    app = Flask("portal")
    app.extensions["portal"] = SimpleNamespace(database=world.database, gateway=world.gateway)
    return CliRunner().invoke(refunds, ["reconcile", *arguments], obj=ScriptInfo(create_app=lambda: app))


def test_it_says_0_differences_or_which_and_ends_accordingly(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    world.pay(world.return_(order_id, 1000))
    world.work()
    done = run(world)
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "0 differences")
    assert "Compared 1 refunds on 1 Stripe payments, and 1 that Stripe lists" in done.stdout
    made = world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=700)
    done = run(world, "--days", "3")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (1, "1 difference")
    assert f"{world.intent(order_id)}: {made['id']} over £7.00 is at Stripe and not here. [unknown_here]" in done.stdout
    with world.database.read() as session:
        assert last_report(session) is None, "it only looks"


def test_a_payment_of_several_orders_is_a_note_and_no_difference(quick_world: World) -> None:
    world = quick_world
    shared = world.stripe.pay(9000).id
    for part in (5000, 4000):
        world.order_with([Payment(position=1, payment_intent=shared, captured_minor=part, currency="GBP")], part)
    with world.database.transaction() as tx:
        numbers = ", ".join(sorted(tx.session.scalars(select(Order.number))))
    done = run(world, "--keep")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "0 differences")
    note = f"Payment {shared} is shared by the orders {numbers}."
    assert f"Note: {note}" in done.stdout
    with world.database.read() as session:
        kept = last_report(session)
        assert kept is not None
        assert kept.notes == [note]


def test_after_a_restored_backup_it_takes_in_what_stripe_has_when_asked(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(5000)
    made = world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=700)
    done = run(world, "--take-in")
    assert done.exit_code == 0, done.stdout
    assert f"Taken in: imported {made['id']}" in done.stdout
    assert world.refundable(order_id) == [4300]


def test_a_report_is_kept_for_staff_when_asked(quick_world: World) -> None:
    assert run(quick_world, "--keep").exit_code == 0
    with quick_world.database.read() as session:
        assert last_report(session) is not None
