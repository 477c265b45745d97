"""Goodwill: a refund without a return, for an amount or for items of the order, by staff who may."""

from __future__ import annotations

import io
from typing import Any

from flask import abort, flash, make_response, render_template, request, send_file, url_for
from flask_babel import gettext
from sqlalchemy.orm import Session, selectinload
from werkzeug.wrappers import Response

from portal import clock, ids
from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.money import Money
from portal.orders.models import Order
from portal.refunds import corrections, credit_notes, gifts, goodwill, lifecycle, payout, promised
from portal.refunds.goodwill import Gift
from portal.refunds.models import Goodwill
from portal.refunds.tenders import is_stripe, order_chain, payments_of
from portal.staff import permissions as may
from portal.web.staff import words
from portal.web.staff.base import command, limit_minor, needs, ports, read, see_other, staff
from portal.web.staff.money import read_amount
from portal.web.staff.refunds import shown_status
from portal.web.staff.text import _


@staff.get("/orders/<int:order_id>/goodwill")
@needs(may.GIVE_GOODWILL, "refunds")
def goodwill_page(order_id: int) -> str:
    """What is left of the order, what was given before, and the form."""
    return _page(order_id, {}, {"key": ids.new_token()})


def _page(order_id: int, errors: dict[str, str], typed: dict[str, str]) -> str:
    now, zone = clock.now(), ports().shop.timezone
    with read() as session:
        order = _order(session, order_id)
        chain = order_chain(session, order.id)
        payments = payments_of(session, chain)
        left = payout.room(session, chain, payments) if payments else 0
        most = limit_minor(order.currency)
        open_to_me = None if most is None else max(0, most - goodwill.given(session, chain, order.currency))
        given = gifts.without_return(session, payments)
        lowered = corrections.numbers_of_gifts(session, {each.goodwill_id for each in given if each.goodwill_id})
        return render_template(
            "staff/goodwill.html",
            order=order,
            lines=[
                {
                    "ref": line.ref,
                    "field": f"units-{line.id}",
                    "name": words.name_of(line),
                    "left": line.units_left if goodwill.is_delivered(line, now) else 0,
                    "delivered": goodwill.is_delivered(line, now),
                    "paid": words.amount(line.gross_minor, order.currency),
                }
                for line in order.lines
            ],
            left=words.amount(left, order.currency),
            limit=[
                (_("Your role gives at most"), words.amount(most, order.currency)),
                (_("Of that you can still give"), words.amount(min(open_to_me, max(left, 0)), order.currency)),
            ]
            if most is not None and open_to_me is not None
            else [],
            paid=words.amount(sum(each.captured_minor for each in payments), order.currency),
            tenders=", ".join(dict.fromkeys(words.paid_to(each.method, each.provider) for each in payments)),
            given=[
                {
                    "href": url_for("staff.refund_page", public_id=each.public_id),
                    "note": url_for("staff.goodwill_credit_note", public_id=each.public_id)
                    if each.goodwill is not None and (each.status == lifecycle.SUCCEEDED or each.goodwill_id in lowered)
                    else "",
                    "corrections": [
                        (number, url_for("staff.goodwill_credit_correction", public_id=each.public_id, place=place))
                        for place, number in enumerate(lowered.get(each.goodwill_id or 0, ()), start=1)
                    ],
                    "amount": words.amount(each.amount_minor, each.currency),
                    "why": each.goodwill.reason if each.goodwill is not None else _("Made outside the portal"),
                    "by": each.goodwill.given_by if each.goodwill is not None else "",
                    "when": words.when(each.planned_at, now, zone),
                    "status": shown_status(each),
                }
                for each in given
            ],
            errors=errors,
            typed=typed,
            promised=[
                (rma, words.amount(minor, order.currency))
                for rma, minor in promised.to_come(session, order.id, order.currency)
            ],
        )


def _check_promised(session: Session, order_id: int, currency: str) -> None:
    """Raises `Invalid` when what is left after the gift no longer pays what open returns were promised."""
    found = promised.endangered(session, order_id, currency)
    if found is not None:
        owed, left = found
        wrong = _(
            "Open returns of this order were promised %(owed)s, and %(left)s would be left for them. Tick to give it anyway.",
            owed=words.amount(owed.minor, currency),
            left=words.amount(left.minor, currency),
        )
        raise Invalid("Nothing was given.", {"sure": wrong})


def _order(session: Session, order_id: int) -> Order:
    found = session.get(Order, order_id, options=[selectinload(Order.lines)])
    if found is None:
        raise NotFound(_("There is no such order."))
    return found


@staff.get("/refunds/<public_id>/credit-note.pdf")
@needs(may.SEE_REFUNDS, "refunds")
def goodwill_credit_note(public_id: str) -> Response:
    """What was credited by a gift."""
    pdf = credit_notes.paper_of_gift(ports(), public_id)
    return send_file(io.BytesIO(pdf), mimetype="application/pdf", download_name=f"credit-note-{public_id}.pdf")


