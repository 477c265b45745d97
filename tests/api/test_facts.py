"""Every fact of the language is really there: an order that carries it, a rule that asks for it, a decision that heard it.

One policy has a rule for each fact and one for its opposite. The first rule that sets a term wins and the others that hold are
listed with it, so a single decision names every rule that held.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from portal import clock
from portal.db import Actor
from portal.flow import Ports
from portal.policy.conditions import FACTS
from portal.policybook import service as policybook
from portal.returns.queries import moment
from tests.api.client import Api, wish

NOW = clock.now().replace(microsecond=0)
PLACED, SHIPPED, DELIVERED, ASKED = (NOW + timedelta(hours=1, days=days) for days in (0, 1, 3, 8))
CUSTOMER = {"id": "C-77", "name": "Ada Example", "tags": ["vip"]}


def day(when: datetime) -> str:
    return when.date().isoformat()


WHEN = {
    "order.placed": day(PLACED),
    "order.shipped": day(SHIPPED),
    "order.delivered": day(DELIVERED),
    "order.last_delivered": day(DELIVERED),
    "days_since.placed": "8",
    "days_since.shipped": "7",
    "days_since.delivered": "5",
    "today": day(ASKED),
    "order.country": "IE",
    "order.currency": "EUR",
    "order.number": "FACTS-1",
    "order.region": "Leinster",
    "order.channel": "pop-up",
    "order.payment_method": "klarna",
    "order.fulfilment": "fulfilled",
    "order.tags": "wholesale",
    "order.discount_codes": "AUTUMN10",
    "order.total": "95.50 EUR",
    "order.discount_percent": "10%",
    "order.returns_so_far": "1",
    "order.is_gift": "true",
    "order.is_business": "false",
    "customer.email": "ada@example.com",
    "customer.tags": "vip",
    "customer.orders": "4",
    "customer.returns": "3",
    "customer.kept_items": "1",
    "customer.failed_inspections": "1",
    # Three units in returns that stand, of 1 + 1 + 1 + 5 bought; the rejected one does not count.
    "customer.return_rate": "37.5%",
    "customer.refunded_90_days": "21 EUR",
    "customer.credit_received": "12 EUR",
    "customer.is_consumer": "true",
    "item.sku": "LAMP-1",
    "item.product": "lamp",
    "item.vendor": "Acme",
    "item.type": "Light",
    "item.category": "decor",
    "item.tags": "fragile",
    "item.price": "20 EUR",
    "item.paid": "18 EUR",
    "item.discounted": "true",
    "item.hazardous": "true",
    "item.is_exchange": "false",
    "item.quantity": "5",
    "item.weight": "750 g",
    "line.value": "36 EUR",
    "line.quantity": "2",
    "return.value": "36 EUR",
    "return.items": "2",
    "return.is_full": "false",
    "reason": "faulty",
    "evidence": "2",
    "resolution": "store_credit",
    "method": "shop",
    "answer.worn": '"no"',
}

OTHERWISE = """\
otherwise:
  returnable: true
  window: {days: 30, from: delivered}
  resolutions: [refund, exchange, store_credit]
  review: never
  evidence: none
  ship_with: [label, shop]
  return_shipping: {paid_by: merchant}
  restocking_fee: 0%
  outbound_shipping: never
  credit_bonus: 0%
  keep_item: false
  refund_when: received
  ship_by: 14 days
