"""Making a label, and the papers of a parcel on first need.

A paper is drawn outside of any transaction and kept in the storage under a name that follows from all that stands on it: whoever
looks at a paper writes nothing else, what has changed since is drawn anew, and two who draw the same at once keep one file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Protocol

from babel.numbers import format_decimal
from sqlalchemy import bindparam, inspect, select
from sqlalchemy.orm import Session
from sqlalchemy.orm.util import identity_key

from portal import clock, files, i18n, ids, timeline, wording
from portal.db import Database, Tx
from portal.errors import NotFound
from portal.files import Files
from portal.labels.addresses import Address
from portal.labels.documents import Documents, LabelDoc, Rendered, SlipDoc, SlipItem
from portal.labels.models import Label
from portal.policy.decision import stored_value
from portal.policy.reasons import REASONS
from portal.policy.terms import ReturnShipping
from portal.returns.lifecycle import ENDED, UNDECIDED
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import keeps_item
from portal.returns.queries import get_return, get_return_by_id
from portal.shop import Shop
from portal.timeline import TimelineEntry

ON_A_LABEL = ("label", "qr")
"""The ways to send a parcel that travel under the shop's own contract."""
CODE_SIGNS = 8


class Printing(Protocol):
    """What printing needs; `flow.Ports` has it."""

    @property
    def database(self) -> Database: ...
    @property
    def documents(self) -> Documents: ...
    @property
    def files(self) -> Files: ...
    @property
    def shop(self) -> Shop: ...


def make_label(tx: Tx, return_id: int, shop: Shop) -> int | None:
    """Give the return its label, unless it has one; the label's row. None when its goods do not travel on the shop's label.

    The code is the carrier's prefix, eight signs and the shop's country: ``NW7K4Q92MBGB``. The caller has locked the order.
    """
    return_ = return_in_hand(tx.session, return_id)
    if return_.ship_with not in ON_A_LABEL or not _shop_sends_label(travelling(return_)):
        found = find_label(tx.session, return_id)
        return None if found is None else found.id
    while True:
        made = tx.write_new(
            Label,
            return_id=return_id,
            carrier=shop.carrier.name,
            service=shop.carrier.service,
            code=f"{shop.carrier.code_prefix}{ids.new_code(CODE_SIGNS)}{shop.country.upper()}",
            created_at=tx.at,
        )
        # Nothing is written for a return that has its label, nor with a code that another has: then the next one is drawn.
        if made is not None:
            return made
        if (found := find_label(tx.session, return_id)) is not None:
            return found.id


def return_in_hand(session: Session, return_id: int) -> Return:
    """The return with its lines: the very one that the command works on, without a query, else loaded. Raises `NotFound`."""
    found = session.identity_map.get(identity_key(Return, return_id))
    if isinstance(found, Return) and "lines" not in inspect(found).unloaded:
        return found
    return get_return_by_id(session, return_id)


_OF_RETURN = select(Label).where(Label.return_id == bindparam("return_id"))


def find_label(session: Session, return_id: int) -> Label | None:
    """The label of a return, if it has one."""
    return session.scalar(_OF_RETURN, {"return_id": return_id})


_WORDS = select(Label.carrier, Label.service, Label.code).where(Label.return_id == bindparam("return_id"))


def label_words(session: Session, return_id: int) -> dict[str, str] | None:
    """What a mail says about the label of a return: its carrier, service and short code; None when there is none."""
    found = session.connection().execute(_WORDS, {"return_id": return_id}).one_or_none()
    return found and {"carrier": found.carrier, "service": found.service, "code": _short(found.code)}


def short_code(label: Label) -> str:
    """What a person reads out at the counter: ``7K4Q 92MB`` of ``NW7K4Q92MBGB``."""
    return _short(label.code)


def _short(code: str) -> str:
    return ids.group(code[2:-2])


def travelling(return_: Return) -> list[ReturnLine]:
    """The approved lines whose goods come back."""
    return [line for line in return_.lines if line.status == "accepted" and not keeps_item(line)]


def check_to_be_sent(return_: Return) -> None:
    """Raises `NotFound` where no paper, code or deadline holds: nothing was approved, nothing travels, or it has ended."""
    if return_.status in (*UNDECIDED, *ENDED) or not travelling(return_):
        raise NotFound("Nothing is to be sent for this return.")


