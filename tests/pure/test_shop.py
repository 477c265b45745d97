"""The shop's file: what is misspelled stops the start, with one line that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal import shop
from portal.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "policies" / "shop.yaml"


@pytest.mark.parametrize("country", ["Germany", "de", "UK1", '""'])
def test_a_country_that_is_no_code_stops_the_start(tmp_path: Path, country: str) -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    changed = [f"sells_to: [GB, {country}]" if line.startswith("sells_to:") else line for line in lines]
    path = tmp_path / "shop.yaml"
    path.write_text("\n".join(changed), encoding="utf-8")
    with pytest.raises(ConfigError) as stopped:
        shop.load(path)
    (line,) = stopped.value.message.splitlines()
    assert line.startswith(f"{path}: sells_to.1: ")


def test_the_shipped_file_loads() -> None:
    assert shop.load(SHIPPED).sells_to == ("GB", "IE", "DE", "FR", "US")


@pytest.mark.parametrize(
    ("said", "days"), [("4", (4, 4)), ("{least: 3, most: 5}", (3, 5)), ("{}", (5, 10)), ("{most: 7}", (5, 7))]
)
def test_bank_days_are_a_range_or_one_number(tmp_path: Path, said: str, days: tuple[int, int]) -> None:
    found = shop.load(_with_bank_days(tmp_path, said)).bank_days
    assert (found.least, found.most) == days


@pytest.mark.parametrize(
    "said", ["0", "{least: 6, most: 5}", "{most: 4}", "soon", "{least: 1, most: 61}", "3.5", "true"]
)
def test_bank_days_that_make_no_sense_stop_the_start(tmp_path: Path, said: str) -> None:
    with pytest.raises(ConfigError, match="bank_days"):
        shop.load(_with_bank_days(tmp_path, said))


def _with_bank_days(folder: Path, said: str) -> Path:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    path = folder / "shop.yaml"
    path.write_text("\n".join(f"bank_days: {said}" if line.startswith("bank_days:") else line for line in lines))
    return path
