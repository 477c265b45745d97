"""The shop's policy as a page for people and as structured data for search engines, made from what the policy decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, json, request, url_for

from portal import clock, wording
from portal.errors import NotFound
from portal.policy.page import Market, PolicyPage
from portal.policy.publish import json_ld
from portal.policy.rights import LawTold
from portal.policybook.promises import Promises, find_promises
from portal.policybook.service import load_book
from portal.web.customer.base import page, pages, ports, read, speech
from portal.web.customer.words import _

MAX_AGE = 300
"""Seconds that a search engine or a cache may keep the structured data."""


def promises() -> Promises | None:
    """What is promised today."""
    with read() as session:
        return find_promises(session, ports().shop, clock.now())


def structured(found: Promises) -> dict[str, object]:
    """The policy as schema.org has it."""
    shop = ports().shop
    base = ports().config.base_url.rstrip("/")
    return json_ld(
        found.offers(),
        foreign=found.foreign(),
        name=shop.name,
        url=shop.links.shop or base,
        link=base + url_for("customer.policy"),
        returned_to=shop.warehouse.country,
    )


@dataclass(frozen=True, slots=True)
class Part:
    """A market with its place on the page, its title, and the sentence that says what it is different from."""

    anchor: str
    title: str
    paid_in: str
    intro: str
    market: Market


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything on the page: hundreds of decisions, made once a minute and not for every visitor."""

    page: PolicyPage
    parts: tuple[Part, ...]
    laws: tuple[tuple[LawTold, str], ...]
    data: str
    """The structured data, as they stand in the page."""


_shown: dict[tuple[object, ...], Shown] = {}


@pages.get("/policy")
def policy() -> tuple[str, int]:
    """What holds in general, by country and currency where it differs, then what is set apart, then the law."""
    now = clock.now()
    with read() as session:
        found = find_promises(session, ports().shop, now)
        offered = bool(load_book(session).offered(now))
    if found is None:
        return page("policy", shown=None, data=None)
    days = found.purchase.since, found.purchase.before
    key = (found.policy.content_hash, days, speech().locale, int(now.timestamp()) // 60)
    shown = _shown.get(key)
    if shown is None:
        shown = show(found, _embedded(found))
        if len(_shown) > 100:
            _shown.clear()
        _shown[key] = shown
    return page("policy", shown=shown, data=shown.data, offered=offered)


def show(found: Promises, data: str = "") -> Shown:
    """The page of these promises; ``data`` are its structured data."""
    told = found.page(speech().wording(), ports().shop.bank_days.most)
    parts: list[Part] = []
    for market in told.markets:
        everywhere = len(market.countries) == len(found.sold_to)
        title = _("Everywhere we deliver") if everywhere else countries(market.countries)
        paid = "" if len(market.currencies) == len(found.currencies) else _paid_in(market.currencies)
        anchor = "-".join(("for", *market.countries[:8], *market.currencies)).lower()
        intro = {
            "": "",
            "first": _("The same as under “%(place)s”, except for this:", place=parts[0].title if parts else ""),
            "currency": _("The same as for orders in %(currency)s to your country, except for this:",
                          currency=wording.currency(found.currencies[0], speech().locale)),
        }[market.beside]  # fmt: skip
        parts.append(Part(anchor, title, paid, intro, market))
    laws = tuple((law, countries(law.countries)) for law in found.rights(speech().wording()))
    return Shown(told, tuple(parts), laws, data)


def countries(codes: Sequence[str]) -> str:
    """``Ireland, Germany and France``."""
    return _listed([wording.country(code, speech().locale) for code in codes])


def _paid_in(currencies: Sequence[str]) -> str:
    names = _listed([wording.currency(each, speech().locale) for each in currencies])
    return _("Orders in %(currencies)s", currencies=names)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else _("%(first)s and %(last)s", first=", ".join(names[:-1]), last=names[-1])


def _embedded(found: Promises) -> str:
    """JSON that no HTML parser can leave early."""
    text = json.dumps(structured(found))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@pages.get("/policy.jsonld")
def policy_data() -> Response:
    """The structured data alone, at its own address."""
    found = promises()
    if found is None:
        raise NotFound("No policy has been published yet.")
    response = Response(json.dumps(structured(found)), content_type="application/ld+json")
    response.headers["Cache-Control"] = f"public, max-age={MAX_AGE}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.add_etag()
    response.make_conditional(request)
    return response
