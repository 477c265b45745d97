"""The public question of a product page: answers, nonsense, caches, other sites, limits; and the frame and script around it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import clock
from portal.errors import TooManyTries
from portal.flow import Ports
from portal.limiter import limit
from portal.policybook import widget
from tests.api.client import Api, problem


def asked(api: Api, query: str = "", status: int = 200) -> dict[str, object]:
    response = api.get(f"/returnable?{query}", token="")
    assert response.status_code == status, response.text
    return dict(response.json)


def test_an_ordinary_article_can_come_back_until_a_day_at_a_cost(api: Api) -> None:
    day = clock.now().date() + timedelta(days=3)
    found = asked(api, f"country=GB&category=&type=&tags=&price=4500&delivered={day}")
    usual = found["ordinary"]
    assert found["answer"] == "yes"
    assert usual["until"] == (day + timedelta(days=30)).isoformat()  # type: ignore[index]
    assert usual["cost"] == {  # type: ignore[index]
        "for_days": None,
        "for_from": None,
        "until": None,
        "shipping": "label",
        "amount": {"amount": 350, "currency": "GBP"},
        "share": None,
        "restocking_fee": None,
        "free_for": ["store_credit", "exchange"],
    }
    assert [each["message"] for each in usual["depends"]] == [  # type: ignore[index]
        "Something else may hold if your return is worth more than £300.00."
    ]
    assert found["faulty"]["cost"]["shipping"] == "free"  # type: ignore[index]
    assert found["points"][0] == {  # type: ignore[index]
        "title": "30 days to decide",
        "text": "Counted from the day your parcel was delivered.",
    }


def test_socks_come_back_only_if_faulty_and_say_so(api: Api) -> None:
    found = asked(api, "country=US&tags=hygiene,wool")
    assert found["answer"] == "only_if_faulty"
    assert found["ordinary"]["causes"][0]["message"].startswith("Socks and underwear")  # type: ignore[index]
    assert found["points"][0]["title"] == "Only if something is wrong with it"  # type: ignore[index]
    assert "days" not in found["ordinary"]  # type: ignore[operator]


def test_what_is_not_known_is_listed_and_not_guessed(api: Api) -> None:
    said = [each["message"] for each in asked(api)["ordinary"]["depends"]]  # type: ignore[index]
    assert [each.partition(":")[0] for each in said] == [
        "If it is of the kind sealed hygiene goods once they are open",
        "If it cost more than £75.00",
        "If it is of the kind final sale",
        "Something else may hold if your return is worth more than £300.00.",
    ]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("country=Britain", "country"),
        ("currency=gbp", "currency"),
        ("currency=XXQ&price=1", "currency"),
        ("price=12.99", "price"),
        ("price=-1", "price"),
        ("delivered=2026-02-30", "delivered"),
        ("delivered=1999-01-01", "delivered"),
        ("delivered=9999-01-01", "delivered"),
        ("sku=" + "x" * 101, "sku"),
        ("category=%00", "category"),
        ("tags=" + ",".join(f"t{n}" for n in range(60)), "tags"),
        ("lang=../../etc", "lang"),
        ("colour=red", "colour"),
    ],
)
def test_nonsense_is_a_problem_that_names_the_parameter(api: Api, query: str, pointer: str) -> None:
    found = problem(api.get(f"/returnable?{query}", token=""), 422)
    assert [each["pointer"].strip("/#") for each in found["errors"]] == [pointer]


def test_every_site_may_ask_and_caches_may_answer(api: Api) -> None:
    first = api.get("/returnable?country=GB", token="", headers={"Origin": "https://shop.example"})
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert first.headers["Cache-Control"] == f"public, max-age={widget.MAX_AGE}"
    assert "Set-Cookie" not in first.headers
    again = api.get("/returnable?country=GB", token="", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = api.get("/returnable?country=DE", token="")
    assert other.status_code == 200
    assert other.headers["ETag"]


def test_who_asks_too_often_waits() -> None:
    few = limit("2/minute")
    for _ in range(2):
        widget.count("192.0.2.77", few)
    with pytest.raises(TooManyTries) as refused:
        widget.count("192.0.2.77", few)
    assert 0 < refused.value.retry_after <= 61
    widget.count("192.0.2.78", few)


def test_the_frame_may_stand_on_any_site_and_the_script_may_be_loaded_there(api: Api, ports: Ports) -> None:
    page = api.client.get("/widget?country=US&tags=hygiene")
    assert page.status_code == 200
    assert "Only if something is wrong with it" in page.text
    assert "frame-ancestors *" in page.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in page.headers
    assert "Set-Cookie" not in page.headers
    assert f'href="{ports.config.base_url}/policy"' in page.text
    script = api.client.get("/widget.js")
    assert script.content_type.startswith("text/javascript")
    assert script.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert api.client.get("/widget.js", headers={"If-None-Match": script.headers["ETag"]}).status_code == 304
    # The other pages stay closed to frames.
    assert api.client.get("/policy").headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("query", "named", "fix"),
    [
        ("contry=GB", "contry", "is no parameter of this question"),
        ("price=12.99", "price", "write the price of one unit in minor units, like 1299"),
        ("country=Britain", "country", "write it like GB"),
    ],
)
def test_the_frame_names_the_parameter_that_makes_no_sense(api: Api, query: str, named: str, fix: str) -> None:
    page = api.client.get(f"/widget?{query}")
    assert page.status_code == 422
    assert f"<b>{named}</b> {fix}" in page.text
    assert "frame-ancestors *" in page.headers["Content-Security-Policy"]
    assert "X-Frame-Options" not in page.headers
    assert page.headers["Cache-Control"] == "no-store"


def test_a_parameter_with_markup_is_named_as_text(api: Api) -> None:
    page = api.client.get("/widget?<script>=1")
    assert page.status_code == 422
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
