"""Thousands of steps of everybody and everything, all rules of money after each; `make proof` runs far more of them."""

from __future__ import annotations

import os
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.proof.acting import FIGURES
from tests.proof.machine import MoneyMachine

SHOPS = int(os.environ.get("PROOF_SHOPS", "30"))
STEPS = int(os.environ.get("PROOF_STEPS", "50"))
PHASES = set(Phase) if os.environ.get("PROOF_SHRINK") else {Phase.explicit, Phase.generate}
"""Looking for the shortest way to a broken rule takes minutes; the seed finds the same way again."""
SEED = int(os.environ.get("PROOF_SEED") or 20261126)
"""The suite draws the same steps every time, so that it fails for a change and not by chance; `make proof` draws others."""


def test_no_order_of_events_breaks_a_rule_of_money(record_property: Callable[[str, object], None]) -> None:
    how = settings(
        max_examples=SHOPS, stateful_step_count=STEPS, phases=PHASES, deadline=None, database=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    FIGURES.clear()
    try:
        run_state_machine_as_test(seed(SEED)(MoneyMachine), settings=how)
    except BaseException as error:
        error.add_note(f"`make proof ARGS=--seed={SEED}` draws the same steps again")
        raise
    for name, count in FIGURES.items():
        record_property(name, count)
    assert FIGURES["steps"] > SHOPS * STEPS * 0.6
