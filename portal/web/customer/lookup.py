"""Finding an order or a return: the start page, tracking, and the entry for a withdrawal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from portal import clock, edge, ids, wording
from portal.errors import TooManyTries
from portal.orders.keys import email_key, lookup_key
from portal.orders.lookup import find_order
from portal.policy.plain import Point
from portal.policybook.promises import find_promises
from portal.returns.queries import find_order_number
from portal.web.customer import grants
from portal.web.customer.base import Errors, page, pages, ports, read, see, speech
from portal.web.customer.words import _, ngettext

LONGEST = 320
_PAGES = re.compile(r"items|item/[0-9]{1,6}|send|review|updates|returns|withdraw")
BOTH = "lookup"
"""The id of the two fields together: a look-up that fails never says which of them was wrong."""
Page = tuple[str, int] | tuple[str, int, Mapping[str, str]]
Answer = Response | Page
Again = Callable[[str, str, Errors], tuple[str, int]]
"""Shows the same page once more, with what was typed and what is wrong."""


@pages.get("/")
def lookup() -> Answer:
    """The start; ``?order=`` in a link from the shop fills the number in."""
    return _lookup_page(request.args.get("order", "")[:LONGEST], "")


@pages.post("/")
def find() -> Answer:
    """Look the order up and go to its items."""
    return _find_order(_lookup_page, "items")


@pages.get("/withdraw")
def withdraw() -> Answer:
    """How to withdraw from the contract. Who has named the order already is not asked again."""
    number = request.args.get("order", "")[:LONGEST]
    if number and grants.order_grant(number) is not None:
        return see("withdrawal", number=number)
    return _withdraw_page(number, "")


@pages.post("/withdraw")
def find_to_withdraw() -> Answer:
    """The same look-up, on the way to the declaration."""
    return _find_order(_withdraw_page, "withdrawal")


@pages.get("/track")
def track() -> Answer:
    """Where is my return?"""
    return track_page(request.args.get("return", "")[:LONGEST], "")


@pages.post("/track")
def find_return() -> Answer:
    """Look a return up by its number and the proof of its order."""
    number, proof = _typed("return_number"), _typed("proof")
    errors: Errors = []
    if not number.strip():
        errors.append(("return_number", _("Enter your return number")))
    if not proof.strip():
        errors.append(("proof", _("Enter the e-mail address or postcode on the order")))
    if errors:
        return track_page(number, proof, errors)
    rma = _rma(number)
    with read() as session:
        order_number = find_order_number(session, rma)
    # A return is as good a way to its order as the order's number: guesses at the one proof are counted together.
    typed = rma or lookup_key(number)
    key = lookup_key(order_number) if order_number else f"return:{typed}"
    try:
        free = edge.limit_tracking(ports().database, request.remote_addr or "", typed, key)
    except TooManyTries as pause:
        return _paused(track_page, number, proof, pause)
    with read() as session:
        # The order is asked for either way, so that an unknown return takes the steps of a wrong proof.
        order = find_order(session, order_number or "\x00", proof)
        email = order.email_key if order is not None and free else None
    if email is None:
        message = _(
            "We couldn’t find a return with these details. Check the return number and the e-mail address or postcode"
        )
        return track_page(number, proof, [(BOTH, message)])
    edge.forgive_tracking(ports().database, request.remote_addr or "", typed, key)
    grants.grant_return(rma, by_email=email_key(proof) == email)
    return see("status", rma=rma)


def _rma(typed: str) -> str:
    """The return's number, with or without its R, or a word in front of it; its check sign lets no slip through."""
    whole = typed.lstrip("# \t")
    bare = re.sub(r"^[^\W\d_]+[\s:#.]+", "", whole)
    return next((rma for each in (whole, bare, f"R{whole}", f"R{bare}") if (rma := ids.read_rma(each))), "")


def track_page(number: str, proof: str, errors: Errors | None = None) -> tuple[str, int]:
    """The page that asks for a return's number and its proof."""
    return page("track", errors, number=number, proof=proof)


def _find_order(again: Again, then: str) -> Answer:
    number, proof = _typed("order_number"), _typed("proof")
    errors: Errors = []
    if not number.strip():
        errors.append(("order_number", _("Enter your order number")))
    if not proof.strip():
        errors.append(("proof", _("Enter the e-mail address or postcode on the order")))
    if errors:
        return again(number, proof, errors)
    try:
        edge.limit_lookup(ports().database, request.remote_addr or "", lookup_key(number))
    except TooManyTries as pause:
        return _paused(again, number, proof, pause)
    with read() as session:
        order = find_order(session, number, proof)
        found = (order.number, order.email_key) if order is not None else None
    if found is None:
        message = _("We couldn’t find an order with these details. Check the number and the e-mail address or postcode")
        return again(number, proof, [(BOTH, message)])
    edge.forgive_lookup(ports().database, request.remote_addr or "", lookup_key(number))
    grants.grant_order(found[0], by_email=email_key(proof) == found[1])
    wanted = _then()
    if wanted:
        return redirect(url_for("customer.items", number=found[0]).removesuffix("items") + wanted, 303)
    return see(then, number=found[0])


def _then() -> str:
    """The page below the order that somebody came from and goes back to; empty for none."""
    wanted = request.values.get("then", "").removesuffix("/confirm")
    return wanted if _PAGES.fullmatch(wanted) else ""


def _paused(again: Again, number: str, proof: str, pause: TooManyTries) -> Page:
    """The same page with what was typed, and when it goes on."""
    minutes = max(1, -(-pause.retry_after // 60))
    at = wording.clock_time(clock.now() + timedelta(minutes=minutes), ports().shop.timezone)
    message = ngettext(
        "Too many tries. Wait %(num)s minute, until %(time)s, then try again: what you typed stays here",
        "Too many tries. Wait %(num)s minutes, until %(time)s, then try again: what you typed stays here",
        minutes, time=at,
    )  # fmt: skip
    html, _status = again(number, proof, [(BOTH, message)])
    return html, 429, {"Retry-After": str(pause.retry_after)}


def _typed(name: str) -> str:
    """What was typed, unchanged, so that the page shows it again as it was."""
    return request.form.get(name, "")[:LONGEST]


def _lookup_page(number: str, proof: str, errors: Errors | None = None) -> tuple[str, int]:
    return page("lookup", errors, number=number, proof=proof, then=_then(), points=points() if not errors else ())


def _withdraw_page(number: str, proof: str, errors: Errors | None = None) -> tuple[str, int]:
    return page("withdraw", errors, number=number, proof=proof)


_points: dict[tuple[object, ...], tuple[Point, ...]] = {}
"""What a policy promises in a language at a minute: a dozen decisions, made once a minute and not for every visitor."""


def points() -> tuple[Point, ...]:
    """How returns work here, by the policy that binds an order placed now; nothing before one is published."""
    shop, now = ports().shop, clock.now()
    with read() as session:
        found = find_promises(session, shop, now)
    if found is None:
        return ()
    days = found.purchase.since, found.purchase.before
    key = (found.policy.content_hash, days, speech().locale, int(now.timestamp()) // 60)
    told = _points.get(key)
    if told is None:
        told = found.points(speech().wording(), shop.bank_days.most)
        if len(_points) > 100:
            _points.clear()
        _points[key] = told
    return told
