"""``portal orders import``: what it prints and how it ends."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask.cli import ScriptInfo

from portal.cli.orders import orders
from portal.config import ROOT
from portal.db import Database
from portal.errors import ConfigError
from portal.orders.payments import no_payment_maker
from portal.policybook import service as policybook
from tests.stages.orders.samples import SOURCES, order, write_lines


def run(database: Database, *arguments: Any) -> Result:
    app = Flask("portal")
    shop = SimpleNamespace(timezone="Europe/London")
    app.extensions["portal"] = SimpleNamespace(
        database=database, order_sources=SOURCES, shop=shop, payment_maker=no_payment_maker
    )
    return CliRunner().invoke(orders, ["import", *map(str, arguments)], obj=ScriptInfo(create_app=lambda: app))


def test_it_says_what_it_did_and_names_bad_rows(database: Database, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "book.jsonl", order("1"), order("2", currency="?"), *[order("3", lines=[])] * 25)
    done = run(database, path)
    assert done.exit_code == 0
    assert "orders      1 created, 0 updated, 0 unchanged; 1 lines" in done.stdout
    assert "bad rows    26" in done.stdout
    assert "book.jsonl:2: /currency" in done.stderr
    assert "… and 6 more bad rows" in done.stderr


def test_nothing_good_is_exit_1_and_a_refused_file_exit_2(database: Database, tmp_path: Path) -> None:
    assert run(database, write_lines(tmp_path / "x.jsonl", order("2", currency="?"))).exit_code == 1
    refused = run(database, write_lines(tmp_path / "y.jsonl", "no orders at all"))
    assert refused.exit_code == 2
    assert refused.stderr.startswith("refused: ")
    assert run(database, tmp_path / "missing").exit_code == 2


@pytest.mark.parametrize("text", ["2", "2 days", "-1d", "99999999d", "999999w", "d"])
def test_a_length_of_time_is_explained(database: Database, tmp_path: Path, text: str) -> None:
    done = run(database, write_lines(tmp_path / "x.jsonl", order()), "--delivered-after", text)
    assert done.exit_code == 2
    assert "write it like 2d, 36h or 1w" in done.output


def test_a_dry_run_says_so(database: Database, tmp_path: Path) -> None:
    assert (
        "dry run, nothing was written" in run(database, write_lines(tmp_path / "x.jsonl", order()), "--dry-run").stdout
    )


def test_paying_without_a_test_key_is_refused_before_anything_is_read(database: Database, tmp_path: Path) -> None:
    done = run(database, tmp_path / "missing", "--pay-with-stripe")
    assert isinstance(done.exception, ConfigError)


SHIPPED = (ROOT / "policies" / "default.yaml").read_text(encoding="utf-8")
ASKS = SHIPPED.replace("{item.tags: {has: hygiene}}", "{item.category: socks}")


def test_it_says_what_the_policy_asks_of_goods_and_none_of_them_tells(database: Database, tmp_path: Path) -> None:
    path = write_lines(tmp_path / "book.jsonl", order("1"), order("2"))
    assert "not told" not in run(database, path).stdout
    with database.transaction() as tx:
        policybook.publish(tx, ASKS, filename="goods.yaml", author="test")
    told = run(database, path).stdout
    assert "not told    item.tags, which the policy asks for: its rules on tags hold for none of these goods" in told
    assert "not told    item.category, which the policy asks for: a person decides where its rules need it" in told
    assert "item.vendor" not in told
    tagged = order("3")
    tagged["lines"][0] |= {"tags": ["outlet"], "category": "socks"}
    assert "not told" not in run(database, write_lines(tmp_path / "tagged.jsonl", order("1"), tagged)).stdout
