"""A notice is written with its event, tells the facts of that moment, and a late one still does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.db import Database, Event
from portal.flow import make_river
from portal.jobs import Job
from portal.notices import service as notices
from portal.notices.links import read_status_key, status_link
from portal.notices.models import Notice
from portal.orders.models import Payment
from portal.receiving.service import Count, inspect, receive
from portal.refunds import settle
from portal.refunds.gateway import RefundView
from portal.refunds.models import Refund
from portal.refunds.tenders import lock_refund
from portal.returns import service
from portal.returns.models import Return
from portal.shop import Shop
from tests.stages.notices.conftest import PostOffice
from tests.stages.returns import trade
from tests.stages.returns.trade import BOOKED, Item, add_order, book_return, later, wish


def paid(database: Database, order_id: int, amount: int, **more: Any) -> None:
    with database.transaction() as tx:
        values = {
            "position": 1,
            "payment_intent": f"pi_{order_id}",
            "method": "Visa ending 4242",
            "currency": "GBP",
        } | more
        tx.session.add(Payment(order_id=order_id, captured_minor=amount, **values))


def sold(post: PostOffice, *items: Item, **more: Any) -> int:
    order_id = add_order(post.database, items or (Item(gross=10_00),), **more)
    paid(post.database, order_id, sum(item.gross for item in items) if items else 10_00)
    return order_id


def told(post: PostOffice) -> list[Notice]:
    return trade.rows(post.database, select(Notice).order_by(Notice.id))


def kinds(post: PostOffice) -> list[str]:
    return [notice.kind for notice in told(post)]


def answer(post: PostOffice, status: str, **more: str) -> None:
    """Stripe's news about the only refund."""
    with post.database.transaction(at=later(days=3)) as tx:
        refund, payment = lock_refund(tx.session, tx.session.scalars(select(Refund.id)).one())
        view = RefundView(
            id="re_1",
            status=status,
            amount_minor=refund.amount_minor,
            currency=refund.currency,
            payment_intent="pi_1",
            created_at=later(days=3),
            metadata={"refund": refund.public_id},
            **more,
        )
        settle.take_over(tx, refund, payment, view)


def test_an_accepted_return_is_told_once_with_its_label_and_its_job(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, sold(post), key="once", ship_with="qr", locale="en-GB")
    book_return(post.database, book, 1, key="once", ship_with="qr")
    (notice,) = told(post)
    assert (notice.kind, notice.to, notice.locale, notice.status) == ("booked", "priya@example.com", "en-GB", "queued")
    assert notice.context["rma"] == rma
    assert len(notice.context["label"]["code"].replace(" ", "")) == 8
    assert notice.context["quote"]["total"] == {"amount": 1000, "currency": "GBP"}
    (job,) = trade.rows(post.database, select(Job).where(Job.name == "send_notice"))
    assert job.args == {"notice": notice.id}
    assert job.key == f"{notice.key.split(':')[0]}:notice:booked"


def test_a_rolled_back_booking_tells_nobody(post: PostOffice, book: trade.Book) -> None:
    order_id = sold(post)

    def book_and_break() -> None:
        with post.database.transaction(trade.CUSTOMER, at=BOOKED) as tx:
            service.book(tx, book, order_id, (wish(),), booking_key="k")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        book_and_break()
    assert told(post) == []
    assert trade.rows(post.database, select(Job)) == []


def test_a_question_its_review_and_a_refusal_are_told(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, sold(post, Item(tags=("final-sale",))), ask_us=True)
    with trade.command(post.database, trade.MAYA, later(hours=1)) as tx:
        service.ask(tx, rma, message="Is the seal broken?")
    with trade.command(post.database, trade.MAYA, later(hours=2)) as tx:
        service.refuse(tx, rma, message="It was sold as final sale.", note="checked")
    review, asked, refused = told(post)
    assert [review.kind, asked.kind, refused.kind] == ["under_review", "asked", "refused"]
    assert review.context["answer_by"] == later(hours=24).isoformat()
    assert asked.context["message"] == "Is the seal broken?"
    assert refused.context["message"] == "It was sold as final sale."
    assert refused.context["lines"][0]["causes"][0]["code"] == "not_returnable"
    assert "checked" not in json.dumps([notice.context for notice in told(post)])


def test_an_approval_by_staff_is_told_as_one(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, sold(post, Item(gross=400_00)))
    with trade.command(post.database, trade.MAYA) as tx:
        service.authorize(tx, rma, message="Gladly.")
    assert kinds(post) == ["under_review", "booked"]
    context = told(post)[1].context
    assert (context["by_staff"], context["message"]) == (True, "Gladly.")


