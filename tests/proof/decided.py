"""What was agreed, decided by people and asked of them, and goods that go out again, written for itself like `invariants`.

In: `Books` of now, and of the last look. Out: a sentence for each rule that is broken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

from tests.proof.books import COUNTING, ENDED, GONE, STRIPE_UNIT, UNDECIDED, Books, Row, at, total

MOMENTS = ("authorized", "in_transit", "received", "inspected")
NOT_RIGHT = ("missing", "wrong_item")
STUCK_TRIES, STUCK_AFTER = 10, timedelta(hours=4)


def broken(books: Books) -> list[str]:
    """Each broken rule about exchanges, decisions, agreements and questions."""
    rules = (
        _replaced,
        _replacements_owed,
        _forgotten,
        _decided_again,
        _agreed,
        _bonus,
        _stuck,
        _given_free,
        _gift_notes,
    )
    return [sentence for rule in rules for sentence in rule(books)]


def changed(before: Books, now: Books) -> list[str]:
    """Each thing that was done since ``before`` and never may."""
    return [*_let_go(before, now), *_gift_units(before, now)]


def told(b: Books, return_: Row, state: str, pieces: list[tuple[str, str]]) -> list[str]:
    """(4) Each thing that the customer reads of a return's money and that is not so: the ``state`` of all of it, and of each part
    (number of its refund, empty for credit and goods)."""
    wrong = []
    rows = {row["public_id"]: row for row in b["refund"]}
    for number, said in pieces:
        row = rows.get(number)
        if row is None or said not in ("arrived", "released"):
            continue
        by_hand, free = bool(row["paid_elsewhere_by"]), row["way"] == "release"
        so = row["status"] == "succeeded" and (by_hand or free or row["stripe_refund_id"] in b.ever_succeeded)
        if not so or (said == "released" and not free):
            wrong.append(f"(4) the customer reads {said} of {number}, which is {row['status']}")
    entries = b.of("ledger_entry", "return_id", return_["id"])
    owed = total(row for row in entries if row["account"] == "owed")
    beside = total(row for row in entries if row["account"] == "refunded" and row["payment_id"] is None)
    of = [row for row in b.of("refund", "return_id", return_["id"]) if row["status"] == "succeeded"]
    has = total(of) + beside + total(b.of("store_credit", "return_id", return_["id"]))
    if state == "refunded" and has != owed:
        wrong.append(f"(4) the customer reads that return {return_['rma']} is refunded; owed {owed}, given {has}")
    return wrong


def _asked(b: Books) -> set[int]:
    """Returns about which somebody is asked something that is not about one refund alone."""
    return {row["return_id"] for row in b["review"] if row["status"] in UNDECIDED and row["refund_id"] is None}


def _exchanges(b: Books, status: str) -> Iterator[tuple[Row, Row, Row]]:
    lines, returns = b.by_id("return_line"), b.by_id("return")
    for each in b["exchange"]:
        if each["status"] == status:
            line = lines[each["return_line_id"]]
            yield each, line, returns[line["return_id"]]


def _replaced(b: Books) -> Iterator[str]:
    """(3) What goods were sent for is given in no other form: its line stays an exchange of a return that was settled."""
    for each, line, return_ in _exchanges(b, "ordered"):
        name = f"(exchange) {each['quantity']} of {each['sku']} were sent for return {return_['rma']}"
        if line["status"] not in COUNTING or line["resolution"] != "exchange" or return_["status"] in ENDED:
            yield f"{name}, and its line is {line['status']} {line['resolution']} of a return that is {return_['status']}"
        if return_["payout_planned_at"] is None:
            yield f"{name}, and the return is decided once more"


def _replacements_owed(b: Books) -> Iterator[str]:
    """Goods that came for an exchange are replaced, or somebody is asked."""
    asked = _asked(b)
    for each, _line, return_ in _exchanges(b, "reserved"):
        came = return_["status"] in ("received", "inspected")
        due = came and MOMENTS.index(return_["status"]) >= MOMENTS.index(return_["refund_when"])
        paid = due and return_["payout_planned_at"] is not None
        if return_["status"] in (*ENDED, "closed") or (paid and return_["id"] not in asked):
            yield f"(lost) return {return_['rma']} is {return_['status']}, and {each['sku']} is held for it for ever"
    for each, line, return_ in _exchanges(b, "released"):
        found = json.loads(line["found"]) if line["found"] else {}
        right = sum(count for condition, count in found.items() if condition not in NOT_RIGHT)
        agreed = line["status"] in COUNTING and line["resolution"] == "exchange" and return_["status"] == "closed"
        if agreed and right:
            yield f"(lost) {right} came for an exchange of return {return_['rma']}, and no {each['sku']} was sent"


def _forgotten(b: Books) -> Iterator[str]:
    """A return whose money is due has its payout, or somebody is asked."""
    asked = _asked(b)
    for return_ in b["return"]:
        due = return_["status"] in MOMENTS and (
            MOMENTS.index(return_["status"]) >= MOMENTS.index(return_["refund_when"])
        )
        if return_["status"] == "under_review" and return_["id"] not in asked:
            yield f"(lost) return {return_['rma']} is to be decided and nobody is asked"
        if due and return_["payout_planned_at"] is None and return_["id"] not in asked:
            yield f"(lost) return {return_['rma']} is {return_['status']}, nothing was paid and nobody is asked"


def _decided_again(b: Books) -> Iterator[str]:
    """What a person took back is not paid before a person has decided again."""
    waiting = set()
    if not b.of("timeline_entry", "what", "payout.taken_back"):
        return
    decisions = ("payout.taken_back", "return.authorized", "return.inspected", "payout.planned")
    entries = [entry for what in decisions for entry in b.of("timeline_entry", "what", what)]
    for entry in sorted(entries, key=lambda entry: entry["id"]):
        data = json.loads(entry["data"]) if entry["data"] else {}
        if entry["what"] == "payout.taken_back":
            waiting.add(entry["return_id"])
        elif entry["what"] in ("return.authorized", "return.inspected") and data.get("by") == "staff":
            waiting.discard(entry["return_id"])
        elif entry["what"] == "payout.planned" and entry["return_id"] in waiting:
            yield f"(decided) return {entry['return_id']} was taken back, and was paid although nobody has decided again"


def _into(return_: Row, pot: str) -> int:
    return sum(part["amount"] for part in json.loads(return_["quote"])["parts"] if part["into"] == pot)


def _agreed(b: Books) -> Iterator[str]:
    """(5) Each part goes into what was agreed: what is owed as store credit becomes no refund, nor the other way."""
    for return_ in b["return"]:
        of = [row for row in b.of("refund", "return_id", return_["id"]) if row["status"] not in GONE]
        sent = total(row for row in of if row["cause"] != "elsewhere" and not row["paid_elsewhere_by"])
        credit = total(b.of("store_credit", "return_id", return_["id"]))
        beside = total(
            row
            for row in b.of("ledger_entry", "return_id", return_["id"])
            if row["account"] == "refunded" and row["payment_id"] is None
        )
        money = total(row for row in of if row["cause"] != "elsewhere") + beside
        if not money and not credit:
            continue
        carried = total(row for row in b.of("ledger_entry", "return_id", return_["id"]) if row["kind"] == "carried")
        if sent > max(_into(return_, "refund") + carried, 0):
            yield f"(5) return {return_['rma']} owes {_into(return_, 'refund')} as refund and sends {sent}"
        gift = min(_gift(return_), max(_into(return_, "store_credit"), 0))
        if money > _into(return_, "refund") + _into(return_, "store_credit") - gift + carried:
            yield f"(5) return {return_['rma']} gives {money} in money, with the gift that was to be store credit"
        if credit > max(_into(return_, "store_credit"), 0):
            yield f"(5) return {return_['rma']} owes {_into(return_, 'store_credit')} as credit and gave {credit}"


def _gift(return_: Row) -> int:
    """What of a return's credit is no price given back: each line's bonus, less what staff have taken off the line."""
    most = 0
    for line in json.loads(return_["quote"])["lines"]:
        of = dict.fromkeys(("credit_bonus", "adjustment"), 0)
        for part in line["parts"]:
            if part["into"] == "store_credit" and part["kind"] in of:
                of[part["kind"]] += part["amount"]
        most += max(of["credit_bonus"] + min(of["adjustment"], 0), 0)
    return most


def _bonus(b: Books) -> Iterator[str]:
    """(5) What staff take off a credit is taken off the gift in it first, line by line."""
    returns = b.by_id("return")
    for credit in b["store_credit"]:
        most = min(_gift(returns[credit["return_id"]]), credit["amount_minor"])
        if credit["bonus_minor"] > most:
            yield f"(5) credit {credit['id']} of {credit['amount_minor']}: {credit['bonus_minor']} are called a gift, not {most}"


def _stuck(b: Books) -> Iterator[str]:
    """A refund that has been tried for hours in vain is a question that somebody has."""
    asked = {row["refund_id"] for row in b["review"] if row["status"] in UNDECIDED}
    for row in b["refund"]:
        waits = row["status"] in ("planned", "unknown") and row["failure_code"] and row["submitted_at"]
        let_go = row["let_through_by"] or row["seconded_by"]
        if not waits or row["attempts"] < STUCK_TRIES or let_go or row["id"] in asked:
            continue
        if at(row["submitted_at"]) - at(row["planned_at"]) >= STUCK_AFTER:
            yield f"(lost) {row['public_id']} was tried {row['attempts']} times in vain and nobody is asked"


def _given_free(b: Books) -> Iterator[str]:
    """(3) What the portal has had given free is not given again in another form."""
    rows = {row["public_id"]: row for row in b["refund"]}
    for intent, number in b.let_go.items():
        row = rows[number]
        if row["way"] != "release" or row["paid_elsewhere_by"] or row["status"] in ("planned", *GONE):
            yield f"(3) {intent} was let go for {number}, which is {row['status']} {row['paid_elsewhere_by']} here"


def _gift_notes(b: Books) -> Iterator[str]:
    """A gift's credit note names no more than was given for good."""
    refunds, gifts = b.by_id("refund"), b.by_id("goodwill")
    for note in b["credit_note"]:
        gift = gifts.get(refunds[note["refund_id"]]["goodwill_id"]) if note["refund_id"] is not None else None
        if gift is None:
            continue
        of = b.of("refund", "goodwill_id", gift["id"])
        back = total(row for row in of if row["failure_code"] == "taken_back")
        if note["gross_minor"] > gift["amount_minor"] - back:
            yield f"(notes) note {note['number']} is over {note['gross_minor']}, given were {gift['amount_minor']} - {back}"


