"""Booking: a wish becomes a return.

The order row is locked, everything is decided anew inside the transaction, and what is stored is what was shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm.attributes import set_committed_value

from portal import clock, ids, timeline
from portal.db import Tx
from portal.errors import Conflict, Invalid
from portal.orders.keys import email_key
from portal.orders.models import Order, Variant
from portal.orders.stock import is_even
from portal.policy.decision import ACCEPT, REFUSE
from portal.policy.explain import cause_message, staff_message
from portal.policy.quote import EXCHANGE, WITHOUT_LABEL
from portal.policybook.service import Book
from portal.returns import texts
from portal.returns.assess import Assessment, LineAssessment, Wish, assess
from portal.returns.holding import hold_new, lock_order
from portal.returns.lifecycle import AUTHORIZE, AUTHORIZED, REQUESTED, move
from portal.returns.lifecycle import REVIEW as PUT_TO_REVIEW
from portal.returns.models import Photo, Return, ReturnLine
from portal.returns.parcel import parcel
from portal.returns.payable import basis_json, mark_given_away
from portal.returns.queries import get_return_by_id
from portal.reviews import service as reviews

DECIDE_WITHIN_HOURS = 24
OWN_WAY = "own"
"""What is left where the goods of a withdrawal have no way in common."""


class Refused(Invalid):
    """The policy refuses at least one line. ``assessment`` says which and why; the customer may still ask a person."""

    code = "refused"

    def __init__(self, assessment: Assessment) -> None:
        fields = {
            f"/lines/{index}": " ".join(dict.fromkeys(cause_message(cause) for cause in line.decision.causes))
            for index, line in enumerate(assessment.lines)
            if line.decision.answer == REFUSE
        }
        super().__init__("Some of this can't be returned. You can ask us to look at it.", fields)
        self.assessment = assessment


def book(
    tx: Tx,
    policy_book: Book,
    order_id: int,
    wishes: Sequence[Wish],
    *,
    booking_key: str,
    email: str = "",
    note: str = "",
    ship_with: str | None = None,
    ask_us: bool = False,
    photo_keys: Sequence[str] = (),
    shown_total: int | None = None,
    locale: str = "",
    as_of: datetime | None = None,
    decide_within_hours: int = DECIDE_WITHIN_HOURS,
    withdrawal: bool = False,
    by_postcode: bool = False,
) -> Return:
    """Book a return; the same ``booking_key`` again gives the same return and books nothing.

    When every line is accepted the return is authorized at once, otherwise it waits for staff (``under_review``).
    ``photo_keys`` are photos of the draft; what counts as evidence is what is stored. ``shown_total`` (minor units) is the
    total that the customer saw. ``as_of`` decides as of another moment than now, for a wish that reached the shop before.
    ``withdrawal``: the customer declares to withdraw from the contract (Directive 2011/83/EU, Articles 9 and 11). It stands
    whatever the policy says: no photo and no answer is asked for it, and what would be refused is put to staff.
    ``by_postcode``: whoever books has shown no more than the postcode, and may have got a present.
    Raises `Invalid` for a wish that makes no sense, `Refused` for a line that the policy refuses unless ``ask_us`` puts it to a
    person, `Conflict` when the total is no longer what was shown.
    """
    email, note = texts.note(email, "/email", 320), texts.note(note, "/note")
    if not 0 < len(booking_key) <= 80 or not ids.is_text(booking_key):
        raise Invalid("The booking has no usable key.", {"/booking_key": "use 1 to 80 characters"})
    order = lock_order(tx, order_id)
    rma, booked = _number(tx, booking_key)
    if booked is not None:
        if booked.order_id != order.id:
            raise Conflict("This key has booked a return of another order.", state=booked.status)
        return booked
    if as_of is not None and not order.placed_at <= as_of <= tx.at:
        raise Invalid(
            "The wish can't have come at this moment.", {"/at": "give a moment after the order and not after now"}
        )
    photos = _photos(tx, photo_keys)
    wishes = [_wish(index, wish, order, photos) for index, wish in enumerate(wishes)]
    found = assess(tx.session, policy_book, order, wishes, at=as_of or tx.at, ship_with=ship_with or None)
    _check_exchanges(tx, found)
    method = _method(found, ship_with, any_way=withdrawal)
    if not ship_with and method and (method in WITHOUT_LABEL or _asks_method(found)):
        # Nobody chose, so the policy's first way is taken: a rule may ask for it, and without a label none must be charged.
        found = assess(tx.session, policy_book, order, wishes, at=as_of or tx.at, ship_with=method)
    ask_us = ask_us or withdrawal
    if found.answer == REFUSE and not ask_us:
        raise Refused(found)
    _check_evidence(tx, found, ask_us)
    total = found.quote.total.minor
    if shown_total is not None and shown_total != total:
        raise Conflict(
            "The amount has changed since it was shown. Nothing was booked. Look at the new amount and book again.",
            state="changed",
            shown=shown_total,
            total=found.quote.total.to_json(),
        )
    waiting = [line for line in found.lines if _waits(line, withdrawal)]
    accepted = not waiting
    return_ = Return(
        rma=rma,
        booking_key=booking_key,
        status=move(REQUESTED, AUTHORIZE if accepted else PUT_TO_REVIEW),
        email=email or order.email,
        note=note,
        locale=locale or order.locale,
        ship_with=method,
    )
    _write(tx, return_, found, photos, waiting, withdrawal)
    data = {"policy": found.policy_number, "answer": found.answer, "total": total, "units": _units(found)}
    if as_of is not None:
        data["as_of"] = as_of.isoformat()
    if by_postcode:
        data["by_postcode"] = True
    timeline.record(tx, "return.booked", return_id=return_.id, order_id=order.id, data=data)
    if withdrawal:
        timeline.record(
            tx,
            "return.withdrawn",
            return_id=return_.id,
            order_id=order.id,
            data={"items": _units(found), "total": total},
        )
    if accepted:
        timeline.record(
            tx,
            "return.authorized",
            return_id=return_.id,
            order_id=order.id,
            why=f"by the policy, version {found.policy_number}",
            data={"by": "policy", "policy": found.policy_number},
        )
    else:
        _put_to_staff(tx, return_, waiting, tx.at + timedelta(hours=decide_within_hours), withdrawal)
    return return_


def _units(found: Assessment) -> int:
    return sum(line.wish.quantity for line in found.lines)


def _waits(line: LineAssessment, withdrawal: bool) -> bool:
    """True when staff decide the line: the policy says so, or something is missing that may be asked for."""
    return line.decision.answer != ACCEPT or (bool(line.decision.requires) and not withdrawal)


def _wish(index: int, wish: Wish, order: Order, photos: Mapping[int, list[Photo]]) -> Wish:
    """The wish with its texts checked and the photos that are really there."""
    texts.note(wish.note, f"/lines/{index}/note")
    for value in (*wish.answers, *wish.answers.values(), wish.exchange_sku or ""):
        if isinstance(value, str):
            texts.note(value, f"/lines/{index}", 500)
    line_id = next((line.id for line in order.lines if line.ref == wish.line), 0)
    return Wish(
        wish.line,
        wish.quantity,
        wish.reason,
        wish.resolution,
        wish.note.strip(),
        wish.exchange_sku,
        len(photos.get(line_id, ())),
        wish.answers,
    )


def _photos(tx: Tx, keys: Sequence[str]) -> dict[int, list[Photo]]:
    found: dict[int, list[Photo]] = {}
    if keys:
        query = select(Photo).where(Photo.key.in_(keys), Photo.return_line_id.is_(None)).order_by(Photo.id)
        for photo in tx.session.scalars(query):
            found.setdefault(photo.order_line_id, []).append(photo)
    return found


def _check_exchanges(tx: Tx, found: Assessment) -> None:
    """An exchange stays inside the product and its price, or what the policy adds; `reserve` finds out what is in stock."""
    wanted = [(index, line) for index, line in enumerate(found.lines) if line.wish.resolution == EXCHANGE]
    if not wanted:
        return
    skus = {line.wish.exchange_sku for _, line in wanted} | {line.order_line.sku for _, line in wanted}
    known = {
        variant.sku: variant
        for variant in tx.session.scalars(select(Variant).where(Variant.sku.in_(skus - {None, ""})))
    }
    wrong = {}
    for index, line in wanted:
        at = f"/lines/{index}/exchange_sku"
        bought = line.order_line
        variant = known.get(line.wish.exchange_sku or "")
        if not line.wish.exchange_sku:
            wrong[at] = "choose the article you would like instead"
        elif variant is None or not bought.product or variant.product != bought.product:
            wrong[at] = f"`{line.wish.exchange_sku}` is no variant of this product"
        elif variant.currency != found.order.currency or not is_even(
            variant.price_minor, _price(bought.sku, known, line), line.decision.value("exchange_bonus") or 0
        ):
            wrong[at] = f"`{line.wish.exchange_sku}` has another price; choose one of the same price, or a refund"
    if wrong:
        raise Invalid("This exchange isn't possible.", wrong)


def _price(sku: str, known: Mapping[str, Variant], line: LineAssessment) -> int:
    """Today's price of what was bought, or what it cost then if it is no longer listed."""
    return known[sku].price_minor if sku in known else line.order_line.unit_price_minor