def test_an_expired_return_is_told(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, sold(post))
    with post.database.transaction(at=later(days=40)) as tx:
        service.expire(tx, rma)
    assert kinds(post) == ["booked", "expired"]


def test_receipt_refund_and_its_failure_are_told_with_part_amount_and_card(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, sold(post))
    with trade.command(post.database, trade.BENCH, later(days=2)) as tx:
        receive(tx, rma, [Count("1", 1, "as_new")], command_key="r1")
    assert kinds(post) == ["booked", "received"]
    answer(post, "pending")
    assert kinds(post) == ["booked", "received"]
    answer(post, "succeeded", bank_reference="746120438877")
    answer(post, "succeeded")
    sent = told(post)[2:]
    assert [notice.kind for notice in sent] == ["refund_sent"]
    (piece,) = sent[0].context["pieces"]
    assert (piece["to"], piece["amount"], piece["state"]) == ("Visa ending 4242", 1000, "arrived")
    assert piece["bank_reference"] == "746120438877"
    assert sent[0].context["refund"] == piece["refund"]
    answer(post, "failed", failure_reason="expired_or_canceled_card")
    failed = told(post)[-1]
    assert failed.kind == "refund_failed"
    assert failed.context["answer_by"] is not None
    text = json.dumps(failed.context)
    assert "expired" not in text
    assert "canceled its" not in text


def test_what_a_person_has_to_look_at_is_told_without_a_sum_that_nobody_has_decided(
    post: PostOffice, book: trade.Book
) -> None:
    rma = book_return(post.database, book, sold(post, Item(2, 40_00)), wish(quantity=2))
    with trade.command(post.database, trade.BENCH, later(days=2)) as tx:
        receive(tx, rma, [Count("1", 1, "as_new"), Count("1", 1, "missing")], command_key="r1")
    (arrived,) = (notice.context for notice in told(post) if notice.kind == "received")
    assert "quote" not in arrived
    assert arrived["refund_when"] == "inspected"


def test_store_credit_and_exchange_are_told_with_code_and_article(post: PostOffice, book: trade.Book) -> None:
    trade.add_variant(post.database, "SHIRT-L", product="shirt")
    order_id = sold(post, Item(gross=20_00), Item(gross=10_00, product="shirt", sku="SHIRT-M"))
    rma = book_return(
        post.database,
        book,
        order_id,
        wish("1", resolution="store_credit"),
        wish("2", resolution="exchange", exchange_sku="SHIRT-L"),
    )
    with trade.command(post.database, trade.BENCH, later(days=2)) as tx:
        receive(tx, rma, [Count("1", 1, "as_new"), Count("2", 1, "as_new")], command_key="r1")
    by_kind = {notice.kind: notice.context for notice in told(post)}
    assert {"booked", "received", "credit_issued", "exchange_sent"} == set(by_kind)
    credit = next(piece for piece in by_kind["credit_issued"]["pieces"] if piece["kind"] == "store_credit")
    assert (credit["amount"], bool(credit["label"])) == (2200, True)
    swap = next(piece for piece in by_kind["exchange_sent"]["pieces"] if piece["kind"] == "exchange")
    assert (swap["state"], swap["order"].endswith("-X1")) == ("ordered", True)


def test_the_code_goes_to_the_buyer_who_learns_that_the_rest_is_told_to_another(
    post: PostOffice, book: trade.Book
) -> None:
    order = sold(post, Item(gross=20_00))
    rma = book_return(post.database, book, order, wish(resolution="store_credit"), email="gift@example.org")
    with trade.command(post.database, trade.BENCH, later(days=2)) as tx:
        receive(tx, rma, [Count("1", 1, "as_new")], command_key="r1")
    by_kind = {notice.kind: notice for notice in told(post)}
    assert (by_kind["received"].to, "told_besides" in by_kind["received"].context) == ("gift@example.org", False)
    code = by_kind["credit_issued"]
    assert (code.to, code.context["told_besides"]) == ("priya@example.com", "g•••@example.org")


