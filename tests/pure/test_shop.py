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
