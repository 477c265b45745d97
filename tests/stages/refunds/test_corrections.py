"""Corrections of credit notes: a note less its corrections is what was given or is still owed, with its share of the tax."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from portal import flow, i18n
from portal.adapters.weasyprint_credit_notes import WeasyprintCreditNotes
from portal.errors import NotFound
from portal.jobs import Job
from portal.labels.documents import Rendered
from portal.orders.models import OrderLine, Payment
from portal.refunds import actions, corrections, credit_notes, given_up, goodwill, ledger, reconcile, shortage
from portal.refunds.credit_note_models import CreditCorrection, CreditNote, NumberSeries
from portal.refunds.credit_notes import CreditNoteDoc
from portal.refunds.goodwill import Gift
from portal.refunds.models import Refund
from portal.returns.models import Return
from tests.stages.refunds.test_credit_notes import Memory, words
from tests.stages.refunds.test_shortage import rma_of
from tests.stages.refunds.world import SHOP, STAFF, World


class Plain:
    """Papers that are drawn at once."""

    def credit_note_pdf(self, doc: CreditNoteDoc) -> Rendered:
        return Rendered(f"%PDF {doc.number}".encode(), frozenset(), ())


def printing(world: World) -> Any:
    return SimpleNamespace(database=world.database, credit_note_papers=Plain(), files=Memory({}), shop=SHOP)


def note_it(world: World, return_id: int) -> None:
    credit_notes.issue_and_draw(printing(world), return_id)


def correct(world: World, return_id: int | None = None, refund_id: int | None = None) -> None:
    """What the job does, which may come any number of times."""
    for _time in range(2):
        corrections.correct_and_draw(printing(world), return_id, refund_id)


def close(world: World, return_id: int) -> None:
    """Staff close what is open, and the job comes."""
    with world.database.transaction(STAFF) as tx:
        seen = shortage.amount(tx.session, tx.session.get_one(Return, return_id)).minor
        shortage.close(tx, rma_of(world, return_id), "Both agreed.", seen_minor=seen)
    correct(world, return_id)


def by_hand(world: World, order_id: int, minor: int) -> None:
    world.stripe.control("refunds", payment_intent=world.intent(order_id), amount=minor)
    reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))


def lose(world: World, order_id: int, refund_id: int) -> None:
    """A refund comes back from the bank when somebody has given its money by hand, so that it is given up."""
    world.stripe.control(f"refunds/{world.refund(refund_id).stripe_refund_id}", status="failed")
    by_hand(world, order_id, world.refund(refund_id).amount_minor)
    with world.database.transaction(STAFF) as tx:
        given_up.give_up(tx, world.refund(refund_id).public_id, "Too little left.")


def issued(world: World) -> list[tuple[int, int, list[int]]]:
    """Of each note: what it names, what it names less its corrections, and the corrections."""
    with world.database.read() as session:
        found = []
        for note in session.scalars(select(CreditNote).order_by(CreditNote.id)):
            of = select(CreditCorrection).where(CreditCorrection.note_id == note.id).order_by(CreditCorrection.id)
            rows = session.scalars(of).all()
            left = rows[-1].document["gross"] if rows else note.gross_minor
            assert left == note.gross_minor - sum(row.gross_minor for row in rows)
            assert {row.currency for row in rows} <= {note.currency}
            found.append((note.gross_minor, left, [row.gross_minor for row in rows]))
        return found


def short(world: World) -> tuple[int, int]:
    """50.00 are owed, of which somebody gave 30.00 by hand before; 20.00 were sent. Ids of order and return."""
    order_id = world.order(5000)
    by_hand(world, order_id, 3000)
    return_id = world.return_(order_id, 5000)
    world.pay(return_id)
    world.work()
    return order_id, return_id


def after_the_note(world: World) -> None:
    _order_id, return_id = short(world)
    note_it(world, return_id)
    close(world, return_id)


def before_the_note(world: World) -> None:
    _order_id, return_id = short(world)
    close(world, return_id)
    note_it(world, return_id)
    correct(world, return_id)


def twice(world: World) -> None:
    order_id, return_id = short(world)
    note_it(world, return_id)
    close(world, return_id)
    lose(world, order_id, world.refund_ids(return_id)[0])
    close(world, return_id)


def before_and_after(world: World) -> None:
    order_id, return_id = short(world)
    close(world, return_id)
    note_it(world, return_id)
    lose(world, order_id, world.refund_ids(return_id)[0])
    close(world, return_id)


def all_of_it(world: World) -> None:
    return_id, refund_id = world.paid_return(5000)
    world.work()
    note_it(world, return_id)
    lose(world, 1, refund_id)
    close(world, return_id)


def credit_that_was_not_given(world: World) -> None:
    order_id = world.order(10000, quantity=2)
    with world.database.transaction() as tx:
        tx.session.scalars(select(Payment)).one().captured_minor = 4000
    return_id = world.return_(order_id, 3000, credit=5500, bonus=500, resolution="store_credit")
    world.pay(return_id)
    world.work()
    note_it(world, return_id)
    close(world, return_id)


def money_beside_credit(world: World) -> None:
    order_id = world.order(10000, quantity=2)
    by_hand(world, order_id, 3000)
    return_id = world.return_(order_id, 5000, credit=5500, bonus=500, resolution="store_credit")
    world.pay(return_id)
    world.work()
    note_it(world, return_id)
    close(world, return_id)


def three_decimals(world: World) -> None:
    order_id = world.order(100000, currency="KWD", quantity=2)
    with world.database.transaction() as tx:
        tx.session.scalars(select(Payment)).one().captured_minor = 40000
    return_id = world.return_(order_id, 50005)
    world.pay(return_id)
    world.work()
    note_it(world, return_id)
    close(world, return_id)


def paid_another_way(world: World) -> None:
    _order_id, return_id = short(world)
    note_it(world, return_id)
    with world.database.transaction(STAFF) as tx:
        shortage.paid_elsewhere(tx, rma_of(world, return_id), "Cash.", seen_minor=3000)
    correct(world, return_id)


def still_open(world: World) -> None:
    _order_id, return_id = short(world)
    note_it(world, return_id)
    correct(world, return_id)


def nothing_was_given(world: World) -> None:
    order_id = world.order(5000)
    by_hand(world, order_id, 5000)
    return_id = world.return_(order_id, 5000)
    world.pay(return_id)
    close(world, return_id)


@pytest.mark.parametrize(
    ("happens", "notes"),
    [
        (after_the_note, [(5000, 2000, [3000])]),
        (before_the_note, [(2000, 2000, [])]),
        (twice, [(5000, 0, [3000, 2000])]),
        (before_and_after, [(2000, 0, [2000])]),
        (all_of_it, [(5000, 0, [5000])]),
        # The bonus of a credit is in no note, so that its end corrects none.
        (credit_that_was_not_given, [(8000, 3000, [5000])]),
        (money_beside_credit, [(10000, 7000, [3000])]),
        (three_decimals, [(50005, 40000, [10005])]),
        (paid_another_way, [(5000, 5000, [])]),
        (still_open, [(5000, 5000, [])]),
        (nothing_was_given, []),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_note_less_its_corrections_is_what_was_given_or_is_still_owed(
    quick_world: World, happens: Callable[[World], None], notes: list[tuple[int, int, list[int]]]
) -> None:
    happens(quick_world)
    assert issued(quick_world) == notes
    quick_world.check_books()


def noted(world: World, gross: int, tax: int) -> int:
    """A return over ``gross`` with ``tax`` in it that has its note; its id."""
    return_id = world.return_(world.order_with([], gross), gross)
    with world.database.transaction() as tx:
        return_ = tx.session.get_one(Return, return_id)
        quote = dict(return_.quote)
        quote["parts"] = [part | {"tax": tax} for part in quote["parts"]]
        quote["lines"] = [line | {"parts": [part | {"tax": tax} for part in line["parts"]]} for line in quote["lines"]]
        return_.quote = quote
    note_it(world, return_id)
    return return_id


def waive(world: World, return_id: int, minor: int) -> None:
    with world.database.transaction(STAFF) as tx:
        order_id = tx.session.get_one(Return, return_id).order_id
        ledger.write(tx, ledger.OWED, ledger.WAIVED, -minor, "GBP", order_id=order_id, return_id=return_id)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_part_of_the_tax_is_more_than_its_share_and_all_of_it_is_all(quick_world: World, data: Any) -> None:
    gross = data.draw(st.integers(1, 10**6))
    tax = data.draw(st.integers(0, gross))
    return_id = noted(quick_world, gross, tax)
    so_far = 0
    for cut in sorted({*data.draw(st.lists(st.integers(1, gross), max_size=4)), gross}):
        waive(quick_world, return_id, cut - so_far)
        correct(quick_world, return_id)
        so_far = cut
        with quick_world.database.read() as session:
            query = select(CreditCorrection).join(CreditNote).where(CreditNote.return_id == return_id)
            rows = session.scalars(query.order_by(CreditCorrection.id)).all()
            sums = sum(row.gross_minor for row in rows), sum(row.tax_minor for row in rows)
            doc = CreditNoteDoc.from_json(rows[-1].document)
        assert sums == (so_far, tax * so_far // gross)
        assert (doc.gross, doc.tax) == (gross - sums[0], tax - sums[1])
        assert (sum(row.gross for row in doc.rows), sum(row.tax for row in doc.rows)) == (doc.gross, doc.tax)
    waive(quick_world, return_id, 1)
    correct(quick_world, return_id)
    assert issued(quick_world)[-1][:2] == (gross, 0), "never more than the note"


def test_what_was_closed_before_the_issue_is_a_row_of_the_note_with_its_share_of_the_tax(quick_world: World) -> None:
    world = quick_world
    return_id = world.return_(world.order_with([], 5000), 5000)
    waive(world, return_id, 3000)
    note_it(world, return_id)
    with world.database.read() as session:
        note = session.scalars(select(CreditNote)).one()
        assert [(row["kind"], row["gross"]) for row in note.document["rows"]] == [("item", 5000), ("waived", -3000)]
    rows = (credit_notes.Row("item", "Jumper", 1, 1001, 167), credit_notes.Row("return_shipping", "", 0, -350, 0))
    assert credit_notes.less_closed(rows, 0) == rows
    assert credit_notes.less_closed(rows, 300)[2:] == (credit_notes.Row("waived", "", 0, -300, -76),)
    assert credit_notes.less_closed(rows, 9999)[2:] == (credit_notes.Row("waived", "", 0, -651, -167),)


def test_a_close_asks_for_the_correction_and_the_job_issues_it(quick_world: World) -> None:
    world = quick_world
    _order_id, return_id = short(world)
    note_it(world, return_id)
    world.database.river = flow.make_river(SHOP)
    with world.database.transaction(STAFF) as tx:
        shortage.close(tx, rma_of(world, return_id), "Both agreed.", seen_minor=3000)
    with world.database.read() as session:
        asked = session.scalars(select(Job.args).where(Job.name == "correct_credit_note")).all()
    assert asked == [{"return": return_id, "refund": None}]
    for args in asked * 2:
        flow.JOBS["correct_credit_note"].run(printing(world), args)
    assert issued(world) == [(5000, 2000, [3000])]
    assert world.said("credit_note.corrected") == 1


class TestAGift:
    def gift(self, world: World) -> tuple[int, list[int]]:
        """100.00 with 15.00 of tax, given to two payments; ids of the order and of the gift's refunds."""
        order_id = world.order(6000, 4000)
        with world.database.transaction(STAFF) as tx:
            tx.session.execute(update(OrderLine).where(OrderLine.order_id == order_id).values(tax_minor=1500))
            goodwill.give(tx, order_id, Gift(10000), reason="sorry", command_key="k", shop=SHOP)
            parts = list(tx.session.scalars(select(Refund.id).order_by(Refund.id)))
        for part in parts:
            world.submit(part)
        credit_notes.issue_and_draw(printing(world), None, parts[0])
        return order_id, parts

    def test_a_part_that_is_given_up_after_the_note_is_corrected(self, quick_world: World) -> None:
        world = quick_world
        order_id, (first, second) = self.gift(world)
        correct(world, None, first)
        assert issued(world) == [(10000, 10000, [])]
        world.database.river = flow.make_river(SHOP)
        lose(world, order_id, first)
        with world.database.read() as session:
            (args,) = session.scalars(select(Job.args).where(Job.name == "correct_credit_note")).all()
        assert args == {"return": None, "refund": first}
        correct(world, None, args["refund"])
        assert issued(world) == [(10000, 4000, [6000])]
        with world.database.read() as session:
            assert session.scalars(select(CreditCorrection.tax_minor)).all() == [900]
            gift = session.scalars(select(Refund.goodwill_id).where(Refund.id == second)).one()
            assert gift is not None
            assert [len(each) for each in corrections.numbers_of_gifts(session, [gift]).values()] == [1]
        for part in (first, second):
            number = world.refund(part).public_id
            assert corrections.paper_of_gift(printing(world), number, 1).startswith(b"%PDF CN-")

    def test_what_failed_and_is_owed_or_sent_again_is_not_corrected(self, quick_world: World) -> None:
        world = quick_world
        order_id, (first, _second) = self.gift(world)
        world.stripe.control(f"refunds/{world.refund(first).stripe_refund_id}", status="failed")
        reconcile.look_at_payment(world.database, world.gateway, world.intent(order_id))
        correct(world, None, first)
        with world.database.transaction(STAFF) as tx:
            actions.retry(tx, world.refund(first).public_id, "Again")
        correct(world, None, first)
        assert issued(world) == [(10000, 10000, [])]

    def test_no_refund_of_a_return_is_taken_for_a_gift(self, quick_world: World) -> None:
        _return_id, refund_id = quick_world.paid_return(5000)
        correct(quick_world, None, refund_id)
        assert issued(quick_world) == []