@staff.get("/refunds/<public_id>/credit-note-correction-<int:place>.pdf")
@needs(may.SEE_REFUNDS, "refunds")
def goodwill_credit_correction(public_id: str, place: int) -> Response:
    """By how much the credit note of a gift was lowered; the first correction is 1."""
    pdf = corrections.paper_of_gift(ports(), public_id, place)
    name = f"credit-note-correction-{place}-{public_id}.pdf"
    return send_file(io.BytesIO(pdf), mimetype="application/pdf", download_name=name)


@staff.post("/orders/<int:order_id>/goodwill")
@needs(may.GIVE_GOODWILL, "refunds")
def give_goodwill(order_id: int) -> Response:
    """Show the sum and where it goes; give it, once for each form, when that was seen. A reason is needed."""
    typed = {name: request.form.get(name, "")[:2100] for name in request.form}
    key = typed.get("key", "")
    if not (16 <= len(key) <= 80 and key.isascii()):
        abort(400)
    if request.form.get("act") == "edit":
        return make_response(_page(order_id, {}, _unused(typed)))
    try:
        with command() as tx:
            gift, currency = _gift(_order(tx.session, order_id), typed)
            made = goodwill.give(
                tx,
                order_id,
                gift,
                reason=typed.get("reason", ""),
                command_key=key,
                shop=ports().shop,
                most_minor=limit_minor(currency),
            )
            if not typed.get("sure"):
                _check_promised(tx.session, order_id, currency)
            said = words.amount(made.amount_minor, made.currency)
            if typed.get("sum") != str(made.amount_minor):
                raise _Unseen(_check(tx.session, made, typed))
    except _Unseen as unseen:
        return make_response(render_template("staff/goodwill_check.html", **unseen.shown))
    except Invalid as wrong:
        return make_response(_page(order_id, wrong.fields or {"": gettext(wrong.message)}, typed), 422)
    except (Conflict, Forbidden) as refused:
        status = 409 if isinstance(refused, Conflict) else 403
        return make_response(_page(order_id, {"amount": gettext(refused.message)}, _unused(typed)), status)
    flash(_("%(amount)s goes to the customer.", amount=said), "green")
    return see_other("staff.goodwill_page", order_id=order_id)


def _unused(typed: dict[str, str]) -> dict[str, str]:
    """What was typed, with a new key where the form has given something already: what comes next is another gift."""
    with read() as session:
        return {**typed, "key": ids.new_token()} if gifts.is_used(session, typed["key"]) else typed


class _Unseen(Exception):
    """What would be given; carried out of the command, which thereby changes nothing."""

    def __init__(self, shown: dict[str, Any]) -> None:
        super().__init__()
        self.shown = shown


def _check(session: Session, made: Goodwill, typed: dict[str, str]) -> dict[str, Any]:
    """What the gift is, by the very command that would give it."""
    order = _order(session, made.order_id)
    parts = [
        {
            "to": words.paid_to(each.payment.method, each.payment.provider),
            "by_hand": not is_stripe(each.payment),
            "method": each.payment.method,
            "amount": words.amount(each.amount_minor, each.currency),
        }
        for each in gifts.parts_of(session, made.id)
    ]
    total = words.amount(made.amount_minor, made.currency)
    to = parts[0]["method"] if len(parts) == 1 and not parts[0]["by_hand"] else ""
    return {
        "order_id": order.id,
        "number": order.number,
        "name": order.customer_name or order.email,
        "fields": [each for each in typed.items() if each[0] not in ("csrf_token", "sum", "act")],
        "minor": made.amount_minor,
        "total": total,
        "parts": parts,
        "items": [f"{each.quantity} × {words.name_of(each.order_line)}" for each in made.lines],
        "reason": made.reason,
        "button": _("Send %(total)s to %(to)s", total=total, to=to) if to else _("Give %(total)s", total=total),
    }


def _gift(order: Order, typed: dict[str, str]) -> tuple[Gift, str]:
    """The items that were chosen, or the amount. Raises `Invalid` where both or neither were."""
    wrong: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line in order.lines:
        text = typed.get(f"units-{line.id}", "").strip() or "0"
        if not (text.isascii() and text.isdigit() and len(text) < 7 and int(text) <= line.units_left):
            wrong[f"units-{line.id}"] = _("Enter a number from 0 to %(most)s", most=line.units_left)
        elif int(text):
            lines[line.ref] = int(text)
    text = typed.get("amount", "").strip()
    minor = read_amount(text, order.currency) if text else 0
    if minor is None or (text and minor == 0):
        example = words.amount(Money.from_decimal("20", order.currency).minor, order.currency)
        wrong["amount"] = _("Enter an amount such as %(amount)s", amount=example)
    elif bool(text) is bool(lines) and not wrong:
        wrong["amount"] = _("Enter an amount, or choose items, not both")
    if wrong:
        raise Invalid("Nothing was given.", wrong)
    return Gift(minor or 0, lines or None), order.currency
