"""`policies/schema.json` is what the code says, so that an editor and the loader never disagree."""

from __future__ import annotations

import re
from pathlib import Path

from portal.policy.editors import schema_text

POLICIES = Path(__file__).resolve().parents[2] / "policies"


def test_the_schema_for_editors_is_the_generated_one() -> None:
    written = (POLICIES / "schema.json").read_text(encoding="utf-8")
    assert written == schema_text(), "run `portal policy schema > policies/schema.json`"


def test_every_shipped_policy_and_its_cases_name_the_schema() -> None:
    named = re.compile(r"^# yaml-language-server: \$schema=schema\.json\n")
    documents = [path for path in POLICIES.glob("*.yaml") if path.name != "shop.yaml"]
    assert documents
    assert [path.name for path in documents if not named.match(path.read_text(encoding="utf-8"))] == []
