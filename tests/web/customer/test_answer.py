"""The customer's answer to a question of staff's: words, photos or both, kept until it is sent and for two parties alone."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from portal.returns import service
from portal.reviews.models import Review
from portal.timeline import TimelineEntry
from tests.web.customer.desk import Customer, Desk, inline_code, picture, text_of, token_of

Make = Callable[[], Customer]


@pytest.fixture
def asked(desk: Desk, customer: Make) -> tuple[Customer, str, str]:
    """Somebody who was asked about a pair of socks: the browser, the return's number, the file field of its item."""
    desk.order()
    priya = customer()
    rma = priya.ask()
    desk.act(service.ask, rma, message="Can you send us a photo of the seal?")
    return priya, rma, f"photo-{desk.find(rma).lines[0].id}"


def send(priya: Customer, rma: str, **data: Any) -> Any:
    return priya.post(f"/returns/{rma}/answer", data, form=f"/returns/{rma}")


def review(desk: Desk) -> Review:
    (found,) = desk.rows(Review)
    assert isinstance(found, Review)
    return found


def test_photos_are_added_one_by_one_and_go_with_the_words(desk: Desk, asked: tuple[Customer, str, str]) -> None:
    priya, rma, field = asked
    page = priya.get(f"/returns/{rma}")
    assert f'name="{field}"' in page.text
    assert inline_code(page) == []
    for name in ("front.jpg", "back.jpg"):
        # A script sends the form as soon as a photo is chosen, without a button; what was written so far goes along.
        added = send(priya, rma, answer="It is whole, see", **{field: (picture(), name)})
        assert added.location == f"/returns/{rma}#{field}"
    page = priya.get(f"/returns/{rma}")
    assert "2 photos added, front.jpg, back.jpg" in text_of(page)
    assert "It is whole, see</textarea>" in page.text
    assert review(desk).status == "asked"
    sent = send(priya, rma, answer="It is whole, see for yourself", step="send", **{field: (picture(), "tag.jpg")})
    assert sent.location == f"/returns/{rma}"
    (turn,) = (review(desk).data or {})["asked"]
    line = desk.find(rma).lines[0]
    assert {each.return_line_id for each in desk.photos} == {line.id}
    assert (turn["answer"], turn["photos"]) == ("It is whole, see for yourself", [each.id for each in desk.photos])
    assert "begun" not in turn
    assert [each.data for each in desk.rows(TimelineEntry) if each.what == "return.answered"] == [{"photos": 3}]
    told = text_of(priya.get(f"/returns/{rma}"))
    assert "We asked Can you send us a photo of the seal? You answered It is whole, see for yourself" in told
    assert "Message from" not in told


def test_more_photos_at_once_than_the_server_reads_in_a_moment_are_refused_and_keep_the_words(
    desk: Desk, asked: tuple[Customer, str, str]
) -> None:
    priya, rma, field = asked
    answered = send(
        priya, rma, answer="It is whole", step="send", **{field: [(picture(), f"{n}.jpg") for n in range(10)]}
    )
    assert answered.status_code == 422
    assert "Add at most 9 photos at a time. None of these was added" in text_of(answered)
    assert "It is whole</textarea>" in answered.text
    assert (desk.photos, review(desk).status) == ([], "asked")


@pytest.mark.parametrize("step", ["send", "photo"])
def test_a_file_that_is_no_photo_is_named_and_keeps_the_words_and_the_photos(
    step: str, desk: Desk, asked: tuple[Customer, str, str]
) -> None:
    priya, rma, field = asked
    send(priya, rma, **{field: (picture(), "front.jpg")})
    wrong = send(priya, rma, answer="It is <b>whole</b>", step=step, **{field: (io.BytesIO(b"%PDF-1.7"), "seal.pdf")})
    assert wrong.status_code == 422
    assert "photos, JPEG, PNG, WebP or HEIC, 10 MB each" in text_of(wrong), "the hint names the same kinds"
    assert text_of(wrong).count("seal.pdf can’t be read as a photo. Choose a JPEG, PNG, WebP or HEIC file") == 2
    assert f'href="#{field}"' in wrong.text
    assert "It is &lt;b&gt;whole&lt;/b&gt;</textarea>" in wrong.text
    assert "1 photo added, front.jpg" in text_of(wrong)
    assert review(desk).status == "asked"
    assert "It is &lt;b&gt;whole&lt;/b&gt;</textarea>" in priya.get(f"/returns/{rma}").text


def test_photos_alone_are_an_answer_and_nothing_at_all_is_none(desk: Desk, asked: tuple[Customer, str, str]) -> None:
    priya, rma, field = asked
    empty = send(priya, rma, answer="  ", step="send")
    assert empty.status_code == 422
    assert text_of(empty).count("Write your answer, or add a photo") == 2
    assert send(priya, rma, step="send", **{field: (picture(), "front.jpg")}).status_code == 303
    assert review(desk).answered_at is not None


