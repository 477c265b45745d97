"""What the shop has ordered for its refunds, and what may change between two looks, written for themselves like `invariants`.

In: `Books` of now, and of the last look. Out: a sentence for each rule that is broken.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from tests.proof.books import GONE, Books, Row, at, is_stripe

FIXED = (
    "amount_minor",
    "currency",
    "idempotency_key",
    "params",
    "payment_id",
    "return_id",
    "goodwill_id",
    "replaces_id",
)
"""What a refund's row says for ever once it was written."""
DECIDES = ("return.authorized", "return.inspected", "return.reinstated", "return.resolution_changed")
REST = {
    "pending": ("pending", "requires_action", "succeeded", *GONE),
    "requires_action": ("pending", "requires_action", "succeeded", *GONE),
    "succeeded": ("succeeded", *GONE),
    "failed": ("failed",),
    "canceled": ("canceled",),
}
"""What a refund that Stripe has accepted, or that has ended, may be later."""


def broken(books: Books) -> list[str]:
    """Each broken rule about caps, second people and time to take back."""
    return [*_cap(books), *_second(books), *_undo(books)]


def changed(before: Books, now: Books) -> list[str]:
    """Each thing that has changed since ``before`` and never may."""
    return [*_rows(before, now), *_stopped(before, now)]


def _sent(b: Books) -> list[Row]:
    """Refunds of ours that left, or may have, and whose money is not back."""
    return [
        row
        for row in b["refund"]
        if row["cause"] != "elsewhere"
        and row["status"] not in GONE
        and not row["paid_elsewhere_by"]
        and (row["first_submitted_at"] or row["stripe_refund_id"])
    ]


def _cap(b: Books) -> Iterator[str]:
    """What nobody has let through stays below the day's cap."""
    count: Counter[object] = Counter()
    amounts: Counter[tuple[object, str]] = Counter()
    for row in _sent(b):
        if row["first_submitted_at"] and not row["let_through_by"] and row["way"] == "refund":
            day = b.orders.day(row["first_submitted_at"])
            count[day] += 1
            amounts[day, row["currency"]] += row["amount_minor"]
    for day, number in count.items():
        if b.orders.cap_count is not None and number > b.orders.cap_count:
            yield f"(cap) {number} refunds left on {day}, the cap is {b.orders.cap_count}"
    for (day, currency), amount in amounts.items():
        if amount > b.orders.cap_minor.get(currency, amount):
            yield f"(cap) {amount} {currency} left on {day}, the cap is {b.orders.cap_minor[currency]}"


def _second(b: Books) -> Iterator[str]:
    """Above the threshold nothing leaves that a second person has not wanted; whoever decided is never the second."""
    gifts, returns = b.by_id("goodwill"), b.by_id("return")
    family = {order_id: root for root, ids in b.families().items() for order_id in ids}
    alone: dict[tuple[object, str], int] = defaultdict(int)
    for row in _sent(b):
        if not row["seconded_by"]:
            of_gift = row["goodwill_id"] is not None
            subject = f"gifts of order {family[gifts[row['goodwill_id']]['order_id']]}" if of_gift else (
                f"return {returns[row['return_id']]['rma']}"
            )  # fmt: skip
            alone[subject, row["currency"]] += row["amount_minor"]
    for row in b["store_credit"]:
        # Credit that was given beside a refund is part of the same payout; credit alone waits for nobody.
        subject = f"return {returns[row['return_id']]['rma']}"
        if (subject, row["currency"]) in alone:
            alone[subject, row["currency"]] += row["amount_minor"]
    for (subject, currency), amount in alone.items():
        if amount > b.orders.second_above.get(currency, amount):
            yield f"(second) {amount} {currency} of {subject} left without a second person"
    for row in b["refund"]:
        if not row["seconded_by"]:
            continue
        if row["goodwill_id"] is not None:
            deciders = {gifts[row["goodwill_id"]]["given_by"]}
        else:
            approvals = [
                e["id"] for e in b["timeline_entry"] if e["what"] == "refund.seconded" and e["refund_id"] == row["id"]
            ]
            deciders = {
                e["actor_name"]
                for e in b["timeline_entry"]
                if e["return_id"] == row["return_id"]
                and e["actor_kind"] == "staff"
                and e["what"] in DECIDES
                and e["id"] < max(approvals, default=0)
            }
        if row["seconded_by"] in deciders:
            yield f"(second) {row['seconded_by']} decided {row['public_id']} and was the second person too"


def _undo(b: Books) -> Iterator[str]:
    """Nothing leaves before the time to take it back is over."""
    made = {refund["id"]: datetime.fromtimestamp(refund["created"], UTC) for refund in b.stripe_refunds}
    for row in b["refund"]:
        if row["cause"] != "elsewhere" and row["stripe_refund_id"] in made:
            early = at(row["planned_at"]) + timedelta(minutes=b.orders.undo_minutes) - made[row["stripe_refund_id"]]
            if early > timedelta(seconds=1):
                yield f"(undo) {row['public_id']} left {early} before its time"


def _rows(before: Books, now: Books) -> Iterator[str]:
    """(7) Rows of the record stay as they are; a refund keeps what it was written with and never goes back."""
    for table in ("ledger_entry", "timeline_entry", "receipt", "credit_note", "credit_correction"):
        if now[table][: len(before[table])] != before[table]:
            yield f"(record) a row of {table} that was written has changed or is gone"
    later = now.by_id("refund")
    for row in before["refund"]:
        after = later.get(row["id"])
        if after is None or any(after[name] != row[name] for name in FIXED):
            yield f"(record) {row['public_id']} is gone, or is not what it was written as"
            continue
        paid_now = after["paid_elsewhere_by"] and not row["paid_elsewhere_by"]
        if after["status"] not in REST.get(row["status"], (after["status"],)) and not paid_now:
            yield f"(4) {row['public_id']} was {row['status']} and is {after['status']}"
    quotes = now.by_id("return")
    for return_ in before["return"]:
        still = quotes[return_["id"]]
        same = return_["payout_planned_at"] and still["payout_planned_at"] == return_["payout_planned_at"]
        if same and still["quote"] != return_["quote"]:
            yield f"(5) return {return_['rma']} was paid by one quote and shows another"


def _stopped(before: Books, now: Books) -> Iterator[str]:
    """While all refunds are stopped, or a chargeback is known, nothing new is sent."""
    known = {refund["id"] for refund in before.stripe_refunds}
    new = [each for each in now.stripe_refunds if each["id"] not in known and "refund" in each["metadata"]]
    if new and _is_stopped(before) and _is_stopped(now):
        yield f"(stop) {[each['id'] for each in new]} left although all refunds are stopped"
    disputed = {row["id"] for row in before["payment"] if row["disputed_at"] and is_stripe(row)}
    planned = {row["public_id"]: row for row in before["refund"] if row["status"] == "planned"}
    for each in new:
        row = planned.get(each["metadata"]["refund"])
        still = row is not None and next(p for p in now["payment"] if p["id"] == row["payment_id"])["disputed_at"]
        if row is not None and row["payment_id"] in disputed and still:
            yield f"(dispute) {row['public_id']} was sent although its payment is disputed"


def _is_stopped(b: Books) -> bool:
    return any(row["stopped_at"] for row in b["refund_gate"])
