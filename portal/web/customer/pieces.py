"""The parts of a return's money in words: what each is doing, and until when a bank may need.

In: the pieces of `refunds.queries`. Out: sentences and entries of the progress. Invariant: "refunded" is said only of what Stripe
has sent for good; the bank's days are told with it. Never: an amount or a day computed anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from markupsafe import Markup, escape

from portal import ids, wording
from portal.refunds.queries import MoneyView, Piece
from portal.refunds.settle import REVERSAL
from portal.web.customer.base import money as words_of
from portal.web.customer.base import speech
from portal.web.customer.words import _

DONE, NOW, NEXT = "done", "now", "next"


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the progress."""

    state: str
    what: str
    when: str = ""
    when_iso: str = ""
    detail: str = ""


def strong(text: str, **values: str) -> Markup:
    """A sentence with its values in bold."""
    return escape(text) % {name: Markup("<b>{}</b>").format(value) for name, value in values.items()}


def short_day(day: date) -> str:
    """``Tue 24 Nov 2026``."""
    return wording.short_day(day, speech().locale)


def moment_words(at: datetime) -> tuple[str, str]:
    """The moment for people, and as ISO 8601."""
    return wording.moment(at, speech().zone, speech().locale), at.isoformat()


def at_the_bank(money: MoneyView, today: date) -> bool:
    """True while a bank may still need its days to show what was sent."""
    return any(piece.expected_on is not None and piece.expected_on >= today for piece in money.pieces)


def is_over(piece: Piece, today: date) -> bool:
    """True once the last day by which a bank should show it has gone by."""
    return piece.expected_on is not None and piece.expected_on < today


def is_late(piece: Piece, today: date) -> bool:
    """True while Stripe has not finished what was to be there by now, or what we said takes longer."""
    return piece.state == "sent" and (piece.late or is_over(piece, today))


def sums(money: MoneyView, today: date) -> Markup:
    """Each part of the money with what it is doing and until when, one sentence each."""
    said = []
    for piece in money.pieces:
        if piece.amount is None:
            continue
        amount = words_of(piece.amount.minor, piece.amount.currency)
        shown = is_over(piece, today)
        match piece.kind, piece.state:
            case "store_credit", "credited":
                said.append(strong(_("%(amount)s of store credit is ready to spend."), amount=amount))
            case "refund", ("arrived" | "sent") if not shown:
                to = _at_your_bank(_("to %(card)s", card=piece.label), piece)
                # No mail says that it was sent before Stripe has finished it, or it takes longer; the page says no more.
                what = (
                    _("We’ve sent %(amount)s %(where)s.")
                    if piece.state == "arrived" or piece.late
                    else _("%(amount)s is on its way %(where)s.")
                )
                said.append(strong(what, amount=amount, where=to))
            case "refund", "arrived":
                said.append(strong(_("%(amount)s has gone to %(card)s."), amount=amount, card=piece.label))
            case "refund", "sent":
                said.append(
                    strong(
                        _("The bank hasn’t finished %(amount)s to %(card)s yet. We’re asking what holds it up."),
                        amount=amount,
                        card=piece.label,
                    )
                )
            case "refund", "released":
                said.append(_free_again(piece, amount))
            case "refund", "waits":
                said.append(
                    strong(_("%(amount)s to %(card)s waits until we’ve checked it."), amount=amount, card=piece.label)
                )
            case "refund", "paused":
                said.append(
                    strong(
                        _("%(amount)s to %(card)s goes out by itself as soon as we send refunds again."),
                        amount=amount,
                        card=piece.label,
                    )
                )
            case "refund", "by_shop":
                said.append(
                    strong(_("A person in our team pays %(amount)s to %(card)s."), amount=amount, card=piece.label)
                )
            case "refund", _state:
                said.append(strong(_("%(amount)s goes to %(card)s."), amount=amount, card=piece.label))
    return Markup(" ").join(said)


def _free_again(piece: Piece, amount: str) -> Markup:
    """What was never taken and, where less was taken in its place, how much."""
    if piece.charged is None:
        return strong(_("%(amount)s was only reserved and is free again."), amount=amount)
    return strong(
        _("%(amount)s was only reserved and is free again. The rest of what was reserved, %(rest)s, was charged."),
        amount=amount,
        rest=words_of(piece.charged.minor, piece.charged.currency),
    )