def label_pdf(ports: Printing, rma: str) -> bytes:
    """The label, 102 x 152 mm. Raises `NotFound` when there is no such return, none for it, or it is not to be sent any more."""
    doc = _label_of(ports, rma)[-1]
    return files.drawn_once(ports.files, _key("labels", doc), lambda: ports.documents.label_pdf(doc).pdf)


def print_label(ports: Printing, rma: str) -> bytes:
    """The same, drawn anew for a mail; what it cannot show is told to staff on the timeline, once."""
    return_id, order_id, doc = _label_of(ports, rma)
    drawn = ports.documents.label_pdf(doc)
    files.keep(ports.files, _key("labels", doc), drawn.pdf)
    _tell(ports, drawn, "label.incomplete", return_id, order_id)
    return drawn.pdf


def print_slip(ports: Printing, rma: str) -> None:
    """Draw the packing slip before its customer asks for it, and tell staff what it cannot show."""
    return_id, order_id, doc = _slip_of(ports, rma)
    drawn = ports.documents.slip_pdf(doc)
    files.keep(ports.files, _key("slips", doc), drawn.pdf)
    _tell(ports, drawn, "slip.incomplete", return_id, order_id)


def _tell(ports: Printing, drawn: Rendered, what: str, return_id: int, order_id: int) -> None:
    if drawn.complete:
        return
    said = _incomplete(drawn)
    known = select(TimelineEntry.id).filter_by(what=what, why=said, return_id=return_id)
    with ports.database.transaction() as tx:
        if tx.session.scalar(known.limit(1)) is None:
            timeline.record(tx, what, return_id=return_id, order_id=order_id, why=said)


def _label_of(ports: Printing, rma: str) -> tuple[int, int, LabelDoc]:
    with ports.database.read() as session:
        return_ = get_return(session, rma)
        check_to_be_sent(return_)
        label = find_label(session, return_.id)
        if label is None:
            raise NotFound("There is no label for this return.")
        return return_.id, return_.order_id, _label_doc(return_, label, ports.shop)


def slip_pdf(ports: Printing, rma: str) -> bytes:
    """The packing slip. Raises `NotFound` when there is no such return or nothing of it is to be sent."""
    doc = _slip_of(ports, rma)[-1]
    return files.drawn_once(ports.files, _key("slips", doc), lambda: ports.documents.slip_pdf(doc).pdf)


def _slip_of(ports: Printing, rma: str) -> tuple[int, int, SlipDoc]:
    with ports.database.read() as session:
        return_ = get_return(session, rma)
        check_to_be_sent(return_)
        return return_.id, return_.order_id, _slip_doc(return_, find_label(session, return_.id), ports.shop)


def _key(kind: str, doc: LabelDoc | SlipDoc) -> str:
    # Nobody guesses it: the return's number and, on a label, the carrier's code are in it beside the whole address.
    return f"{kind}/{sha256(repr(doc).encode()).hexdigest()}.pdf"


def _shop_sends_label(lines: Sequence[ReturnLine]) -> bool:
    """False when nothing travels, or when the policy says of every line that the customer pays the carrier and posts."""
    terms = [stored_value(line.decision, "return_shipping") for line in lines]
    return any(not _customer_posts(each) for each in terms)


def _customer_posts(terms: ReturnShipping | None) -> bool:
    return terms is not None and terms.paid_by == "customer" and terms.amount is None and terms.bp is None


def _incomplete(drawn: Rendered) -> str:
    said = []
    if drawn.missing:
        said.append(f"These characters could not be printed: {' '.join(sorted(drawn.missing))}.")
    if drawn.shortened:
        said.append(f"Shortened to fit: {'; '.join(text[:60] for text in drawn.shortened)}.")
    return " ".join(said)


def customer_address(return_: Return) -> Address:
    """Where the goods come from: the address that the order was sent to. Its papers are open to whoever knows the postcode, so
    that an order without a name is called by its number, never by an e-mail address."""
    to = return_.order.ship_to or {}
    return Address(
        name=str(to.get("name") or return_.order.customer_name or return_.order.number),
        lines=tuple(str(line) for line in to.get("lines") or ()),
        city=str(to.get("city") or ""),
        region=str(to.get("region") or ""),
        postcode=str(to.get("postcode") or ""),
        country=str(to.get("country") or ""),
    )


