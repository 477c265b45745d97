"""The house keeps its own rules: the river names only what exists, and everything that happens is named alike."""

from __future__ import annotations

import re
from pathlib import Path

from portal import flow

PORTAL = Path(flow.__file__).parent
RECORDED = re.compile(r"""record\(\s*tx,\s*"([^"]+)\"""")


def _recorded() -> set[str]:
    return {name for path in PORTAL.rglob("*.py") for name in RECORDED.findall(path.read_text(encoding="utf-8"))}


def test_every_event_of_the_river_is_recorded_somewhere() -> None:
    # An event that nobody records would be a branch of the river that never carries water.
    text = "\n".join(path.read_text(encoding="utf-8") for path in PORTAL.rglob("*.py") if path.name != "flow.py")
    silent = {event for event in flow.RIVER if f'"{event}"' not in text}
    assert silent == set()


def test_events_are_noun_and_past_participle() -> None:
    odd = {event for event in _recorded() | set(flow.RIVER) if not re.fullmatch(r"[a-z_]+\.[a-z_]+", event)}
    assert odd == set()


def test_every_job_that_is_enqueued_has_somebody_who_does_it() -> None:
    enqueued = set()
    for path in PORTAL.rglob("*.py"):
        enqueued |= set(re.findall(r"""(?:enqueue\(tx,|then\()\s*"([a-z_]+)\"""", path.read_text(encoding="utf-8")))
    assert enqueued
    assert enqueued <= set(flow.JOBS)


def test_no_file_outgrows_the_house() -> None:
    long = {
        path.name: count
        for path in PORTAL.rglob("*.py")
        if "versions" not in path.parts and (count := len(path.read_text(encoding="utf-8").splitlines())) > 420
    }
    assert long == {}


def test_every_package_says_what_goes_in_and_out_and_what_never_happens() -> None:
    silent = []
    for path in PORTAL.rglob("__init__.py"):
        if path.parent == PORTAL or path.parent.parent != PORTAL or path.parent.name == "versions":
            continue
        text = path.read_text(encoding="utf-8")
        if not ("In:" in text and "Out:" in text and "Never:" in text):
            silent.append(str(path.relative_to(PORTAL)))
    assert silent == []
