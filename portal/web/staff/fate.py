"""What becomes of a refund next, in one true sentence: nothing is said to be under way that waits for somebody or something.

In: a part of a return's money as `refunds.queries` reads it, and whether all refunds are stopped. Out: a sentence. Invariant: the
sentence holds at the moment at which it is read. Never: a promise that it goes out now; a cap or a second person may hold it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from portal import clock
from portal.refunds import lifecycle
from portal.refunds.models import Refund
from portal.refunds.queries import Piece, piece_of
from portal.reviews import service as reviews
from portal.web.staff import words
from portal.web.staff.base import counted, ports
from portal.web.staff.text import _


def of_pieces(pieces: Iterable[Piece]) -> str:
    """What becomes of these parts, each thing said once; empty where nothing is open."""
    return " ".join(dict.fromkeys(said for each in pieces if (said := of(each))))


def of_refund(refund: Refund) -> str:
    """What becomes of one refund; its payment is loaded."""
    return of(piece_of(refund, ports().shop.bank_days))


def of(piece: Piece) -> str:
    """What becomes of one part; empty once it is at its end."""
    if piece.kind != "refund":
        return _("The replacement is not ordered yet.") if piece.state == "reserved" else ""
    if piece.state in ("arrived", "released"):
        return ""
    if piece.state == "by_shop":
        return _("Somebody pays it by hand and records it here.")
    if piece.state == "held":
        return _("It did not get through and waits for somebody.")
    if piece.state == "unsure":
        return _("Nobody knows yet whether it left. The portal asks before anything is sent again.")
    if piece.state == "needs_you":
        return _("The payment provider waits for the customer’s bank details.")
    if piece.status == lifecycle.PLANNED:
        return _waiting(piece)
    if piece.reason == "insufficient_funds":
        return _("It waits until there is enough money in Stripe.")
    return _("The payment is under way.")


def _waiting(piece: Piece) -> str:
    """Why a prepared refund has not left."""
    if piece.hold == reviews.SECOND_PERSON:
        return _("It waits for a second person.")
    if piece.hold == reviews.DAILY_CAP:
        return _("It is above the daily cap and waits for somebody who sends it anyway.")
    if piece.hold == reviews.DISPUTE:
        return disputed()
    if counted().stopped is not None:
        return _("All refunds are stopped. It waits until they flow again.")
    if until := undo_until(piece.prepared_at) if not piece.tried else None:
        said = words.when(until, clock.now(), ports().shop.timezone, inside=True)
        return _("It goes out %(when)s. Until then it can be taken back.", when=said)
    if piece.tried:
        return _("It did not get out yet and is tried again.")
    return _("It is prepared and waits for its turn.")


def disputed() -> str:
    """What becomes of money that a chargeback holds back, prepared or not."""
    return _("The payment is disputed. It waits for the end of that.")


def undo_until(prepared_at: datetime | None) -> datetime | None:
    """Until when a refund that was prepared then can be taken back before it is sent; None when that is over."""
    if prepared_at is None:
        return None
    until = prepared_at + timedelta(minutes=ports().shop.refunds.undo_minutes)
    return until if until > clock.now() else None