def _method(found: Assessment, ship_with: str | None, *, any_way: bool) -> str:
    if not found.travelling:
        return ""
    if not found.ship_with:
        if any_way:
            return OWN_WAY
        raise Invalid(
            "These items can't travel in one parcel.", {"/lines": "make one return for each way to send them back"}
        )
    if ship_with is None or ship_with == "":
        return found.ship_with[0]
    if ship_with not in found.ship_with:
        raise Invalid(
            "This way to send it back isn't offered.", {"/ship_with": f"choose one of {', '.join(found.ship_with)}"}
        )
    return ship_with


def _asks_method(found: Assessment) -> bool:
    """True when the way to send it was all that a rule lacked."""
    return any(cause.params.get("fact") == "method" for line in found.lines for cause in line.decision.causes)


def _check_evidence(tx: Tx, found: Assessment, ask_us: bool) -> None:
    """A customer can add the photo at once and is asked to; what a program books without one goes to a person."""
    if tx.actor.kind != "customer" or ask_us:
        return
    wrong: dict[str, str] = {}
    for index, line in enumerate(found.lines):
        for cause in line.decision.requires:
            pointer = f"/lines/{index}/{'photos' if cause.code == 'photo_required' else 'answers'}"
            wrong[pointer] = f"{wrong.get(pointer, '')} {cause_message(cause)}".strip()
    if wrong:
        raise Invalid("A photo or an answer is missing.", wrong)


