"""The policies that come with the program load without a warning, and their cases hold."""

from __future__ import annotations

import pytest

from portal.policy.cases import load_cases, run_case
from portal.policy.decision import ACCEPT, REFUSE
from portal.policy.engine import decide
from portal.policy.facts import Facts
from portal.policy.loader import load_policy
from portal.policy.reasons import REASONS
from portal.policy.terms import RESOLUTIONS
from tests.pure.policy.samples import JUMPER, POLICIES, item, shipped

NAMES = ("default", "apparel", "electronics", "gifts")


def all_cases():
    for name in NAMES:
        loaded = shipped(name)
        text = (POLICIES / f"{name}.cases.yaml").read_text(encoding="utf-8")
        for case in load_cases(text, loaded):
            yield pytest.param(loaded, case, id=f"{name}: {case.name}")


@pytest.mark.parametrize(("policy", "case"), list(all_cases()))
def test_case_holds(policy, case):
    assert run_case(policy, case) == []


@pytest.mark.parametrize("name", NAMES)
def test_shipped_policy_has_no_warning(name):
    assert shipped(name).warnings == ()


def test_nothing_but_these_policies_is_shipped_without_a_test():
    policies = {path.stem for path in POLICIES.glob("*.yaml") if "schema:" in path.read_text(encoding="utf-8")}
    assert policies == set(NAMES)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_default_policy_answers_every_reason_and_wish_for_an_ordinary_item(reason, resolution):
    decision = decide(shipped("default"), JUMPER.asking(reason=reason, resolution=resolution))
    assert decision.answer == ACCEPT


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("facts", [Facts(), Facts(evidence=None), JUMPER, item(JUMPER, delivered_at=None)])
def test_no_facts_are_too_few_for_an_answer(name, facts):
    assert decide(shipped(name), facts).answer in ("review", REFUSE, ACCEPT)


def test_the_hash_of_the_default_policy_follows_its_meaning_not_its_looks():
    text = (POLICIES / "default.yaml").read_text(encoding="utf-8")
    plain = "\n".join(line.split(" #")[0] for line in text.splitlines() if not line.strip().startswith("#"))
    assert load_policy(plain).content_hash == load_policy(text).content_hash
    assert load_policy(text.replace("3.50 GBP", "3.51 GBP")).content_hash != load_policy(text).content_hash
