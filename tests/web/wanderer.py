"""Somebody who follows every link and sends every form, mostly as it stands and sometimes full of what breaks other systems."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web.staff.browser import Form, forms, links

STEPS = int(os.environ.get("PORTAL_TEST_WANDERER_STEPS", "50"))
"""How many requests one walk makes; set it higher to look longer."""
SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    "", "0", "-1", "-0", "1e3", "NaN", "9" * 30, "12,50", "0.005", "١٢", "１", "2026-02-30", "9999-12-31", "0001-01-01",
    "\x00", "\x85", "\ud7ff", "\u202eabc", "a" * 5000, f"\"'>{SCRIPT}", "{{ 7*7 }}", "%s%n", "../../etc/passwd", "null",
    "[]", "//evil.example/", "=1+1", "\r\nX-Evil: y", "💥" * 60, "' OR 1=1 --",
)  # fmt: skip
_VARIES = re.compile(r"\d+|R-[0-9A-Z]{5,}")


@dataclass
class Wanderer:
    """One session that goes where chance leads it. The same seed goes the same way."""

    client: FlaskClient
    start: list[str]
    seed: int
    before_each: Callable[[], object] = lambda: None
    never: tuple[str, ...] = ("sign-out",)
    """Parts of addresses that end the walk."""
    sent: set[str] = field(default_factory=set)
    """The forms that were sent, with numbers left out."""

    def walk(self, steps: int = STEPS) -> None:
        """Fails at the first answer that blames the server, or that shows what was typed as markup."""
        draw = random.Random(self.seed)
        to_see, seen = list(self.start), set(self.start)
        to_send: dict[str, list[tuple[str, int]]] = {}
        for _ in range(steps):
            self.before_each()
            if to_send and (not to_see or draw.random() < 0.6):
                page, place = draw.choice(to_send[draw.choice(sorted(to_send))][-3:])
                found = forms(self.client.get(page).text)
                if place >= len(found):
                    continue
                answer, told = self._send(found[place], page, draw)
            else:
                page = to_see.pop(draw.randrange(len(to_see))) if to_see else draw.choice(self.start)
                answer, told = self.client.get(page, follow_redirects=True), page
            assert answer.status_code < 500, (self.seed, told, answer.status_code)
            if answer.mimetype != "text/html":
                continue
            assert SCRIPT not in answer.text, (self.seed, told)
            here = answer.request.full_path.rstrip("?")
            for link in links(answer.text):
                target = self._inside(urljoin(here, link))
                if target and target not in seen:
                    seen.add(target)
                    to_see.append(target)
            for place, form in enumerate(forms(answer.text)):
                if self._inside(urljoin(here, form.action)) and answer.status_code == 200:
                    kind = _VARIES.sub("#", urlsplit(form.action or here).path + str(sorted(dict(form.values))))
                    to_send.setdefault(kind, []).append((here, place))

    def _send(self, form: Form, page: str, draw: random.Random) -> tuple[TestResponse, object]:
        values: dict[str, list[str]] = {}
        for name, value in form.values:
            chance = draw.random()
            if name == "csrf_token" or chance > 0.25:
                # A field that is empty is mostly filled, so that the walk comes further than the first message.
                values.setdefault(name, []).append(value or draw.choice(("", "1", "5", "some words")))
            elif chance > 0.05:
                values.setdefault(name, []).append(draw.choice(HOSTILE))
        for name, value in form.offered:
            if draw.random() < 0.3:
                values[name] = [*values.get(name, []), value if draw.random() < 0.9 else draw.choice(HOSTILE)]
        if form.buttons and draw.random() < 0.9:
            name, value = draw.choice(form.buttons)
            values[name] = [value]
        target = urljoin(page, form.action or page)
        self.sent.add(_VARIES.sub("#", urlsplit(target).path))
        if form.method == "post":
            return self.client.post(target, data=values, follow_redirects=True), (target, values)
        return self.client.get(target, query_string=values, follow_redirects=True), (target, values)

    def _inside(self, address: str) -> str:
        parts = urlsplit(address)
        foreign = parts.netloc not in ("", "localhost") or parts.scheme not in ("", "http")
        if foreign or parts.path.startswith("/static/") or any(word in parts.path for word in self.never):
            return ""
        return parts.path + (f"?{parts.query}" if parts.query else "")