_TAKEN = select(Return.id, Return.booking_key).where(
    or_(Return.booking_key == bindparam("booking_key"), Return.rma == bindparam("rma"))
)


def _number(tx: Tx, booking_key: str) -> tuple[str, Return | None]:
    """A number that no return has, and the return that this key has booked already: one query in the usual case."""
    while True:
        rma = ids.new_rma()
        taken = tx.session.connection().execute(_TAKEN, {"booking_key": booking_key, "rma": rma}).all()
        booked = next((row.id for row in taken if row.booking_key == booking_key), None)
        if booked is not None:
            return rma, get_return_by_id(tx.session, booked)
        if not taken:
            return rma, None


def _write(
    tx: Tx,
    return_: Return,
    found: Assessment,
    photos: Mapping[int, list[Photo]],
    waiting: Sequence[LineAssessment],
    withdrawal: bool,
) -> None:
    """Freeze what was assessed and hold the units."""
    order = found.order
    one = parcel(line.decision for line in found.lines)
    return_.order_id = order.id
    return_.email_key = email_key(return_.email)
    return_.currency = order.currency
    return_.refund_when = one.refund_when
    return_.policy_version = found.policy_number
    return_.quote = found.quote.to_json()
    return_.basis = basis_json(
        found.basis.shipping,
        full_return=found.basis.full_return,
        fee_charged=found.basis.fee_charged,
        timezone=found.basis.timezone,
        withdrawn=withdrawal,
    )
    return_.booked_at = tx.at
    if return_.status == AUTHORIZED:
        return_.authorized_at = tx.at
        if one.ship_by_days is not None:
            today = clock.local_date(tx.at, found.basis.timezone)
            return_.ship_by_on = today + timedelta(days=one.ship_by_days)
    rows = []
    for position, line in enumerate(found.lines, start=1):
        row = ReturnLine(
            order_line_id=line.order_line.id,
            position=position,
            quantity=line.wish.quantity,
            reason=line.wish.reason,
            resolution=line.wish.resolution,
            note=line.wish.note,
            status="review" if line in waiting else "accepted",
            answer=line.decision.answer,
            facts=line.facts.to_json(),
            decision=line.decision.to_json(),
            gross_minor=line.gross_minor,
            tax_minor=line.tax_minor,
            exchange_sku=line.wish.exchange_sku if line.wish.resolution == EXCHANGE else None,
        )
        mark_given_away(row)
        rows.append((row, line.order_line, line.units))
    hold_new(tx, return_, rows)
    set_committed_value(return_, "order", order)
    for row in return_.lines:
        for photo in photos.get(row.order_line_id, ()):
            photo.return_line_id = row.id


def _put_to_staff(
    tx: Tx, return_: Return, waiting: Sequence[LineAssessment], due_at: datetime, withdrawal: bool
) -> None:
    """One question for the whole return: the first cause is why it is here, the others are the facts beside it."""
    refused = [line for line in waiting if line.decision.answer == REFUSE]
    asking = refused or waiting
    causes = [(line, cause) for line in asking for cause in (*line.decision.causes, *line.decision.requires)]
    sentences = list(dict.fromkeys(staff_message(cause) for _, cause in causes))
    names = ", ".join(line.order_line.name or line.order_line.sku or line.wish.line for line in asking)
    kind, why = reviews.POLICY, sentences[0]
    if withdrawal:
        kind, why = reviews.ASKED_US if refused else kind, "The customer has withdrawn from the contract"
    elif refused:
        kind, why = reviews.ASKED_US, "The policy refuses, and the customer asks us to look"
    beside = sentences if why != sentences[0] else sentences[1:]
    fact = f"{names}: {' '.join(beside)}" if beside else names
    data = {
        "causes": [{"line": line.wish.line, "code": cause.code, "rule": cause.rule} for line, cause in causes],
    }
    reviews.open_review(tx, kind=kind, why=why, fact=fact, return_id=return_.id, data=data, due_at=due_at)
    timeline.record(
        tx,
        "return.review_opened",
        return_id=return_.id,
        order_id=return_.order_id,
        why=why,
        data={"kind": kind, "withdrawal": withdrawal},
    )
