"""The customer's answer to a question of the shop's: words, photos, or both. Photos may be added one by one before it is sent."""

from __future__ import annotations

from flask import flash, request
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from portal.errors import Conflict, Invalid
from portal.returns import questions
from portal.returns.photos import MAX_AT_ONCE
from portal.reviews.service import ANSWERED, ASKED, open_reviews
from portal.web.customer import grants, photos
from portal.web.customer.base import Errors, command, limit_writes, pages, ports, read, see, typed
from portal.web.customer.lookup import track_page
from portal.web.customer.papers import find_own
from portal.web.customer.status import Answer, show
from portal.web.customer.talk import PHOTO, is_for
from portal.web.customer.words import _

LONGEST = 4_000


@pages.post("/returns/<rma>/answer")
def answer(rma: str) -> Answer:
    """Keep what was written and added. Only "send" sends it; everything else comes back to the page, with more on it."""
    limit_writes()
    with read() as session:
        return_ = find_own(session, rma)
        if return_ is None:
            return track_page(rma[:20], "")
        number, name, return_id = return_.rma, return_.order.customer_name, return_.id
        known = grants.knows_buyer(number, return_.order.number)
        asked = [each for each in open_reviews(session, return_id) if each.status == ASKED]
        if not all(is_for(each, return_, knows_buyer=known) for each in asked):
            flash(_("Only who bought it can answer this. Nothing was sent."), "amber")
            return see("status", rma=number)
        fields = {line.id: f"{PHOTO}{line.id}" for line in questions.lines_to_show(return_)}
    given = {line: files for line, field in fields.items() if (files := photos.uploads(field))}
    # A script sends the form without a button as soon as a photo is chosen; without a photo nothing else can be meant.
    sends = request.form.get("step", "" if given else "send") == "send"
    try:
        if removed := request.form.get("remove_photo", ""):
            return _remove(number, name, removed)
        if sum(len(files) for files in given.values()) > MAX_AT_ONCE:
            too_many = _("Add at most %(count)s photos at a time. None of these was added", count=MAX_AT_ONCE)
            return _again(rma, [(fields[next(iter(given))], too_many)])
        if (given or not sends) and (errors := _keep(number, name, given)):
            return _again(rma, errors)
        if request.form.get("step") == "photo" and not given and fields:
            return _again(rma, [(next(iter(fields.values())), _("Choose a photo, then select “Upload”"))])
        if not sends:
            # The page comes back where the new photos are.
            return see("status", fields[next(iter(given))] if given else "answer", rma=number)
        with command(name) as tx:
            questions.answer_question(tx, number, typed("answer", LONGEST))
    except Invalid:
        wrong = _("Write your answer in plain text, without special characters")
        return _again(rma, [("answer", wrong if typed("answer", LONGEST) else _("Write your answer, or add a photo"))])
    except Conflict:
        with read() as session:
            became = questions.what_became(session, return_id)
        if became == ASKED:
            raise
        if became == ANSWERED:
            flash(_("We have your answer already. Thank you."), "green")
        else:
            flash(_("This question is settled, we don’t need your answer any more."), "blue")
        return see("status", rma=number)
    flash(_("Thank you. We have your answer and go on."), "green")
    return see("status", rma=number)


def _keep(rma: str, name: str, given: dict[int, list[FileStorage]]) -> Errors:
    """Keep the words and the photos of each item; what is wrong with a photo keeps the rest."""
    with command(name) as tx:
        questions.keep_answer(tx, rma, typed("answer", LONGEST))
    errors: Errors = []
    for line, files in given.items():
        try:
            with photos.stored(files) as made, command(name) as tx:
                questions.add_photos(tx, rma, line, made)
        except Invalid as error:
            errors.append((f"{PHOTO}{line}", error.message))
    return errors


def _remove(rma: str, name: str, photo: str) -> Response:
    with command(name) as tx:
        questions.keep_answer(tx, rma, typed("answer", LONGEST))
        known = photo.isascii() and photo.isdigit() and len(photo) < 19
        key = questions.remove_photo(tx, rma, int(photo)) if known else None
    if key is not None:
        ports().files.delete(key)
    return see("status", "answer", rma=rma)


def _again(rma: str, errors: Errors) -> Answer:
    with read() as session:
        return_ = find_own(session, rma)
        return track_page(rma[:20], "") if return_ is None else show(session, return_, errors)
