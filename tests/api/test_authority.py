"""What a token may decide: what its owner may on the pages, and without an owner what the role `owner` may."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from portal import bootstrap, clock
from portal.api import tokens
from portal.flow import Ports
from portal.returns.queries import moment
from portal.staff import service as people
from tests.api.client import Api, order, problem, wish

PEOPLE = {
    "owner": "oda@shop.example",
    "agent": "ana@shop.example",
    "lead": "lee@shop.example",
    "warehouse": "wes@shop.example",
    "merchant": "mo@shop.example",
}


@pytest.fixture(scope="module")
def shop(ports: Ports) -> Api:
    """An agent gives at most 15.00, an owner at most 50.00, a lead any amount."""
    limits = {"agent": {"GBP": Decimal(15)}, "owner": {"GBP": Decimal(50)}}
    rules = ports.shop.refunds.model_copy(update={"limits": limits})
    limited = replace(ports, shop=ports.shop.model_copy(update={"refunds": rules}))
    with ports.database.transaction() as tx:
        for role, email in PEOPLE.items():
            people.put_user(tx, email=email, role=role, name="", password="correct horse battery")
    return Api(bootstrap.create_app(ports=limited), limited)


def token_of(shop: Api, role: str) -> str:
    with shop.ports.database.transaction() as tx:
        return tokens.create(tx, name=f"token of {role}", scopes=["returns:write"], owner=PEOPLE.get(role, ""))


def waiting(shop: Api, quantity: int = 1) -> str:
    """A return of ``quantity`` jumpers at 20.00 that a person has to decide; its number."""
    return str(shop.book("", wish("1", quantity, reason="faulty"))["rma"])


@pytest.mark.parametrize(
    ("role", "quantity", "status"),
    [("agent", 1, 403), ("lead", 2, 200), ("", 2, 200), ("warehouse", 1, 403), ("merchant", 1, 403)],
)
def test_an_approval_is_inside_the_role_and_its_limit(shop: Api, role: str, quantity: int, status: int) -> None:
    rma = waiting(shop, quantity)
    answer = shop.post(f"/returns/{rma}/authorize", token=token_of(shop, role))
    if status == 200:
        assert (answer.status_code, answer.json["status"]) == (200, "authorized")
    else:
        problem(answer, 403)
        assert shop.get(f"/returns/{rma}").json["status"] == "under_review", "nothing was half-written"


def test_a_token_without_an_owner_has_the_limit_of_the_role_owner(shop: Api) -> None:
    rma = shop.book("", wish("1", 2, reason="faulty"), wish("2", 1, reason="faulty"))["rma"]
    found = problem(shop.post(f"/returns/{rma}/authorize"), 403)
    assert "at most 50.00 GBP" in found["detail"]
    assert shop.get(f"/returns/{rma}").json["status"] == "under_review"


@pytest.mark.parametrize(("role", "status"), [("agent", 403), ("lead", 200), ("", 200)])
def test_a_no_is_taken_back_by_who_may_overrule(shop: Api, role: str, status: int) -> None:
    rma = shop.book("", wish("3", 1, reason="faulty"))["rma"]
    assert shop.post(f"/returns/{rma}/refuse").status_code == 200
    assert shop.post(f"/returns/{rma}/authorize", token=token_of(shop, role)).status_code == status


@pytest.mark.parametrize(
    ("role", "action", "status"),
    [
        ("agent", "refuse", 200), ("agent", "receive", 200), ("warehouse", "receive", 200), ("warehouse", "refuse", 403),
        ("warehouse", "cancel", 403), ("merchant", "receive", 403), ("merchant", "inspect", 403), ("", "receive", 200),
    ],
)  # fmt: skip
def test_each_action_needs_what_its_page_needs(shop: Api, role: str, action: str, status: int) -> None:
    rma = waiting(shop) if action in ("refuse", "cancel") else shop.book()["rma"]
    assert shop.post(f"/returns/{rma}/{action}", token=token_of(shop, role)).status_code == status


def test_who_has_left_decides_nothing_by_a_token(shop: Api) -> None:
    rma, token = waiting(shop), token_of(shop, "lead")
    with shop.ports.database.transaction() as tx:
        people.set_active(tx, email=PEOPLE["lead"], active=False)
    try:
        found = problem(shop.post(f"/returns/{rma}/authorize", token=token), 403)
        assert "no longer" in found["detail"]
        assert shop.get(f"/returns/{rma}", token=token).status_code == 200, "reading goes on"
    finally:
        with shop.ports.database.transaction() as tx:
            people.set_active(tx, email=PEOPLE["lead"], active=True)


def test_the_document_says_so(shop: Api) -> None:
    paths = shop.get("/openapi.json").json["paths"]
    for action in ("authorize", "refuse", "cancel", "receive", "inspect"):
        said = paths[f"/api/v1/returns/{{rma}}/{action}"]["post"]
        assert "owner of the token" in said["description"], action
        assert "403" in said["responses"], action


@pytest.mark.parametrize(
    ("role", "status"),
    [("agent", 403), ("warehouse", 403), ("merchant", 403), ("lead", 201), ("owner", 201), ("", 201)],
)
def test_a_time_limit_is_passed_by_an_earlier_moment_only_for_who_may_overrule_it(
    shop: Api, role: str, status: int
) -> None:
    number = bought_long_ago(shop)
    body = {"order": number, "lines": [wish()], "at": moment(clock.now() - timedelta(days=40))}
    answer = shop.post("/returns", body, token=token_of(shop, role))
    if status == 201:
        assert (answer.status_code, answer.json["status"]) == (201, "authorized")
    else:
        found = problem(answer, 403)
        assert [each["pointer"] for each in found["errors"]] == ["/at"]
        assert "leave it out" in found["errors"][0]["detail"]
        assert shop.get("/returns", query_string={"order": number}).json["returns"] == []


def test_a_program_of_an_agent_may_say_that_the_moment_is_now(shop: Api) -> None:
    body = {"order": shop.new_order(), "lines": [wish()], "at": moment(clock.now())}
    assert shop.post("/returns", body, token=token_of(shop, "agent")).status_code == 201


def bought_long_ago(shop: Api) -> str:
    old = order(placed_at=moment(clock.now() - timedelta(days=60)))
    for line in old["lines"]:
        line["delivered_at"] = moment(clock.now() - timedelta(days=50))
    return shop.new_order(**old)
