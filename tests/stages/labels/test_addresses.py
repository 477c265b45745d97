"""Every part of an address is printed once, in its country's order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.labels.addresses import _ORDERS, Address, country_name, postal_lines

PART = st.text(st.characters(categories=["L", "N"]), max_size=8)


@pytest.mark.parametrize(
    ("country", "lines"),
    [
        ("GB", ["Town", "Region", "Z1"]),
        ("DE", ["Z1 Town", "Region"]),
        ("US", ["Town Region Z1"]),
        ("IT", ["Z1 Town Region"]),
        ("MX", ["Z1 Town, Region"]),
        ("IN", ["Town Z1", "Region"]),
        ("UA", ["Town", "Region", "Z1"]),
        ("LK", ["Town", "Region", "Z1"]),
        ("JP", ["Town, Region", "Z1"]),
        ("BR", ["Town-Region", "Z1"]),
        ("", ["Town Z1", "Region"]),
        ("??", ["Town Z1", "Region"]),
    ],
)
def test_the_place_follows_its_country(country: str, lines: list[str]) -> None:
    printed = postal_lines(Address("Name", ("Street 1",), "Town", "Region", "z1", country))
    assert [line.text for line in printed] == ["Name", "Street 1", *lines]
    assert [line.text for line in printed if line.has_postcode] == [line for line in lines if "Z1" in line]


def test_hungary_writes_the_town_above_the_street() -> None:
    printed = postal_lines(Address("Név", ("Fő utca 1.",), "Budapest", "", "1011", "HU"))
    assert [line.text for line in printed] == ["Név", "Budapest", "Fő utca 1.", "1011"]


def test_a_lone_postcode_joins_its_town_in_small_type_but_never_a_street() -> None:
    bristol = Address("Priya Nair", ("14 Aldermoor Road",), "Bristol", "", "bs6 5qa", "GB")
    assert postal_lines(bristol, joined=True)[-1].text == "Bristol BS6 5QA"
    nowhere = Address("Priya Nair", ("14 Aldermoor Road",), "", "", "bs6 5qa", "GB")
    assert [line.text for line in postal_lines(nowhere, joined=True)][-2:] == ["14 Aldermoor Road", "BS6 5QA"]


def test_a_separator_stands_only_between_two_parts() -> None:
    assert postal_lines(Address("", (), "", "Region", "1", "MX"))[0].text == "1, Region"
    assert postal_lines(Address("", (), "Town", "", "", "BR"))[0].text == "Town"
    assert postal_lines(Address("")) == ()


@given(st.sampled_from(" ".join(_ORDERS.values()).split()), PART, PART, PART, PART, PART, st.booleans())
def test_no_part_is_lost_or_printed_twice(
    country: str, name: str, street: str, city: str, region: str, postcode: str, joined: bool
) -> None:
    printed = postal_lines(Address(name, (street,), city, region, postcode, country), joined=joined)
    seen = sorted("".join(line.text for line in printed).replace(" ", "").replace(",", "").replace("-", ""))
    assert seen == sorted("".join((name, street, city, region, postcode.upper())))


def test_no_country_has_two_orders() -> None:
    countries = " ".join(_ORDERS.values()).split()
    assert len(countries) == len(set(countries))


@pytest.mark.parametrize(
    ("code", "locale", "name"),
    [
        ("GB", "en_GB", "United Kingdom"),
        ("ua", "uk", "Україна"),
        ("LK", "si", "ශ්‍රී ලංකාව"),
        ("IN", "te", "భారతదేశం"),
        ("DE", "no-such-locale-at-all", "Germany"),
        ("QX", "en", "QX"),
        ("", "en", ""),
    ],
)
def test_a_country_has_a_name_in_the_papers_language(code: str, locale: str, name: str) -> None:
    assert country_name(code, locale) == name
