"""The money of one return as staff read it: every row of the quote with its reason, and what has become of each payment."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from portal.errors import Invalid
from portal.money import Money
from portal.policy.quote import EXCHANGE, REFUND, STORE_CREDIT, Quote, QuotePart
from portal.policy.terms import percent
from portal.refunds import ledger
from portal.refunds.models import Goodwill
from portal.refunds.queries import RELEASED, MoneyView, Piece
from portal.refunds.settle import REVERSAL
from portal.returns.models import Return
from portal.reviews import service as questions
from portal.reviews.models import Review
from portal.web.staff import fate, words
from portal.web.staff.base import me
from portal.web.staff.text import _, ngettext

_PARTED = r"\d{1,3}(?:,\d{3})+"
_THOUSANDS = re.compile(rf"{_PARTED}(?:\.\d*)?", re.ASCII)
_EITHER_WAY = re.compile(r"[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_DECIMAL = re.compile(rf"(?:\d{{1,10}}|{_PARTED})(?:\.\d{{1,4}})?", re.ASCII)
"""A comma parts thousands and nothing else: ``50,5`` may be meant as 50.50 and is refused, never read as 505."""


def without_thousands(text: str) -> str:
    """``1,200.50`` without the commas that part its thousands; any other text as it is."""
    return text.replace(",", "") if _THOUSANDS.fullmatch(text) else text


def with_point(text: str, *, whole: bool = False) -> str | None:
    """A number as somebody typed it, with a decimal point: ``2,5`` is 2.5, ``1,200.50`` and ``1.200,50`` are 1200.50.

    None for ``1,200`` and ``1.200``, which are twelve hundred for one reader and 1.2 for another; where numbers are ``whole``
    they can only be twelve hundred.
    """
    if _EITHER_WAY.fullmatch(text):
        return re.sub("[.,]", "", text) if whole else None
    for parts, point in ((",", "."), (".", ",")):
        if re.fullmatch(rf"[1-9]\d{{0,2}}(?:[{parts}]\d{{3}})+(?:[{point}]\d*)?", text, re.ASCII):
            return text.replace(parts, "").replace(point, ".")
    return text.replace(",", ".")


def read_way(way: str, note: str) -> str:
    """The way that was chosen of `words.ways_by_hand`, as services take it; none is taken for granted, for the customer is told.

    Raises `Invalid`, which names a missing ``note`` too.
    """
    if not way:
        lacking = {} if note.strip() else {"note": _("Write a note for your colleagues.")}
        raise Invalid("No way was chosen.", {"how": _("Choose by which way it was paid"), **lacking})
    return "" if way == words.OWN_WAY else way


def recorded_before(who: str, way: str) -> str:
    """What is said to whoever records a payment by hand after ``who`` has recorded one of the same money by ``way``."""
    if who == me().name:
        return _("You recorded this already as “%(way)s”; this was not recorded. Did you pay twice?", way=way)
    return _("%(who)s recorded this already as “%(way)s”; yours was not recorded. Did you pay too?", who=who, way=way)


def plain_amount(minor: int, currency: str) -> str:
    """``72.00``, for a field; `read_amount` reads it back."""
    return str(Money(minor, currency).decimal)


def read_amount(text: str, currency: str) -> int | None:
    """What somebody typed (``72``, ``72.00``, ``£1,072.00``) in minor units; None for what is no such amount of the currency."""
    signs = re.sub(r"[\s\u00a0]", "", text.strip().lstrip("£$€¥").removeprefix(currency).strip())
    if not _DECIMAL.fullmatch(signs):
        return None
    try:
        return Money.from_decimal(signs.replace(",", ""), currency).minor
    except ValueError:
        return None


def rows(quote: Quote, names: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of the table: entry, why, and the amount in the column of its pot."""
    found = []
    exchanged = {line.line for line in quote.lines if line.resolution == EXCHANGE}
    discounted = {part.line for part in quote.all_parts() if part.kind == "discount"}
    several = {line.line for line in quote.lines if line.quantity > 1}
    for part in quote.all_parts():
        counted = int(part.params.get("quantity", 0)) if part.line in several else 0
        entry, why = _words(part, quote.currency, names, discounted, exchanged=part.line in exchanged, counted=counted)
        text = words.amount(part.amount_minor, quote.currency, signed=part.kind == "credit_bonus")
        found.append(
            {
                "entry": entry,
                "why": why,
                "refund": text if part.into == REFUND else "—",
                "credit": text if part.into == STORE_CREDIT else "—",
            }
        )
    return found


