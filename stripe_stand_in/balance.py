"""The account's balance per currency, and the balance transactions that every movement of money leaves.

Simpler than Stripe's on purpose: one available amount per charged currency, no conversion, no fees, no payouts. It starts
large enough never to matter; a control call makes it small.
"""

from __future__ import annotations

from .account import Account, new_id, public
from .errors import Obj

START = 1_000_000_000_00
"""Minor units available in every currency until a control call says otherwise."""

_CATEGORY = {
    "charge": "charge", "payment": "charge", "refund": "refund", "payment_refund": "refund",
    "refund_failure": "refund_failure", "payment_failure_refund": "refund_failure", "adjustment": "dispute",
}  # fmt: skip


def available(account: Account, currency: str) -> int:
    """What refunds of that currency can draw on, in minor units."""
    rows = account.store.run("SELECT available FROM balances WHERE currency = ?", currency)
    return int(rows[0][0]) if rows else START


def set_available(account: Account, currency: str, amount: int) -> None:
    account.store.run("INSERT OR REPLACE INTO balances VALUES (?, ?)", currency, amount)


def move(account: Account, type_: str, amount: int, source: Obj, description: str | None = None) -> str:
    """Book ``amount`` minor units (negative: out of the account) and return the balance transaction's id."""
    now = int(account.now())
    currency = source["currency"]
    set_available(account, currency, available(account, currency) + amount)
    row: Obj = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": amount,
        "reporting_category": _CATEGORY[type_],
        "source": source["id"],
        "status": "available",
        "type": type_,
    }
    account.store.insert(row)
    return str(row["id"])


def retrieve(account: Account, params: Obj) -> Obj:
    rows = dict(account.store.run("SELECT currency, available FROM balances ORDER BY currency"))
    shown = rows or {"gbp": START}
    funds = [{"amount": amount, "currency": code, "source_types": {"card": amount}} for code, amount in shown.items()]
    pending = [{"amount": 0, "currency": code, "source_types": {"card": 0}} for code in shown]
    return {"object": "balance", "available": funds, "livemode": False, "pending": pending}


def retrieve_transaction(account: Account, params: Obj, id_: str) -> Obj:
    return public(account.get("balance_transaction", id_))
