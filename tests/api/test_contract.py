"""Every call and every shape of the contract, once along the river."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from portal import clock
from portal.refunds.models import Refund
from portal.returns.models import Return
from portal.returns.queries import moment
from portal.timeline import TimelineEntry
from tests.api.client import Api, order, problem, wish

MONEY = {"amount", "currency"}


def test_an_order_is_created_then_updated_and_answers_with_its_own_shape_plus_what_is_left(api: Api) -> None:
    sent = order()
    created = api.post("/orders", sent)
    assert created.status_code == 201
    again = api.post("/orders", sent)
    assert again.status_code == 200
    assert again.json == created.json
    updated = api.post("/orders", sent | {"email": "ada.b@example.com"})
    assert (updated.status_code, updated.json["email"]) == (200, "ada.b@example.com")

    found = api.get(f"/orders/{sent['number']}")
    assert found.status_code == 200
    assert found.json == updated.json
    for name in ("number", "placed_at", "currency", "customer", "locale", "channel", "discount", "shipping"):
        assert found.json[name] == sent[name], name
    assert found.json["ship_to"].items() >= sent["ship_to"].items()
    for line, asked in zip(found.json["lines"], sent["lines"], strict=True):
        assert line.items() >= asked.items()
    assert [line["returnable"] for line in found.json["lines"]] == [2, 1, 1]
    assert found.json["payments"][0].items() >= sent["payments"][0].items()


@pytest.mark.parametrize("typed", ["{}", "%20%23{}", "{lower}"])
def test_an_order_is_found_as_people_write_its_number(api: Api, typed: str) -> None:
    number = api.new_order()
    assert api.get("/orders/" + typed.format(number, lower=number.lower())).json["number"] == number


def test_the_contracts_own_example_is_an_order(api: Api) -> None:
    sent = {
        "number": "536365", "placed_at": "2026-10-01T08:26:00Z", "email": "customer@example.com", "currency": "GBP",
        "customer": {"id": "17850", "name": "Ada Example", "tags": []}, "locale": "en-GB", "channel": "web",
        "ship_to": {"name": "Ada Example", "lines": ["1 High Street"], "city": "Leeds", "postcode": "LS1 1AA", "country": "GB"},
        "lines": [{"id": "1", "sku": "85123A", "name": "White hanging heart", "quantity": 6, "unit_price": 255, "discount": 0,
                   "tax": 255, "tax_included": True, "tags": [], "category": "decor", "delivered_at": "2026-10-03T10:00:00Z"}],
        "discount": 0, "shipping": {"amount": 450, "tax": 75},
        "payments": [{"provider": "stripe", "payment_intent": "pi_536365", "captured": 1980}],
    }  # fmt: skip
    answer = api.post("/orders", sent)
    assert (answer.status_code, answer.json["total"], answer.json["lines"][0]["returnable"]) == (201, 1980, 6)


def test_a_decision_has_answer_causes_terms_with_provenance_and_quote_and_changes_nothing(api: Api) -> None:
    number = api.new_order()
    before = api.get(f"/orders/{number}").json
    body = {"order": number, "lines": [wish("1", 2), wish("3")]}
    answer = api.post("/decisions", body)
    assert answer.status_code == 200
    jumper, socks = answer.json["lines"]
    assert (jumper["line"], jumper["answer"], jumper["causes"]) == ("1", "accept", [])
    assert (socks["line"], socks["answer"]) == ("3", "refuse")
    assert [(cause["code"], cause["rule"]) for cause in socks["causes"]] == [("not_returnable", "Socks and underwear")]
    assert "hygiene" in socks["causes"][0]["message"]
    for line in (jumper, socks):
        for term in line["terms"].values():
            assert {"value", "set_by", "instead_of"} <= term.keys()
        assert line["quote"]["total"].keys() == MONEY
        assert {"kind", "amount"} <= line["quote"]["parts"][0].keys()
        assert sum(part["amount"] for part in line["quote"]["parts"]) == line["quote"]["total"]["amount"]
    assert socks["terms"]["returnable"]["set_by"] == "Socks and underwear"
    assert socks["terms"]["returnable"]["instead_of"] == [{"rule": "otherwise", "value": True}]
    assert jumper["quote"]["total"] == {"amount": 4000, "currency": "GBP"}
    whole = answer.json["quote"]
    assert sum(part["amount"] for part in whole["parts"]) == whole["total"]["amount"]
    assert api.get(f"/orders/{number}").json == before
    assert api.get("/returns", query_string={"order": number}).json == {"returns": [], "next": None}


def test_a_decision_may_be_asked_as_of_another_day(api: Api) -> None:
    number = api.new_order()
    body = {"order": number, "lines": [wish()], "at": moment(clock.now() + timedelta(days=40))}
    line = api.post("/decisions", body).json["lines"][0]
    assert (line["answer"], line["causes"][0]["code"]) == ("refuse", "window_closed")


def test_a_return_takes_the_body_of_a_decision_and_answers_rma_status_quote_and_label(api: Api) -> None:
    number = api.new_order()
    body = {"order": number, "lines": [wish()], "at": moment(clock.now())}
    quoted = api.post("/decisions", body).json["quote"]
    answer = api.post(
        "/returns", body | {"email": "Ada@Example.com", "note": "The gate code is 4", "ship_with": "label"}
    )
    assert answer.status_code == 201
    made = answer.json
    assert made["rma"].startswith("R-")
    assert (made["status"], made["email"], made["note"]) == ("authorized", "Ada@Example.com", "The gate code is 4")
    assert made["quote"] == quoted
    assert made["label_url"] == f"/api/v1/returns/{made['rma']}/label.pdf"
    assert api.get(f"/returns/{made['rma']}").json == made
    assert api.get(f"/orders/{number}").json["lines"][0]["returnable"] == 1
    for path in (made["label_url"], f"/api/v1/returns/{made['rma']}/packing-slip.pdf"):
        paper = api.get(path)
        assert (paper.status_code, paper.content_type, paper.data[:5]) == (200, "application/pdf", b"%PDF-")


def test_mails_of_a_return_go_to_nobody_but_the_address_of_its_order(api: Api) -> None:
    number = api.new_order()
    body = {"order": number, "lines": [wish()]}
    found = problem(api.post("/returns", body | {"email": "bob@example.com"}), 422)
    assert [each["pointer"] for each in found["errors"]] == ["/email"]
    assert "leave it out" in found["errors"][0]["detail"]
    assert api.get("/returns", query_string={"order": number}).json["returns"] == []
    bare = api.new_order(email="")
    made = api.post("/returns", {"order": bare, "lines": [wish()], "email": "bob@example.com"})
    assert (made.status_code, made.json["email"]) == (201, "bob@example.com")


def test_a_return_decided_as_of_the_day_it_was_asked_for_is_not_late(api: Api) -> None:
    old = order(placed_at=moment(clock.now() - timedelta(days=60)))
    for line in old["lines"]:
        line["delivered_at"] = moment(clock.now() - timedelta(days=50))
    number = api.new_order(**old)
    body = {"order": number, "lines": [wish()]}
    refused = problem(api.post("/returns", body), 422)
    assert refused["decision"]["lines"][0]["causes"][0]["code"] == "window_closed"
    for never in (timedelta(days=-4000), timedelta(minutes=5)):
        refused = api.post("/returns", body | {"at": moment(clock.now() + never)})
        assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/at")
    assert api.post("/returns", body | {"at": moment(clock.now() - timedelta(days=40))}).status_code == 201


def test_a_line_that_the_policy_refuses_is_422_with_the_decision_and_books_nothing(api: Api) -> None:
    number = api.new_order()
    found = problem(api.post("/returns", {"order": number, "lines": [wish(), wish("3")]}), 422)
    assert found["code"] == "refused"
    assert [each["pointer"] for each in found["errors"]] == ["/lines/1"]
    assert [line["answer"] for line in found["decision"]["lines"]] == ["accept", "refuse"]
    assert api.get("/returns", query_string={"order": number}).json["returns"] == []


def test_authorize_refuse_and_cancel_need_no_body_and_no_content_type(api: Api) -> None:
    waiting = [api.book("", wish("1", 1, reason="faulty"))["rma"] for _ in range(3)]
    for rma, action, status in zip(
        waiting, ("authorize", "refuse", "cancel"), ("authorized", "rejected", "canceled"), strict=True
    ):
        assert api.get(f"/returns/{rma}").json["status"] == "under_review"
        answer = api.post(f"/returns/{rma}/{action}")
        assert (answer.status_code, answer.json["status"]) == (200, status)
        assert answer.json == api.get(f"/returns/{rma}").json


@pytest.mark.parametrize("action", ["authorize", "refuse", "cancel", "receive", "inspect"])
def test_the_note_of_every_action_stands_on_the_timeline(api: Api, action: str) -> None:
    rma = api.book("", wish("1", 1, reason="faulty" if action in ("authorize", "refuse") else "changed-mind"))["rma"]
    if action == "inspect":
        assert api.post(f"/returns/{rma}/receive").status_code == 200
    assert api.post(f"/returns/{rma}/{action}", {"note": f"said at {action}"}).status_code == 200
    with api.ports.database.read() as session:
        said = session.scalars(
            select(TimelineEntry.why).join(Return, Return.id == TimelineEntry.return_id).where(Return.rma == rma)
        )
        assert f"said at {action}" in list(said)


def test_receiving_with_conditions_is_enough_when_the_policy_pays_on_receipt(api: Api) -> None:
    made = api.book()
    rma = made["rma"]
    counted = {
        "lines": [{"line": "1", "quantity": 1, "condition": "as_new", "disposition": "restock"}],
        "note": "Bay 4",
    }
    answer = api.post(f"/returns/{rma}/receive", counted)
    assert (answer.status_code, answer.json["status"]) == (200, "received")
    money = api.get(f"/returns/{rma}/refunds").json
    assert money.keys() == {"refunds", "next"}
    refund = money["refunds"][0]
    assert refund["amount"] == made["quote"]["total"]
    assert refund["status"] == "planned"
    assert refund["payment_intent"].startswith("pi_API-")
    assert (refund["stripe_refund_id"], refund["failure_reason"], refund["return"]) == (None, None, rma)
    assert (refund["provider"], refund["method"], refund["way"], refund["hold"]) == ("stripe", None, "refund", None)
    with api.ports.database.transaction() as tx:
        tx.session.execute(
            update(Refund).where(Refund.public_id == refund["id"]).values(held_at=tx.at, held_for="second_person")
        )
    assert api.get("/refunds", query_string={"order": made["order"]}).json["refunds"][0]["hold"] == "second_person"
    assert api.get(f"/returns/{rma}").json["lines"][0]["condition"] == "as_new"


def test_goods_that_are_not_as_agreed_wait_and_inspect_or_authorize_follows(api: Api) -> None:
    rma = api.book()["rma"]
    used = {"lines": [{"line": "1", "quantity": 1, "condition": "damaged"}]}
    assert api.post(f"/returns/{rma}/receive", used).json["status"] == "received"
    assert api.get(f"/returns/{rma}/refunds").json["refunds"] == []
    looked = {"lines": [{"line": "1", "quantity": 1, "condition": "as_new"}], "note": "Only the box"}
    answer = api.post(f"/returns/{rma}/inspect", looked)
    assert (answer.status_code, answer.json["status"]) == (200, "inspected")
    assert len(api.get(f"/returns/{rma}/refunds").json["refunds"]) == 1


@pytest.mark.parametrize(
    ("condition", "status"), [(name, 200) for name in ("as_new", "opened", "used", "damaged", "wrong_item", "missing")]
)
def test_every_condition_of_the_contract_can_be_received(api: Api, condition: str, status: int) -> None:
    rma = api.book()["rma"]
    answer = api.post(f"/returns/{rma}/receive", {"lines": [{"line": "1", "quantity": 1, "condition": condition}]})
    assert answer.status_code == status, answer.text
    assert answer.json["lines"][0]["condition"] == condition


ILLEGAL = [
    (("receive",), "receive", "received"),
    (("receive",), "cancel", "received"),
    ((), "inspect", "authorized"),
    (("cancel",), "authorize", "canceled"),
    (("cancel",), "receive", "canceled"),
]


@pytest.mark.parametrize(("before", "action", "state"), ILLEGAL)
def test_an_illegal_transition_is_409_with_the_state_it_found(
    api: Api, before: tuple[str, ...], action: str, state: str
) -> None:
    rma = api.book()["rma"]
    for step in before:
        assert api.post(f"/returns/{rma}/{step}").status_code == 200
    found = problem(api.post(f"/returns/{rma}/{action}"), 409)
    assert found["state"] == state
    assert api.get(f"/returns/{rma}").json["status"] == state


@pytest.mark.parametrize("action", ["authorize", "refuse", "cancel", "receive", "inspect"])
@pytest.mark.parametrize("expected", ["in_transit", 99])
def test_an_action_on_a_stale_state_is_409_and_changes_nothing(api: Api, action: str, expected: object) -> None:
    made = api.book("", wish("1", 1, reason="faulty" if action in ("authorize", "refuse") else "changed-mind"))
    if action == "inspect":
        api.post(f"/returns/{made['rma']}/receive")
    now = api.get(f"/returns/{made['rma']}").json
    found = problem(api.post(f"/returns/{made['rma']}/{action}", {"expected": expected}), 409)
    assert found["state"] == now["status"]
    assert api.get(f"/returns/{made['rma']}").json == now
    assert api.post(f"/returns/{made['rma']}/{action}", {"expected": now["version"]}).status_code == 200


UNKNOWN = [
    ("GET", "/orders/NOWHERE"),
    ("GET", "/orders/%00"),
    ("GET", "/returns/R-0000000"),
    ("GET", "/returns/nonsense"),
    ("GET", "/returns/R-0000000/refunds"),
    ("GET", "/returns/R-0000000/label.pdf"),
    ("GET", "/returns/R-0000000/packing-slip.pdf"),
    ("GET", "/returns/R-0000000/credit-note-correction-1.pdf"),
    ("POST", "/returns/R-0000000/authorize"),
    ("POST", "/returns/R-0000000/refuse"),
    ("POST", "/returns/R-0000000/cancel"),
    ("POST", "/returns/R-0000000/receive"),
    ("POST", "/returns/R-0000000/inspect"),
    ("GET", "/variants/NOWHERE"),
    ("GET", "/nowhere"),
    ("GET", "/api/v2/orders"),
    ("GET", "/api/"),
    ("GET", "/api"),
    ("GET", "//orders"),
]


@pytest.mark.parametrize(("method", "path"), UNKNOWN)
def test_what_does_not_exist_is_404(api: Api, method: str, path: str) -> None:
    problem(api.call(method, path), 404)


@pytest.mark.parametrize("path", ["/decisions", "/returns"])
def test_an_unknown_order_is_404(api: Api, path: str) -> None:
    problem(api.post(path, {"order": "NOWHERE", "lines": [wish()]}), 404)


def test_the_label_of_a_return_without_one_is_404(api: Api) -> None:
    made = api.book("", wish(), ship_with="shop")
    assert made["label_url"] is None
    problem(api.get(f"/returns/{made['rma']}/label.pdf"), 404)


def test_a_sku_that_no_article_can_have_is_refused_and_changes_no_other(api: Api) -> None:
    body = {"product": "p", "name": "Jumper", "label": "L", "price": 2000, "currency": "GBP", "stock": 3}
    assert api.call("PUT", f"/variants/{'S' * 100}", body).status_code == 200
    problem(api.call("PUT", f"/variants/{'S' * 100}-RED", body | {"price": 1}), 422)
    assert api.get(f"/variants/{'S' * 100}").json["price"]["amount"] == 2000


def test_a_variant_is_put_and_read_and_an_exchange_reserves_it(api: Api) -> None:
    body = {"product": "p", "name": "Jumper", "label": "L", "price": 2000, "currency": "GBP", "stock": 3}
    assert api.call("PUT", "/variants/JUMPER-L", body).status_code == 200
    lines = order()["lines"]
    lines[0]["product"] = "p"
    made = api.book(api.new_order(lines=lines), wish("1", 1, resolution="exchange", exchange_sku="JUMPER-L"))
    found = api.get("/variants/JUMPER-L").json
    assert (found["price"], found["stock"], found["available"]) == ({"amount": 2000, "currency": "GBP"}, 3, 2)
    assert made["quote"]["total"]["amount"] == 0
    api.post(f"/returns/{made['rma']}/receive")
    assert api.get("/orders", query_string={"replacements": "true"}).status_code == 200
