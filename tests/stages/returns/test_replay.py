"""Every stored decision is what its stored facts and its version give: replayed from the database, and told where it is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from portal.cli.policy import policy as group
from portal.db import SYSTEM, Database
from portal.policy.laws import FOLDER
from portal.policy.loader import load_policy
from portal.policybook.models import PolicyVersion
from portal.policybook.service import Book, load_book, read_laws
from portal.returns import replay as module
from portal.returns import service
from portal.returns.models import Return, ReturnLine
from portal.returns.replay import replay
from tests.stages.returns.trade import (
    MAYA,
    POLICY,
    Item,
    add_order,
    add_variant,
    book_return,
    later,
    look,
    open_shop,
    wish,
)

LAWS = POLICY.replace("rules:", "laws: [uk-consumer]\nrules:")
OLD_LAW = (FOLDER / "uk-consumer.yaml").read_text(encoding="utf-8").replace("days: 14", "days: 40")
CHANGED = datetime(2026, 10, 15, tzinfo=UTC)
NEW = LAWS.replace("days: 30", "days: 60").replace("over: 300", "over: 900")


def publish_frozen(database: Database) -> Book:
    """A first version with the law as it read then, and a second one with the law of today."""
    laws = read_laws({"uk-consumer": OLD_LAW})
    old = load_policy(LAWS, "old.yaml", laws)
    with database.transaction(SYSTEM) as tx:
        tx.session.add(
            PolicyVersion(
                number=1, name=old.name, content_hash=old.content_hash, source=LAWS, author="Maya", note="",
                effective_at=datetime(2026, 1, 1, tzinfo=UTC), published_at=datetime(2026, 1, 1, tzinfo=UTC),
                laws={"uk-consumer": OLD_LAW},
            )
        )  # fmt: skip
    open_shop(database, NEW, at=CHANGED)
    with database.read() as session:
        return load_book(session)


@pytest.fixture
def trade(any_database: Database) -> dict[str, str]:
    """Returns of every kind, by what they are; gives their numbers."""
    database = any_database
    book = publish_frozen(database)
    add_variant(database, "B", price=10_00)
    new = datetime(2026, 10, 20, tzinfo=UTC)
    several = [Item(2, 400_00, tags=("delicate",)), Item(gross=20_00)]
    found = {
        "frozen": book_return(database, book, add_order(database, [Item(tags=("final-sale",))])),
        "new": book_return(database, book, add_order(database, [Item(gross=400_00)], placed_at=new)),
        "asked": book_return(
            database,
            book,
            add_order(database, [Item(tags=("final-sale",))], placed_at=new),
            ask_us=True,
            at=later(days=30),
        ),
        "several": book_return(database, book, add_order(database, several), wish(quantity=2), wish("2")),
        "unknown": book_return(database, book, add_order(database, [Item(delivered_at=None)])),
        "faulty": book_return(database, book, add_order(database), wish(reason="faulty"), actor=MAYA),
        "credit": book_return(database, book, add_order(database), wish(resolution="store_credit")),
        "exchange": book_return(
            database, book, add_order(database, [Item(product="shirt")]), wish(resolution="exchange", exchange_sku="B")
        ),
        "yen": book_return(database, book, add_order(database, [Item(gross=9899)], currency="JPY")),
    }

    def run(do: Callable[..., Any]) -> None:
        with database.transaction(MAYA, at=later(1)) as tx:
            do(tx)

    # What people decide after that stands beside the policy's answer and changes nothing of it.
    run(lambda tx: service.authorize(tx, found["several"], lines=["2"], message="Worn.", note="Worn"))
    run(lambda tx: service.authorize(tx, found["asked"], note="Kind"))
    run(lambda tx: service.refuse(tx, found["unknown"], message="No."))
    run(lambda tx: service.cancel(tx, found["credit"], by="customer"))
    return found


def test_every_decision_is_made_again_to_the_byte(any_database: Database, trade: Mapping[str, str]) -> None:
    done: list[tuple[int, int]] = []
    result = replay(any_database, progress=lambda *at: done.append(at))
    assert (result.decisions, result.different, result.reworded) == (len(trade) + 1, 0, 0)
    assert done[0] == (0, len(trade) + 1)
    assert done[-1] == (len(trade) + 1, len(trade) + 1)
    # The order that is frozen to the first version was decided by the law as it read then: 40 days, not 14.
    (line,) = look(any_database, trade["frozen"]).lines
    assert line.decision["terms"]["window"]["value"]["days"] == 40
    assert line.decision["policy"]["hash"] == load_policy(LAWS, "", read_laws({"uk-consumer": OLD_LAW})).content_hash
    assert line.decision["policy"]["hash"] != load_policy(LAWS).content_hash


def test_small_batches_and_a_first_day_give_the_same(
    any_database: Database, trade: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 3)
    assert replay(any_database).decisions == len(trade) + 1
    late = replay(any_database, since=later(days=20))
    assert (late.decisions, late.different) == (1, 0)


def change(database: Database, rma: str, **values: Any) -> None:
    with database.transaction(SYSTEM) as tx:
        line = tx.session.scalars(select(ReturnLine).join(Return).where(Return.rma == rma)).first()
        assert line is not None
        for name, value in values.items():
            setattr(line, name, value(json.loads(json.dumps(getattr(line, name)))) if callable(value) else value)


def with_answer(decision: dict[str, Any]) -> dict[str, Any]:
    return {**decision, "answer": "accept", "causes": []}


def with_term(decision: dict[str, Any]) -> dict[str, Any]:
    decision["terms"]["credit_bonus"]["set_by"] = "Nobody"
    return decision


def with_hash(decision: dict[str, Any]) -> dict[str, Any]:
    decision["policy"]["hash"] = "0" * 64
    return decision


def with_word(decision: dict[str, Any]) -> dict[str, Any]:
    decision["causes"][0]["message"] = "In the words of an older release."
    return decision


def with_tag(facts: dict[str, Any]) -> dict[str, Any]:
    facts["item"]["tags"] = []
    return facts


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"decision": with_answer}, ("answer", "causes")),
        ({"decision": with_term}, ("terms.credit_bonus",)),
        ({"decision": with_hash}, ("no version has the hash 000000000000",)),
        ({"decision": lambda decision: {**decision, "note": "x"}}, ("note",)),
        ({"answer": "accept"}, ("answer of the line",)),
        ({"facts": with_tag}, ("answer of the line", "answer", "causes", "terms.returnable")),
        ({"facts": lambda facts: {**facts, "weather": "fine"}}, ("cannot be read: `facts.weather` is no fact",)),
        ({"facts": lambda facts: {**facts, "quantity": None}}, ("facts",)),
        ({"decision": lambda _decision: {}}, ("cannot be read: 'policy'",)),
    ],
)
def test_a_row_that_was_changed_is_told_with_what_differs(
    database: Database, values: Mapping[str, Any], what: tuple[str, ...]
) -> None:
    book = open_shop(database)
    book_return(database, book, add_order(database))
    rma = book_return(database, book, add_order(database, [Item(tags=("final-sale",))]), ask_us=True)
    change(database, rma, **values)
    result = replay(database)
    assert (result.decisions, result.different) == (2, 1)
    assert [(each.rma, each.position, each.what) for each in result.listed] == [(rma, 1, what)]


def test_other_words_for_the_same_decision_are_no_difference(database: Database) -> None:
    rma = book_return(database, open_shop(database), add_order(database, [Item(tags=("final-sale",))]), ask_us=True)
    change(database, rma, decision=with_word)
    result = replay(database)
    assert (result.decisions, result.different, result.reworded) == (1, 0, 1)


def test_the_command_prints_the_count_or_which(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = SimpleNamespace(database=database, shop=SimpleNamespace(timezone="Europe/London"))
    monkeypatch.setattr("portal.cli.policy_replay.ports", lambda: ports)
    run = CliRunner().invoke
    assert run(group, ["replay"]).output == "0 decisions, 0 differences\n"
    rma = book_return(database, open_shop(database), add_order(database, [Item(tags=("final-sale",))]), ask_us=True)
    fine = run(group, ["replay", "--since", "2026-11-17"])
    assert (fine.exit_code, fine.output) == (0, "1 decision, 0 differences\n")
    assert run(group, ["replay", "--since", "2026-11-18"]).output == "0 decisions, 0 differences\n"
    change(database, rma, decision=with_term)
    wrong = run(group, ["replay"])
    assert (wrong.exit_code, wrong.output) == (1, f"{rma} line 1: terms.credit_bonus\n1 decision, 1 difference\n")
    told = run(group, ["replay", "--json"])
    assert (told.exit_code, json.loads(told.output)) == (1, {
        "decisions": 1, "differences": 1, "reworded": 0,
        "listed": [{"rma": rma, "position": 1, "what": ["terms.credit_bonus"]}],
    })  # fmt: skip
