"""Codes of other platforms become ours, and what is not known never becomes a fault of the seller."""

from __future__ import annotations

import csv

import pytest

from portal.policy.reasons import FAULTS, OTHER, REASONS, reason_of
from tests.pure.policy.samples import ROOT

with (ROOT / "tests/data/reasons/reason-codes.csv").open(encoding="utf-8", newline="") as _file:
    CODES = [(row["platform"], row["code"]) for row in csv.DictReader(_file)]


@pytest.mark.parametrize(("platform", "code"), CODES)
def test_every_published_code_has_a_reason(platform, code):
    assert reason_of(platform, code) in REASONS
    assert reason_of(platform.upper(), f" {code.lower()} ") == reason_of(platform, code)


# Returns are stored with our reasons: what a code of a platform means never changes.
MEANS = {
    "shopify": {
        "too-small": "SIZE_TOO_SMALL",
        "too-large": "SIZE_TOO_LARGE",
        "changed-mind": "COLOR STYLE UNWANTED",
        "not-as-described": "NOT_AS_DESCRIBED",
        "faulty": "DEFECTIVE",
        "wrong-item": "WRONG_ITEM",
        "other": "OTHER UNKNOWN",
    },
    "amazon-fba": {
        "too-small": "APPAREL_TOO_SMALL JEWELRY_TOO_SMALL",
        "too-large": "APPAREL_TOO_LARGE JEWELRY_TOO_LARGE",
        "changed-mind": "UNWANTED_ITEM NOT_COMPATIBLE ORDERED_WRONG_ITEM FOUND_BETTER_PRICE APPAREL_STYLE",
        "not-as-described": "NOT_AS_DESCRIBED QUALITY_NOT_ADEQUATE",
        "faulty": "DEFECTIVE MISSING_PARTS EXPIRED_ITEM",
        "damaged": "DAMAGED_BY_FC DAMAGED_BY_CARRIER",
        "wrong-item": "WRONG_ITEM EXTRA_ITEM",
        "arrived-late": "MISSED_ESTIMATED_DELIVERY",
        "other": "UNAUTHORIZED_PURCHASE CUSTOMER_DAMAGED SWITCHEROO NO_REASON_GIVEN NEVER_ARRIVED UNDELIVERABLE_REFUSED"
        " UNDELIVERABLE_UNKNOWN UNDELIVERABLE_INSUFFICIENT_ADDRESS UNDELIVERABLE_FAILED_DELIVERY_ATTEMPTS"
        " UNDELIVERABLE_UNCLAIMED",
    },
}
EVERY = [
    (platform, code, reason)
    for platform, reasons in MEANS.items()
    for reason, codes in reasons.items()
    for code in codes.split()
]


def test_the_table_here_has_every_published_code():
    assert {(platform, code) for platform, code, _ in EVERY} == set(CODES)


@pytest.mark.parametrize(("platform", "code", "reason"), EVERY)
def test_codes_mean_what_they_say(platform, code, reason):
    assert reason_of(platform, code) == reason


@pytest.mark.parametrize(("platform", "code"), [("amazon-fba", "NEW_CODE"), ("elsewhere", "DEFECTIVE"), ("", "")])
def test_a_code_that_is_not_known_is_no_fault_of_the_seller(platform, code):
    assert reason_of(platform, code) == "other"


def test_a_customer_is_asked_for_these_reasons_in_this_order():
    assert list(REASONS.items()) == [
        ("too-small", "It’s too small"),
        ("too-large", "It’s too big"),
        ("changed-mind", "I changed my mind"),
        ("not-as-described", "It’s not what I expected"),
        ("faulty", "It’s faulty"),
        ("damaged", "It arrived damaged"),
        ("wrong-item", "It’s the wrong item"),
        ("arrived-late", "It arrived too late"),
        ("other", "Something else"),
    ]


def test_these_are_faults_of_the_seller_and_the_last_reason_is_the_open_one():
    assert FAULTS == ("faulty", "damaged", "wrong-item", "not-as-described")
    assert list(REASONS)[-1] == OTHER