def piece_step(piece: Piece, today: date) -> Step:
    """One part of the money as an entry of the progress."""
    amount = words_of(piece.amount.minor, piece.amount.currency) if piece.amount is not None else ""
    when, iso = moment_words(piece.sent_at) if piece.sent_at else ("", "")
    to = _("%(amount)s to %(to)s", amount=amount, to=piece.label)
    match piece.kind, piece.state:
        case "store_credit", _state:
            return Step(DONE, _("Store credit sent"), when, iso, amount)
        case "exchange", "ordered":
            detail = _("%(what)s, order %(number)s", what=piece.label, number=piece.order_number)
            if piece.shipped_at is None:
                return Step(DONE, _("Exchange ordered"), when, iso, detail)
            return Step(DONE, _("Exchange sent"), *moment_words(piece.shipped_at), detail)
        case "exchange", _state:
            return Step(NEXT, _("Exchange sent"), "", "", piece.label)
        case _kind, "arrived":
            # Stripe has sent it for good; the bank still has to show it.
            return Step(DONE, _("Refunded"), when, iso, _with_reference(_at_your_bank(to, piece), piece))
        case _kind, "released":
            detail = _("%(amount)s reserved on %(to)s is free again", amount=amount, to=piece.label)
            if piece.charged is not None:
                rest = words_of(piece.charged.minor, piece.charged.currency)
                detail = _("%(what)s, the rest of %(rest)s was charged", what=detail, rest=rest)
                return Step(DONE, _("Charged less"), when, iso, detail)
            return Step(DONE, _("Not charged"), when, iso, detail)
        case _kind, "sent" if is_over(piece, today):
            detail = _("%(what)s. The bank hasn’t finished it yet", what=to)
            return Step(NOW, _("Refund takes longer"), when, iso, detail)
        case _kind, "sent":
            what = _("Refund takes longer") if piece.late else _("Refund on its way to your bank")
            return Step(NOW, what, when, iso, _with_reference(_at_your_bank(to, piece), piece))
        case _kind, "needs_you":
            return Step(NOW, _("Waiting for your bank details"), "", "", _and_told(to, piece))
        case _kind, "held":
            return Step(NOW, _("Refund delayed"), _("Now"), "", _and_told(to, piece))
        case _kind, "waits":
            return Step(NOW, _("Refund waits while we check it"), _("Now"), "", to)
        case _kind, "paused":
            return Step(NOW, _("Refund paused"), _("Now"), "", to)
        case _kind, "by_shop":
            return Step(NOW, _("Our team pays your refund"), _("Now"), "", to)
        case _kind, "unsure":
            return Step(NOW, _("Refund being checked"), _("Now"), "", to)
        case _other:
            return Step(NOW, _("Refund being prepared"), _("Now"), "", to)


def _and_told(what: str, piece: Piece) -> str:
    # A message id of `refunds.refusals`, marked for translation there.
    return _("%(what)s. %(told)s", what=what, told=_(piece.told)) if piece.told else what


def _at_your_bank(text: str, piece: Piece) -> str:
    first, last = piece.expected_from, piece.expected_on
    if first is None or last is None:
        return text
    if first == last:
        return _("%(what)s, at your bank by %(day)s", what=text, day=short_day(last))
    return _(
        "%(what)s, at your bank between %(first)s and %(last)s",
        what=text,
        first=short_day(first),
        last=short_day(last),
    )


def _with_reference(text: str, piece: Piece) -> str:
    if piece.bank_reference:
        return _(
            "%(what)s. If you don’t see it by then, give your bank this reference: %(reference)s",
            what=text,
            reference=ids.group(piece.bank_reference),
        )
    if piece.reference_status == REVERSAL:
        return _(
            "%(what)s. The purchase itself disappears from your statement, so there is no bank reference", what=text
        )
    if piece.reference_status == "pending":
        return _("%(what)s. The bank reference comes later", what=text)
    return text


def state_words(piece: Piece) -> str:
    """What a part of the money is doing, behind its name."""
    if piece.state == "ordered":
        return _("on its way") if piece.shipped_at is not None else _("ordered")
    return {
        "planned": _("being prepared"),
        "sent": _("on its way"),
        "needs_you": _("waiting for your bank details"),
        "unsure": _("being checked"),
        "waits": _("waits while we check it"),
        "paused": _("paused"),
        "by_shop": _("our team pays it"),
        "held": _("delayed"),
        "arrived": _("refunded"),
        "released": _("free again, not charged"),
        "credited": _("ready to spend"),
        "reserved": _("held for you"),
    }.get(piece.state, "")


def promise_words(refund_when: str) -> str:
    """When money is sent, behind its name, while it is only promised."""
    return {
        "authorized": _("once approved"),
        "in_transit": _("once dropped off"),
        "received": _("when it has arrived"),
        "inspected": _("after checks"),
    }[refund_when]
