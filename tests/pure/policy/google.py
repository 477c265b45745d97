"""Google's documented requirements of return policies as data, and a document held to them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from portal.money import Money, exponent

TABLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "google" / "merchant_return_policy.json").read_text(encoding="utf-8")
)
SCHEMA = "https://schema.org/"
Rules = Mapping[str, Mapping[str, Any]]


def minor(amount: dict[str, Any]) -> int:
    """A `MonetaryAmount` in minor units."""
    return Money.parse(f"{amount['value']} {amount['currency']}").minor


def validate(document: dict[str, Any]) -> None:
    """Hold a document to the table; AssertionError names the property."""
    assert document["@context"] == "https://schema.org"
    assert document["@type"] in ("Organization", "OnlineStore")
    assert document["name"]
    assert document["url"].startswith("https://")
    assert document["hasMerchantReturnPolicy"]
    wanted, override = TABLE["policy"], TABLE["override"]
    for policy in document["hasMerchantReturnPolicy"]:
        assert policy["@type"] == "MerchantReturnPolicy"
        _hold(policy, {**wanted["properties"], **wanted["of_schema_org"]["properties"]}, wanted["required"])
        for name, most in wanted["most"].items():
            assert len(policy.get(name, [])) <= most
        for each in policy.get("returnPolicySeasonalOverride", ()):
            assert each["@type"] == "MerchantReturnPolicySeasonalOverride"
            _hold(each, {**override["properties"], **override["of_schema_org"]["properties"]}, override["required"])
            assert each["startDate"] <= each["endDate"]


def _hold(found: dict[str, Any], rules: Rules, required: list[list[str]]) -> None:
    given = {name: value for name, value in found.items() if name != "@type"}
    assert set(given) <= set(rules), set(given) - set(rules)
    assert any(set(option) <= set(given) for option in required), given
    for name, value in given.items():
        for each in value if isinstance(value, list) else [value]:
            _check(rules[name]["type"], name, each)
    for name, rule in rules.items():
        for other, word in rule.get("required_with", {}).items():
            assert name in given or given.get(other) != SCHEMA + word, f"{name} is needed beside {word}"
        for other, word in rule.get("only_with", {}).items():
            assert (name in given) == (given.get(other) == SCHEMA + word), f"{name} goes with {other} = {word}"
    if given.get("returnPolicyCategory") == SCHEMA + "MerchantReturnNotPermitted":
        assert "merchantReturnDays" not in given


def _check(kind: str, name: str, value: Any) -> None:
    if kind in TABLE["enumerations"]:
        assert value.removeprefix(SCHEMA) in TABLE["enumerations"][kind], (name, value)
        assert value.startswith(SCHEMA), (name, value)
        return
    assert _KINDS[kind](value), (name, value)


def _is_days(value: Any) -> bool:
    return type(value) is int and value >= 0


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and date.fromisoformat(value).isoformat() == value


def _is_amount(value: Any) -> bool:
    known = set(value) == {"@type", "value", "currency"} and value["@type"] == "MonetaryAmount"
    return known and exponent(value["currency"]) >= 0 and minor(value) > 0


def _is_fee(value: Any) -> bool:
    return _is_amount(value) if isinstance(value, dict) else 0 <= float(value) <= 100


def _is_property(value: Any) -> bool:
    held = value["value"]
    known = {"@type", "name", "value"} | ({"unitCode"} if type(held) is int and "Days" in value["name"] else set())
    plain = isinstance(held, str | int) or _is_amount(held)
    return set(value) == known and value["@type"] == "PropertyValue" and bool(value["name"]) and plain


_KINDS: dict[str, Callable[[Any], bool]] = {
    "country": lambda value: bool(re.fullmatch("[A-Z]{2}", value)),
    "url": lambda value: value.startswith("https://"),
    "days": _is_days,
    "days or date": lambda value: _is_days(value) or _is_date(value),
    "date": _is_date,
    "amount": _is_amount,
    "share or amount": _is_fee,
    "property": _is_property,
    "override": lambda value: isinstance(value, dict),
}
