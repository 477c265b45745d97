"""Lists go on by cursor, without a gap or a repetition, while rows are added."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.client import Api, wish


def walk(api: Api, path: str, what: str, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    for _ in range(100):
        page = api.get(path, query_string=query | ({"cursor": cursor} if cursor else {})).json
        assert page.keys() == {what, "next"}
        found += page[what]
        cursor = page["next"]
        if cursor is None:
            return found
        assert len(page[what]) == query["limit"]
        assert not cursor.isdigit(), "a cursor tells nobody how many rows there are"
    raise AssertionError("the list has no end")


@pytest.mark.parametrize("limit", [1, 2, 5, 200])
def test_returns_are_walked_whatever_the_size_of_a_page(api: Api, limit: int) -> None:
    number = api.new_order()
    made = [api.book(number, wish(line))["rma"] for line in ("1", "2", "1")]
    assert [each["rma"] for each in walk(api, "/returns", "returns", order=number, limit=limit)] == made[::-1]


def test_a_return_that_is_booked_meanwhile_is_neither_repeated_nor_in_the_way(api: Api) -> None:
    number = api.new_order()
    first, second = (api.book(number, wish(line))["rma"] for line in ("1", "2"))
    page = api.get("/returns", query_string={"order": number, "limit": 1}).json
    api.book(number, wish("1"))
    rest = api.get("/returns", query_string={"order": number, "limit": 1, "cursor": page["next"]}).json
    assert [page["returns"][0]["rma"], rest["returns"][0]["rma"], rest["next"]] == [second, first, None]


def test_returns_are_filtered_by_status_order_and_email(api: Api) -> None:
    number = api.new_order(email="filter@example.com")
    kept, canceled = (api.book(number, wish(line))["rma"] for line in ("1", "2"))
    api.post(f"/returns/{canceled}/cancel")

    def found(**query: str) -> set[str]:
        return {each["rma"] for each in api.get("/returns", query_string=query).json["returns"]}

    assert found(order=number) == {kept, canceled}
    assert found(order=f" #{number.lower()}", status="canceled") == {canceled}
    assert found(email="Filter@Example.com", status="authorized") == {kept}
    assert found(email="nobody@example.com") == set()
    assert found(order="NOWHERE") == set()


def test_refunds_are_walked_and_filtered_by_status_order_and_email(api: Api) -> None:
    number = api.new_order(email="paid@example.com")
    for line in ("1", "2"):
        assert api.post(f"/returns/{api.book(number, wish(line))['rma']}/receive").status_code == 200
    mine = walk(api, "/refunds", "refunds", order=number, limit=1)
    assert [each["order"] for each in mine] == [number, number]
    assert walk(api, "/refunds", "refunds", email="PAID@example.com", limit=50) == mine
    assert walk(api, "/refunds", "refunds", status="planned", order=number, limit=50) == mine
    assert walk(api, "/refunds", "refunds", status="succeeded", order=number, limit=50) == []
    everything = walk(api, "/refunds", "refunds", limit=1)
    assert len({each["id"] for each in everything}) == len(everything) >= 2


def test_orders_are_walked_and_filtered_by_email(api: Api) -> None:
    numbers = [api.new_order(email="walker@example.com") for _ in range(3)]
    found = walk(api, "/orders", "orders", email="walker@example.com", limit=1)
    assert [each["number"] for each in found] == numbers[::-1]
