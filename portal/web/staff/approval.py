"""What an approval would give, read from the decision's form: some of the items, other amounts, and the sum that was seen."""

from __future__ import annotations

from typing import Any

from flask import request

from portal.db import Tx
from portal.errors import Invalid
from portal.money import Money
from portal.policy.quote import Quote
from portal.returns import service as returns
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import COUNTING
from portal.timeline import entries_for_return
from portal.web.staff import money, words
from portal.web.staff.money import read_amount
from portal.web.staff.text import _

DECISIONS = ("return.authorized", "return.inspected")


class Unseen(Exception):
    """What the customer would get in all; carried out of the command, which thereby changes nothing."""

    def __init__(self, shown: dict[str, Any], status: int) -> None:
        super().__init__()
        self.shown, self.status = shown, status


def check_seen(done: Return, quote: Quote, before: Money, denied: list[ReturnLine]) -> None:
    """Raises `Unseen` when the sum was not seen, or the items that are denied have no reason that the customer reads."""
    seen = request.form.get("sum") == str(quote.total.minor)
    reasoned = not denied or bool(request.form.get("message", "").strip())
    if not (seen and reasoned):
        errors = {"message": _("Write why, for the customer to read")} if seen else {}
        raise Unseen(_change(done, quote, before, denied, errors), 422 if errors else 200)


def _change(
    done: Return, quote: Quote, before: Money, denied: list[ReturnLine], errors: dict[str, str]
) -> dict[str, Any]:
    """What the customer gets in all with what was chosen and typed, by the very command that would give it."""
    names = {line.order_line.ref: words.name_of(line.order_line) for line in done.lines}
    asked_here = ("csrf_token", "sum", "message") if denied else ("csrf_token", "sum")
    return {
        "rma": done.rma,
        "fields": [each for each in request.form.items(multi=True) if each[0] not in asked_here],
        "minor": quote.total.minor,
        "rows": money.rows(quote, names),
        "totals": money.totals(quote),
        "total": words.amount(quote.total.minor, quote.currency),
        "was": words.amount(before.minor, before.currency),
        "button": money.approve_words(quote)[1],
        "first_name": words.first_name(done),
        "denied": [names[line.order_line.ref] for line in denied],
        "errors": errors,
    }


def open_lines(return_: Return) -> list[ReturnLine]:
    return [line for line in return_.lines if line.status in COUNTING]


def chosen_lines(return_: Return) -> list[str] | None:
    """The ticked lines; None where the form offers no choice, or all of them are ticked."""
    if "choose_lines" not in request.form:
        return None
    open_ = [line.order_line.ref for line in open_lines(return_)]
    chosen = [ref for ref in request.form.getlist("line") if ref in open_]
    if not chosen:
        raise Invalid("Nothing would be approved.", {"lines": _("tick at least one item, or deny the return")})
    return None if set(chosen) == set(open_) else chosen


def as_sent(tx: Tx, return_: Return, *, changed: bool) -> dict[str, Any]:
    """Lines and amounts of a form that was made before the return's last decision, in the words of that decision's entry, by
    which the second click of the same form is known."""
    decided = [each for each in entries_for_return(tx.session, return_.id) if each.what in DECISIONS]
    before: dict[str, Any] = (decided[-1].data or {}) if decided else {}
    ticked = sorted(request.form.getlist("line")) if "choose_lines" in request.form else None
    everything = sorted(line.order_line.ref for line in open_lines(return_))
    quoted = {line.line: line.total_minor for line in returns.payable_quote(tx.session, return_).lines}
    amounts = {}
    for line in open_lines(return_) if changed else ():
        ref, minor = line.order_line.ref, read_amount(request.form.get(f"amount-{line.id}", ""), return_.currency)
        if minor is not None and (ref in (before.get("amounts") or {}) or minor != quoted.get(ref)):
            amounts[ref] = minor
    return {"lines": None if not before.get("lines") and ticked == everything else ticked, "amounts": amounts}


def changed_amounts(tx: Tx, return_: Return) -> dict[str, int]:
    """What was typed for each line, where it differs from what is quoted."""
    ticked = chosen_lines(return_)
    quoted = {line.line: line.total_minor for line in returns.payable_quote(tx.session, return_).lines}
    found: dict[str, int] = {}
    wrong: dict[str, str] = {}
    for line in return_.lines:
        field = f"amount-{line.id}"
        if field not in request.form or (ticked is not None and line.order_line.ref not in ticked):
            continue
        text = request.form[field]
        minor = read_amount(text, return_.currency)
        most = max(line.gross_minor, quoted.get(line.order_line.ref, 0))
        if minor == quoted.get(line.order_line.ref, 0):
            continue  # It gives what it gave, which is nothing where all of it is missing.
        if not minor:
            wrong[field] = _("Enter an amount such as %(amount)s", amount=words.amount(most, return_.currency))
        elif minor > most:
            wrong[field] = _(
                "Enter at most %(amount)s, what was paid for it", amount=words.amount(most, return_.currency)
            )
        else:
            found[line.order_line.ref] = minor
    if not wrong and not found:
        wrong["decision"] = _("enter another amount, or approve what is quoted")
    if not request.form.get("note", "").strip():
        wrong["note"] = _("Say why the amount is changed")
    lower = any(minor < quoted.get(ref, 0) for ref, minor in found.items())
    if lower and not request.form.get("message", "").strip():
        wrong["message"] = _("Say why it is less; the customer reads this")
    if wrong:
        raise Invalid("The amount can't be changed like this.", wrong)
    return found
