"""What a call may ask of the database: a fixed number of statements, however much there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import event, select

from portal import clock, flow
from portal.flow import Ports
from portal.refunds import submit
from portal.refunds.gateway import Gateway, RefundRequest, RefundView
from portal.refunds.models import Refund
from tests.api.client import Api, order, wish
from tests.api.conftest import NoGateway


@contextmanager
def counted(ports: Ports) -> Iterator[list[str]]:
    """The statements that run inside, without the beginnings of transactions."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(ports.database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(ports.database.engine, "before_cursor_execute", note)


def many_lines(count: int) -> dict[str, Any]:
    """An order of ``count`` lines."""
    line = order()["lines"][0]
    return order(lines=[line | {"id": str(number), "quantity": 1} for number in range(1, count + 1)], payments=[])


def test_one_order_and_one_return_cost_three_queries_and_the_tokens(api: Api, ports: Ports) -> None:
    for size in (1, 40):
        number = api.new_order(**many_lines(size))
        rma = api.book(number, *(wish(str(line)) for line in range(1, size + 1)))["rma"]
        for path in (f"/orders/{number}", f"/returns/{rma}"):
            with counted(ports) as seen:
                assert api.get(path).status_code == 200
            assert len(seen) <= 4, (path, seen)


def test_a_decision_costs_the_same_for_one_line_and_for_forty(api: Api, ports: Ports) -> None:
    costs = []
    for size in (1, 40):
        body = {"order": api.new_order(**many_lines(size)), "lines": [wish(str(line)) for line in range(1, size + 1)]}
        with counted(ports) as seen:
            assert api.post("/decisions", body).status_code == 200
        assert not any(statement.startswith(("INSERT", "UPDATE", "DELETE")) for statement in seen)
        costs.append(len(seen))
    assert costs[0] == costs[1] <= 8


def test_a_list_costs_the_same_whatever_it_shows(api: Api, ports: Ports) -> None:
    number = api.new_order(**many_lines(12))
    for line in range(1, 13):
        rma = api.book(number, wish(str(line)))["rma"]
        api.post(f"/returns/{rma}/receive")
    for path in ("/returns", "/refunds", "/orders"):
        costs = []
        for limit in (1, 12):
            with counted(ports) as seen:
                assert api.get(path, query_string={"limit": limit}).status_code == 200
            costs.append(len(seen))
        assert costs[0] == costs[1] <= 5, (path, costs)


def paid_lines(count: int) -> dict[str, Any]:
    """An order of ``count`` cheap lines, paid by card, so that its return needs nobody and its money goes at once."""
    made = many_lines(count)
    for line in made["lines"]:
        line["unit_price"] = 100
    made["payments"] = [{"provider": "stripe", "payment_intent": f"pi_{made['number']}", "captured": 100 * count + 450}]
    return made


def test_booking_and_receiving_cost_the_same_for_one_line_and_for_forty(api: Api, ports: Ports) -> None:
    costs = []
    for size in (1, 40, 1):
        number = api.new_order(**paid_lines(size))
        with counted(ports) as booking:
            rma = api.book(number, *(wish(str(line)) for line in range(1, size + 1)))["rma"]
        counts = [{"line": str(line), "quantity": 1, "condition": "as_new"} for line in range(1, size + 1)]
        with counted(ports) as receiving:
            answer = api.post(f"/returns/{rma}/receive", {"lines": counts})
        assert answer.status_code == 200, answer.text
        assert any("INTO refund" in statement for statement in receiving)
        # SQLite gives new rows their ids one by one, so the lines of a return are written one by one, and nothing else is.
        lines = sum(statement.startswith("INSERT INTO return_line") for statement in booking)
        assert lines == size
        costs.append((len(booking) - lines, len(receiving)))
    assert costs[0] == costs[1] == costs[2]
    assert costs[0] <= (15, 30)


class _AtOnce(NoGateway):
    """Stripe on a good day."""

    def create_refund(self, request: RefundRequest) -> RefundView:
        return RefundView(
            f"re_{request.idempotency_key}", "succeeded", request.amount_minor, request.currency, request.payment_intent,
            clock.now(), request.metadata,
        )  # fmt: skip


def test_sending_a_refund_costs_the_same_for_one_line_and_for_forty(api: Api, ports: Ports) -> None:
    costs = []
    # The very first one also makes the row of the gate.
    for size in (1, 40, 1):
        number = api.new_order(**paid_lines(size))
        rma = api.book(number, *(wish(str(line)) for line in range(1, size + 1)))["rma"]
        assert api.post(f"/returns/{rma}/receive").status_code == 200
        with ports.database.read() as session:
            refund = session.scalars(select(Refund.id).order_by(Refund.id.desc())).first()
        assert refund is not None
        with counted(ports) as sending:
            submit.submit(ports.database, cast(Gateway, _AtOnce()), refund, flow.limits(ports.shop))
        assert api.get(f"/returns/{rma}").get_json()["status"] == "closed"
        costs.append(len(sending))
    assert costs[1] == costs[2] <= 24
