"""A notice goes out once: not twice under retry, not lost by a crash, not for ever after a refusal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from portal import jobs
from portal.adapters.folder_mailer import FolderMailer
from portal.errors import Invalid, UpstreamError
from portal.flow import JOBS
from portal.notices import service as notices
from portal.notices.models import Notice
from portal.returns import service
from portal.timeline import TimelineEntry
from tests.stages.notices.conftest import PlainDocuments, PostOffice
from tests.stages.returns import trade
from tests.stages.returns.trade import add_order, book_return


def problem(*, retryable: bool, code: str = "smtp_451") -> UpstreamError:
    return UpstreamError(code, retryable=retryable, public_message="later", staff_message="The server said no")


@pytest.fixture
def rma(post: PostOffice, book: trade.Book) -> str:
    return book_return(post.database, book, add_order(post.database), ship_with="label")


def the_notice(post: PostOffice) -> Notice:
    found: Notice = trade.rows(post.database, select(Notice))[0]
    return found


def test_a_mail_goes_out_once_however_often_its_job_runs(post: PostOffice, rma: str) -> None:
    for _ in range(3):
        notices.send(post, the_notice(post).id)
    (mail,) = post.mailer.accepted
    sent = the_notice(post)
    assert (sent.status, sent.subject, sent.error) == ("sent", f"Your return {rma} is booked", "")
    assert sent.sent_at is not None
    assert (mail.to, mail.reply_to) == ("priya@example.com", "help@wrenandharbour.example")
    assert mail.message_id == sent.message_id
    assert mail.message_id.endswith("@wrenandharbour.example>")
    assert mail.thread == f"<{rma}@wrenandharbour.example>"


def test_the_river_s_job_sends_it(post: PostOffice, rma: str) -> None:
    JOBS["send_notice"].run(post, {"notice": the_notice(post).id})  # type: ignore[arg-type]
    assert len(post.mailer.accepted) == 1
    assert JOBS["send_notice"].give_up_after == 120


def test_a_server_that_is_away_gets_the_very_same_mail_later(post: PostOffice, rma: str) -> None:
    post.mailer.failures.append((problem(retryable=True), False))
    with pytest.raises(UpstreamError):
        notices.send(post, the_notice(post).id)
    waiting = the_notice(post)
    assert (waiting.status, waiting.error) == ("queued", "smtp_451: The server said no")
    notices.send(post, waiting.id)
    assert post.mailer.accepted[0].message_id == waiting.message_id
    assert the_notice(post).status == "sent"


def test_what_is_refused_for_good_is_not_tried_again_and_staff_see_it(post: PostOffice, rma: str) -> None:
    post.mailer.failures.append((problem(retryable=False, code="smtp_550"), False))
    notices.send(post, the_notice(post).id)
    notices.send(post, the_notice(post).id)
    assert post.mailer.tries == 1
    assert (the_notice(post).status, the_notice(post).error) == ("failed", "smtp_550: The server said no")
    entry = trade.timeline_of(post.database, rma)[-1]
    assert (entry.what, entry.why) == ("notice.failed", "smtp_550: The server said no")


def test_an_address_that_is_none_fails_clearly_instead_of_for_ever(post: PostOffice, book: trade.Book) -> None:
    book_return(post.database, book, add_order(post.database), email="not an address")
    notices.send(post, the_notice(post).id)
    assert the_notice(post).status == "failed"
    assert "is no e-mail address" in the_notice(post).error


def test_the_timeline_says_what_was_sent_and_not_its_words(post: PostOffice, rma: str) -> None:
    notices.send(post, the_notice(post).id)
    entry: TimelineEntry = trade.timeline_of(post.database, rma)[-1]
    assert (entry.what, entry.data) == ("notice.sent", {"kind": "booked", "notice": the_notice(post).id})


def test_a_process_that_dies_before_settling_sends_the_same_message_id_again(post: PostOffice, rma: str) -> None:
    post.mailer.failures.append((KeyboardInterrupt(), True))
    with pytest.raises(KeyboardInterrupt):
        notices.send(post, the_notice(post).id)
    assert the_notice(post).status == "sending"
    notices.send(post, the_notice(post).id)
    first, second = post.mailer.accepted
    assert first.message_id == second.message_id
    assert the_notice(post).status == "sent"


def test_a_repeat_after_a_crash_is_one_mail_where_the_other_side_can_tell(post: PostOffice, rma: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    post.mailer = FolderMailer(tmp_path / "mail")  # type: ignore[assignment]
    notices.send(post, the_notice(post).id)
    with post.database.transaction() as tx:
        tx.session.execute(update(Notice).values(status="sending"))
    notices.send(post, the_notice(post).id)
    assert len(list((tmp_path / "mail").iterdir())) == 1


def test_a_settled_notice_is_never_unsettled_by_a_slow_second_worker(post: PostOffice, rma: str) -> None:
    slow = the_notice(post)
    notices.send(post, slow.id)
    notices._settle(post.database, slow, notices.QUEUED, error="too late")
    assert (the_notice(post).status, the_notice(post).error) == ("sent", "")


def test_a_changed_sender_does_not_change_a_message_id_that_was_tried(post: PostOffice, rma: str) -> None:
    post.mailer.failures.append((problem(retryable=True), True))
    with pytest.raises(UpstreamError):
        notices.send(post, the_notice(post).id)
    post.config = replace(post.config, mail_from="returns@elsewhere.example")
    notices.send(post, the_notice(post).id)
    first, second = post.mailer.accepted
    assert first.message_id == second.message_id


def test_the_label_travels_with_the_confirmation(post: PostOffice, rma: str) -> None:
    notices.send(post, the_notice(post).id)
    (mail,) = post.mailer.accepted
    (label,) = mail.attachments
    assert (label.file_name, label.media_type) == (f"return-label-{rma}.pdf", "application/pdf")
    assert label.data.startswith(b"%PDF")
    assert "Your label is attached." in mail.text


@pytest.mark.parametrize(
    "error",
    [UpstreamError("document_failed", retryable=False, public_message="no"), Invalid("cannot be printed")],
)
def test_a_label_that_cannot_be_drawn_holds_no_mail_back(post: PostOffice, rma: str, error: Exception) -> None:
    post.documents = PlainDocuments(error)
    notices.send(post, the_notice(post).id)
    (mail,) = post.mailer.accepted
    assert mail.attachments == ()
    assert "Open your return to print the label." in mail.text


def test_staff_learn_what_the_packing_slip_cannot_show_once_it_is_offered(post: PostOffice, rma: str) -> None:
    post.documents = PlainDocuments(missing=frozenset("龍鳳"))
    notices.send(post, the_notice(post).id)
    told = [entry for entry in trade.timeline_of(post.database, rma) if entry.what.endswith(".incomplete")]
    assert sorted(entry.what for entry in told) == ["label.incomplete", "slip.incomplete"]
    assert "鳳 龍" in told[-1].why


def test_a_storage_that_is_away_is_waited_for(post: PostOffice, rma: str) -> None:
    post.documents = PlainDocuments(problem(retryable=True, code="storage"))
    with pytest.raises(UpstreamError):
        notices.send(post, the_notice(post).id)
    assert (the_notice(post).status, post.mailer.tries) == ("queued", 0)


def test_a_return_that_was_canceled_meanwhile_is_told_without_its_label(post: PostOffice, rma: str) -> None:
    with trade.command(post.database, trade.CUSTOMER) as tx:
        service.cancel(tx, rma, by="customer")
    notices.send(post, the_notice(post).id)
    assert post.mailer.accepted[0].attachments == ()


def test_an_unknown_notice_is_nothing_to_do(post: PostOffice) -> None:
    notices.send(post, 4711)
    assert post.mailer.tries == 0


class TestTheOrderOfAReturnsMails:
    """A customer reads what happened in the order in which it happened, however many hands send."""

    @pytest.fixture
    def both(self, post: PostOffice, rma: str) -> tuple[int, int]:
        with post.database.transaction() as tx:
            service.cancel(tx, rma, by="customer")
            tx.session.execute(update(Notice).values(queued_at=tx.at))
        first, second = trade.rows(post.database, select(Notice.id).order_by(Notice.id))
        return first, second

    def test_a_later_one_waits_for_the_one_before(self, post: PostOffice, both: tuple[int, int]) -> None:
        with pytest.raises(jobs.Later):
            notices.send(post, both[1])
        assert post.mailer.tries == 0
        for notice in both:
            notices.send(post, notice)
        assert ["booked" in each.subject for each in post.mailer.accepted] == [True, False]

    def test_one_that_the_server_does_not_take_now_holds_nothing_up(
        self, post: PostOffice, both: tuple[int, int]
    ) -> None:
        post.mailer.failures.append((problem(retryable=True), False))
        with pytest.raises(UpstreamError):
            notices.send(post, both[0])
        notices.send(post, both[1])
        assert len(post.mailer.accepted) == 1

    def test_one_that_nobody_sends_is_waited_for_for_minutes_only(
        self, post: PostOffice, both: tuple[int, int]
    ) -> None:
        with post.database.transaction() as tx:
            tx.session.execute(update(Notice).values(queued_at=tx.at - notices.IN_ORDER_FOR))
        notices.send(post, both[1])
        assert len(post.mailer.accepted) == 1

    def test_another_return_waits_for_nothing(self, post: PostOffice, both: tuple[int, int], book: trade.Book) -> None:
        book_return(post.database, book, add_order(post.database))
        notices.send(post, trade.rows(post.database, select(Notice.id).order_by(Notice.id))[-1])
        assert len(post.mailer.accepted) == 1
