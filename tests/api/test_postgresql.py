"""What another database could do differently: races of one key, and JSON that comes back in another order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from werkzeug.test import TestResponse

from portal import bootstrap
from portal.config import ROOT
from portal.db import Database
from portal.flow import Ports, make_river
from portal.policybook import service as policybook
from tests.api.client import Api, problem, wish


@pytest.fixture
def there(ports: Ports, pg_database: Database) -> Api:
    """The same app over a real PostgreSQL."""
    pg_database.river = make_river(ports.shop)
    moved = replace(ports, database=pg_database)
    with pg_database.transaction() as tx:
        policybook.ensure_first(tx, ROOT / "policies" / "default.yaml")
    return Api(bootstrap.create_app(ports=moved), moved)


def test_replays_are_the_same_bytes(there: Api) -> None:
    body = {"order": there.new_order(), "lines": [wish(answers={"b": 1, "a": True, "ü": "é"})]}
    for path in ("/decisions", "/returns"):
        first, again = (there.post(path, body, key=path) for _ in range(2))
        assert first.status_code in (200, 201), first.text
        assert again.data == first.data


def test_six_calls_at_once_with_one_key_book_one_return(there: Api) -> None:
    number = there.new_order()
    body = {"order": number, "lines": [wish()]}

    def book(_: int) -> TestResponse:
        return Api.post(there, "/returns", body, key="race")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(book, range(6)))
    made = [answer for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer not in made:
            problem(answer, 409)
    assert len({answer.data for answer in made}) == 1
    assert len(there.get("/returns", query_string={"order": number}).json["returns"]) == 1


def test_six_programs_that_want_the_last_unit_at_once_book_it_once(there: Api) -> None:
    number = there.new_order()
    body = {"order": number, "lines": [wish("2")]}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: there.post("/returns", body), range(6)))
    seen = [answer.status_code for answer in answers]
    assert seen.count(201) == 1
    assert set(seen) <= {201, 409, 422}
