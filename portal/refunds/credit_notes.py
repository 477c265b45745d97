"""Credit notes: what was credited to a customer, for the books of both sides.

In: a return whose money has begun to leave for good (or a refund without a return). Out: one `CreditNote` with the next number of
its series and the figures of the stored quote, and its paper. Invariants: one for each return; numbers have no gaps, because a
number is taken in the transaction that keeps the document; nothing is worked out anew, so paper and quote show the same, less
what staff have closed unpaid by then; a gift's waits until no part of it can be taken back. Never: a bonus (a gift is no price
given back), a change after issue, a number taken twice. What is closed unpaid after the issue is the matter of `corrections`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any, Protocol

from sqlalchemy import Select, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal import clock, files, i18n, ids, timeline
from portal.db import Database, Tx
from portal.errors import NotFound
from portal.files import Files
from portal.labels.addresses import Address
from portal.labels.documents import Rendered
from portal.labels.service import customer_address
from portal.money import units_worth
from portal.orders.models import Order, OrderLine
from portal.policy.quote import EXCHANGE, Quote, QuotePart
from portal.refunds import ledger, lifecycle
from portal.refunds.credit_note_models import CreditCorrection, CreditNote, NumberSeries
from portal.refunds.models import Refund
from portal.refunds.queries import standing
from portal.refunds.settle import RELEASE
from portal.refunds.tenders import lock_refund, lock_return
from portal.returns.models import Return
from portal.returns.payable import payable_quote
from portal.shop import Shop
from portal.timeline import TimelineEntry

GOODS = frozenset({"item", "discount", "tax"})
"""Parts of a quote that make up what is credited for a line."""
BONUS = "credit_bonus"
"""A gift, not a price given back."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what, how many (0: not counted), and its amounts in minor units; the tax is inside ``gross``.

    ``kind`` is item, or the quote's kind of what was taken off, of a fee or of the delivery, which the paper names in the
    reader's language with ``params`` of the quote's part.
    """

    kind: str
    text: str
    quantity: int
    gross: int
    tax: int
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteDoc:
    """A credit note as it is printed. Amounts are minor units of ``currency``; ``locale`` is the customer's."""

    number: str
    issued_on: date
    seller: tuple[str, ...]
    tax_number: str
    buyer: Address
    order_number: str
    ordered_on: date
    rma: str
    rows: tuple[Row, ...]
    gross: int
    tax: int
    currency: str
    tax_included: bool
    locale: str
    bonus: int = 0
    """What the customer got beside it as a gift: why less is credited than was given."""
    corrects: str = ""
    """The number of the note that this document lowers; empty for a note itself."""

    def to_json(self) -> dict[str, Any]:
        """What is stored."""
        return asdict(self) | {"issued_on": self.issued_on.isoformat(), "ordered_on": self.ordered_on.isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CreditNoteDoc:
        """What `to_json` wrote."""
        return cls(
            **{
                **data,
                "issued_on": date.fromisoformat(data["issued_on"]),
                "ordered_on": date.fromisoformat(data["ordered_on"]),
                "seller": tuple(data["seller"]),
                "buyer": Address(**{**data["buyer"], "lines": tuple(data["buyer"]["lines"])}),
                "rows": tuple(Row(**row) for row in data["rows"]),
            }
        )


class CreditNotePapers(Protocol):
    """Draws credit notes. Slow (tens of ms): never inside a transaction."""

    def credit_note_pdf(self, doc: CreditNoteDoc) -> Rendered:
        """The credit note, A4; as many pages as its rows need. Raises `portal.errors.UpstreamError` when drawing fails."""
        ...


class Printing(Protocol):
    """What issuing needs; `flow.Ports` has it."""

    @property
    def database(self) -> Database: ...
    @property
    def credit_note_papers(self) -> CreditNotePapers: ...
    @property
    def files(self) -> Files: ...
    @property
    def shop(self) -> Shop: ...


def issue_and_draw(ports: Printing, return_id: int | None = None, refund_id: int | None = None) -> None:
    """Issue the credit note of a return, or of a gift that this refund is part of, unless it has one or nothing is credited, and
    draw its paper. Safe to repeat."""
    with ports.database.transaction() as tx:
        note = issue(tx, return_id, ports.shop) if return_id else issue_for_gift(tx, refund_id or 0, ports.shop)
        if note is None:
            return
        doc, key = CreditNoteDoc.from_json(note.document), note.file_key
    draw_unless_kept(ports, doc, key)


def draw_unless_kept(ports: Printing, doc: CreditNoteDoc, key: str) -> None:
    """Draw the paper and keep it, unless that was done before."""
    with suppress(NotFound):
        ports.files.get(key)
        return
    ports.files.put(key, ports.credit_note_papers.credit_note_pdf(doc).pdf)


def issue(tx: Tx, return_id: int, shop: Shop) -> CreditNote | None:
    """The credit note of a return; None when no price is given back, as for an exchange."""
    return_, _chain = lock_return(tx.session, return_id)
    known = find(tx.session, return_id)
    if known is not None:
        return known
    quote = payable_quote(tx.session, return_)
    rows = less_closed(rows_of(quote, _names(return_)), ledger.ended(tx.session, return_id)[ledger.WAIVED])
    if sum(row.gross for row in rows) <= 0:
        return None
    return keep(tx, rows, return_.order, shop, return_=return_, bonus=bonus_of(quote))


def issue_for_gift(tx: Tx, refund_id: int, shop: Shop) -> CreditNote | None:
    """The one credit note of the goodwill that this refund is part of; None for a refund that is no gift, and while a part of the
    gift can still be taken back or none has arrived. What was taken back is not in it."""
    refund, _payment = lock_refund(tx.session, refund_id)
    gift = refund.goodwill
    if gift is None:
        return None
    known = find_of_gift(tx.session, gift.id)
    if known is not None:
        return known
    parts = parts_of_gift(tx.session, gift.id)
    paid = [part for part in parts if part.status == lifecycle.SUCCEEDED and part.way != RELEASE]
    if not paid or any(part.status == lifecycle.PLANNED for part in parts):
        return None
    given = standing(parts)
    rows = tuple(
        Row("item", _name(line.order_line), line.quantity, line.gross_minor, line.tax_minor) for line in gift.lines
    )
    if not rows or any(part.failure_code in lifecycle.DECIDED_ANEW for part in parts):
        gross, tax = sum(part.amount_minor for part in given), sum(part.tax_minor or 0 for part in given)
        rows = (Row("goodwill", "", 0, gross, tax),)
    return keep(tx, rows, tx.session.get_one(Order, gift.order_id), shop, refund_id=paid[0].id)


def parts_of_gift(session: Session, goodwill_id: int) -> Sequence[Refund]:
    """Every refund of a gift, oldest first."""
    return session.scalars(select(Refund).where(Refund.goodwill_id == goodwill_id).order_by(Refund.id)).all()


def keep(
    tx: Tx,
    rows: tuple[Row, ...],
    order: Order,
    shop: Shop,
    *,
    return_: Return | None = None,
    refund_id: int | None = None,
    bonus: int = 0,
) -> CreditNote:
    """Give these rows the next number and keep them. The caller holds the order's lock and has made sure that there is none."""
    issued_on, number = next_number(tx, shop)
    doc = CreditNoteDoc(
        number=number,
        issued_on=issued_on,
        seller=shop.credit_notes.seller
        or (shop.name, *shop.warehouse.lines, shop.warehouse.city, shop.warehouse.postcode),
        tax_number=shop.credit_notes.tax_number,
        buyer=_inland(customer_address(return_) if return_ is not None else _buyer(order), shop),
        order_number=order.number,
        ordered_on=clock.local_date(order.placed_at, shop.timezone),
        rma=return_.rma if return_ is not None else "",
        rows=rows,
        gross=sum(row.gross for row in rows),
        tax=sum(row.tax for row in rows),
        currency=order.currency,
        tax_included=all(line.tax_included for line in order.lines),
        locale=i18n.reader((return_.locale if return_ is not None else "") or order.locale, shop.locale),
        bonus=bonus,
    )
    note = CreditNote(
        number=number,
        order_id=order.id,
        return_id=return_.id if return_ is not None else None,
        refund_id=refund_id,
        issued_at=tx.at,
        gross_minor=doc.gross,
        tax_minor=doc.tax,
        currency=doc.currency,
        document=doc.to_json(),
        file_key=f"creditnotes/{ids.new_token()}.pdf",
    )
    tx.session.add(note)
    tx.session.flush()
    timeline.record(
        tx,
        "credit_note.issued",
        return_id=note.return_id,
        order_id=order.id,
        refund_id=refund_id,
        data={"number": number, "amount": doc.gross, "currency": doc.currency},
    )
    return note


def rows_of(quote: Quote, names: Mapping[str, str]) -> tuple[Row, ...]:
    """The rows of a frozen quote: each line with its discounts as one, then every fee and the delivery. ``names`` by line."""
    rows: list[Row] = []
    for line in quote.lines:
        if line.resolution == EXCHANGE:
            # Other goods take the place of these; no price is given back.
            continue
        goods = [part for part in line.parts if part.kind in GOODS]
        rows += _row("item", names.get(line.line, line.line), line.quantity, goods)
        rows += _fees(part for part in line.parts if part.kind not in GOODS)
    rows += _fees(quote.parts)
    return tuple(rows)


def less_closed(rows: tuple[Row, ...], closed: int) -> tuple[Row, ...]:
    """The rows less what of them, in minor units, was closed unpaid before the issue, with its share of the tax."""
    gross, tax = sum(row.gross for row in rows), sum(row.tax for row in rows)
    closed = min(closed, gross)
    return (*rows, Row(ledger.WAIVED, "", 0, -closed, -units_worth(tax, gross, 1, closed))) if closed > 0 else rows


def bonus_of(quote: Quote) -> int:
    """What the quote gives as a gift, in minor units; it is in no row."""
    lines = (line for line in quote.lines if line.resolution != EXCHANGE)
    return sum(part.bonus_minor for line in lines for part in line.parts)


def _row(kind: str, text: str, quantity: int, parts: Iterable[QuotePart]) -> list[Row]:
    known = list(parts)
    gross = sum(part.amount_minor - part.bonus_minor for part in known)
    tax = sum(part.tax_minor for part in known)
    return [Row(kind, text, quantity, gross, tax)] if gross or tax else []


def _fees(parts: Iterable[QuotePart]) -> list[Row]:
    return [
        replace(row, params=dict(part.params))
        for part in parts
        if part.kind != BONUS
        for row in _row(part.kind, "", 0, [part])
    ]


def _names(return_: Return) -> dict[str, str]:
    return {line.order_line.ref: _name(line.order_line) for line in return_.lines}


def _name(line: OrderLine) -> str:
    return ", ".join(part for part in (line.name or line.sku, line.variant) if part)


def _buyer(order: Order) -> Address:
    to = order.ship_to or {}
    lines = tuple(str(line) for line in to.get("lines") or ())
    name, city = str(to.get("name") or order.customer_name or order.number), str(to.get("city") or "")
    rest = (str(to.get(key) or "") for key in ("region", "postcode", "country"))
    return Address(name, lines, city, *rest)


def _inland(address: Address, shop: Shop) -> Address:
    """An address in the shop's own country does not name it."""
    return replace(address, country="") if address.country.upper() == shop.country.upper() else address


def next_number(tx: Tx, shop: Shop) -> tuple[date, str]:
    """The shop's own day, and the next number of that day's series, counted from 1. The series stays locked until the
    transaction has ended."""
    issued_on = clock.local_date(tx.at, shop.timezone)
    series = shop.credit_notes.series_of(issued_on)
    dialect = sqlite if tx.session.get_bind().dialect.name == "sqlite" else postgresql
    begin = dialect.insert(NumberSeries).values(name=series, last=0).on_conflict_do_nothing()
    step = (
        update(NumberSeries)
        .where(NumberSeries.name == series)
        .values(last=NumberSeries.last + 1)
        .returning(NumberSeries.last)
        .execution_options(synchronize_session=False)
    )
    taken = tx.session.scalar(step)
    if taken is None:
        tx.session.execute(begin)
        taken = tx.session.scalars(step).one()
    return issued_on, f"{series}{taken:04d}"


def number_in(entries: Iterable[TimelineEntry]) -> str:
    """The number of the credit note that a timeline tells of; empty when there is none. Costs no query."""
    told = (entry.data["number"] for entry in entries if entry.what == "credit_note.issued" and entry.data)
    return str(next(told, ""))


def find(session: Session, return_id: int) -> CreditNote | None:
    """The credit note of a return, if there is one."""
    return session.scalar(select(CreditNote).where(CreditNote.return_id == return_id))


def find_of_gift(session: Session, goodwill_id: int) -> CreditNote | None:
    """The credit note of a gift, if there is one."""
    return session.scalar(select(CreditNote).join(Refund).where(Refund.goodwill_id == goodwill_id))


def paper(ports: Printing, rma: str) -> bytes:
    """The paper of a return's credit note. Raises `NotFound` when it has none (yet)."""
    return read_or_draw(ports, select(CreditNote).join(Return).where(Return.rma == (ids.read_rma(rma) or "")))


def paper_of_gift(ports: Printing, public_id: str) -> bytes:
    """The paper of the gift that this refund is part of. Raises `NotFound` when it has none (yet)."""
    return read_or_draw(ports, select(CreditNote).where(CreditNote.refund_id.in_(parts_beside(public_id))))


def parts_beside(public_id: str) -> Select[int]:
    """The ids of all refunds of the gift that this refund is part of."""
    gift = select(Refund.goodwill_id).where(Refund.public_id == public_id, Refund.goodwill_id.is_not(None))
    return select(Refund.id).where(Refund.goodwill_id.in_(gift))


def read_or_draw(ports: Printing, query: Select[CreditNote] | Select[CreditCorrection], place: int = 1) -> bytes:
    """The paper of what the query finds at ``place``, counted from 1. Raises `NotFound` when there is none (yet)."""
    with ports.database.read() as session:
        found = session.scalars(query).all()[place - 1 : place]
        if not found:
            raise NotFound("There is no such document yet.")
        doc, key = CreditNoteDoc.from_json(found[0].document), found[0].file_key
    # It is drawn from what was stored when it was issued; and kept, because all its rows have to be on it, and hundreds of them
    # take seconds.
    return files.drawn_once(ports.files, key, lambda: ports.credit_note_papers.credit_note_pdf(doc).pdf)