def _let_go(before: Books, now: Books) -> Iterator[str]:
    """(3) Of an authorized payment the portal lets go what was decided and no more, whichever orders it pays for."""
    for intent, number in now.let_go.items():
        if intent in before.let_go:
            continue
        payments = [row for row in now["payment"] if row["payment_intent"] == intent]
        ids = {row["id"] for row in payments}
        freed = total(
            row
            for row in now["refund"]
            if row["payment_id"] in ids and row["way"] == "release" and row["status"] not in ("planned", *GONE)
        )
        charged = total(payments, "captured_minor") - total(payments, "refunded_elsewhere_minor")
        there = now.intents[intent]
        most = min((charged - freed) * STRIPE_UNIT[there["currency"].upper()], there["amount"])
        if there["amount_received"] < most:
            yield f"(3) {number} let {intent} go to {there['amount_received']}; {most} had to be kept"


def _gift_units(before: Books, now: Books) -> Iterator[str]:
    """(2) Units are given only of what the customer has."""
    known = {row["id"] for row in before["goodwill_line"]}
    articles, gifts = now.by_id("order_line"), now.by_id("goodwill")
    for row in now["goodwill_line"]:
        delivered, gift = articles[row["order_line_id"]]["delivered_at"], gifts[row["goodwill_id"]]
        if row["id"] not in known and (delivered is None or delivered > gift["given_at"]):
            yield f"(2) gift {gift['public_id']} gives units that were not delivered"
