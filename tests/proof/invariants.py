"""What must be true of money at every moment, written once and for itself.

In: the rows of the portal's tables and what the stand-in for Stripe holds. Out: a sentence for each rule that is broken.
It shares no code with the portal: amounts, floors, statuses and currencies are spelled out here again, from the seven lines of
docs/money.md, so that a mistake in the portal cannot excuse itself. Numbers in brackets are the numbers there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.proof.books import COUNTING, ENDED, GONE, OPEN, STEP, STRIPE_UNIT, UNDECIDED, Books, Row, is_stripe, total

ANEW = ("taken_back", "given_up")
"""Refunds whose amount is decided once more, or ends with the gift."""


def broken(books: Books) -> list[str]:
    """Each broken rule as a sentence; empty when all hold."""
    rules = (
        _payments, _units, _stripe, _refunded, _released, _amounts, _returns, _gifts, _never_lost, _stock, _events, _notes,
    )  # fmt: skip
    return [sentence for rule in rules for sentence in rule(books)]


def _payments(b: Books) -> Iterator[str]:
    """(1) For every payment: succeeded + pending + reserved + known external refunds <= captured."""
    for payment in b["payment"]:
        captured, unit = payment["captured_minor"], STRIPE_UNIT[payment["currency"]]
        of = [row for row in b.of("refund", "payment_id", payment["id"]) if row["status"] not in GONE]
        ours = total(row for row in of if row["cause"] != "elsewhere")
        theirs = total(row for row in of if row["cause"] == "elsewhere")
        name = f"payment {payment['id']} ({payment['payment_intent']})"
        by_bank = total(row for row in of if row["paid_elsewhere_by"])
        if ours > captured:
            yield f"(1) {name} captured {captured} and has {ours} going back"
        # What staff paid by bank, somebody can give back once more by hand at Stripe; no program can hinder that. Nor does one
        # know that more was captured than it was told.
        there = b.intents.get(payment["payment_intent"] or "")
        known = max(captured, there["amount"] // unit if there else 0)
        if ours - by_bank + theirs > known:
            yield f"(1) {name} captured {known} and has {ours} - {by_bank} + {theirs} going back"
        if payment["refunding_minor"] != ours:
            yield f"(1) {name} counts {payment['refunding_minor']}, its refunds are {ours}"
        others = min(max(theirs, payment["refunded_at_source_minor"]), captured - ours)
        if payment["refunded_elsewhere_minor"] != others:
            yield f"(1) {name} counts {payment['refunded_elsewhere_minor']} of other hands, there are {others}"
        booked = total(
            row
            for row in b.of("ledger_entry", "payment_id", payment["id"])
            if row["account"] in ("reserved", "refunded")
        )
        if booked != ours + theirs:
            yield f"(ledger) {name} has {booked} in the ledger and {ours + theirs} in refunds"
        if there is None:
            continue
        made = [
            row
            for row in b.stripe_refunds
            if row["payment_intent"] == payment["payment_intent"] and row["status"] not in GONE
        ]
        # One payment may stand for several orders.
        whole = total(b.of("payment", "payment_intent", payment["payment_intent"]), "captured_minor")
        if total((row for row in made if "refund" in row["metadata"]), "amount") > whole * unit:
            yield f"(1) {name} captured {whole} for all orders, the portal has given more back at Stripe"
        if total(made, "amount") > there["amount"]:
            yield f"(1) {name} was {there['amount']} at Stripe, more was given back"


def _units(b: Books) -> Iterator[str]:
    """(2) Units in returns together <= units bought, each unit in one return; an ended return gives its units back."""
    returns = {row["id"]: row for row in b["return"]}
    lines = {row["id"]: row for row in b["return_line"]}
    for article in b["order_line"]:
        held = [row for row in b.of("unit_range", "order_line_id", article["id"]) if row["released_at"] is None]
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
            back = [(row["first"], row["last"]) for row in _given_back(b, line)]
            whole = exact + sum(_floor(article["gross_minor"], article["quantity"], *each) for each in back)
            if line["gross_minor"] != whole:
                yield f"(5) return line {line_id} is worth {line['gross_minor']}, its units {ranges} {back} are {whole}"
            worth += exact
        if worth > article["gross_minor"] or (len(units) == article["quantity"] and worth != article["gross_minor"]):
            yield f"(5) line {article['id']}: {len(units)} units returned as {worth} of {article['gross_minor']}"
    for line in b["return_line"]:
        counts = line["status"] in COUNTING and returns[line["return_id"]]["status"] not in ENDED
        held_now = sum(
            row["last"] - row["first"] + 1
            for row in b.of("unit_range", "return_line_id", line["id"])
            if row["released_at"] is None
        )
        back = sum(row["last"] - row["first"] + 1 for row in _given_back(b, line))
        if held_now + back != (line["quantity"] if counts else 0):
            yield f"(2) return line {line['id']} ({line['status']}) holds {held_now} of {line['quantity']}"
        found = json.loads(line["found"]) if line["found"] else {}
        if back > found.get("missing", 0) + found.get("wrong_item", 0):
            yield f"(2) return line {line['id']} gave {back} units back that had come"
        if not 0 <= line["received_quantity"] <= line["quantity"]:
            yield f"(2) return line {line['id']} received {line['received_quantity']} of {line['quantity']}"


def _given_back(b: Books, line: Row) -> list[Row]:
    """The units that a return gave back as it closed, because they had neither come nor been paid; a refused line has none."""
    if line["status"] not in COUNTING:
        return []
    closed_at = next(row["closed_at"] for row in b["return"] if row["id"] == line["return_id"])
    ranges = b.of("unit_range", "return_line_id", line["id"])
    # Time stands still between steps: what was refused and taken back before it closed was released at that moment too.
    taken_again = {
        row["id"]
        for row in ranges
        for later in ranges
        if later["id"] > row["id"] and later["first"] <= row["last"] and row["first"] <= later["last"]
    }
    return [
        row
        for row in ranges
        if closed_at is not None and row["released_at"] == closed_at and row["id"] not in taken_again
    ]


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
        if not by_hand and row["way"] != "release" and row["stripe_refund_id"] not in b.ever_succeeded:
            yield f"(4) {row['public_id']} is called succeeded and never was at Stripe"
    said = Counter()
    for entry in b["timeline_entry"]:
        if entry["what"] in ("refund.succeeded", "refund.paid_elsewhere", "refund.released"):
            row = rows[entry["refund_id"]]
            said[row["public_id"], entry["what"]] += 1
            if entry["what"] == "refund.succeeded" and row["stripe_refund_id"] not in b.ever_succeeded:
                yield f"(4) the timeline says that {row['public_id']} succeeded, Stripe never did"
    for (number, what), count in said.items():
        if count > 1:
            yield f"(4) {what} was said {count} times of {number}"
    mails = ("refund_sent", "goodwill_sent", "payment_released")
    beside = {
        row["return_id"] for row in b["ledger_entry"] if row["kind"] == "paid_elsewhere" and row["refund_id"] is None
    }
    for row in b["notice"]:
        if row["kind"] == "refund_sent" and row["refund_id"] is None and row["return_id"] not in beside:
            yield f"(4) the customer of return {row['return_id']} was told of money that nobody has paid"
    told = Counter((row["refund_id"], row["kind"]) for row in b["notice"] if row["kind"] in mails and row["refund_id"])
    for (refund_id, kind), count in told.items():
        row = rows[refund_id]
        ever = row["stripe_refund_id"] in b.ever_succeeded or bool(row["paid_elsewhere_by"])
        # What takes the place of one that failed is told as soon as Stripe has accepted it.
        ever = ever or bool(row["replaces_id"] and row["stripe_refund_id"])
        if kind == "payment_released":
            ever = row["way"] == "release" and row["status"] == "succeeded"
        if not ever or count > 2:
            yield f"(4) the customer was told {count} times that {row['public_id']} was sent; it is {row['status']}"


def _released(b: Books) -> Iterator[str]:
    """(4) "Given free" is only said of money that Stripe never took: the payment was canceled, or that much less was captured."""
    freed: Counter[str] = Counter()
    payments = b.by_id("payment")
    for row in b["refund"]:
        if row["way"] == "release" and row["status"] == "succeeded" and not row["paid_elsewhere_by"]:
            freed[payments[row["payment_id"]]["payment_intent"]] += row["amount_minor"]
            if row["stripe_refund_id"]:
                yield f"(4) {row['public_id']} was given free and names a refund at Stripe"
    for intent, amount in freed.items():
        there, unit = b.intents[intent], STRIPE_UNIT[b.intents[intent]["currency"].upper()]
        taken = there["amount_received"]
        if there["status"] == "requires_capture":
            yield f"(4) payment {intent}: {amount} are called free and may still be captured"
        # What was authorized, and not what the shop's system says was captured: that may be told anew at any time.
        if taken > there["amount"] - amount * unit:
            yield f"(4) payment {intent} over {there['amount']}: {amount} are called free, and {taken} were captured"


def _amounts(b: Books) -> Iterator[str]:
    """(6) Integers of the minor unit everywhere; what a service counts in steps is a multiple of them."""
    for table, rows in b.tables.items():
        amounts = [name for name in (rows[0] if rows else ()) if name.endswith("_minor")]
        for name in amounts:
            for row in rows:
                if row[name] is not None and type(row[name]) is not int:
                    yield f"(6) {table}.{name} is {row[name]!r}"
    stripe = {row["id"] for row in b["payment"] if is_stripe(row)}
    for row in b["refund"]:
        if row["amount_minor"] <= 0:
            yield f"(6) refund {row['public_id']} over {row['amount_minor']}"
        sent = row["payment_id"] in stripe and not row["paid_elsewhere_by"]
        if sent and row["amount_minor"] % STEP.get(row["currency"], 1):
            yield f"(6) refund {row['public_id']} over {row['amount_minor']} {row['currency']} is no whole step"


def _returns(b: Books) -> Iterator[str]:
    """(3)(5) What a return gives in any form is never more than it owes; what an order gives, never more than was paid."""
    for return_ in b["return"]:
        book = _balances(b, return_["id"])
        rows = [row for row in b.of("refund", "return_id", return_["id"]) if row["cause"] != "elsewhere"]
        if book["reserved"] != total([row for row in rows if row["status"] in OPEN]):
            yield f"(ledger) return {return_['rma']}: reserved {book['reserved']} is not its open refunds"
        beside = total(
            row
            for row in b.of("ledger_entry", "return_id", return_["id"])
            if row["account"] == "refunded" and row["payment_id"] is None
        )
        if book["refunded"] - beside != total(row for row in rows if row["status"] == "succeeded"):
            yield f"(ledger) return {return_['rma']}: refunded {book['refunded']} is not its succeeded refunds"
        credits = total(b.of("store_credit", "return_id", return_["id"]))
        if book["store_credit"] != credits:
            yield f"(ledger) return {return_['rma']}: credit {book['store_credit']} is not {credits}"
        gives = book["refunded"] + book["reserved"] + book["store_credit"]
        if gives > book["owed"]:
            yield f"(5) return {return_['rma']} owes {book['owed']} and gives {gives}"
        if return_["payout_planned_at"] is None:
            if any(book.values()):
                yield f"(3) return {return_['rma']} has money without a payout: {book}"
        else:
            carried = total(
                row
                for row in b.of("ledger_entry", "return_id", return_["id"])
                if row["account"] == "owed" and row["kind"] in ("carried", "waived", "bonus_lapsed")
            )
            quoted = _quote(return_)["total"]["amount"]
            if book["owed"] - carried != quoted:
                yield f"(5) return {return_['rma']} was quoted {quoted} and owes {book['owed'] - carried}"
        if _quote(return_)["total"]["amount"] < 0:
            yield f"(fees) return {return_['rma']} has a total below zero"
        lost = any(row["status"] in GONE for row in rows)
        if return_["status"] == "closed" and book["owed"] != book["refunded"] + book["store_credit"] and not lost:
            yield f"(4) return {return_['rma']} is closed; owed {book['owed']}, given {gives}"
    for root, orders in b.families().items():
        payments = [row for order_id in orders for row in b.of("payment", "order_id", order_id)]
        paid = total(payments, "captured_minor")
        refunds = [
            row
            for payment in payments
            for row in b.of("refund", "payment_id", payment["id"])
            if row["status"] not in GONE
        ]
        given = [row for order_id in orders for row in b.of("store_credit", "order_id", order_id)]
        credit = sum(row["amount_minor"] - row["bonus_minor"] for row in given)
        # A refund that somebody makes by hand at Stripe after the credit was given is nobody's mistake here.
        if total([row for row in refunds if row["cause"] != "elsewhere"]) + credit > paid:
            yield f"(5) order {root} was paid {paid}, gives {total(refunds)} back and {credit} as credit"


def _gifts(b: Books) -> Iterator[str]:
    """(3) A gift gives its amount once, and the order that it was given for says so."""
    orders: Counter[int] = Counter()
    for gift in b["goodwill"]:
        parts = b.of("refund", "goodwill_id", gift["id"])
        kept = total(row for row in parts if row["status"] not in GONE)
        first = total(row for row in parts if row["cause"] == "goodwill")
        if kept > gift["amount_minor"] or first != gift["amount_minor"]:
            yield f"(3) gift {gift['public_id']} of {gift['amount_minor']} was planned as {first} and gives {kept}"
        back = total(row for row in parts if row["failure_code"] in ANEW)
        orders[gift["order_id"]] += gift["amount_minor"] - back
    for order in b["order"]:
        owed = total(row for row in b.of("ledger_entry", "order_id", order["id"]) if row["kind"] == "goodwill")
        if owed != orders[order["id"]]:
            yield f"(ledger) order {order['number']} owes {owed} of gifts, given were {orders[order['id']]}"


def _balances(b: Books, return_id: int) -> dict[str, int]:
    found = {"owed": 0, "reserved": 0, "refunded": 0, "store_credit": 0}
    for row in b.of("ledger_entry", "return_id", return_id):
        found[row["account"]] += row["amount_minor"]
    return found


def _quote(return_: Row) -> dict[str, Any]:
    quote = return_["quote"]
    return json.loads(quote) if isinstance(quote, str) else quote


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
            for row in b.of("review", "return_id", return_["id"])
            if row["status"] in UNDECIDED and row["kind"] != "asked_us"
        ]
        if missing > 0 and not asked:
            yield f"(lost) return {return_['rma']} still owes {missing} and nobody is asked"
    asked_about = {row["refund_id"] for row in b["review"] if row["status"] in UNDECIDED}
    for row in b["refund"]:
        # What staff took back before it was sent, or gave up, owes nothing itself; the return counts above.
        if row["failure_code"] in ANEW:
            if row["stripe_refund_id"] and row["failure_code"] == "taken_back":
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
        of = b.of("exchange", "sku", sku)
        held = total([row for row in of if row["status"] == "reserved"], "quantity")
        if variant["reserved"] != held:
            yield f"(stock) {sku}: {variant['reserved']} reserved, exchanges hold {held}"
        gone = total([row for row in of if row["status"] == "ordered"], "quantity")
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


def _notes(b: Books) -> Iterator[str]:
    """Credit notes and corrections are numbered without a gap, and there is one note for each return or gift. A note less its
    corrections never names less than was given or is still owed; bonus and what a service cannot pay in whole steps apart."""
    found = sorted(row["number"].rsplit("-", 1) for table in ("credit_note", "credit_correction") for row in b[table])
    for series in {series for series, _ in found}:
        numbers = sorted(int(number) for name, number in found if name == series)
        if numbers != list(range(1, len(numbers) + 1)):
            yield f"(notes) series {series} has the numbers {numbers}"
    of = Counter(note["return_id"] for note in b["credit_note"] if note["return_id"] is not None)
    yield from (f"(notes) return {return_id} has {count} credit notes" for return_id, count in of.items() if count > 1)
    for note, left, kept in _credited(b):
        if left < kept:
            yield f"(notes) note {note['number']} was corrected to {left}, and {kept} are given or owed"
        taxes = 0
        so_far = 0
        for row in b.of("credit_correction", "note_id", note["id"]):
            so_far, taxes = so_far + row["gross_minor"], taxes + row["tax_minor"]
            if taxes != note["tax_minor"] * so_far // note["gross_minor"]:
                yield f"(notes) correction {row['number']} makes the tax {taxes} of {so_far}"


def uncorrected(b: Books) -> list[str]:
    """Each note that still names more than was given or is owed; there is none once no correction is waited for."""
    return [
        f"(notes) note {note['number']} names {left}, and {kept} are given or owed"
        for note, left, kept in _credited(b)
        if left > kept
    ]


def _credited(b: Books) -> Iterator[tuple[Row, int, int]]:
    """Each note, what it names less its corrections, and what of it was given or is still owed."""
    returns, refunds, gifts = b.by_id("return"), b.by_id("refund"), b.by_id("goodwill")
    for note in b["credit_note"]:
        left = note["gross_minor"] - total(b.of("credit_correction", "note_id", note["id"]), "gross_minor")
        if note["return_id"] is None:
            gift = gifts[refunds[note["refund_id"]]["goodwill_id"]]
            ended = [row for row in b.of("refund", "goodwill_id", gift["id"]) if row["failure_code"] in ANEW]
            yield note, left, gift["amount_minor"] - total(ended)
            continue
        entries = [row for row in b.of("ledger_entry", "return_id", note["return_id"]) if row["account"] == "owed"]
        # The ledger may have carried an amount to the order's next payout, and let the bonus lapse: the note has neither.
        prices = total(row for row in entries if row["kind"] not in ("carried", "bonus_lapsed"))
        parts = _quote(returns[note["return_id"]])["parts"]
        bonus = sum(
            part["amount"] if part["kind"] == "credit_bonus" else part.get("params", {}).get("bonus_minor", 0)
            for part in parts
        )
        yield note, left, prices - bonus
