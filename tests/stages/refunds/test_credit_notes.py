"""Credit notes: numbers without gaps, the stored figures and no others, one for each return, unchangeable."""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pypdf import PdfReader
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from portal import flow, i18n
from portal.adapters.weasyprint_credit_notes import WeasyprintCreditNotes
from portal.db import Event
from portal.errors import NotFound, UpstreamError
from portal.jobs import Job
from portal.labels.addresses import Address
from portal.orders.models import OrderLine
from portal.policy.quote import LineQuote, Quote, QuotePart
from portal.refunds import actions, credit_notes, goodwill, reconcile, undo
from portal.refunds.credit_note_models import CreditNote, NumberSeries
from portal.refunds.credit_notes import CreditNoteDoc, Row, bonus_of, rows_of
from portal.refunds.goodwill import Gift
from portal.refunds.models import Refund
from portal.returns.models import Return
from portal.shop import CreditNotes, Shop
from tests.stages.refunds.world import SHOP, STAFF, World


def issue(world: World, return_id: int, shop: Shop = SHOP, at: datetime | None = None) -> CreditNote | None:
    with world.database.transaction(at=at) as tx:
        note = credit_notes.issue(tx, return_id, shop)
        tx.session.flush()
        if note is not None:
            tx.session.expunge(note)
        return note


def part(kind: str, amount: int, tax: int = 0, into: str = "refund", line: str | None = "1") -> QuotePart:
    return QuotePart(kind, amount, tax, {}, line, into)


SHIRT = LineQuote("1", "refund", 1, (part("item", 6400, 960), part("discount", -640)))
CREDIT = (part("item", 8010, 1335, "store_credit"), part("credit_bonus", 801, 0, "store_credit"))
SWAP = (part("item", 5000, 833, "exchange"), part("replacement", -5000, -833, "exchange"))
WHOLE = (part("return_shipping", -350, line=None), part("outbound_shipping", 395, 66, line=None))
FEE = Row("return_shipping", "", 0, -350, 0)
DELIVERY = Row("outbound_shipping", "", 0, 395, 66)


@pytest.mark.parametrize(
    ("lines", "whole", "rows"),
    [
        # Discounts belong to the goods; fees and delivery stand apart.
        ([SHIRT], WHOLE, (Row("item", "Jumper", 1, 5760, 960), FEE, DELIVERY)),
        # A bonus is a gift and no price given back.
        ([LineQuote("1", "store_credit", 2, CREDIT)], (), (Row("item", "Jumper", 2, 8010, 1335),)),
        (
            [LineQuote("1", "refund", 1, (part("item", 10000, 2500), part("restocking_fee", -1000)))],
            (),
            (Row("item", "Jumper", 1, 10000, 2500), Row("restocking_fee", "", 0, -1000, 0)),
        ),
        # What staff changed says so in a row of its own.
        (
            [LineQuote("1", "refund", 1, (part("item", 8000, 1333), part("adjustment", -3000, -500)))],
            (),
            (Row("item", "Jumper", 1, 8000, 1333), Row("adjustment", "", 0, -3000, -500)),
        ),
        # Other goods in place of these: nothing is credited, also beside a refund.
        ([LineQuote("2", "exchange", 1, SWAP), SHIRT], (), (Row("item", "Jumper", 1, 5760, 960),)),
        # Nothing left of the price.
        ([LineQuote("1", "refund", 1, (part("item", 100), part("restocking_fee", -100)))], (),
         (Row("item", "Jumper", 1, 100, 0), Row("restocking_fee", "", 0, -100, 0))),
    ],
)  # fmt: skip
def test_the_rows_are_the_quotes_own_figures(
    lines: list[LineQuote], whole: tuple[QuotePart, ...], rows: tuple[Row, ...]
) -> None:
    assert rows_of(Quote("GBP", tuple(lines), whole), {"1": "Jumper"}) == rows