def _words(
    part: QuotePart,
    currency: str,
    names: Mapping[str, str],
    discounted: Collection[str | None],
    *,
    exchanged: bool,
    counted: int,
) -> tuple[str, str]:
    """``counted`` is of how many units the part is, where its line has several; zero where it has one, or nobody knows."""
    params = part.params
    name = names.get(part.line or "", _("Item"))
    match part.kind:
        case "item":
            count = int(params.get("quantity", 1))
            entry = name if count == 1 else _("%(name)s × %(count)s", name=name, count=count)
            if part.tax_minor:
                said = (
                    _("Price, includes %(tax)s tax after discount")
                    if part.line in discounted
                    else _("Price, includes %(tax)s tax")
                )
                return entry, said % {"tax": words.amount(part.tax_minor, currency)}
            return entry, _("Price")
        case "discount":
            return _("Discount share"), name
        case "tax":
            return _("Tax"), name
        case "inspection":
            name = f"{counted} × {name}" if counted else name
            kept = percent(int(params["worth_bp"])) if "worth_bp" in params else ""
            return _("After the check"), _("%(name)s, %(kept)s of the price", name=name, kept=kept) if kept else name
        case "restocking_fee" if "not_charged" in params:
            return _("Restocking fee"), _("Not charged: the rule counts in another currency")
        case "restocking_fee":
            share = percent(int(params["fee_bp"])) if params.get("fee_bp") else name
            return _("Restocking fee"), share
        case "credit_bonus":
            share = percent(int(params.get("bonus_bp", 0)))
            of = words.amount(int(params.get("of_minor", 0)), currency)
            return _("Credit bonus"), _("%(share)s of %(amount)s", share=share, amount=of)
        case "replacement":
            return _("Replacement"), _("%(name)s goes out again in exchange", name=name) if exchanged else name
        case "return_shipping" if "not_charged" in params:
            return _("Return label"), _("Not charged: the rule counts in another currency")
        case "return_shipping":
            return _("Return label"), _("Once for the return")
        case "outbound_shipping":
            return _("Delivery costs"), _("What the customer paid to have it sent")
        case _adjustment:
            before = words.amount(int(params.get("instead_of_minor", 0)), currency)
            return _("Changed by us"), _("%(name)s, instead of %(amount)s", name=name, amount=before)


def totals(quote: Quote) -> tuple[str, str]:
    """What goes back to payments and what becomes store credit."""
    return (
        words.amount(quote.refund_total.minor, quote.currency),
        words.amount(quote.credit_total.minor, quote.currency),
    )


def ended(quote: Quote, view: MoneyView) -> tuple[list[dict[str, Any]], tuple[str, str]]:
    """The rows of what staff have ended, each in the column of its pot, and the totals below them: what is owed to payments and
    as store credit."""
    # A store credit is given whole or not at all, so what was closed is its price as far as that goes.
    price = 0 if view.credited.minor else quote.credit_total.minor - quote.bonus_minor
    as_credit = min(view.waived.minor, max(price, 0))
    rows = [
        {
            "entry": words.ledger_kind(kind),
            "why": "",
            "refund": words.amount(-refund, quote.currency) if refund else "—",
            "credit": words.amount(-credit, quote.currency) if credit else "—",
        }
        for kind, refund, credit in (
            (ledger.WAIVED, view.waived.minor - as_credit, as_credit),
            (ledger.BONUS_LAPSED, 0, view.lapsed.minor),
        )
        if refund or credit
    ]
    left = (
        quote.refund_total.minor - view.waived.minor + as_credit,
        quote.credit_total.minor - as_credit - view.lapsed.minor,
    )
    refund, credit = (words.amount(minor, quote.currency) for minor in left)
    return rows, (refund, credit)