def test_every_notice_of_a_walk_can_be_rendered_and_sent(post: PostOffice, book: trade.Book) -> None:
    trade.add_variant(post.database, "SHIRT-L", product="shirt")
    items = (
        Item(gross=20_00, tags=("delicate",)),
        Item(gross=10_00),
        Item(gross=10_00, product="shirt", sku="SHIRT-M"),
    )
    rma = book_return(
        post.database,
        book,
        sold(post, *items),
        wish("1"),
        wish("2", resolution="store_credit"),
        wish("3", resolution="exchange", exchange_sku="SHIRT-L"),
        ship_with="label",
    )
    counts = [Count(ref, 1, "as_new") for ref in "123"]
    with trade.command(post.database, trade.BENCH, later(days=2)) as tx:
        receive(tx, rma, counts, command_key="r1")
    with trade.command(post.database, trade.BENCH, later(days=2)) as tx:
        inspect(tx, rma, counts, command_key="i1")
    answer(post, "succeeded")
    for notice in told(post):
        notices.send(post, notice.id)
    assert [mail.subject for mail in post.mailer.accepted] == [
        f"Your return {rma} is booked",
        f"We have your parcel for return {rma}",
        f"Your replacement for order {trade.look(post.database, rma).order.number} is ordered",
        "Your £11.00 store credit is ready",
        "Your £20.00 refund is on its way",
    ]


def test_each_part_of_a_parcel_is_told_and_the_last_one_as_the_whole(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, sold(post, Item(3, 30_00)), wish(quantity=3), ship_with="label")
    for day, key in enumerate(("r1", "r2", "r3"), 2):
        with trade.command(post.database, trade.BENCH, later(days=day)) as tx:
            receive(tx, rma, [Count("1", 1, "as_new")], command_key=key)
    assert kinds(post) == ["booked", "part_received", "part_received", "received"]
    assert [notice.context["lines"][0]["received"] for notice in told(post)] == [0, 1, 2, 3]


def test_facts_stay_those_of_the_moment_whatever_happens_later(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, sold(post))
    before = told(post)[0].context
    with post.database.transaction() as tx:
        return_ = tx.session.scalars(select(Return)).one()
        return_.ship_by_on, return_.order.customer_name = None, "Somebody Else"
        return_.quote = return_.quote | {"total": {"amount": 1, "currency": "GBP"}}
    notices.send(post, told(post)[0].id)
    assert told(post)[0].context == before
    assert "You get £10.00." in post.mailer.accepted[0].text
    assert "Hi Priya," in post.mailer.accepted[0].text
    assert rma in post.mailer.accepted[0].text


def test_nobody_is_told_without_an_address_or_a_return(post: PostOffice, book: trade.Book) -> None:
    book_return(post.database, book, sold(post, email=""))
    assert told(post) == []
    with post.database.transaction() as tx:
        assert notices.queue(tx, "refund_sent", Event(1, "refund.succeeded", order_id=1)) is None


def test_one_event_queues_a_kind_once(post: PostOffice, book: trade.Book) -> None:
    book_return(post.database, book, sold(post))
    first = told(post)[0]
    with post.database.transaction() as tx:
        event = Event(int(first.key.split(":")[0]), "return.authorized", first.return_id)
        assert notices.queue(tx, "booked", event) == first.id
        with pytest.raises(ValueError, match="no notice"):
            notices.queue(tx, "birthday", event)
    assert len(told(post)) == 1


def test_nothing_frozen_opens_a_return(post: PostOffice, book: trade.Book) -> None:
    rma = book_return(post.database, book, sold(post))
    link = status_link(post.config, rma)
    assert link.partition("key=")[2] not in json.dumps(told(post)[0].context)
    assert link.startswith(f"https://returns.example/returns/{rma}?key=")


def test_queuing_is_the_same_on_postgresql(pg_database: Database, sample_shop: Shop) -> None:
    pg_database.river = make_river(sample_shop)
    book = trade.open_shop(pg_database)
    book_return(pg_database, book, add_order(pg_database), ship_with="label")
    with pg_database.read() as session:
        notice = session.scalars(select(Notice)).one()
        assert (notice.kind, notice.context["ship_with"]) == ("booked", "label")
        assert session.scalar(select(func.count()).select_from(Job)) == 1


def test_a_key_opens_the_return_it_was_made_for_and_no_other(post: PostOffice) -> None:
    key = status_link(post.config, "R-7K4Q92M").partition("?key=")[2]
    assert read_status_key(post.config, "R-7K4Q92M", key)
    assert not read_status_key(post.config, "R-0000000", key)
    for wrong in ("", "R-7K4Q92M", key[:-1], key + "A", key.replace(".", ""), "é", "." * 50, "\0"):
        assert not read_status_key(post.config, "R-7K4Q92M", wrong)
    other = type(post.config)(secret_key="o" * 32)
    assert not read_status_key(other, "R-7K4Q92M", key)
