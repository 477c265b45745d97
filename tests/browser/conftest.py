"""A real Chromium at phone width, and an accessibility scan of whatever it shows."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.live import LivePortal

PASSWORD = "harbour-lights-2026"
AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The distribution's own Chromium; as root it needs to run without its sandbox."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
    arguments = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    arguments += ["--disable-component-update", "--disable-sync", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    return {**browser_type_launch_args, "executable_path": path, "args": arguments}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A phone in the shop's country."""
    return {**browser_context_args, "viewport": PHONE, "locale": "en-GB", "timezone_id": "Europe/London"}


@pytest.fixture
def scan(page: Page) -> Callable[[], None]:
    """Call it on any page: fails on a serious or critical finding, a script error, a CSP violation or a sideways scroll."""
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(f"script error: {error}"))
    page.on(
        "console", lambda message: troubles.append(message.text) if "Content Security Policy" in message.text else None
    )

    def look() -> None:
        # Evaluated by the debugger, so the page's own Content-Security-Policy stays as strict as for customers.
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [
            f"{rule['id']}: {rule['help']} at {json.dumps([node['target'] for node in rule['nodes']][:3])}"
            for rule in found["violations"]
            if rule["impact"] in ("serious", "critical")
        ]
        assert serious == [], f"{page.url}: {serious}"
        assert troubles == [], f"{page.url}: {troubles}"
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{page.url} scrolls sideways by {wide} px"

    return look


@pytest.fixture(scope="session")
def staffed(live: LivePortal) -> LivePortal:
    """The live portal with a returns lead and somebody in the warehouse."""
    live.portal(
        "staff", "add", "maya@wrenandharbour.example", "--role", "lead", "--name", "Maya Okafor", "--password", PASSWORD
    )
    live.portal(
        "staff", "add", "ben@wrenandharbour.example", "--role", "warehouse", "--name", "Ben", "--password", PASSWORD
    )
    return live
