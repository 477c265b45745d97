"""`portal policy publish` and `explain`, as a person at a terminal meets them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select

from portal.cli.policy import policy
from portal.db import Database
from portal.errors import NotFound
from portal.policybook.models import PolicyVersion
from tests.stages.returns.trade import POLICY, Item, Order, add_order, open_shop, rows


@dataclass(frozen=True)
class Terminal:
    """The command line over one database."""

    database: Database

    def __call__(self, *words: str) -> Result:
        return CliRunner().invoke(policy, words)


@pytest.fixture
def terminal(database: Database, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setattr("portal.cli.policy_book.ports", lambda: SimpleNamespace(database=database))
    return Terminal(database)


def test_publishing_says_the_version_and_publishes_once(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(POLICY, encoding="utf-8")
    first, second = terminal("publish", str(file), "--note", "Start"), terminal("publish", str(file))
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert "published as version 1, " in first.output
    assert "is version 1, " in second.output
    assert "nothing was published" in second.output
    (row,) = rows(terminal.database, select(PolicyVersion))
    assert (row.note, row.author) == ("Start", "Command line")


def test_a_broken_file_is_not_published(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(POLICY.replace("window:", "windw:"), encoding="utf-8")
    result = terminal("publish", str(file))
    assert result.exit_code == 1
    assert "did you mean `window`?" in result.output
    assert rows(terminal.database, select(PolicyVersion)) == []


def test_why_is_answered_with_rule_and_date(terminal: Terminal) -> None:
    open_shop(terminal.database)
    order = add_order(terminal.database, [Item(3, 290_00, listed=300_00, tags=("final-sale",))])
    with terminal.database.read() as session:
        found = session.get(Order, order)
        assert found is not None
        number = found.number
    refused = terminal("explain", number, "1", "--reason", "changed-mind", "--at", "2026-11-17")
    assert refused.exit_code == 0, refused.output
    assert f"{number} line 1: refuse" in refused.output
    assert "“Final sale” says that this can’t be returned." in refused.output
    assert "the customer reads: It was sold as final sale." in refused.output
    allowed = terminal("explain", f"#{number.lower()}", "1", "--reason", "faulty", "--at", "2026-11-17")
    assert "line 1: accept" in allowed.output
    assert "No (Final sale)" in allowed.output
    assert "total               96.66 GBP" in allowed.output
    assert "until 2027-10-29" in allowed.output


def test_an_unknown_line_is_answered_with_those_there_are(terminal: Terminal) -> None:
    open_shop(terminal.database)
    add_order(terminal.database, [Item(name="Jeans")])
    (order,) = rows(terminal.database, select(Order))
    result = terminal("explain", order.number, "9", "--reason", "faulty")
    assert isinstance(result.exception, NotFound)
    assert "it has 1 (Jeans)" in str(result.exception)
    assert isinstance(terminal("explain", "nothing", "1", "--reason", "faulty").exception, NotFound)
