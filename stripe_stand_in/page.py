"""The page for people: payments and refunds as Stripe's Dashboard would list them. Plain HTML, no script."""

from __future__ import annotations

import datetime
import html
import json
from collections.abc import Callable
from pathlib import Path

from .account import Account
from .api import Answer, Request
from .currencies import show
from .errors import Obj

_STYLE = Path(__file__).parent / "static" / "stand-in.css"
_POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_NEWEST = 50
_TONES = {
    "succeeded": "good", "pending": "wait", "requires_action": "wait", "requires_capture": "wait", "failed": "bad",
    "canceled": "none", "lost": "bad", "won": "good",
}  # fmt: skip


class Page:
    """Answers `/`, `/payments/<id>` and the stylesheet."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def answer(self, request: Request) -> Answer:
        if request.method not in ("GET", "HEAD"):
            return _page("Not here", "<p>This page only shows; the API is under <code>/v1</code>.</p>", 405)
        if request.path == "/stand-in.css":
            return Answer(200, _STYLE.read_bytes(), content_type="text/css; charset=utf-8")
        with self._account.store.lock:
            if request.path == "/":
                return _page("Payments and refunds", self._overview())
            if request.path.startswith("/payments/"):
                intent = self._account.store.find("payment_intent", request.path.removeprefix("/payments/"))
                if intent is not None:
                    return _page(f"Payment {intent['id']}", self._payment(intent))
        return _page("Not found", '<p>There is nothing here. <a href="/">Payments and refunds</a></p>', 404)

    def _overview(self) -> str:
        store = self._account.store
        refunds = store.page("refund", [], _NEWEST)
        intents = store.page("payment_intent", [], _NEWEST)
        counts = dict(store.run("SELECT kind, count(*) FROM objects GROUP BY kind"))
        waiting = store.run("SELECT count(*) FROM deliveries WHERE state IN ('queued', 'held')")[0][0]
        facts = [
            ("Payments", counts.get("payment_intent", 0)), ("Refunds", counts.get("refund", 0)),
            ("Disputes", counts.get("dispute", 0)), ("Events", counts.get("event", 0)), ("Webhooks waiting", waiting),
        ]  # fmt: skip
        return (
            "<p class=lead>A stand-in for Stripe on this machine. No real money, no real cards.</p><ul class=facts>"
            + "".join(f"<li><b>{count:,}</b> {name}</li>" for name, count in facts)
            + "</ul>"
            + _table("Refunds", refunds, self._refund_row, ("Amount", "Status", "Refund", "Payment", "Why", "Created"))
            + _table(
                "Payments", intents, self._intent_row, ("Amount", "Status", "Refunded", "Payment", "For", "Created")
            )
            + f"<p class=note>The newest {_NEWEST} of each.</p>"
        )

    def _payment(self, intent: Obj) -> str:
        store, id_ = self._account.store, intent["id"]
        refunds = store.all("refund", payment_intent=id_)
        parts = [
            '<p><a href="/">Payments and refunds</a></p>',
            _table(
                "Payment", [intent], self._intent_row, ("Amount", "Status", "Refunded", "Payment", "For", "Created")
            ),
            _table("Refunds", refunds, self._refund_row, ("Amount", "Status", "Refund", "Payment", "Why", "Created")),
        ]
        disputes = store.all("dispute", payment_intent=id_)
        if disputes:
            parts.append(
                _table("Disputes", disputes, _dispute_row, ("Amount", "Status", "Dispute", "Reason", "Created"))
            )
        about = [
            id_,
            *(body["id"] for kind in ("charge", "refund", "dispute") for body in store.all(kind, payment_intent=id_)),
        ]
        events = store.run(
            "SELECT id, type, created FROM objects WHERE kind = 'event' AND source IN (SELECT value FROM json_each(?))"
            " ORDER BY seq",
            json.dumps(about),
        )
        rows = "".join(f"<tr><td>{_e(type_)}<td><code>{_e(event)}</code><td>{_when(at)}" for event, type_, at in events)
        parts.append(
            "<table><caption>Events</caption><thead><tr><th scope=col>Type<th scope=col>Event<th scope=col>Created</thead>"
            f"<tbody>{rows}</tbody></table>"
        )
        return "".join(parts)

    def _refund_row(self, refund: Obj) -> str:
        why = refund.get("failure_reason") or refund.get("pending_reason") or refund["reason"] or ""
        notes = " ".join(f"{key}={value}" for key, value in refund["metadata"].items())
        return (
            f"<td class=amount>{_money(refund)}<td>{_badge(refund['status'])}<td><code>{_e(refund['id'])}</code>"
            f"<small>{_e(notes)}</small><td>{_link(refund['payment_intent'])}<td>{_e(why)}<td>{_when(refund['created'])}"
        )

    def _intent_row(self, intent: Obj) -> str:
        charge = self._account.store.find("charge", intent["latest_charge"]) if intent["latest_charge"] else None
        refunded = show(charge["amount_refunded"], charge["currency"]) if charge and charge["amount_refunded"] else ""
        what = intent["description"] or " ".join(f"{key}={value}" for key, value in intent["metadata"].items())
        return (
            f"<td class=amount>{_money(intent)}<td>{_badge(intent['status'])}<td class=amount>{_e(refunded)}"
            f"<td>{_link(intent['id'])}<td>{_e(what)}<td>{_when(intent['created'])}"
        )


def _dispute_row(dispute: Obj) -> str:
    return (
        f"<td class=amount>{_money(dispute)}<td>{_badge(dispute['status'])}<td><code>{_e(dispute['id'])}</code>"
        f"<td>{_e(dispute['reason'])}<td>{_when(dispute['created'])}"
    )


def _table(caption: str, bodies: list[Obj], row: Callable[[Obj], str], heads: tuple[str, ...]) -> str:
    head = "".join(f"<th scope=col>{name}" for name in heads)
    rows = "".join(f"<tr>{row(body)}" for body in bodies) or f"<tr><td colspan={len(heads)} class=empty>None yet."
    return f"<table><caption>{caption}</caption><thead><tr>{head}</thead><tbody>{rows}</tbody></table>"


def _page(title: str, content: str, status: int = 200) -> Answer:
    text = (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{_e(title)} · stand-in for Stripe</title>"
        '<meta name=viewport content="width=device-width, initial-scale=1"><link rel=stylesheet href="/stand-in.css"></head>'
        f"<body><main><h1>{_e(title)}</h1>{content}</main></body></html>"
    )
    headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return Answer(status, text.encode(), headers, content_type="text/html; charset=utf-8")


def _e(text: object) -> str:
    return html.escape(str(text))


def _money(body: Obj) -> str:
    return _e(show(body["amount"], body["currency"]))


def _badge(status: str) -> str:
    return f'<span class="badge {_TONES.get(status, "wait")}">{_e(status.replace("_", " "))}</span>'


def _link(intent: str | None) -> str:
    return f'<a href="/payments/{_e(intent)}"><code>{_e(intent)}</code></a>' if intent else ""


def _when(moment: int) -> str:
    at = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return f'<time datetime="{at.isoformat()}">{at:%d %b %Y %H:%M:%S} UTC</time>'
