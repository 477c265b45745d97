"""Frozen facts of every notice, as `portal.notices.context` writes them: the sample return of the design."""

from __future__ import annotations

import copy
from typing import Any

from portal.policy.quote import Quote


def _part(kind: str, amount: int, into: str, line: str | None = None, tax: int = 0, **params: int) -> dict[str, Any]:
    part: dict[str, Any] = {"kind": kind, "amount": amount, "currency": "GBP", "tax": tax, "into": into}
    return part | ({"line": line} if line else {}) | ({"params": params} if params else {})


QUOTE: dict[str, Any] = {
    "total": {"amount": 14221, "currency": "GBP"},
    "parts": [
        _part("item", 6400, "refund", "2", 960, quantity=1),
        _part("discount", -640, "refund", "2"),
        _part("return_shipping", -350, "refund"),
        _part("item", 8900, "store_credit", "1", 1335, quantity=1),
        _part("discount", -890, "store_credit", "1"),
        _part("credit_bonus", 801, "store_credit", "1", bonus_bp=1000, of_minor=8010),
    ],
}
QUOTE["lines"] = [
    {
        "line": ref,
        "resolution": resolution,
        "quantity": 1,
        "parts": [part for part in QUOTE["parts"] if part.get("line") == ref],
    }
    for ref, resolution in (("1", "store_credit"), ("2", "refund"))
]

CREDIT = {"kind": "store_credit", "state": "credited", "label": "WHC-4KP2-90XN", "amount": 8811, "currency": "GBP"}
REFUND = {
    "kind": "refund",
    "state": "arrived",
    "refund": "RF-1",
    "to": "Visa ending 4242",
    "provider": "stripe",
    "bank_reference": "746120438877",
    "amount": 5410,
    "currency": "GBP",
}
REPLACEMENT = {
    "kind": "exchange",
    "state": "ordered",
    "label": "1 × Merino crew jumper Navy, size L",
    "order": "WH-20418-X1",
}

BASE: dict[str, Any] = {
    "at": "2026-11-24T09:30:00+00:00",
    "rma": "R-7K4Q92M",
    "order": "WH-20418",
    "name": "Priya Nair",
    "currency": "GBP",
    "status": "authorized",
    "refund_when": "inspected",
    "ship_with": "qr",
    "ship_by_on": "2026-12-01",
    "arrived": False,
    "lines": [
        {"line": "1", "name": "Merino crew jumper", "variant": "Navy, M", "quantity": 1, "resolution": "store_credit",
         "status": "accepted", "keeps_item": False, "counted": 0, "received": 0, "condition": None, "say": ""},
        {"line": "2", "name": "Brushed flannel shirt", "variant": "Moss check, L", "quantity": 1, "resolution": "refund",
         "status": "accepted", "keeps_item": False, "counted": 0, "received": 0, "condition": None, "say": ""},
    ],
}  # fmt: skip
MONEY = {"quote": QUOTE, "pieces": [REFUND, CREDIT]}

CONTEXTS: dict[str, dict[str, Any]] = {
    "withdrawn": {"quote": QUOTE, "pieces": []},
    "under_review": {"answer_by": "2026-11-25T10:15:00+00:00"},
    "asked": {"message": "Is the zip broken?\nPlease tell us which one."},
    "booked": {
        "quote": QUOTE,
        "pieces": [],
        "message": "",
        "by_staff": False,
        "label": {"carrier": "Northway Post", "service": "Returns 48, prepaid", "code": "7K4Q 92MB"},
    },
    "refused": {"message": "The jumper has been worn outdoors."},
    "canceled": {"by_staff": False},
    "expired": {},
    "part_received": {"quote": QUOTE, "pieces": [], "status": "in_transit"},
    "received": {"quote": QUOTE, "pieces": [], "arrived": True},
    "refund_sent": MONEY | {"refund": "RF-1", "another_way": False, "arrived": True},
    "refund_failed": {
        "quote": QUOTE,
        "pieces": [REFUND | {"state": "held"}, CREDIT],
        "refund": "RF-1",
        "another_way": False,
        "answer_by": "2026-11-25T09:30:00+00:00",
    },
    "refund_needs_you": {"quote": QUOTE, "pieces": [REFUND | {"state": "needs_you"}, CREDIT], "refund": "RF-1"},
    "refund_late": {"quote": QUOTE, "pieces": [REFUND | {"state": "sent"}, CREDIT], "refund": "RF-1"},
    "goodwill_sent": {
        "rma": "",
        "quote": Quote("GBP", ()).to_json(),
        "pieces": [REFUND],
        "refund": "RF-1",
        "lines": [],
    },
    "payment_released": {"quote": QUOTE, "pieces": [REFUND | {"state": "released"}, CREDIT], "refund": "RF-1"},
    "closed_unpaid": {"unpaid": 5410, "paid": 8811, "disputed": False},
    "credit_issued": {"quote": QUOTE, "pieces": [CREDIT]},
    "exchange_sent": {"quote": QUOTE, "pieces": [REPLACEMENT]},
}


ARRIVED = [line | {"counted": 1, "received": 1, "condition": "as_new"} for line in BASE["lines"]]
for _kind in (
    "received", "refund_sent", "refund_failed", "refund_needs_you", "refund_late", "payment_released", "credit_issued",
    "exchange_sent",
):  # fmt: skip
    CONTEXTS[_kind]["lines"] = ARRIVED


_JUMPER, _SHIRT = BASE["lines"]
CONTEXTS["part_received"]["lines"] = [
    _JUMPER,
    _SHIRT | {"quantity": 3, "counted": 2, "received": 1, "condition": "as_new"},
]


def context(kind: str, **changes: Any) -> dict[str, Any]:
    """A fresh copy of the facts of one notice."""
    return copy.deepcopy(BASE | CONTEXTS[kind]) | changes