def test_a_bonus_is_told_apart_from_what_is_credited() -> None:
    changed = QuotePart("adjustment", 500, 0, {"bonus_minor": 45}, "2", "store_credit")
    lines = (
        LineQuote("1", "store_credit", 2, CREDIT),
        LineQuote("2", "store_credit", 1, (part("item", 1000), changed)),
    )
    assert bonus_of(Quote("GBP", lines, WHOLE)) == 801 + 45
    assert bonus_of(Quote("GBP", (SHIRT, LineQuote("2", "exchange", 1, SWAP)), WHOLE)) == 0


def test_a_return_gets_one_note_however_often_it_is_asked_for(world: World) -> None:
    return_id, _refund = world.paid_return(5410)
    first, again = issue(world, return_id), issue(world, return_id)
    assert first is not None
    assert again is not None
    assert (again.number, first.gross_minor, first.currency) == (first.number, 5410, "GBP")
    assert first.document["rows"][0]["text"] == "Jumper"


def test_each_year_counts_anew_in_the_shops_calendar(quick_world: World) -> None:
    shop = SHOP.model_copy(update={"credit_notes": CreditNotes(series="GS/{year}/")})
    moments = (
        datetime(2026, 12, 31, 22, 0, tzinfo=UTC), datetime(2026, 12, 31, 23, 30, tzinfo=UTC),
        datetime(2027, 1, 1, 0, 0, tzinfo=UTC),
    )  # fmt: skip
    notes = [issue(quick_world, quick_world.paid_return(1000)[0], shop, at) for at in moments]
    assert [note.number for note in notes if note] == ["GS/2026/0001", "GS/2026/0002", "GS/2027/0001"]


def test_an_exchange_credits_nothing(quick_world: World) -> None:
    order = quick_world.order(5000)
    quick_world.variant("J-L", 3)
    return_id = quick_world.return_(order, 0, resolution="exchange", sku="J-L")
    assert issue(quick_world, return_id) is None


def test_case_42_a_gift_of_20_00_at_9_percent_is_18_35_and_1_65_and_has_one_note(world: World) -> None:
    order = world.order(10900)
    with world.database.transaction() as tx:
        tx.session.execute(update(OrderLine).where(OrderLine.order_id == order).values(tax_minor=900))
        given = goodwill.give(tx, order, Gift(2000), reason="Late parcel", command_key="once", shop=SHOP)
        refund_id = tx.session.scalars(select(Refund.id).where(Refund.goodwill_id == given.id)).one()
    world.work()
    for _again in range(2):
        with world.database.transaction() as tx:
            note = credit_notes.issue_for_gift(tx, refund_id, SHOP)
            assert note is not None
            assert (note.gross_minor, note.tax_minor, note.number[-4:]) == (2000, 165, "0001")
            assert list(note.document["rows"]) == [
                {"kind": "goodwill", "text": "", "quantity": 0, "gross": 2000, "tax": 165, "params": {}}
            ]
    _, other = world.paid_return(1000)
    with world.database.transaction() as tx:
        assert credit_notes.issue_for_gift(tx, other, SHOP) is None


def test_numbers_have_no_gaps_when_many_issue_at_once_and_some_fail(pg_world: World) -> None:
    returns = [pg_world.paid_return(1000 + at)[0] for at in range(12)]
    start = threading.Barrier(12)
    wrong: list[BaseException] = []

    def work(at: int) -> None:
        start.wait()
        try:
            for attempt in range(2):
                try:
                    with pg_world.database.transaction() as tx:
                        credit_notes.issue(tx, returns[at], SHOP)
                        tx.session.flush()
                        if attempt == 0 and at % 3 == 0:
                            raise ArithmeticError("the process fell over before the commit")
                except ArithmeticError:
                    continue
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    with pg_world.database.read() as session:
        numbers = sorted(session.scalars(select(CreditNote.number)))
        year = numbers[0].split("-")[1]
        assert numbers == [f"CN-{year}-{at:04d}" for at in range(1, 13)]
        assert session.scalars(select(NumberSeries.last)).one() == 12
        assert sorted(session.scalars(select(CreditNote.return_id))) == sorted(returns)


