"""Corrections of credit notes: a note names all that was owed when it was issued, and some of that may end unpaid later.

In: a return, or a refund of a gift, about which staff have decided that nothing more is paid. Out: where a note names it, a
`CreditCorrection` with the next number of the notes' series, and its paper. Invariants: a note less its corrections is what was
given or is still owed; all corrections together have the note's tax by cumulative floor; each sum is corrected once. Never: a
correction of what may still be paid, of more than the note names, or of a bonus, which is in no note.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import ids, timeline
from portal.db import Tx
from portal.money import units_worth
from portal.refunds import credit_notes, ledger
from portal.refunds.credit_note_models import CreditCorrection, CreditNote
from portal.refunds.credit_notes import CreditNoteDoc, Printing, Row
from portal.refunds.models import Goodwill, Refund
from portal.refunds.queries import standing
from portal.refunds.tenders import lock_refund, lock_return
from portal.returns.models import Return
from portal.shop import Shop
from portal.timeline import TimelineEntry


def correct_and_draw(ports: Printing, return_id: int | None = None, refund_id: int | None = None) -> None:
    """Correct the note of a return, or of the gift that this refund is part of, by what was closed since, and draw the papers of
    its corrections. Nothing happens where there is no note or nothing was closed. Safe to repeat."""
    with ports.database.transaction() as tx:
        note = _held(tx, return_id, refund_id)
        if note is None:
            return
        correct(tx, note, ports.shop)
        papers = [(CreditNoteDoc.from_json(each.document), each.file_key) for each in _known(tx.session, note)]
    for doc, key in papers:
        credit_notes.draw_unless_kept(ports, doc, key)


def correct(tx: Tx, note: CreditNote, shop: Shop) -> CreditCorrection | None:
    """The correction over what became final since the last one; None when that is nothing. The caller holds the order's lock."""
    before = _known(tx.session, note)
    so_far, tax_so_far = sum(each.gross_minor for each in before), sum(each.tax_minor for each in before)
    gross = min(_unpaid(tx.session, note), note.gross_minor) - so_far
    if gross <= 0:
        return None
    tax = units_worth(note.tax_minor, note.gross_minor, so_far + 1, so_far + gross)
    issued_on, number = credit_notes.next_number(tx, shop)
    rows = [Row("noted", "", 0, note.gross_minor, note.tax_minor)]
    rows += [Row("corrected", "", 0, -so_far, -tax_so_far)] if before else []
    rows += [Row(ledger.WAIVED, "", 0, -gross, -tax)]
    doc = replace(
        CreditNoteDoc.from_json(note.document),
        number=number,
        issued_on=issued_on,
        corrects=note.number,
        rows=tuple(rows),
        gross=sum(row.gross for row in rows),
        tax=sum(row.tax for row in rows),
        bonus=0,
    )
    made = CreditCorrection(
        number=number,
        note_id=note.id,
        issued_at=tx.at,
        gross_minor=gross,
        tax_minor=tax,
        currency=note.currency,
        document=doc.to_json(),
        file_key=f"creditnotes/{ids.new_token()}.pdf",
    )
    tx.session.add(made)
    tx.session.flush()
    timeline.record(
        tx,
        "credit_note.corrected",
        return_id=note.return_id,
        order_id=note.order_id,
        refund_id=note.refund_id,
        data={"number": number, "amount": gross, "currency": note.currency},
    )
    return made


def numbers_in(entries: Iterable[TimelineEntry]) -> list[str]:
    """The numbers of the corrections that a timeline tells of, oldest first. Costs no query."""
    return [str(entry.data["number"]) for entry in entries if entry.what == "credit_note.corrected" and entry.data]


def numbers_of_gifts(session: Session, goodwill_ids: Iterable[int]) -> dict[int, list[str]]:
    """The numbers of these gifts' corrections, oldest first; gifts without one are left out."""
    query = select(Goodwill.id, CreditCorrection.number).join(Refund, Refund.goodwill_id == Goodwill.id)
    query = query.join(CreditNote, CreditNote.refund_id == Refund.id).join(CreditCorrection)
    found: dict[int, list[str]] = {}
    for gift, number in session.execute(query.where(Goodwill.id.in_(goodwill_ids)).order_by(CreditCorrection.id)):
        found.setdefault(gift, []).append(number)
    return found


def paper(ports: Printing, rma: str, place: int) -> bytes:
    """The paper of a return's correction at ``place``, counted from 1. Raises `NotFound` when it has none there."""
    query = select(CreditCorrection).join(CreditNote).join(Return, Return.id == CreditNote.return_id)
    mine = query.where(Return.rma == (ids.read_rma(rma) or "")).order_by(CreditCorrection.id)
    return credit_notes.read_or_draw(ports, mine, place)


def paper_of_gift(ports: Printing, public_id: str, place: int) -> bytes:
    """The same of the gift that this refund is part of."""
    mine = CreditNote.refund_id.in_(credit_notes.parts_beside(public_id))
    query = select(CreditCorrection).join(CreditNote).where(mine).order_by(CreditCorrection.id)
    return credit_notes.read_or_draw(ports, query, place)


def _held(tx: Tx, return_id: int | None, refund_id: int | None) -> CreditNote | None:
    if return_id is not None:
        lock_return(tx.session, return_id)
        return credit_notes.find(tx.session, return_id)
    refund, _payment = lock_refund(tx.session, refund_id or 0)
    return credit_notes.find_of_gift(tx.session, refund.goodwill_id) if refund.goodwill_id is not None else None


def _known(session: Session, note: CreditNote) -> Sequence[CreditCorrection]:
    query = select(CreditCorrection).where(CreditCorrection.note_id == note.id)
    return session.scalars(query.order_by(CreditCorrection.id)).all()


def _unpaid(session: Session, note: CreditNote) -> int:
    """What the note names and nobody gets any more. Of a return, what was closed before the issue is in its note already."""
    if note.return_id is not None:
        left_out = sum(row["gross"] for row in note.document["rows"] if row["kind"] == ledger.WAIVED)
        return ledger.ended(session, note.return_id)[ledger.WAIVED] + int(left_out)
    gift = session.get_one(Refund, note.refund_id).goodwill_id
    parts = credit_notes.parts_of_gift(session, gift) if gift is not None else []
    return note.gross_minor - sum(part.amount_minor for part in standing(parts))