def pieces(view: MoneyView) -> list[dict[str, Any]]:
    """Each payment, credit and replacement with its badge."""
    return [_piece(each) for each in view.pieces]


def given(parts: Sequence[tuple[Goodwill, Piece]]) -> list[dict[str, Any]]:
    """Each part of the goodwill of an order as a row of such a table, which says who gave it and why."""
    return [_piece(piece) | {"detail": f"{gift.given_by}: {gift.reason}"} for gift, piece in parts]


def _piece(piece: Piece) -> dict[str, Any]:
    if piece.kind == "refund":
        badge = ("refund", RELEASED if piece.state == "released" else piece.status)
    elif piece.kind == "store_credit":
        badge = ("credit", "issued")
    else:
        badge = ("return", "exchanged") if piece.state == "ordered" else ("refund", "planned")
    return {
        "label": words.paid_to(piece.method, piece.provider) if piece.kind == "refund" else piece.label,
        "detail": _("Recorded by hand")
        if piece.by_hand
        else piece.reason or piece.bank_reference or _reversal(piece) or piece.order_number,
        "amount": words.amount(piece.amount.minor, piece.amount.currency) if piece.amount else "—",
        "badge": badge,
        "sent_at": piece.sent_at,
        "refund": piece.refund,
    }


def _reversal(piece: Piece) -> str:
    return _("The purchase itself disappears from the statement") if piece.reference_status == REVERSAL else ""


def when_words(return_: Return, view: MoneyView, open_: Iterable[Review]) -> str:
    """When the money goes, as one sentence; ``open_`` are the undecided questions about the return, which may hold it back."""
    asked = {each.kind for each in open_}
    if view.unpaid.minor and view.state in ("nothing", "refunded"):
        unpaid, paid = (words.amount(each.minor, each.currency) for each in (view.unpaid, view.paid))
        if not view.paid.minor:
            return _("Closed, %(unpaid)s not paid.", unpaid=unpaid)
        if view.never_charged:
            return _("%(paid)s was never charged. Closed, %(unpaid)s not paid.", paid=paid, unpaid=unpaid)
        return _("%(paid)s has been sent. Closed, %(unpaid)s not paid.", paid=paid, unpaid=unpaid)
    if view.state == "nothing":
        return _("Nothing is owed.")
    if view.state == "refunded":
        if view.never_charged:
            return _("The payment was never captured, so the customer was not charged for it.")
        return _("All of it has been sent.")
    if view.planned_at is not None:
        return fate.of_pieces(view.pieces) or _("It waits for somebody.")
    if return_.status in ("requested", "under_review") or asked.intersection(questions.ON_THE_RETURN):
        return _("Nothing is sent before somebody decides.")
    if questions.DISPUTE in asked:
        return fate.disputed()
    return {
        "authorized": _("It goes out at once."),
        "in_transit": _("It goes out when the carrier has the parcel."),
        "received": _("It goes out when the parcel is received."),
        "inspected": _("It goes out after the check."),
    }.get(return_.refund_when, "")


def approve_words(quote: Quote) -> tuple[str, str]:
    """What an approval gives, for the choice and for the button: ``£72.00`` and ``Approve £72.00 refund``."""
    total = words.amount(quote.total.minor, quote.currency)
    refund, credit = quote.refund_total.minor, quote.credit_total.minor
    count = sum(1 for line in quote.lines if line.resolution == EXCHANGE)
    if count and not refund and not credit:
        return _("the exchange"), ngettext("Approve the exchange", "Approve %(num)s exchanges", count)
    if refund and credit:
        return total, _("Approve %(total)s", total=total)
    if credit:
        return total, _("Approve %(total)s credit", total=total)
    return total, _("Approve %(total)s refund", total=total)