def test_numbers_have_no_gaps_when_notes_are_corrected_at_once_and_some_fail(pg_world: World) -> None:
    world = pg_world
    returns = [noted(world, 1000 + at, 100) for at in range(6)]
    for return_id in returns:
        waive(world, return_id, 500)
    later = world.return_(world.order_with([], 900), 900)
    start = threading.Barrier(13)
    wrong: list[BaseException] = []

    def work(at: int) -> None:
        start.wait()
        try:
            if at == 12:
                note_it(world, later)
            if at % 3 == 0 and at < 12:
                try:
                    with world.database.transaction() as tx:
                        note = credit_notes.find(tx.session, returns[at % 6])
                        assert note is not None
                        corrections.lock_return(tx.session, returns[at % 6])
                        corrections.correct(tx, note, SHOP)
                        raise ArithmeticError("the process fell over before the commit")
                except ArithmeticError:
                    pass
            if at < 12:
                corrections.correct_and_draw(printing(world), returns[at % 6])
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
    assert [each[2] for each in issued(world)] == [[500]] * 6 + [[]]
    with world.database.read() as session:
        numbers = [*session.scalars(select(CreditNote.number)), *session.scalars(select(CreditCorrection.number))]
        series = numbers[0].rpartition("-")[0]
        assert sorted(numbers) == [f"{series}-{at:04d}" for at in range(1, 14)]
        assert session.scalars(select(NumberSeries.last)).one() == 13