def test_a_fourth_photo_of_an_item_is_one_too_many(desk: Desk, asked: tuple[Customer, str, str]) -> None:
    priya, rma, field = asked
    for number in range(3):
        send(priya, rma, **{field: (picture(), f"{number}.jpg")})
    full = priya.get(f"/returns/{rma}").text
    assert f'name="{field}"' not in full
    more = send(priya, rma, **{field: (picture(), "4.jpg")})
    assert "You can add up to 3 photos for each item" in text_of(more)
    assert f'id="{field}"' in more.text
    assert len(desk.photos) == 3
    gone = desk.photos[1]
    assert send(priya, rma, answer="One less", remove_photo=str(gone.id)).status_code == 303
    assert [each.file_name for each in desk.photos] == ["0.jpg", "2.jpg"]
    assert "One less</textarea>" in priya.get(f"/returns/{rma}").text
    assert priya.get(f"/photo/{gone.key.removeprefix('photos/')}").status_code == 404


def test_a_photo_of_an_answer_loses_what_the_phone_put_in_and_is_nobody_elses(
    desk: Desk, asked: tuple[Customer, str, str], customer: Make
) -> None:
    priya, rma, field = asked
    exif = Image.Exif()
    exif[0x010F] = "Leaky Camera"
    data = io.BytesIO()
    Image.new("RGB", (40, 30), "navy").save(data, "JPEG", exif=exif)
    data.seek(0)
    send(priya, rma, **{field: (data, "../../etc/front.jpg")})
    (photo,) = desk.photos
    path = f"/photo/{photo.key.removeprefix('photos/')}"
    for sent in (False, True):
        if sent:
            send(priya, rma, answer="Here", step="send")
        assert priya.get(path).status_code == 200
        assert b"Leaky" not in priya.get(path).data
        assert customer().get(path).status_code == 404
    assert photo.file_name == "front.jpg"
    # A stranger's upload reaches neither the return nor the files.
    stranger = customer()
    stranger.post(f"/returns/{rma}/answer", {field: (picture(), "x.jpg"), "step": "send"}, form="/")
    assert len(desk.photos) == 1


def test_an_item_of_another_return_takes_no_photo(desk: Desk, asked: tuple[Customer, str, str]) -> None:
    priya, rma, _field = asked
    shirt = priya.book_shirt()
    other = f"photo-{desk.find(shirt).lines[0].id}"
    send(priya, rma, answer="Here", step="photo", **{other: (picture(), "x.jpg")})
    assert desk.photos == []


def test_with_several_items_each_has_its_own_photos(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = customer()
    priya.find()
    priya.post("/order/WH-20418/items", {"ask": "5", "line": "2"})
    priya.answer(2, "faulty", photo=(picture(), "seam.jpg"))
    priya.answer(5, note="Still sealed")
    priya.send_with()
    rma = priya.book().headers["Location"].split("/")[2]
    desk.act(service.ask, rma, message="Photos, please")
    page = text_of(priya.get(f"/returns/{rma}"))
    assert "Photos of Brushed flannel shirt" in page
    assert "Photos of Merino boot socks, 3 pairs" in page
    lines = desk.find(rma).lines
    send(priya, rma, step="send", **{f"photo-{lines[1].id}": (picture(), "seal.jpg")})
    assert [(each.file_name, each.return_line_id) for each in desk.photos] == [
        ("seam.jpg", lines[0].id), ("seal.jpg", lines[1].id),
    ]  # fmt: skip


def test_who_opens_the_return_by_the_postcode_does_not_read_what_its_buyer_answered(
    desk: Desk, asked: tuple[Customer, str, str], customer: Make
) -> None:
    priya, rma, field = asked
    send(priya, rma, answer="My daughter's birthday present", step="send", **{field: (picture(), "home.jpg")})
    neighbour = customer()
    neighbour.find(proof="BS6 5QA")
    page = neighbour.get(f"/returns/{rma}")
    assert "We have an answer." in text_of(page)
    assert "birthday" not in page.text
    assert "/photo/" not in page.text


def test_an_answer_that_crosses_the_decision_leaves_no_photo_behind(
    desk: Desk, asked: tuple[Customer, str, str]
) -> None:
    priya, rma, field = asked
    page = priya.get(f"/returns/{rma}").text
    desk.act(service.authorize, rma, message="Never mind")
    late = priya.send(
        f"/returns/{rma}/answer", {"csrf_token": token_of(page), "step": "send", field: (picture(), "late.jpg")}
    )
    assert late.status_code == 303
    assert desk.photos == []
