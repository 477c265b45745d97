"""Whatever a client sends, the answer is a problem document that says what to do, and never a 5xx."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.api.read import MAX_BYTES, MAX_ERRORS
from tests.api.client import Api, order, problem, wish

JSON = "application/json"
SECRET = "sesame-4242"


def raw(api: Api, path: str, data: bytes, content_type: str | None = JSON) -> Any:
    return api.post(path, data=data, **({"content_type": content_type} if content_type else {}))


DEEP = 100_000
UNREADABLE = {
    "half of an object": b"{",
    "no JSON": b"order=536365",
    "two values": b"{} {}",
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep inside a field": b'{"order":"x","lines":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a lone surrogate": b'{"order":"\\ud800","lines":[]}',
    "no UTF-8": b'{"order":"\xff\xfe"}',
    "UTF-16": '{"order":"1"}'.encode("utf-16"),
    "a NUL byte": b'{"order":"a\x00b"}',
    "a number without end": b'{"order":"x","lines":[{"line":"1","quantity":' + b"9" * 5000 + b"}]}",
    "bytes at random": bytes(range(256)),
}


@pytest.mark.parametrize("path", ["/orders", "/decisions", "/returns", "/returns/X/authorize", "/returns/X/receive"])
@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_body_that_is_no_json_is_400(api: Api, path: str, data: bytes) -> None:
    problem(raw(api, path, data), 400)


NONSENSE = {
    "null": b"null",
    "a list": b"[]",
    "a text": b'"x"',
    "a number": b"1",
    "a huge number": b"1" + b"0" * 400,
    "not a number": b"NaN",
    "unknown keys": b'{"x":1}',
    "nothing": b"",
    "blanks": b" \n ",
}


@pytest.mark.parametrize("path", ["/orders", "/decisions", "/returns"])
@pytest.mark.parametrize("data", NONSENSE.values(), ids=NONSENSE.keys())
def test_a_body_that_makes_no_sense_is_422(api: Api, path: str, data: bytes) -> None:
    answer = raw(api, path, data)
    if data == b"NaN":
        problem(answer, answer.status_code)
        assert answer.status_code in (400, 422)
    else:
        assert problem(answer, 422)["errors"]


LINE = b'{"line": "1", "quantity": 1, "reason": "changed-mind", "resolution": "refund"%s}'
TWICE = {
    "/order": b'{"order": "X", "order": "Y", "lines": [%s]}' % (LINE % b""),
    "/lines": b'{"order": "X", "lines": [], "l\\u0069nes": [%s]}' % (LINE % b""),
    "/lines/1/quantity": b'{"order": "X", "lines": [%s, %s]}' % (LINE % b"", LINE % b', "quantity": 2'),
}


@pytest.mark.parametrize("pointer", TWICE)
def test_a_key_that_is_there_twice_is_refused_by_its_pointer(api: Api, pointer: str) -> None:
    refused = problem(raw(api, "/decisions", TWICE[pointer]), 422)
    assert refused["errors"] == [{"pointer": pointer, "detail": "is there twice; leave one of them out"}]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/xml", "x"]
)
def test_a_body_that_is_sent_as_something_else_is_415(api: Api, kind: str) -> None:
    problem(raw(api, "/decisions", b'{"order":"1","lines":[]}', kind), 415)


@pytest.mark.parametrize(
    "kind", [None, "application/json", "application/json; charset=utf-8", "application/merge-patch+json"]
)
def test_json_may_be_sent_with_or_without_its_name(api: Api, kind: str | None) -> None:
    body = json.dumps({"order": api.new_order(), "lines": [wish()]}).encode()
    assert raw(api, "/decisions", body, kind).status_code == 200


def test_a_body_that_is_too_large_is_413(api: Api) -> None:
    problem(raw(api, "/orders", b'{"number":"' + b"9" * MAX_BYTES + b'"}'), 413)
    problem(raw(api, "/returns", b" " * (MAX_BYTES + 1)), 413)


def test_a_body_without_a_length_is_too_large_as_well(api: Api) -> None:
    body = {"input_stream": io.BytesIO(b" " * (MAX_BYTES + 1)), "environ_base": {"wsgi.input_terminated": True}}
    problem(api.post("/orders", headers={"Transfer-Encoding": "chunked"}, content_type=JSON, **body), 413)


def test_mistakes_without_end_get_a_short_answer(api: Api) -> None:
    for count, most in ((MAX_ERRORS - 2, 200 * MAX_ERRORS), (100_000, 1000)):
        answer = api.post("/returns", {f"k{number}": 1 for number in range(count)})
        assert problem(answer, 422)["errors"]
        assert len(answer.data) < most


METHODS = [
    ("DELETE", "/orders", "POST"),
    ("PATCH", "/returns/X", "GET"),
    ("GET", "/decisions", "POST"),
    ("PUT", "/refunds", "GET"),
]


@pytest.mark.parametrize(("method", "path", "allowed"), METHODS)
def test_a_method_that_is_not_taken_is_405_and_says_which_are(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api.call(method, path)
    problem(answer, 405)
    assert allowed in answer.headers["Allow"].split(", ")


def lines(**changes: Any) -> list[dict[str, Any]]:
    return [wish(**changes)]


WRONG = [
    ({"lines": lines()}, "/order"),
    ({"order": "x"}, "/lines"),
    ({"order": "x", "lines": []}, "/lines"),
    ({"order": "", "lines": lines()}, "/order"),
    ({"order": 536365, "lines": lines()}, "/order"),
    ({"order": "a\x00b", "lines": lines()}, "/order"),
    ({"order": "x", "lines": lines(quantity=0)}, "/lines/0/quantity"),
    ({"order": "x", "lines": lines(quantity=-1)}, "/lines/0/quantity"),
    ({"order": "x", "lines": lines(quantity="1")}, "/lines/0/quantity"),
    ({"order": "x", "lines": lines(quantity=1.5)}, "/lines/0/quantity"),
    ({"order": "x", "lines": lines(quantity=True)}, "/lines/0/quantity"),
    ({"order": "x", "lines": lines(quantity=10**30)}, "/lines/0/quantity"),
    ({"order": "x", "lines": [*lines(), {"line": "2"}]}, "/lines/1/quantity"),
    ({"order": "x", "lines": lines(reason="bored")}, "/lines/0/reason"),
    ({"order": "x", "lines": lines(resolution="cash")}, "/lines/0/resolution"),
    ({"order": "x", "lines": lines(note="n" * 4001)}, "/lines/0/note"),
    ({"order": "x", "lines": lines(note="\x00")}, "/lines/0/note"),
    ({"order": "x", "lines": lines(answers={"a": [1]})}, "/lines/0/answers/a"),
    ({"order": "x", "lines": lines(answers={"a": 10**30})}, "/lines/0/answers/a"),
    ({"order": "x", "lines": lines(answers={"a": "\x00"})}, "/lines/0/answers/a"),
    ({"order": "x", "lines": lines(colour="red")}, "/lines/0/colour"),
    ({"order": "x", "lines": lines(), "at": "yesterday"}, "/at"),
    ({"order": "x", "lines": lines(), "at": "2026-10-01T08:26:00"}, "/at"),
    ({"order": "x", "lines": lines(), "at": 1_700_000_000}, "/at"),
    ({"order": "x", "lines": lines(), "a/b~c": 1}, "/a~1b~0c"),
]


@pytest.mark.parametrize(("body", "pointer"), WRONG)
@pytest.mark.parametrize("path", ["/decisions", "/returns"])
def test_every_field_that_is_wrong_has_its_pointer(api: Api, path: str, body: dict[str, Any], pointer: str) -> None:
    found = problem(api.post(path, body), 422)
    assert pointer in [each["pointer"] for each in found["errors"]]
    assert all(each["detail"] for each in found["errors"])


KNOWN = [
    (lines(line="9"), "/lines/0/line"),
    (lines(quantity=3), "/lines/0/quantity"),
    ([wish(), wish()], "/lines/1/line"),
]


@pytest.mark.parametrize(("asked", "pointer"), KNOWN)
@pytest.mark.parametrize("path", ["/decisions", "/returns"])
def test_what_this_order_does_not_hold_has_its_pointer(api: Api, path: str, asked: list[Any], pointer: str) -> None:
    found = problem(api.post(path, {"order": api.new_order(), "lines": asked}), 422)
    assert [each["pointer"] for each in found["errors"]] == [pointer]


MOMENTS = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "1969-12-31T23:59:59Z", "2201-01-01T00:00:00Z"]


@pytest.mark.parametrize("at", MOMENTS)
@pytest.mark.parametrize("path", ["/decisions", "/returns"])
def test_a_moment_at_the_end_of_time_is_422(api: Api, path: str, at: str) -> None:
    problem(api.post(path, {"order": api.new_order(), "lines": lines(), "at": at}), 422)


@pytest.mark.parametrize("at", MOMENTS[:2])
def test_an_order_from_the_end_of_time_is_422(api: Api, at: str) -> None:
    assert problem(api.post("/orders", order(placed_at=at)), 422)["errors"][0]["pointer"] == "/placed_at"
    sent = order()
    sent["lines"][0]["delivered_at"] = at
    assert problem(api.post("/orders", sent), 422)["errors"][0]["pointer"] == "/lines/0/delivered_at"


COUNTS = [
    ([{"line": "9", "quantity": 1}], "/lines/0/line"),
    ([{"line": "1", "quantity": 0}], "/lines/0/quantity"),
    ([{"line": "1", "quantity": 2}], "/lines/0/quantity"),
    ([{"line": "1", "quantity": 1, "condition": "wet"}], "/lines/0/condition"),
    ([{"line": "1", "quantity": 1, "disposition": "pocket"}], "/lines/0/disposition"),
    ([{"line": "1", "quantity": 1, "condition": "missing", "disposition": "restock"}], "/lines/0/disposition"),
    ([], "/lines"),
    ("all", "/lines"),
]


@pytest.mark.parametrize(("counted", "pointer"), COUNTS)
def test_a_count_that_makes_no_sense_has_its_pointer(api: Api, counted: Any, pointer: str) -> None:
    rma = api.book()["rma"]
    found = problem(api.post(f"/returns/{rma}/receive", {"lines": counted}), 422)
    assert pointer in [each["pointer"] for each in found["errors"]]
    assert api.get(f"/returns/{rma}").json["status"] == "authorized"


QUERIES = [
    ("/returns", {"status": "lost"}, "/status"),
    ("/returns", {"cursor": "!!"}, "/cursor"),
    ("/returns", {"cursor": "9" * 19}, "/cursor"),
    ("/returns", {"limit": "0"}, "/limit"),
    ("/returns", {"limit": "201"}, "/limit"),
    ("/returns", {"limit": "many"}, "/limit"),
    ("/returns", {"colour": "red"}, "/colour"),
    ("/refunds", {"status": "lost"}, "/status"),
    ("/refunds", {"cursor": "²"}, "/cursor"),
    ("/refunds", {"limit": "101"}, "/limit"),
    ("/orders", {"cursor": "é"}, "/cursor"),
    ("/orders", {"replacements": "perhaps"}, "/replacements"),
]


@pytest.mark.parametrize(("path", "query", "pointer"), QUERIES)
def test_a_query_that_makes_no_sense_names_its_parameter(
    api: Api, path: str, query: dict[str, str], pointer: str
) -> None:
    found = problem(api.get(path, query_string=query), 422)
    assert [each["pointer"] for each in found["errors"]] == [pointer]


@pytest.mark.parametrize("path", ["/returns", "/refunds", "/orders"])
def test_an_address_that_no_database_can_hold_finds_nothing(api: Api, path: str) -> None:
    assert api.get(path + "?email=%00").json[path[1:]] == []


def test_what_was_sent_is_not_repeated(api: Api) -> None:
    bodies = [
        {"order": "x", "lines": lines(reason=SECRET), "at": SECRET},
        {"order": SECRET, "lines": SECRET},
        {"order": [SECRET], "lines": lines(quantity=SECRET, note=[SECRET])},
    ]
    for body in bodies:
        for path in ("/decisions", "/returns", "/orders", "/returns/X/receive"):
            assert SECRET not in api.post(path, body).text
    assert SECRET not in raw(api, "/orders", b'{"number": "' + SECRET.encode()).text
    assert SECRET not in api.get("/returns", query_string={"cursor": SECRET}).text


def test_a_key_without_end_is_cut_in_its_pointer(api: Api) -> None:
    found = problem(api.post("/decisions", {"k" * 10_000: 1}), 422)
    assert max(len(each["pointer"]) for each in found["errors"]) < 100


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.just("1")
KEYS = st.sampled_from(
    "number placed_at email currency lines quantity unit_price order line reason resolution note at id tax "
    "payments captured shipping amount condition expected message ship_with ship_to name price stock product".split()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=12
)
POSTS = ["/orders", "/decisions", "/returns", "/returns/{}/authorize", "/returns/{}/cancel", "/returns/{}/receive"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(POSTS), body=VALUES, changes=st.dictionaries(KEYS, VALUES, max_size=2))
def test_no_json_makes_a_5xx(api: Api, path: str, body: Any, changes: dict[str, Any]) -> None:
    if path == "/orders" and isinstance(body, dict):
        body = order() | changes | {"lines": [order()["lines"][0] | body]}
    elif not path.startswith("/returns/") and isinstance(body, dict):
        body = {"order": "API-1", "lines": [wish() | body]} | changes
    answer = raw(api, path.format("R-0000000"), json.dumps(body).encode())
    assert answer.status_code < 500, (body, answer.text)
    if answer.status_code >= 400:
        problem(answer, answer.status_code)
