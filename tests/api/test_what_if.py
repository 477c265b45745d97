"""`what_if` of a decision: what would have changed the answer, in the shape that `policy explain --json` documents."""

from __future__ import annotations

from tests.api.client import Api, problem, wish


def test_a_decision_says_what_would_have_changed_it_when_it_is_asked(api: Api) -> None:
    body = {"order": api.new_order(), "lines": [wish(quantity=2), wish("2")], "at": "2031-01-01T00:00:00Z"}
    plain = api.post("/decisions", body).json
    asked = api.post("/decisions", body | {"what_if": True}).json
    assert all("what_if" not in line for line in plain["lines"])
    for before, after in zip(plain["lines"], asked["lines"], strict=True):
        assert {**before, "what_if": after["what_if"]} == after, "asking more changes nothing else"
        assert after["answer"] == "refuse"
        (until,) = [each for each in after["what_if"] if [test.get("fact") for test in each["if"]] == ["today"]]
        assert (until["answer"], until["if"][0]["op"], until["without"]) == ("accept", "to", [])
        assert until["sentence"].startswith("If the customer asks until ")
        last = until["if"][0]["value"]
        # The day itself is accepted, the day after is not.
        for at, answer in ((f"{last}T12:00:00Z", "accept"), (f"{last}T23:59:59-12:00", "refuse")):
            assert api.post("/decisions", body | {"at": at}).json["lines"][0]["answer"] == answer


def test_it_is_worked_out_for_a_few_lines_and_not_for_a_return(api: Api) -> None:
    order = api.new_order()
    many = api.post("/decisions", {"order": order, "lines": [wish()] * 21, "what_if": True})
    assert problem(many, 422)["errors"] == [{"pointer": "/lines", "detail": "send at most 20 lines with `what_if`"}]
    booked = api.post("/returns", {"order": order, "lines": [wish()], "what_if": True})
    assert problem(booked, 422)["errors"][0]["pointer"] == "/what_if"
