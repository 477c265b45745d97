"""A browser as a test needs it: it reads a page's forms and sends them as they stand, tokens and hidden fields included."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.db import Database
from tests.stages.returns.trade import counting

PASSWORD = "harbour-lights-2026"


@dataclass
class Form:
    """One form of a page with what its controls hold."""

    action: str
    method: str
    values: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)
    offered: list[tuple[str, str]] = field(default_factory=list)
    """What could be chosen and is not: options, boxes and circles."""

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.values if key == name), None)


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._select = self._area = ""
        self._options: list[tuple[str, bool]] = []
        self._skip = 0
        self.feed(html)

    def handle_starttag(self, tag: str, found: list[tuple[str, str | None]]) -> None:
        attrs = {name: value or "" for name, value in found}
        form = self.forms[-1] if self.forms else Form("", "")
        if tag in ("script", "style"):
            self._skip += 1
        elif tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])
        elif tag == "form":
            self.forms.append(Form(attrs.get("action", ""), attrs.get("method", "get")))
        elif tag == "input" and "name" in attrs:
            if attrs.get("type") not in ("radio", "checkbox", "file", "submit") or "checked" in attrs:
                form.values.append((attrs["name"], attrs.get("value", "")))
            elif attrs.get("type") in ("radio", "checkbox"):
                form.offered.append((attrs["name"], attrs.get("value", "on")))
        elif tag == "button" and "name" in attrs:
            form.buttons.append((attrs["name"], attrs.get("value", "")))
        elif tag == "select":
            self._select, self._options = attrs.get("name", ""), []
        elif tag == "option":
            self._options.append((attrs.get("value", ""), "selected" in attrs))
        elif tag == "textarea":
            self._area = attrs.get("name", "")
            form.values.append((self._area, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._skip -= 1
        elif tag == "select" and self._options and self.forms:
            chosen = next((value for value, on in self._options if on), self._options[0][0])
            self.forms[-1].values.append((self._select, chosen))
            self.forms[-1].offered += [(self._select, value) for value, on in self._options if not on]
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            name, value = self.forms[-1].values[-1]
            self.forms[-1].values[-1] = (name, value + data.removeprefix("\n") if not value else value + data)
        elif not self._skip and data.strip():
            self.words.append(" ".join(data.split()))


class Browser:
    """One person's browser."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, **more)

    def page(self, path: str) -> str:
        """The page's HTML; fails unless it is there."""
        answer = self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.location}"
        return answer.text

    def words(self, path: str) -> str:
        """The page's words."""
        return words(self.page(path))

    def form(self, path: str, action: str = "", html: str | None = None) -> Form:
        """The form of the page whose action contains ``action``."""
        found = _Page(html if html is not None else self.page(path)).forms
        for form in found:
            if form.method == "post" and action in (form.action or path):
                form.action = form.action or path
                return form
        raise AssertionError(f"{path} has no form to {action!r}; only {[form.action for form in found]}")

    def token(self) -> str:
        """A CSRF token of this browser's session, from the form that every page has."""
        for path in ("/staff/help", "/staff/sign-in"):
            answer = self.get(path)
            if answer.status_code == 200:
                return next(value for form in _Page(answer.text).forms if (value := form.get("csrf_token")))
        raise AssertionError("no page with a token")

    def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> TestResponse:
        """A form sent with a fresh token."""
        return self._seen(self.client.post(path, data={"csrf_token": self.token(), **(data or {})}, **more))

    def _seen(self, answer: TestResponse) -> TestResponse:
        """A form that is answered by a page is answered by its address, which a browser opens."""
        kept = answer.status_code == 303 and (answer.location or "").startswith("/staff/kept/")
        return self.get(answer.location or "") if kept else answer

    def submit(self, form: Form, changes: dict[str, Any] | None = None, referer: str = "") -> TestResponse:
        """Send a form as it stands, with these fields changed (a list gives a name several values, None leaves it out)."""
        changes = changes or {}
        values: dict[str, list[str]] = {}
        for name, value in form.values:
            values.setdefault(name, []).append(value)
        for name, value in changes.items():
            values[name] = (
                [] if value is None else [str(each) for each in value] if isinstance(value, list) else [str(value)]
            )
        headers = {"Referer": f"http://localhost{referer}"} if referer else None
        return self._seen(self.client.post(form.action, data=values, headers=headers))

    def sign_in(self, email: str, password: str = PASSWORD, target: str = "/staff/") -> TestResponse:
        form = self.form(f"/staff/sign-in?next={target}", "sign-in")
        return self.submit(form, {"email": email, "password": password})


def words(html: str) -> str:
    """The words of a page, one blank between them."""
    return " ".join(_Page(html).words)


def forms(html: str) -> list[Form]:
    """The forms of a page."""
    return _Page(html).forms


def links(html: str) -> list[str]:
    """Where the links of a page lead."""
    return _Page(html).links


def cost(database: Database, browser: Browser, path: str) -> list[str]:
    """The queries of one page."""
    with counting(database) as seen:
        browser.page(path)
    return [statement for statement in seen if statement.startswith("SELECT")]