"""


def policy() -> str:
    rules = [f"- {{rule: {name}, when: {{{name}: {value}}}, set: {{message: {name}}}}}" for name, value in WHEN.items()]
    rules += [
        f"- {{rule: not {name}, when: {{not: {{{name}: {value}}}}}, set: {{message: x}}}}"
        for name, value in WHEN.items()
    ]
    rules += [
        "- {rule: Kept, when: {item.tags: {has: kept}}, set: {keep_item: true}}",
        "- {rule: Paid later, when: {order.payment_method: klarna}, set: {ship_by: 7 days}}",
        "- {rule: On a label, when: {method: label, not: {item.tags: kept}}, set: {destination: Depot 4}}",
    ]
    listed = "\n".join(f"  {rule}" for rule in rules)
    return f"schema: 1\nname: Facts\ntimezone: UTC\nrules:\n{listed}\n{OTHERWISE}"


@pytest.fixture(scope="module", autouse=True)
def published(ports: Ports) -> None:
    with ports.database.transaction(Actor("staff", "Test")) as tx:
        policybook.publish(tx, policy(), filename="facts.yaml", author="Test", note="every fact")


def line(price: int, **more: Any) -> dict[str, Any]:
    common = {"id": "1", "sku": "CUP", "name": "Cup", "quantity": 1, "discount": 0, "tax": 0, "tags": []}
    return common | {"unit_price": price, "delivered_at": moment(DELIVERED)} | more


def order(api: Api, number: str, *lines: dict[str, Any], **more: Any) -> str:
    total = sum(each["unit_price"] * each["quantity"] for each in lines)
    paid = {"provider": "stripe", "payment_intent": f"pi_{number}", "captured": total}
    common = {"currency": "EUR", "customer": CUSTOMER, "placed_at": moment(PLACED), "payments": [paid]}
    common |= {"shipping": {"amount": 0, "tax": 0}, "payment_method": "card"}
    return api.new_order(**{"number": number, "lines": list(lines), **common, **more})


def held(answer: dict[str, Any]) -> list[str]:
    """The rules that held, in their order."""
    message = answer["terms"]["message"]
    return [message["set_by"], *(each["rule"] for each in message["instead_of"])]


@pytest.fixture(scope="module")
def number(api: Api) -> str:
    """An order that carries every fact, of a buyer who has been here before."""
    api.book(order(api, "FACTS-A", line(2100, tags=["kept"])))
    credited = api.book(order(api, "FACTS-B", line(1200)), wish(resolution="store_credit"))
    counted = [{"line": "1", "quantity": 1, "condition": "as_new"}]
    assert api.post(f"/returns/{credited['rma']}/receive", {"lines": counted}).status_code == 200
    broken = api.book(order(api, "FACTS-C", line(900)))
    counted = [{"line": "1", "quantity": 1, "condition": "damaged"}]
    assert api.post(f"/returns/{broken['rma']}/receive", {"lines": counted}).status_code == 200
    assert api.post(f"/returns/{broken['rma']}/refuse", {"note": "Broken on purpose"}).status_code == 200

    lamp = line(
        2000, sku="LAMP-1", product="lamp", vendor="Acme", type="Light", category="decor", tags=["fragile"], quantity=5,
        discount=1000, weight_g=750, hazardous=True, shipped_at=moment(SHIPPED),
    )  # fmt: skip
    address = {"name": "Ada Example", "lines": ["1 Quay"], "city": "Dublin", "region": "Leinster", "country": "IE"}
    made = order(
        api, "FACTS-1", lamp, ship_to=address, channel="pop-up", tags=["wholesale"], is_gift=True, is_business=False,
        discount_codes=["AUTUMN10"], payment_method="klarna", fulfilment="fulfilled", shipping={"amount": 550, "tax": 0},
        payments=[{"provider": "stripe", "payment_intent": "pi_FACTS", "captured": 9550}],
    )  # fmt: skip
    api.book(made)
    return made


def test_one_decision_hears_every_fact_of_the_language(api: Api, number: str) -> None:
    asked = wish(quantity=2, reason="faulty", resolution="store_credit", photos=2, answers={"worn": "no"})
    body = {"order": number, "lines": [asked], "at": moment(ASKED), "ship_with": "shop"}
    answered = api.post("/decisions", body)
    assert answered.status_code == 200, answered.text
    (found,) = answered.json["lines"]
    assert held(found) == list(WHEN)


def test_the_walk_is_over_the_whole_language() -> None:
    assert set(WHEN) == {*FACTS, "answer.worn"}


def test_what_an_exchange_has_sent_is_known_as_such(api: Api) -> None:
    article = {"product": "lamp", "name": "Lamp", "price": 2000, "currency": "EUR", "stock": 3}
    assert api.call("PUT", "/variants/LAMP-2", article).status_code in (200, 201)
    bought = order(api, "FACTS-X", line(2000, sku="LAMP-1", product="lamp"))
    sent = api.book(bought, wish(resolution="exchange", exchange_sku="LAMP-2"))
    counted = [{"line": "1", "quantity": 1, "condition": "as_new"}]
    assert api.post(f"/returns/{sent['rma']}/receive", {"lines": counted}).status_code == 200
    body = {"order": f"{bought}-X1", "lines": [wish()], "at": moment(ASKED)}
    (found,) = api.post("/decisions", body).json["lines"]
    assert "not item.is_exchange" in held(found)
    assert found["answer"] == "review"  # nobody has said when the replacement arrived


def test_what_nobody_has_told_is_a_question_and_no_guess(api: Api) -> None:
    bare = order(api, "FACTS-BARE", line(500), payment_method=None)
    (found,) = api.post("/decisions", {"order": bare, "lines": [wish()], "ship_with": "shop"}).json["lines"]
    assert {"order.payment_method", "not order.payment_method"}.isdisjoint(held(found))
    assert found["answer"] == "review"
    assert [(each["rule"], each["code"], each["params"]["fact"]) for each in found["causes"]] == [
        ("Paid later", "unknown_fact", "order.payment_method")
    ]


def test_a_rule_on_the_way_to_send_it_hears_the_way_that_a_return_takes_when_nobody_chose(api: Api) -> None:
    bought = order(api, "FACTS-WAY", line(500))
    (undecided,) = api.post("/decisions", {"order": bought, "lines": [wish()]}).json["lines"]
    assert [(each["rule"], each["params"]["fact"]) for each in undecided["causes"]] == [("On a label", "method")]
    made = api.book(bought)
    assert (made["status"], made["ship_with"]) == ("authorized", "label")
    (taken,) = made["lines"]
    assert taken["terms"]["destination"]["value"] == "Depot 4"
