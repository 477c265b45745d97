"""Photos of an item: given with a form, written anew, kept under unguessable names, shown to their owner alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from flask import Response, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import FileStorage

from portal import ids
from portal.errors import NotFound
from portal.orders.models import Order
from portal.returns.models import Draft, Photo, Return, ReturnLine
from portal.returns.photos import MAX_BYTES, Stored, check_count, check_unsent
from portal.reviews.models import Review
from portal.web.customer import grants
from portal.web.customer.base import command, limit_writes, pages, ports, read

_KIND = "photos"


def uploads(field: str = "photo") -> list[FileStorage]:
    """The photos that came in this field of the form; an empty file field sends one without a name."""
    return [file for file in request.files.getlist(field) if file.filename]


@contextmanager
def stored(files: Sequence[FileStorage]) -> Iterator[list[Stored]]:
    """The photos, written anew and in storage before any transaction begins; deleted again when the block fails.

    Raises `Invalid` naming the file and the way out.
    """
    made = []
    for file in files:
        # One byte more than allowed is enough to know that there is too much.
        encoded = ports().photos.reencode(file.stream.read(MAX_BYTES + 1), file.filename or "")
        made.append(Stored(f"{_KIND}/{ids.new_token()}.jpg", _name(file.filename or ""), encoded))
    kept = []
    try:
        for each in made:
            ports().files.put(each.key, each.picture.data)
            kept.append(each.key)
        yield made
    except BaseException:
        for key in kept:
            ports().files.delete(key)
        raise


def add(token: str, line_id: int, files: list[FileStorage]) -> None:
    """Keep the photos for the order line, all or none. Raises `Invalid` naming the file and the way out."""
    limit_writes()
    with read() as session:
        _check_room(session, token, line_id, len(files))
    with stored(files) as made, command() as tx:
        draft = tx.session.scalar(select(Draft).where(Draft.token == token).with_for_update())
        if draft is None or draft.return_id is not None:
            raise NotFound("There is no such draft.")
        _check_room(tx.session, token, line_id, len(made))
        for each in made:
            tx.session.add(Photo.of(each, tx.at, order_line_id=line_id, draft_id=draft.id))


def remove(token: str, line_id: int, photo_id: int) -> None:
    """Take a photo out of the draft. One that is not there is gone already."""
    with command() as tx:
        photo = tx.session.scalar(
            select(Photo)
            .join(Draft, Draft.id == Photo.draft_id)
            .where(Photo.id == photo_id, Photo.order_line_id == line_id, Draft.token == token)
            .where(Photo.return_line_id.is_(None))
        )
        if photo is None:
            return
        key = photo.key
        tx.session.delete(photo)
    ports().files.delete(key)


def tile(photo: Photo, *, removable: bool = False) -> dict[str, object]:
    """One photo as the page shows it."""
    found: dict[str, object] = {
        "src": url_for("customer.photo", name=photo.key.removeprefix(f"{_KIND}/")),
        "alt": photo.file_name,
    }
    return found | {"remove_value": photo.id} if removable else found


@pages.get("/photo/<name>")
def photo(name: str) -> Response:
    """One photo, for the session that gave it or that may see its return; for everybody else there is none."""
    query = (
        select(Photo.key, Photo.media_type, Draft.token, Return.rma, Order.number)
        .select_from(Photo)
        .outerjoin(Draft, Draft.id == Photo.draft_id)
        .outerjoin(ReturnLine, ReturnLine.id == Photo.return_line_id)
        .outerjoin(Review, Review.id == Photo.review_id)
        .outerjoin(Return, Return.id == func.coalesce(ReturnLine.return_id, Review.return_id))
        .outerjoin(Order, Order.id == Return.order_id)
        .where(Photo.key == f"{_KIND}/{name[:100]}")
    )
    with read() as session:
        found = session.execute(query).one_or_none()
    if found is None:
        raise NotFound("There is no such photo.")
    key, media_type, token, rma, number = found
    if not (token in grants.draft_tokens() or (rma and grants.may_see_return(rma, number))):
        raise NotFound("There is no such photo.")
    response = Response(ports().files.get(key), mimetype=media_type)
    response.headers["Content-Disposition"] = "inline"
    return response


def _check_room(session: Session, token: str, line_id: int, added: int) -> None:
    unsent = select(func.count(Photo.id)).join(Draft, Draft.id == Photo.draft_id).where(Photo.return_line_id.is_(None))
    of_item = unsent.where(Draft.token == token, Photo.order_line_id == line_id)
    check_count(session.scalar(of_item) or 0, added)
    order_id = select(Draft.order_id).where(Draft.token == token).scalar_subquery()
    check_unsent(session.scalar(unsent.where(Draft.order_id == order_id)) or 0, added)


def _name(file_name: str) -> str:
    """The file's own name for the customer's eyes, without a path."""
    last = file_name.replace("\\", "/").rpartition("/")[2]
    clean = "".join(sign for sign in last if sign.isprintable()).strip()
    stem, dot, kind = clean.rpartition(".")
    if len(clean) > 60 and stem and len(kind) < 10:
        clean = f"{stem[: 58 - len(kind)]}…{dot}{kind}"
    return clean[:60] or "photo"