def test_the_database_refuses_to_change_or_remove_a_correction(world: World) -> None:
    return_id = noted(world, 2000, 0)
    waive(world, return_id, 500)
    correct(world, return_id)
    for change in (update(CreditCorrection).values(gross_minor=1), CreditCorrection.__table__.delete()):  # type: ignore[attr-defined]
        with pytest.raises(DBAPIError), world.database.transaction() as tx:
            tx.session.execute(change)


def test_a_job_that_dies_before_the_paper_is_kept_draws_it_when_it_comes_again(quick_world: World) -> None:
    world = quick_world
    return_id = noted(world, 5000, 0)
    waive(world, return_id, 3000)

    class Killed(Memory):
        def put(self, key: str, data: bytes) -> None:
            raise KeyboardInterrupt

    ports = printing(world)
    ports.files = Killed({})
    with pytest.raises(KeyboardInterrupt):
        corrections.correct_and_draw(ports, return_id)
    ports.files = Memory({})
    corrections.correct_and_draw(ports, return_id)
    assert issued(world) == [(5000, 2000, [3000])]
    (kept,) = ports.files.kept.values()
    assert corrections.paper(ports, rma_of(world, return_id), 1) == kept


def test_the_paper_names_the_note_and_says_each_figure_with_its_tax(quick_world: World) -> None:
    world = quick_world
    return_id = noted(world, 5000, 833)
    ports = printing(world)
    ports.credit_note_papers = WeasyprintCreditNotes(i18n.catalogue)
    rma = rma_of(world, return_id)
    for minor in (3000, 500):
        waive(world, return_id, minor)
        corrections.correct_and_draw(ports, return_id)
    ports.files.kept.clear()
    with world.database.read() as session:
        note = session.scalars(select(CreditNote.number)).one()
        numbers = session.scalars(select(CreditCorrection.number).order_by(CreditCorrection.id)).all()
    first, second = (" ".join(words(corrections.paper(ports, rma, place)).split()) for place in (1, 2))
    for said in (
        f"Correction of credit note {note} {numbers[0]}", "Wren & Harbour", rma, f"Correction {numbers[0]} · Page 1",
        "Credited with the credit note £8.33 £50.00", "Closed without payment −£4.99 −£30.00",
        "Without VAT £16.66", "VAT £3.34", "Now credited £20.00",
    ):  # fmt: skip
        assert said in first, (said, first)
    assert "Corrected before" not in first
    for said in (
        f"Correction of credit note {note} {numbers[1]}", "Credited with the credit note £8.33 £50.00",
        "Corrected before −£4.99 −£30.00", "Closed without payment −£0.84 −£5.00", "Now credited £15.00",
    ):  # fmt: skip
        assert said in second, (said, second)
    for place in (0, 3, 10**30):
        with pytest.raises(NotFound):
            corrections.paper(ports, rma, place)
