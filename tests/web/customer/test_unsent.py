"""Wishes that are never sent: their photos are bounded by the order, and forgotten with their files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from portal.flow import SCHEDULE
from portal.jobs import Job
from portal.returns.photos import MAX_PER_LINE, MAX_UNSENT
from tests.web.customer.desk import EMAIL, Customer, Desk, picture, text_of

Make = Callable[[], Customer]
SHIRT = "/order/WH-20418/item/2"


def with_photo(customer: Customer, *photos: str) -> Customer:
    """Somebody who has chosen the shirt and added photos of it."""
    customer.find()
    customer.choose(2)
    for each in photos:
        added = customer.post(SHIRT, {"reason": "faulty", "photo": (picture(), each)})
        assert added.status_code == 303, text_of(added)
    return customer


def files(tmp_path: Path) -> int:
    return sum(1 for _ in (tmp_path / "files").rglob("*.jpg"))


def forget(desk: Desk) -> None:
    SCHEDULE["forget_drafts"][1](desk.ports)


def test_a_draft_that_nobody_comes_back_to_goes_with_its_photos(desk: Desk, customer: Make, tmp_path: Path) -> None:
    desk.order()
    with_photo(customer(), "front.jpg", "back.jpg")
    desk.moment.shift(timedelta(days=6))
    with_photo(customer(), "kept.jpg")
    desk.moment.shift(timedelta(days=1, minutes=1))
    forget(desk)
    assert [photo.file_name for photo in desk.photos] == ["kept.jpg"]
    assert len(desk.drafts) == 1
    # Killed here, the job is still there to delete the files; killed in its middle, it is done again from the start.
    assert files(tmp_path) == 3
    desk.work("forget_photos")
    desk.work("forget_photos")
    assert files(tmp_path) == 1


def test_whose_draft_was_forgotten_begins_anew(desk: Desk, customer: Make) -> None:
    desk.order()
    priya = with_photo(customer(), "front.jpg")
    desk.moment.shift(timedelta(days=8))
    forget(desk)
    priya.find()
    assert priya.get("/order/WH-20418/items").status_code == 200
    priya.choose(2)
    assert "front.jpg" not in text_of(priya.get(SHIRT))


def test_what_became_a_return_keeps_its_photos_and_its_draft(desk: Desk, customer: Make, tmp_path: Path) -> None:
    desk.order()
    priya = with_photo(customer(), "front.jpg")
    priya.choose(2, 3)
    priya.post("/order/WH-20418/item/3", {"reason": "faulty", "photo": (picture(), "jacket.jpg")})
    # The jacket stays after all: its photo goes with no return.
    priya.choose(2)
    priya.answer(2, "faulty")
    priya.send_with()
    assert priya.book().status_code == 303
    desk.moment.shift(timedelta(days=8))
    forget(desk)
    desk.work("forget_photos")
    assert [photo.file_name for photo in desk.photos] == ["front.jpg"]
    assert (len(desk.drafts), files(tmp_path)) == (1, 1)
    forget(desk)
    assert [job.name for job in desk.rows(Job)].count("forget_photos") == 1


def test_photos_that_no_return_has_are_bounded_for_an_order_over_all_browsers(desk: Desk, customer: Make) -> None:
    browsers = MAX_UNSENT // MAX_PER_LINE
    desk.order()
    for number in range(browsers):
        one = customer()
        one.address = f"203.0.113.{number + 1}"
        with_photo(one, "a.jpg", "b.jpg", "c.jpg")
    last = customer()
    last.address = "198.51.100.1"
    with_photo(last)
    refused = last.post(SHIRT, {"reason": "faulty", "photo": (picture(), "one-more.jpg")})
    assert refused.status_code == 422
    assert f"This order has {MAX_UNSENT} photos that were not sent with a return" in text_of(refused)
    assert len(desk.photos) == MAX_UNSENT
    # Another order has its own.
    desk.order("WH-20419")
    last.find("WH-20419", EMAIL)
    last.choose(2, number="WH-20419")
    last.post("/order/WH-20419/item/2", {"reason": "faulty", "photo": (picture(), "other.jpg")})
    assert len(desk.photos) == MAX_UNSENT + 1