def test_the_database_refuses_to_change_or_remove_a_note(world: World) -> None:
    note = issue(world, world.paid_return(2000)[0])
    assert note is not None
    for change in (update(CreditNote).values(gross_minor=1), CreditNote.__table__.delete()):  # type: ignore[attr-defined]
        with pytest.raises(DBAPIError), world.database.transaction() as tx:
            tx.session.execute(change)


DOC = CreditNoteDoc(
    number="CN-2026-0042",
    issued_on=date(2026, 11, 20),
    seller=("Wren & Harbour Ltd", "3 Quay Street"),
    tax_number="GB 999 9999 73",
    buyer=Address("Priya <b>Nair</b>", ("14 Aldermoor Road",), "Bristol", "", "BS6 5QA", "GB"),
    order_number="WH-20418",
    ordered_on=date(2026, 10, 9),
    rma="R-7K4Q92M",
    rows=(Row("item", "Brushed flannel shirt, Moss check", 1, 5760, 960), Row("return_shipping", "", 0, -350, 0)),
    gross=5410,
    tax=960,
    currency="GBP",
    tax_included=True,
    locale="en_GB",
)


@pytest.fixture(scope="module")
def papers() -> WeasyprintCreditNotes:
    return WeasyprintCreditNotes(i18n.catalogue)


def words(pdf: bytes) -> str:
    return " ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


WHOLE_PAPER = [
    "Credit note CN-2026-0042", "20 November 2026", "WH-20418 of 9 October 2026", "R-7K4Q92M", "£57.60", "£9.60", "−£3.50",
    "Without VAT £44.50", "VAT £9.60", "Credited £54.10", "Return label", "VAT number GB 999 9999 73", "Priya <b>Nair</b>",
]  # fmt: skip


def cups(currency: str, gross: int, tax: int) -> CreditNoteDoc:
    return replace(DOC, currency=currency, gross=gross, tax=tax, rows=(Row("item", "Cup", 2, gross, tax),))


@pytest.mark.parametrize(
    ("doc", "said"),
    [
        (DOC, WHOLE_PAPER),
        (
            replace(DOC, bonus=801),
            ["Credited £54.10 You also get a bonus of £8.01. It is a gift and no price given back"],
        ),
        (cups("JPY", 9899, 899), ["¥9,899", "¥899", "¥9,000"]),
        (cups("KWD", 12340, 0), ["12.340"]),
        (cups("ISK", 500, 97), ["ISK", "500", "403"]),
        (replace(DOC, buyer=Address("ప్రియ నాయర్", ("వీధి 1",), "హైదరాబాద్", "", "500001", "IN")), ["INDIA"]),
    ],
)
def test_the_paper_says_the_stored_figures(papers: WeasyprintCreditNotes, doc: CreditNoteDoc, said: list[str]) -> None:
    drawn = papers.credit_note_pdf(CreditNoteDoc.from_json(doc.to_json()))
    assert drawn.complete
    text = " ".join(words(drawn.pdf).split())
    for each in said:
        assert each in text, text


@dataclass
class Memory:
    """Files in memory."""

    kept: dict[str, bytes]

    def put(self, key: str, data: bytes) -> None:
        self.kept[key] = data

    def get(self, key: str) -> bytes:
        if key not in self.kept:
            raise NotFound("There is no such file.")
        return self.kept[key]

    def delete(self, key: str) -> None:
        self.kept.pop(key, None)


@pytest.fixture
def printing(quick_world: World, papers: WeasyprintCreditNotes) -> Any:
    return SimpleNamespace(database=quick_world.database, credit_note_papers=papers, files=Memory({}), shop=SHOP)


