"""Who may do what: every route with every scope."""

from __future__ import annotations

import pytest
import time_machine
from sqlalchemy import select

from portal import clock
from portal.api import tokens
from portal.api.base import FAILED_TOKENS
from portal.api.tokens import SCOPES
from portal.errors import Invalid
from portal.staff.models import ApiToken
from tests.api.client import Api, problem

ROUTES = [
    ("POST", "/orders", "orders:write"),
    ("GET", "/orders", "orders:read"),
    ("GET", "/orders/X", "orders:read"),
    ("PUT", "/variants/X", "orders:write"),
    ("GET", "/variants/X", "orders:read"),
    ("POST", "/decisions", "decisions:read"),
    ("POST", "/returns", "returns:write"),
    ("GET", "/returns", "returns:read"),
    ("GET", "/returns/X", "returns:read"),
    ("POST", "/returns/X/authorize", "returns:write"),
    ("POST", "/returns/X/refuse", "returns:write"),
    ("POST", "/returns/X/cancel", "returns:write"),
    ("POST", "/returns/X/receive", "returns:write"),
    ("POST", "/returns/X/inspect", "returns:write"),
    ("GET", "/returns/X/label.pdf", "returns:read"),
    ("GET", "/returns/X/packing-slip.pdf", "returns:read"),
    ("GET", "/returns/X/credit-note.pdf", "returns:read"),
    ("GET", "/returns/X/credit-note-correction-1.pdf", "returns:read"),
    ("GET", "/returns/X/refunds", "refunds:read"),
    ("GET", "/refunds", "refunds:read"),
]


@pytest.fixture(scope="module")
def one_scope_each(api: Api) -> dict[str, str]:
    """A token for each scope."""
    return {scope: api.token(scope) for scope in SCOPES}


def test_the_table_has_every_call(api: Api) -> None:
    described = api.get("/openapi.json").json["paths"]
    count = sum(len(operations) for operations in described.values())
    # One more: the question of a product page is public.
    assert count == len(ROUTES) + 1


@pytest.mark.parametrize(("method", "path", "needed"), ROUTES)
def test_a_call_is_open_to_its_scope_and_to_nobody_else(
    api: Api, one_scope_each: dict[str, str], method: str, path: str, needed: str
) -> None:
    resource, _, access = needed.partition(":")
    enough = {"admin", f"{resource}:write"} | ({needed} if access == "read" else set())
    for scope, token in one_scope_each.items():
        answer = api.call(method, path, {} if method != "GET" else None, token=token)
        if scope in enough:
            assert answer.status_code in (200, 404, 422), (scope, answer.text)
        else:
            found = problem(answer, 403)
            assert needed in found["detail"]
            assert answer.headers["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{needed}"'


@pytest.mark.parametrize(("method", "path", "needed"), ROUTES)
def test_without_a_token_every_call_is_401(api: Api, method: str, path: str, needed: str) -> None:
    answer = api.call(method, path, token="", environ_base={"REMOTE_ADDR": f"10.1.0.{len(path)}"})
    problem(answer, 401)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


BAD = ["Bearer", "Bearer ", "Bearer rp_wrong", "Basic YTpi", "bearer rp_", "rp_alone", "Bearer é", "Bearer a b", ""]


@pytest.mark.parametrize("header", BAD)
def test_a_token_that_is_none_is_401(api: Api, header: str) -> None:
    answer = api.get("/orders", token="", headers={"Authorization": header}, environ_base={"REMOTE_ADDR": "10.2.0.1"})
    problem(answer, 401)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_revoked_token_is_401_and_the_word_bearer_may_be_lower_case(api: Api) -> None:
    with api.ports.database.transaction() as tx:
        token = tokens.create(tx, name="short-lived", scopes=["orders:read"])
    lower = {"headers": {"Authorization": f"bearer {token}"}, "token": ""}
    assert api.get("/orders", **lower).status_code == 200
    with api.ports.database.transaction() as tx:
        assert tokens.revoke(tx, name="short-lived") == 1
    problem(api.get("/orders", environ_base={"REMOTE_ADDR": "10.2.0.2"}, **lower), 401)


def test_guessing_tokens_ends_in_429_with_retry_after_and_holds_no_one_else_up(api: Api) -> None:
    there = {"environ_base": {"REMOTE_ADDR": "10.3.0.1"}}
    with time_machine.travel(clock.now(), tick=False):
        seen = [api.get("/orders", token="guess", **there) for _ in range(FAILED_TOKENS.amount + 1)]
    problem(seen[0], 401)
    found = problem(seen[-1], 429)
    assert found["code"] == "too_many_tries"
    assert 1 <= int(seen[-1].headers["Retry-After"]) <= 60
    assert api.get("/orders").status_code == 200
    assert api.get("/orders", **there).status_code == 200


@pytest.mark.parametrize("scopes", [[], ["everything"], ["orders"], ["orders:read", "x"]])
def test_a_token_with_an_unknown_scope_is_not_made(api: Api, scopes: list[str]) -> None:
    with api.ports.database.transaction() as tx, pytest.raises(Invalid):
        tokens.create(tx, name="x", scopes=scopes)


def test_the_owner_of_a_token_has_to_be_somebody(api: Api) -> None:
    with api.ports.database.transaction() as tx, pytest.raises(Invalid) as wrong:
        tokens.create(tx, name="x", scopes=["orders:read"], owner="nobody@shop.example")
    assert list(wrong.value.fields) == ["owner"]


def test_a_token_is_stored_as_a_digest_only(api: Api) -> None:
    token = api.token("orders:read")
    with api.ports.database.read() as session:
        assert token not in str(session.execute(select(ApiToken.__table__)).all())
