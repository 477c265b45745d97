"""Disputes: a chargeback takes the money and forbids refunds; an inquiry (`warning_…`) takes nothing and forbids nothing."""

from __future__ import annotations

from . import balance, refunds
from .account import Account, new_id
from .errors import ApiError, Obj
from .forms import merge_metadata

STATUSES = (
    "warning_needs_response", "warning_under_review", "warning_closed", "needs_response", "under_review", "won", "lost",
    "prevented", "appeal_needs_response", "appeal_under_review",
)  # fmt: skip
CLOSED = ("warning_closed", "won", "lost", "prevented")
_TIME_TO_ANSWER = 9 * 86400


def open_dispute(
    account: Account, charge: Obj, status: str = "needs_response", amount: int | None = None, reason: str = "fraudulent"
) -> Obj:
    """The cardholder's bank asks for the money. Refunds of that charge that are still pending fail, as at Stripe."""
    if status not in STATUSES or status in CLOSED:
        raise ApiError(
            f"A dispute opens as one of {', '.join(s for s in STATUSES if s not in CLOSED)}.", param="status"
        )
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise ApiError(f"Charge {charge['id']} took no money, so it cannot be disputed.", param="charge")
    if any(old["status"] not in CLOSED for old in account.store.all("dispute", charge=charge["id"])):
        raise ApiError(f"Charge {charge['id']} has an open dispute already.", param="charge")
    amount = charge["amount"] - charge["amount_refunded"] if amount is None else amount
    inquiry = status.startswith("warning_")
    now = int(account.now())
    dispute: Obj = {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": now + _TIME_TO_ANSWER, "enhanced_eligibility": {}, "has_evidence": False, "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {"brand": "visa", "case_type": "inquiry" if inquiry else "chargeback", "network_reason_code": "10.4"},
            "type": "card",
        },
        "reason": reason,
        "status": status,
    }  # fmt: skip
    account.store.insert(dispute)
    charge.update(disputed=True, _charged_back=not inquiry)
    account.store.save(charge)
    account.emit("charge.dispute.created", dispute)
    if not inquiry:
        _withdraw(account, dispute)
        for refund in account.store.all("refund", charge=charge["id"]):
            if refund["status"] == "pending":
                failure = {"status": "failed", "failure_reason": "charge_for_pending_refund_disputed"}
                refunds.change(account, refund, failure)
    return dispute


def change(account: Account, id_: str, status: str) -> Obj:
    """Move a dispute on: escalate an inquiry, put it under review, close it as won, lost, prevented or warning_closed."""
    dispute = account.get("dispute", id_)
    if status not in STATUSES:
        raise ApiError(f"A dispute's status is one of {', '.join(STATUSES)}.", param="status")
    if dispute["status"] in CLOSED:
        raise ApiError(f"Dispute {id_} is closed ({dispute['status']}).", param="status")
    charge = account.get("charge", dispute["charge"])
    before = {"status": dispute["status"]}
    was_inquiry = dispute["status"].startswith("warning_")
    stays_inquiry = status.startswith("warning_") or (was_inquiry and status in ("won", "prevented"))
    dispute["status"] = status
    dispute["is_charge_refundable"] = stays_inquiry or status in ("won", "prevented")
    account.store.save(dispute)
    charge["_charged_back"] = not dispute["is_charge_refundable"]
    account.store.save(charge)
    if was_inquiry and not stays_inquiry:
        _withdraw(account, dispute)
    if not was_inquiry and status in ("won", "prevented"):
        _book(account, dispute, dispute["amount"], "Chargeback reversal")
        account.emit("charge.dispute.funds_reinstated", dispute)
    account.emit("charge.dispute.closed" if status in CLOSED else "charge.dispute.updated", dispute, before)
    return dispute


def retrieve(account: Account, params: Obj, id_: str) -> Obj:
    return account.get("dispute", id_)


def update(account: Account, params: Obj, id_: str) -> Obj:
    dispute = account.get("dispute", id_)
    dispute["metadata"] = merge_metadata(dispute["metadata"], params.get("metadata", {}))
    account.store.save(dispute)
    account.emit("charge.dispute.updated", dispute)
    return dispute


def close(account: Account, params: Obj, id_: str) -> Obj:
    """The merchant gives in: the dispute is lost."""
    return change(account, id_, "lost")


def _withdraw(account: Account, dispute: Obj) -> None:
    _book(account, dispute, -dispute["amount"], "Chargeback withdrawal")
    account.emit("charge.dispute.funds_withdrawn", dispute)


def _book(account: Account, dispute: Obj, amount: int, description: str) -> None:
    id_ = balance.move(account, "adjustment", amount, dispute, description)
    row = account.get("balance_transaction", id_)
    dispute["balance_transactions"].append(row)
    account.store.save(dispute)