def test_the_paper_is_drawn_once_kept_and_drawn_again_when_it_is_lost(quick_world: World, printing: Any) -> None:
    return_id, _refund = quick_world.paid_return(5410)
    with quick_world.database.read() as session:
        rma = session.get_one(Return, return_id).rma
    with pytest.raises(NotFound):
        credit_notes.paper(printing, rma)
    credit_notes.issue_and_draw(printing, return_id)
    credit_notes.issue_and_draw(printing, return_id)
    (kept,) = printing.files.kept.values()
    assert credit_notes.paper(printing, rma) == kept
    printing.files.kept.clear()
    again = credit_notes.paper(printing, rma)
    assert "£54.10" in words(again)
    assert list(printing.files.kept.values()) == [again]


@pytest.mark.parametrize("error", [OSError("disk full"), UpstreamError("storage", retryable=True, public_message="")])
def test_a_paper_that_can_not_be_kept_is_given_all_the_same(
    quick_world: World, printing: Any, error: Exception
) -> None:
    return_id, _refund = quick_world.paid_return(5410)
    with quick_world.database.read() as session:
        rma = session.get_one(Return, return_id).rma
    credit_notes.issue_and_draw(printing, return_id)

    class Full(Memory):
        def put(self, key: str, data: bytes) -> None:
            raise error

    printing.files = Full({})
    assert "£54.10" in words(credit_notes.paper(printing, rma))


def test_a_gifts_note_waits_for_what_can_be_taken_back_and_leaves_it_out(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(6000, 4000)
    with world.database.transaction(STAFF) as tx:
        goodwill.give(tx, order_id, Gift(10000), reason="sorry", command_key="k", shop=SHOP)
        first, second = tx.session.execute(select(Refund.id, Refund.public_id).order_by(Refund.id)).all()
    world.submit(first.id)
    with world.database.transaction() as tx:
        assert credit_notes.issue_for_gift(tx, first.id, SHOP) is None
    with world.database.transaction(STAFF) as tx:
        undo.take_back(tx, second.public_id, "Too much")
    with world.database.transaction() as tx:
        note = credit_notes.issue_for_gift(tx, second.id, SHOP)
        assert note is not None
        assert (note.gross_minor, note.refund_id) == (6000, first.id)
    with world.database.transaction() as tx:
        again = credit_notes.issue_for_gift(tx, first.id, SHOP)
        assert again is not None
        assert again.number == note.number


def test_a_gift_that_failed_after_its_note_stays_owed_when_its_second_try_is_taken_back(quick_world: World) -> None:
    world = quick_world
    order_id = world.order(6000)
    with world.database.transaction(STAFF) as tx:
        goodwill.give(tx, order_id, Gift(6000), reason="sorry", command_key="k", shop=SHOP)
        first = tx.session.scalars(select(Refund.id)).one()
    world.submit(first)
    with world.database.transaction() as tx:
        assert credit_notes.issue_for_gift(tx, first, SHOP) is not None
    world.stripe.control(f"refunds/{world.refund(first).stripe_refund_id}", status="failed")
    reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
    with world.database.transaction(STAFF) as tx:
        second = actions.retry(tx, world.refund(first).public_id, "Again").public_id
    with world.database.transaction(STAFF) as tx:
        assert undo.take_back(tx, second, "Wait").failure_code == undo.PART_TAKEN_BACK
    assert world.questions() == [("refund_failed", "part_taken_back")]
    with world.database.transaction(STAFF) as tx:
        third = actions.retry(tx, second, "Now").id
    world.submit(third)
    assert world.refund(third).status == "succeeded"
    assert world.questions() == []
    world.check_books()


def test_taking_back_the_rest_of_a_gift_asks_for_the_note_of_what_was_given(quick_world: World) -> None:
    world = quick_world
    with world.database.transaction() as tx:
        flow.credit_note_of_rest(tx, Event(1, "refund.taken_back", refund_id=7), SHOP)
        flow.credit_note_of_rest(tx, Event(2, "refund.taken_back", return_id=3, refund_id=8), SHOP)
    with world.database.read() as session:
        asked = session.scalars(select(Job.args).where(Job.name == "issue_credit_note")).all()
    assert asked == [{"return": None, "refund": 7}]
    assert flow.credit_note_of_rest in flow.RIVER["refund.taken_back"]
