"""What must be true of money at every moment, written once and for itself.

In: the rows of the portal's tables and what the stand-in for Stripe holds. Out: a sentence for each rule that is broken.
It shares no code with the portal: amounts, floors, statuses and currencies are spelled out here again, from the seven lines of
docs/money.md, so that a mistake in the portal cannot excuse itself. Numbers in brackets are the numbers there.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from portal.db import Database

GONE = ("failed", "canceled")
OPEN = ("planned", "submitted", "unknown", "pending", "requires_action")
ENDED = ("rejected", "canceled", "expired")
COUNTING = ("accepted", "review")
UNDECIDED = ("open", "asked")
TABLES = (
    "payment", "refund", "ledger_entry", "store_credit", "return", "return_line", "unit_range", "order", "order_line", "review",
    "exchange", "variant", "timeline_entry", "notice", "receipt", "stripe_event",
)  # fmt: skip
# Stripe's integer for one minor unit here: Stripe counts the crowns of Iceland in hundredths that are always 00.
STRIPE_UNIT = defaultdict(lambda: 1, {"ISK": 100, "UGX": 100})
STEP = {"KWD": 10, "BHD": 10, "JOD": 10, "OMR": 10, "TND": 10}

Row = dict[str, Any]


@dataclass
class Books:
    """One look at both sides."""

    tables: dict[str, list[Row]]
    stripe_refunds: list[Row]
    ever_succeeded: set[str]
    """Refunds at Stripe that have been `succeeded` at any time."""
    first_stock: dict[str, int] = field(default_factory=dict)
    """What was in stock of each article before anything happened."""

    def __getitem__(self, table: str) -> list[Row]:
        return self.tables[table]


def read(database: Database) -> dict[str, list[Row]]:
    """Every row of every table that money touches."""
    found: dict[str, list[Row]] = {}
    with database.read() as session:
        connection = session.connection()
        for table in TABLES:
            rows = connection.exec_driver_sql(f'SELECT * FROM "{table}" ORDER BY 1')
            names = list(rows.keys())
            found[table] = [dict(zip(names, row, strict=True)) for row in rows]
    return found


def broken(books: Books, before: list[Row] | None = None) -> list[str]:
    """Each broken rule as a sentence; empty when all hold. ``before`` is the ledger of the last look."""
    rules = (_payments, _units, _stripe, _refunded, _amounts, _returns, _never_lost, _stock, _events)
    found = [sentence for rule in rules for sentence in rule(books)]
    if before is not None and books["ledger_entry"][: len(before)] != before:
        found.append("(ledger) a row that was written has changed or is gone")
    return found


def _sum(rows: Iterator[Row] | list[Row], name: str = "amount_minor") -> int:
    return sum(row[name] for row in rows)


def _payments(b: Books) -> Iterator[str]:
    """(1) For every payment: succeeded + pending + reserved + known external refunds <= captured."""
    for payment in b["payment"]:
        refunds = [row for row in b["refund"] if row["payment_id"] == payment["id"] and row["status"] not in GONE]
        ours = _sum([row for row in refunds if row["cause"] != "elsewhere"])
        theirs = _sum([row for row in refunds if row["cause"] == "elsewhere"])
        name = f"payment {payment['id']} ({payment['payment_intent']})"
        by_bank = _sum([row for row in refunds if row["paid_elsewhere_by"]])
        if ours > payment["captured_minor"]:
            yield f"(1) {name} captured {payment['captured_minor']} and has {ours} going back"
        # What staff paid by bank, somebody can give back once more by hand at Stripe; no program can hinder that.
        if ours - by_bank + theirs > payment["captured_minor"]:
            yield f"(1) {name} captured {payment['captured_minor']} and has {ours} - {by_bank} + {theirs} going back"
        if payment["refunding_minor"] != ours:
            yield f"(1) {name} counts {payment['refunding_minor']}, its refunds are {ours}"
        if payment["refunded_elsewhere_minor"] != min(theirs, payment["captured_minor"] - ours):
            yield f"(1) {name} counts {payment['refunded_elsewhere_minor']} elsewhere, there are {theirs}"
        booked = _sum(
            [
                row
                for row in b["ledger_entry"]
                if row["payment_id"] == payment["id"] and row["account"] in ("reserved", "refunded")
            ]
        )
        if booked != ours + theirs:
            yield f"(ledger) {name} has {booked} in the ledger and {ours + theirs} in refunds"
        there = _sum(
            [
                row
                for row in b.stripe_refunds
                if row["payment_intent"] == payment["payment_intent"] and row["status"] not in GONE
            ],
            "amount",
        )
        if there > payment["captured_minor"] * STRIPE_UNIT[payment["currency"]]:
            yield f"(1) {name} captured {payment['captured_minor']}, Stripe has given {there} back"


def _units(b: Books) -> Iterator[str]:
    """(2) Units in returns together <= units bought, each unit in one return; an ended return gives its units back."""
    returns = {row["id"]: row for row in b["return"]}
    lines = {row["id"]: row for row in b["return_line"]}
    for article in b["order_line"]:
        held = [row for row in b["unit_range"] if row["order_line_id"] == article["id"] and row["released_at"] is None]
        units = [unit for row in held for unit in range(row["first"], row["last"] + 1)]
        if len(set(units)) != len(units):
            yield f"(2) line {article['id']}: a unit is in two returns: {sorted(units)}"
        if any(not 1 <= unit <= article["quantity"] for unit in units):
            yield f"(2) line {article['id']} of {article['quantity']}: units {sorted(units)}"
        if len(units) != article["units_held"]:
            yield f"(2) line {article['id']} counts {article['units_held']} held units, there are {len(units)}"
        if len(units) + article["units_gone"] > article["quantity"]:
            yield f"(2) line {article['id']}: {len(units)} held, {article['units_gone']} gone of {article['quantity']}"
        worth = 0
        for row in held:
            if row["return_line_id"] is None:
                worth += _floor(article["gross_minor"], article["quantity"], row["first"], row["last"])
        for line_id in {row["return_line_id"] for row in held} - {None}:
            line = lines[line_id]
            ranges = [(row["first"], row["last"]) for row in held if row["return_line_id"] == line_id]
            exact = sum(_floor(article["gross_minor"], article["quantity"], *each) for each in ranges)
            if line["gross_minor"] != exact:
                yield f"(5) return line {line_id} is worth {line['gross_minor']}, its units {ranges} are {exact}"
            worth += line["gross_minor"]
        if worth > article["gross_minor"] or (len(units) == article["quantity"] and worth != article["gross_minor"]):
            yield f"(5) line {article['id']}: {len(units)} units returned as {worth} of {article['gross_minor']}"
    for line in b["return_line"]:
        counts = line["status"] in COUNTING and returns[line["return_id"]]["status"] not in ENDED
        held_now = sum(
            row["last"] - row["first"] + 1
            for row in b["unit_range"]
            if row["return_line_id"] == line["id"] and row["released_at"] is None
        )
        if held_now != (line["quantity"] if counts else 0):
            yield f"(2) return line {line['id']} ({line['status']}) holds {held_now} of {line['quantity']}"
        if not 0 <= line["received_quantity"] <= line["quantity"]:
            yield f"(2) return line {line['id']} received {line['received_quantity']} of {line['quantity']}"


def _floor(gross: int, quantity: int, first: int, last: int) -> int:
    return gross * last // quantity - gross * (first - 1) // quantity


def _stripe(b: Books) -> Iterator[str]:
    """(3) One approved payout makes exactly one refund at Stripe."""
    rows = {row["public_id"]: row for row in b["refund"]}
    payments = {row["id"]: row for row in b["payment"]}
    numbers = Counter(refund["metadata"]["refund"] for refund in b.stripe_refunds if "refund" in refund["metadata"])
    for number, count in numbers.items():
        if count > 1:
            yield f"(3) {number} was made {count} times at Stripe"
    for refund in b.stripe_refunds:
        number = refund["metadata"].get("refund")
        if number is None:
            continue
        row = rows.get(number)
        if row is None:
            yield f"(3) {number} is at Stripe and not here"
            continue
        payment = payments[row["payment_id"]]
        if refund["amount"] != row["amount_minor"] * STRIPE_UNIT[row["currency"]]:
            yield f"(6) {number} is {row['amount_minor']} {row['currency']} here and {refund['amount']} at Stripe"
        if refund["currency"].upper() != row["currency"] or refund["payment_intent"] != payment["payment_intent"]:
            yield f"(3) {number} is on another payment or in another currency at Stripe"
        if refund["status"] not in GONE and row["status"] in GONE:
            yield f"(3) {number} is {row['status']} here while Stripe has it as {refund['status']}: it could be paid twice"
        if refund["status"] not in GONE and row["paid_elsewhere_by"]:
            yield f"(3) {number} was paid elsewhere and is {refund['status']} at Stripe: paid twice"
    by_id = Counter(row["stripe_refund_id"] for row in b["refund"] if row["stripe_refund_id"])
    known = {refund["id"] for refund in b.stripe_refunds}
    for id_, count in by_id.items():
        if count > 1 or id_ not in known:
            yield f"(3) {id_} is named by {count} refunds here; at Stripe: {id_ in known}"
    replaced = Counter(row["replaces_id"] for row in b["refund"] if row["replaces_id"])
    for row in b["refund"]:
        if replaced[row["id"]] and (row["status"] not in GONE or replaced[row["id"]] > 1):
            yield f"(3) {row['public_id']} is {row['status']} and was replaced {replaced[row['id']]} times"


def _refunded(b: Books) -> Iterator[str]:
    """(4) "Refunded" is only said after Stripe said `succeeded`, or staff recorded "paid elsewhere" with a note."""
    rows = {row["id"]: row for row in b["refund"]}
    for row in b["refund"]:
        if row["status"] != "succeeded":
            continue
        by_hand = bool(row["paid_elsewhere_by"] and row["paid_elsewhere_note"].strip())
        if not by_hand and row["stripe_refund_id"] not in b.ever_succeeded:
            yield f"(4) {row['public_id']} is called succeeded and never was at Stripe"
    said = Counter()
    for entry in b["timeline_entry"]:
        if entry["what"] in ("refund.succeeded", "refund.paid_elsewhere"):
            row = rows[entry["refund_id"]]
            said[row["public_id"], entry["what"]] += 1
            if entry["what"] == "refund.succeeded" and row["stripe_refund_id"] not in b.ever_succeeded:
                yield f"(4) the timeline says that {row['public_id']} succeeded, Stripe never did"
    for (number, what), count in said.items():
        if count > 1:
            yield f"(4) {what} was said {count} times of {number}"
    told = Counter((row["refund_id"], row["kind"]) for row in b["notice"] if row["kind"] == "refund_sent")
    for (refund_id, _kind), count in told.items():
        row = rows[refund_id]
        ever = row["stripe_refund_id"] in b.ever_succeeded or bool(row["paid_elsewhere_by"])
        if not ever or count > 2:
            yield f"(4) the customer was told {count} times that {row['public_id']} was sent; it is {row['status']}"


def _amounts(b: Books) -> Iterator[str]:
    """(6) Integers of the minor unit everywhere; what a service counts in steps is a multiple of them."""
    for table, rows in b.tables.items():
        for row in rows:
            for name, value in row.items():
                if name.endswith("_minor") and value is not None and type(value) is not int:
                    yield f"(6) {table}.{name} is {value!r}"
    stripe = {row["id"] for row in b["payment"] if row["payment_intent"] and row["provider"] == "stripe"}
    for row in b["refund"]:
        if row["amount_minor"] <= 0:
            yield f"(6) refund {row['public_id']} over {row['amount_minor']}"
        if row["payment_id"] in stripe and row["amount_minor"] % STEP.get(row["currency"], 1):
            yield f"(6) refund {row['public_id']} over {row['amount_minor']} {row['currency']} is no whole step"


def _returns(b: Books) -> Iterator[str]:
    """(3)(5) What a return gives in any form is never more than it owes; what an order gives, never more than was paid."""
    for return_ in b["return"]:
        book = _balances(b, return_["id"])
        rows = [row for row in b["refund"] if row["return_id"] == return_["id"] and row["cause"] != "elsewhere"]
        if book["reserved"] != _sum([row for row in rows if row["status"] in OPEN]):
            yield f"(ledger) return {return_['rma']}: reserved {book['reserved']} is not its open refunds"
        if book["refunded"] != _sum([row for row in rows if row["status"] == "succeeded"]):
            yield f"(ledger) return {return_['rma']}: refunded {book['refunded']} is not its succeeded refunds"
        credits = _sum([row for row in b["store_credit"] if row["return_id"] == return_["id"]])
        if book["store_credit"] != credits:
            yield f"(ledger) return {return_['rma']}: credit {book['store_credit']} is not {credits}"
        gives = book["refunded"] + book["reserved"] + book["store_credit"]
        if gives > book["owed"]:
            yield f"(5) return {return_['rma']} owes {book['owed']} and gives {gives}"
        if return_["payout_planned_at"] is None:
            if any(book.values()):
                yield f"(3) return {return_['rma']} has money without a payout: {book}"
        else:
            carried = _sum(
                [
                    row
                    for row in b["ledger_entry"]
                    if row["return_id"] == return_["id"] and row["account"] == "owed" and row["kind"] == "carried"
                ]
            )
            total = _quote(return_)["total"]["amount"]
            if book["owed"] - carried != total:
                yield f"(5) return {return_['rma']} was quoted {total} and owes {book['owed'] - carried}"
        if _quote(return_)["total"]["amount"] < 0:
            yield f"(fees) return {return_['rma']} has a total below zero"
        lost = any(row["status"] in GONE for row in rows)
        if return_["status"] == "closed" and book["owed"] != book["refunded"] + book["store_credit"] and not lost:
            yield f"(4) return {return_['rma']} is closed; owed {book['owed']}, given {gives}"
    chains = _chains(b)
    for root, orders in chains.items():
        paid = _sum([row for row in b["payment"] if row["order_id"] in orders], "captured_minor")
        refunds = [
            row
            for row in b["refund"]
            if row["status"] not in GONE
            and any(p["id"] == row["payment_id"] and p["order_id"] in orders for p in b["payment"])
        ]
        credit = sum(row["amount_minor"] - row["bonus_minor"] for row in b["store_credit"] if row["order_id"] in orders)
        # A refund that somebody makes by hand at Stripe after the credit was given is nobody's mistake here.
        if _sum([row for row in refunds if row["cause"] != "elsewhere"]) + credit > paid:
            yield f"(5) order {root} was paid {paid}, gives {_sum(refunds)} back and {credit} as credit"


def _balances(b: Books, return_id: int) -> dict[str, int]:
    found = {"owed": 0, "reserved": 0, "refunded": 0, "store_credit": 0}
    for row in b["ledger_entry"]:
        if row["return_id"] == return_id:
            found[row["account"]] += row["amount_minor"]
    return found


def _quote(return_: Row) -> dict[str, Any]:
    quote = return_["quote"]
    return json.loads(quote) if isinstance(quote, str) else quote


def _chains(b: Books) -> dict[int, set[int]]:
    """Every order with the replacement orders that go back to it, however far."""
    order_of = {row["id"]: row["order_id"] for row in b["return"]}
    root = {}
    for row in sorted(b["order"], key=lambda row: row["id"]):
        replaces = row["replaces_return_id"]
        root[row["id"]] = root[order_of[replaces]] if replaces is not None else row["id"]
    found: dict[int, set[int]] = defaultdict(set)
    for order_id, first in root.items():
        found[first].add(order_id)
    return found


def _never_lost(b: Books) -> Iterator[str]:
    """Money that is owed and neither given nor on its way is a question that somebody has; it is never simply gone."""
    replaced = {row["replaces_id"] for row in b["refund"]}
    for return_ in b["return"]:
        if return_["payout_planned_at"] is None:
            continue
        book = _balances(b, return_["id"])
        missing = book["owed"] - book["refunded"] - book["store_credit"] - book["reserved"]
        asked = [
            row
            for row in b["review"]
            if row["status"] in UNDECIDED and row["return_id"] == return_["id"] and row["kind"] != "asked_us"
        ]
        if missing > 0 and not asked:
            yield f"(lost) return {return_['rma']} still owes {missing} and nobody is asked"
    asked_about = {row["refund_id"] for row in b["review"] if row["status"] in UNDECIDED}
    for row in b["refund"]:
        # What staff took back before it was sent owes nothing; the return is decided again and counts above.
        if row["failure_code"] == "taken_back":
            if row["stripe_refund_id"]:
                yield f"(3) {row['public_id']} was taken back and is at Stripe"
            continue
        if row["status"] in GONE and row["cause"] != "elsewhere" and row["id"] not in replaced | asked_about:
            yield f"(lost) refund {row['public_id']} has {row['status']}, was not replaced, and nobody is asked"


def _stock(b: Books) -> Iterator[str]:
    """Goods are held for one return each, leave once and come back once."""
    lines = {row["id"]: row for row in b["return_line"]}
    articles = {row["id"]: row for row in b["order_line"]}
    for variant in b["variant"]:
        sku = variant["sku"]
        of = [row for row in b["exchange"] if row["sku"] == sku]
        held = _sum([row for row in of if row["status"] == "reserved"], "quantity")
        if variant["reserved"] != held:
            yield f"(stock) {sku}: {variant['reserved']} reserved, exchanges hold {held}"
        gone = _sum([row for row in of if row["status"] == "ordered"], "quantity")
        back = sum(
            line["restocked_quantity"] for line in lines.values() if articles[line["order_line_id"]]["sku"] == sku
        )
        first = b.first_stock.get(sku)
        if first is not None and variant["stock"] != first - gone + back:
            yield f"(stock) {sku}: {variant['stock']} there; {first} at first, {gone} sent, {back} came back"
    for line in lines.values():
        if line["restocked_quantity"] > line["received_quantity"]:
            yield f"(stock) return line {line['id']}: {line['restocked_quantity']} restocked of {line['received_quantity']}"


def _events(b: Books) -> Iterator[str]:
    counts = Counter(row["event_id"] for row in b["stripe_event"])
    for event, count in counts.items():
        if count > 1:
            yield f"(events) {event} is stored {count} times"
