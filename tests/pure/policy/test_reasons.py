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


@pytest.mark.parametrize(
    ("platform", "code", "reason"),
    [
        ("shopify", "SIZE_TOO_SMALL", "too-small"),
        ("shopify", "DEFECTIVE", "faulty"),
        ("shopify", "STYLE", "changed-mind"),
        ("amazon-fba", "DAMAGED_BY_CARRIER", "damaged"),
        ("amazon-fba", "CUSTOMER_DAMAGED", "other"),
        ("amazon-fba", "MISSED_ESTIMATED_DELIVERY", "arrived-late"),
        ("amazon-fba", "NEW_CODE", "other"),
        ("elsewhere", "DEFECTIVE", "other"),
    ],
)
def test_codes_mean_what_they_say(platform, code, reason):
    assert reason_of(platform, code) == reason


def test_faults_are_reasons_and_the_last_reason_is_the_open_one():
    assert set(FAULTS) < set(REASONS)
    assert list(REASONS)[-1] == OTHER
