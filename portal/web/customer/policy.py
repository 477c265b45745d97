"""The shop's policy as a page for people and as structured data for search engines, made from what the policy decides."""

from __future__ import annotations

from flask import Response, json, request, url_for

from portal import clock, wording
from portal.errors import NotFound
from portal.policy.publish import json_ld
from portal.policybook.promises import Promises, find_promises
from portal.web.customer.base import page, pages, ports, read, speech

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
        name=shop.name,
        url=shop.links.shop or base,
        link=base + url_for("customer.policy"),
        returned_to=shop.warehouse.country,
    )


@pages.get("/policy")
def policy() -> tuple[str, int]:
    """What holds in general, by country and currency where it differs, then what is set apart."""
    found = promises()
    if found is None:
        return page("policy", policy=None, data=None)
    shown = found.page(speech().wording(), ports().shop.bank_days.most)
    locale = speech().locale
    headings = [
        _heading(
            [wording.country(code, locale) for code in market.countries] if len(market.countries) < len(found.sold_to) else [],
            list(market.currencies) if len(market.currencies) < len(found.currencies) else [],
        )
        for market in shown.markets
    ]  # fmt: skip
    return page(
        "policy", policy=shown, markets=list(zip(headings, shown.markets, strict=True)), data=_embedded(found),
        laws=found.policy.laws,
    )  # fmt: skip


def _heading(countries: list[str], currencies: list[str]) -> str:
    _ = speech().gettext
    if countries and currencies:
        values = {"countries": ", ".join(countries), "currencies": ", ".join(currencies)}
        return _("For orders to %(countries)s in %(currencies)s") % values
    if countries:
        return _("For orders to %(countries)s") % {"countries": ", ".join(countries)}
    return _("For orders in %(currencies)s") % {"currencies": ", ".join(currencies)} if currencies else _("In general")


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
