"""A label exists exactly where the shop pays for it, once, addressed from the customer to the warehouse."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pypdf
import pypdfium2
import pytest
import zxingcpp
from sqlalchemy import event, select

from portal import ids
from portal.adapters.folder_files import FolderFiles
from portal.db import Database
from portal.errors import NotFound
from portal.flow import make_river
from portal.labels import service as labels
from portal.labels.documents import LabelDoc, SlipDoc
from portal.labels.models import Label
from portal.orders.models import Order
from portal.returns import service as returns
from portal.returns.models import Return
from portal.returns.reopening import take_decision_back
from portal.shop import Shop
from tests.stages.notices.conftest import PlainDocuments, PostOffice
from tests.stages.returns import trade
from tests.stages.returns.trade import Item, add_order, book_return, wish

HOME = {
    "name": "Priya Nair",
    "lines": ["14 Aldermoor Road"],
    "city": "Bristol",
    "postcode": "BS6 5QA",
    "country": "GB",
}


def all_labels(database: Database) -> list[Label]:
    return trade.rows(database, select(Label))


def order(post: PostOffice, *items: Item, **more: Any) -> int:
    order_id = add_order(post.database, items or (Item(),), **more)
    with post.database.transaction() as tx:
        tx.session.get_one(Order, order_id).ship_to = HOME
    return order_id


def label(post: PostOffice, rma: str) -> bytes:
    return labels.label_pdf(post, rma)


def slip(post: PostOffice, rma: str) -> bytes:
    return labels.slip_pdf(post, rma)


def kept(post: PostOffice) -> list[str]:
    """The keys of every paper in the storage."""
    assert isinstance(post.files, FolderFiles)
    return [f"{path.parent.name}/{path.name}" for path in post.files.folder.rglob("*.pdf")]


class Full:
    """A storage that takes nothing more."""

    def put(self, key: str, data: bytes) -> None:
        raise OSError("No space left on device")

    def get(self, key: str) -> bytes:
        raise NotFound(key)

    def delete(self, key: str) -> None: ...


def words(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages).split())


def codes(pdf: bytes) -> dict[str, str]:
    image = pypdfium2.PdfDocument(pdf)[0].render(scale=203.2 / 72).to_pil().convert("L")
    return {str(code.format): code.text for code in zxingcpp.read_barcodes(image)}


def test_the_label_goes_from_the_customer_to_the_warehouse_of_the_return(
    printing: PostOffice, book: trade.Book
) -> None:
    # Case 78: a label addressed to the customer.
    rma = book_return(printing.database, book, order(printing), ship_with="label")
    pdf = label(printing, rma)
    read = words(pdf)
    sender = read[read.index("From") : read.index("To ")]
    recipient = read[read.index("To ") : read.index("For the warehouse")]
    assert "Priya Nair" in sender
    assert "BS6 5QA" in sender
    assert "Wren & Harbour Returns" in recipient
    assert "BS11 8AZ" in recipient
    assert "Priya" not in recipient
    assert "BS11" not in sender
    assert (rma in read, "NORTHWAY POST" in read, "Returns 48, prepaid" in read) == (True, True, True)


def test_what_a_scanner_reads_is_what_the_row_says(printing: PostOffice, book: trade.Book) -> None:
    rma = book_return(printing.database, book, order(printing), ship_with="label")
    (row,) = all_labels(printing.database)
    assert set(codes(label(printing, rma)).values()) == {row.code, rma}
    assert rma in codes(slip(printing, rma)).values()


@pytest.mark.parametrize(
    ("ship_with", "tags", "made"),
    [("label", (), True), ("qr", (), True), ("own", ("own",), False), ("shop", ("delicate",), False), (None, ("keep",), False)],
    ids=["label to print", "code to show", "customer pays and posts", "handed in at a shop", "nothing travels"],
)  # fmt: skip
def test_a_label_is_made_only_where_the_parcel_travels_on_the_shop_s_contract(
    post: PostOffice, book: trade.Book, ship_with: str | None, tags: tuple[str, ...], made: bool
) -> None:
    # Case 78: the "return label" option was ignored.
    rma = book_return(post.database, book, order(post, Item(tags=tags)), ship_with=ship_with)
    assert bool(all_labels(post.database)) is made
    if not made:
        with pytest.raises(NotFound):
            label(post, rma)


def test_a_policy_that_lets_the_customer_post_wins_over_a_way_that_was_written_in_by_hand(
    post: PostOffice, book: trade.Book
) -> None:
    book_return(post.database, book, order(post, Item(tags=("own",))), ship_with="own")
    with post.database.transaction() as tx:
        return_ = tx.session.scalars(select(Return)).one()
        return_.ship_with = "label"
        assert labels.make_label(tx, return_.id, post.shop) is None


def test_a_return_waiting_for_staff_has_no_label_until_they_approve(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, order(post, Item(gross=400_00)), ship_with="label")
    assert all_labels(post.database) == []
    for paper in (label, slip):
        with pytest.raises(NotFound):
            paper(post, rma)
    with trade.command(post.database, trade.MAYA) as tx:
        returns.authorize(tx, rma)
    assert len(all_labels(post.database)) == 1
    assert label(post, rma).startswith(b"%PDF")


def test_a_return_has_one_label_however_often_it_is_asked_for(post: PostOffice, book: trade.Book) -> None:
    book_return(post.database, book, order(post), ship_with="label")
    (row,) = all_labels(post.database)
    with post.database.transaction() as tx:
        again = labels.make_label(tx, row.return_id, post.shop)
        assert again == row.id
    assert len(all_labels(post.database)) == 1


def test_a_code_says_carrier_and_country_and_shows_a_slip_of_the_pen(post: PostOffice, book: trade.Book) -> None:
    book_return(post.database, book, order(post), ship_with="label")
    (row,) = all_labels(post.database)
    assert re.fullmatch(r"NW[0-9A-HJKMNP-TV-Z]{8}GB", row.code)
    assert ids.read_code(row.code[2:-2]) == row.code[2:-2]
    assert re.fullmatch(r"\w{4} \w{4}", labels.short_code(row))


@pytest.mark.parametrize("paper", [label, slip])
def test_a_paper_is_drawn_once_and_kept_under_a_name_nobody_guesses(
    post: PostOffice, book: trade.Book, paper: Any
) -> None:
    rma = book_return(post.database, book, order(post), ship_with="label")
    first, second = paper(post, rma), paper(post, rma)
    assert first == second
    assert isinstance(post.documents, PlainDocuments)
    assert len(post.documents.drawn) == 1
    (key,) = kept(post)
    assert len(key) >= 48
    assert rma not in key
    assert post.files.get(key) == first


def test_a_paper_that_the_storage_lost_is_drawn_again(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, order(post), ship_with="label")
    label(post, rma)
    (key,) = kept(post)
    post.files.delete(key)
    assert label(post, rma).startswith(b"%PDF")
    assert kept(post) == [key]


def test_a_paper_that_cannot_be_kept_is_given_all_the_same(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, order(post), ship_with="label")
    post.files = Full()
    assert label(post, rma).startswith(b"%PDF")


def test_papers_say_what_is_approved_now_and_not_what_was_when_they_were_first_drawn(
    post: PostOffice, book: trade.Book
) -> None:
    rma = book_return(
        post.database,
        book,
        order(post, Item(gross=400_00), Item(gross=300_00)),
        wish("1"),
        wish("2"),
        ship_with="label",
    )
    with trade.command(post.database, trade.MAYA) as tx:
        returns.authorize(tx, rma)
    for paper in (label, slip):
        paper(post, rma)
    with trade.command(post.database, trade.MAYA, trade.later(0.1)) as tx:
        take_decision_back(tx, rma, timedelta(hours=1))
    with trade.command(post.database, trade.MAYA, trade.later(0.2)) as tx:
        returns.authorize(tx, rma, lines=["1"], message="Only this one.")
    for paper in (label, slip):
        paper(post, rma)
    assert isinstance(post.documents, PlainDocuments)
    shown = [doc.items if isinstance(doc, LabelDoc) else len(doc.items) for doc in post.documents.drawn]
    assert shown == [2, 2, 1, 1]


@pytest.mark.parametrize("paper", [label, slip])
def test_who_looks_at_a_paper_writes_nothing_into_the_database(post: PostOffice, book: trade.Book, paper: Any) -> None:
    post.documents = PlainDocuments(missing=frozenset("龍"))
    rma = book_return(post.database, book, order(post), ship_with="label")
    seen: list[str] = []
    event.listen(post.database.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    paper(post, rma)
    assert seen
    assert [each for each in seen if not each.lstrip().startswith(("SELECT", "PRAGMA"))] == []


def test_no_transaction_is_open_while_a_paper_is_drawn(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, order(post), ship_with="label")

    class Watching(PlainDocuments):
        def label_pdf(self, doc: LabelDoc) -> Any:
            assert post.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
            return super().label_pdf(doc)

    post.documents = Watching()
    label(post, rma)


def test_two_who_print_at_once_both_get_the_label_and_one_file_stays(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, order(post), ship_with="label")
    with ThreadPoolExecutor(4) as crew:
        papers = list(crew.map(lambda _: label(post, rma), range(8)))
    assert len(set(papers)) == 1
    assert len(kept(post)) == 1


@pytest.mark.parametrize("end", ["canceled", "expired"])
def test_a_return_that_has_ended_prints_nothing_more(post: PostOffice, book: trade.Book, end: str) -> None:
    rma = book_return(post.database, book, order(post), ship_with="label")
    label(post, rma)
    with trade.command(post.database, trade.MAYA, trade.later(days=30)) as tx:
        if end == "canceled":
            returns.cancel(tx, rma, by="customer")
        else:
            returns.expire(tx, rma)
    for paper in (label, slip):
        with pytest.raises(NotFound):
            paper(post, rma)


@pytest.mark.parametrize("rma", ["R-0000000", "", "nonsense", "R-7K4Q92M' OR 1=1"])
def test_an_unknown_return_has_no_paper(post: PostOffice, book: trade.Book, rma: str) -> None:
    for paper in (label, slip):
        with pytest.raises(NotFound):
            paper(post, rma)


def test_the_slip_names_what_to_pack_and_no_price(printing: PostOffice, book: trade.Book) -> None:
    items = (
        Item(2, 40_00, name="Merino crew jumper"),
        Item(name="Kept mug", tags=("keep",)),
        Item(name="Not returned"),
    )
    rma = book_return(
        printing.database, book, order(printing, *items), wish("1", 2, resolution="store_credit"), wish("2")
    )
    read = words(slip(printing, rma))
    assert "Merino crew jumper" in read
    assert "I changed my mind" in read
    assert "Store credit" in read
    assert "2 items to pack" in read
    assert "Kept mug" not in read
    assert "Not returned" not in read
    assert "£" not in read
    assert "40.00" not in read


def test_a_parcel_without_a_label_has_a_slip_that_speaks_of_none(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, order(post, Item(tags=("own",))), ship_with="own")
    slip(post, rma)
    assert isinstance(post.documents, PlainDocuments)
    (doc,) = post.documents.drawn
    assert isinstance(doc, SlipDoc)
    assert "label" not in " ".join(doc.steps)
    assert doc.send_with == "Any carrier you like, at your own cost"


@pytest.mark.parametrize(
    ("weights", "said"),
    [((450, 400), "1 parcel, 0.9 kg"), ((1_000, 1), "1 parcel, 1.1 kg"), ((450, None), "1 parcel"), ((0, 10), "1 parcel"),
     (("450", 10), "1 parcel"), ((1, 1), "1 parcel, 0.1 kg")],
)  # fmt: skip
def test_a_weight_is_printed_when_every_article_s_is_known(
    post: PostOffice, book: trade.Book, weights: tuple[Any, Any], said: str
) -> None:
    order_id = order(post, Item(), Item())
    with post.database.transaction() as tx:
        for line, weight in zip(tx.session.get_one(Order, order_id).lines, weights, strict=True):
            line.facts = {"weight_g": weight} if weight is not None else {}
    rma = book_return(post.database, book, order_id, wish("1"), wish("2"), ship_with="label")
    label(post, rma)
    assert isinstance(post.documents, PlainDocuments)
    (doc,) = post.documents.drawn
    assert isinstance(doc, LabelDoc)
    assert doc.parcel == said


def test_staff_are_told_of_what_could_not_be_printed(post: PostOffice, book: trade.Book) -> None:
    post.documents = PlainDocuments(missing=frozenset("龍鳳"))
    rma = book_return(post.database, book, order(post), ship_with="label")
    # A mail that could not leave is written again.
    for _again in range(2):
        labels.print_label(post, rma)
    found = [entry for entry in trade.timeline_of(post.database, rma) if entry.what == "label.incomplete"]
    assert len(found) == 1
    assert "鳳 龍" in found[0].why


def test_an_address_that_is_not_there_still_makes_a_label(printing: PostOffice, book: trade.Book) -> None:
    order_id = order(printing)
    with printing.database.transaction() as tx:
        tx.session.get_one(Order, order_id).ship_to = {}
    rma = book_return(printing.database, book, order_id, ship_with="label")
    assert "Priya Nair" in words(label(printing, rma))


def test_labels_are_the_same_on_postgresql(pg_database: Database, sample_shop: Shop, post: PostOffice) -> None:
    pg_database.river = make_river(sample_shop)
    post.database = pg_database
    book = trade.open_shop(pg_database)
    rma = book_return(pg_database, book, order(post), ship_with="qr")
    assert label(post, rma) == labels.print_label(post, rma)
    assert len(kept(post)) == 1