def place_in_warehouse(return_: Return) -> str:
    """Where in the warehouse the policy wants the goods, which is one place for a parcel; empty: nowhere in particular."""
    return next((stored_value(line.decision, "destination") or "" for line in travelling(return_)), "")


def goes_to(return_: Return, shop: Shop) -> Address:
    """Where the goods go: the warehouse, and within it the place that the policy names."""
    to = shop.warehouse
    place = place_in_warehouse(return_)
    lines = (place, *to.lines) if place else to.lines
    return Address(to.name, lines, to.city, to.region, to.postcode, to.country)


def _label_doc(return_: Return, label: Label, shop: Shop) -> LabelDoc:
    lines = travelling(return_)
    # Carrier and warehouse read the label, so it speaks the shop's language; the slip is for the customer.
    locale = i18n.reader("", shop.locale)
    return LabelDoc(
        carrier=label.carrier,
        service=label.service,
        sort_code=shop.carrier.sort_code,
        sender=customer_address(return_),
        recipient=goes_to(return_, shop),
        send_by=return_.ship_by_on,
        parcel=_parcel(lines, locale),
        tracking=label.code,
        rma=return_.rma,
        order_number=return_.order.number,
        items=sum(line.quantity for line in lines),
        locale=locale,
    )


def _parcel(lines: Sequence[ReturnLine], locale: str) -> str:
    """``1 parcel, 0.9 kg``; without the weight when it is not known of every article."""
    _ = i18n.catalogue(locale).gettext
    weights = [(line.order_line.facts or {}).get("weight_g") for line in lines]
    if not all(type(weight) is int and weight > 0 for weight in weights):
        return _("1 parcel")
    grams = sum(int(weight or 0) * line.quantity for weight, line in zip(weights, lines, strict=True))
    # Carriers weigh in hundreds of grams and charge for the next one that is begun.
    tenths = max(1, -(-grams // 100))
    weight = format_decimal(Decimal(tenths) / 10, "#,##0.0", locale=wording.locale_of(locale))
    return _("1 parcel, %(weight)s kg") % {"weight": weight}


def _slip_doc(return_: Return, label: Label | None, shop: Shop) -> SlipDoc:
    locale = i18n.reader(return_.locale or return_.order.locale, shop.locale)
    _ = i18n.catalogue(locale).gettext
    resolutions = {"refund": _("Refund"), "store_credit": _("Store credit"), "exchange": _("Exchange")}
    send_with = {
        "own": _("Any carrier you like, at your own cost"),
        "shop": _("Hand it in at one of our shops"),
    }.get(return_.ship_with, shop.carrier.drop_off if label is not None else "")
    return SlipDoc(
        shop_name=shop.name,
        rma=return_.rma,
        order_number=return_.order.number,
        booked_on=clock.local_date(return_.booked_at, shop.timezone),
        sender=customer_address(return_),
        recipient=goes_to(return_, shop),
        items=tuple(
            SlipItem(
                name=line.order_line.name or line.order_line.sku,
                sku=line.order_line.sku,
                variant=line.order_line.variant,
                quantity=line.quantity,
                reason=_(REASONS.get(line.reason, line.reason)),
                resolution=resolutions.get(line.resolution, line.resolution),
            )
            for line in travelling(return_)
        ),
        send_by=return_.ship_by_on,
        send_with=send_with,
        contact=_("Questions? Reply to your confirmation e-mail."),
        steps=() if label is not None else _steps_without_label(return_, _),
        locale=locale,
        paper="Letter" if wording.locale_of(locale).territory in _LETTER_LANDS else "A4",
    )


_LETTER_LANDS = frozenset({"US", "CA", "MX", "CL", "CO", "PH"})
"""Where printers hold Letter paper."""


def _steps_without_label(return_: Return, _: Callable[[str], str]) -> tuple[str, ...]:
    """The slip's own steps speak of a code or a label; these are for parcels that have neither."""
    pack = _("Keep the tags on. Put the items and this page in one strong bag or box.")
    if return_.ship_with == "shop":
        return pack, _("Take it to one of our shops."), _("Keep the receipt until you get your money.")
    return (
        pack,
        _("Write the return number on the parcel and post it to the address above."),
        _("Keep the receipt until you get your money."),
    )
