"""The return's life is a table, and this is the same table, drawn once more by hand."""

from __future__ import annotations

import itertools

import pytest

from portal.errors import Conflict
from portal.returns import lifecycle
from portal.returns.lifecycle import COMMANDS, STATUSES, Effect, move, step

# Rows: commands. Columns: the status found, in the order of STATUSES. A word is the status afterwards, = was done already,
# ~ comes too late and is ignored, - makes no sense.
TABLE = """
              requested    under_review authorized  in_transit received   inspected  closed rejected   canceled expired
review        under_review =            -           -          -          -          -      -          -        -
authorize     authorized   authorized   =           =          =          =          =      authorized -        authorized
refuse        rejected     rejected     -           -          -          -          -      =          -        -
cancel        canceled     canceled     canceled    -          -          -          -      -          =        -
expire        -            -            expired     ~          ~          ~          ~      ~          ~        =
ship          -            -            in_transit  =          ~          ~          ~      -          -        -
receive       -            -            -           received   =          -          -      -          -        -
inspect       -            -            -           -          inspected  =          -      -          -        -
accept_goods  -            -            -           -          inspected  inspected  =      inspected  -        -
refuse_goods  -            -            -           -          rejected   rejected   -      =          -        -
reopen        -            =            under_review -        -          -          -      under_review -        -
close         -            -            closed      closed     closed     closed     =      -          -        -
"""


def _cells() -> list[tuple[str, str, str]]:
    head, *rows = [line.split() for line in TABLE.strip().splitlines()]
    return [(command, status, cell) for command, *cells in rows for status, cell in zip(head, cells, strict=True)]


CELLS = _cells()
DONE = {
    "review": "reviewed",
    "authorize": "approved",
    "refuse": "denied",
    "cancel": "canceled",
    "expire": "expired",
    "ship": "marked as on its way",
    "receive": "received",
    "inspect": "inspected",
    "accept_goods": "settled",
    "refuse_goods": "denied",
    "reopen": "decided again",
    "close": "closed",
}
WORDS = {status: status for status in STATUSES} | {
    "under_review": "under review",
    "in_transit": "in transit",
    "authorized": "approved",
    "rejected": "denied",
}


@pytest.mark.parametrize(("command", "status", "cell"), CELLS)
def test_every_command_has_one_answer_in_every_status(command: str, status: str, cell: str) -> None:
    expected = {"=": Effect.DOUBLE, "~": Effect.IGNORED, "-": Effect.INVALID}.get(cell, Effect.MOVE)
    found = step(status, command)
    assert found.effect is expected
    assert found.status == (cell if expected is Effect.MOVE else status)


def test_the_table_is_complete() -> None:
    assert {(command, status) for command, status, _ in CELLS} == set(itertools.product(COMMANDS, STATUSES))


@pytest.mark.parametrize(("command", "status", "cell"), CELLS)
def test_a_move_that_is_none_is_a_conflict_naming_the_state_found(command: str, status: str, cell: str) -> None:
    if step(status, command).effect is Effect.MOVE:
        assert move(status, command) == cell
        return
    with pytest.raises(Conflict) as refused:
        move(status, command)
    assert refused.value.state == status
    done = DONE[command]
    assert refused.value.message == f"This return is {WORDS[status]}, so it can't be {done}. Nothing was changed."


def test_an_unknown_status_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        step("lost", lifecycle.CANCEL)


def test_every_status_can_be_reached_and_every_open_one_can_be_left() -> None:
    reached = {lifecycle.REQUESTED} | {after for moves in lifecycle.MOVES.values() for after in moves.values()}
    assert reached == set(STATUSES)
    left = {status for moves in lifecycle.MOVES.values() for status in moves}
    # A closed and a canceled return stay what they are; the customer books a new one.
    assert set(STATUSES) - left == {lifecycle.CLOSED, lifecycle.CANCELED}


def test_what_has_ended_holds_no_units() -> None:
    assert set(STATUSES) == lifecycle.HOLDING | lifecycle.ENDED
    assert not lifecycle.HOLDING & lifecycle.ENDED


def test_a_refusal_calls_the_status_as_people_do() -> None:
    assert (
        "This return is approved, so it can't be received."
        in lifecycle.refusal("authorized", lifecycle.RECEIVE).message
    )
    assert "This return is denied, so" in lifecycle.refusal("rejected", lifecycle.CANCEL).message
