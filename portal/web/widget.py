"""The promise of a product page as a frame and as a script that any shop's page may embed. The answers are those of the API.

In: parameters in the address. Out: a small page without scripts, and one script without dependencies.
Invariants: public, cacheable, no cookie; may be framed by every site, because there is nothing in it to click but a link.
Never: an order, a customer, a form.
"""

from __future__ import annotations

from flask import Blueprint, Flask, Response, current_app, make_response, render_template, request

from portal import clock, edge, i18n
from portal.config import ROOT
from portal.errors import Invalid, NotFound
from portal.flow import Ports
from portal.notices.speech import Speech
from portal.policybook import widget as promise
from portal.policybook.promises import find_promises

pages = Blueprint("widget", __name__)
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *"
SCRIPT = (ROOT / "static" / "js" / "widget.js").read_text(encoding="utf-8")


def register(app: Flask, ports: Ports) -> None:
    """Give ``app`` the widget."""
    app.register_blueprint(pages)


@pages.get("/widget")
def frame() -> Response:
    """The sentences of the answer, for an ``<iframe>``."""
    promise.count(edge.network(request.remote_addr or ""))
    ports: Ports = current_app.extensions["portal"]
    with ports.database.read() as session:
        found = find_promises(session, ports.shop, clock.now())
    if found is None:
        raise NotFound("No policy has been published yet.")
    given = request.args.to_dict()
    try:
        purchase = promise.read_purchase(given, found)
    except Invalid as error:
        return _refused(error)
    speech = Speech.of(i18n.reader(given.get("lang", ""), ports.shop.locale), ports.shop.timezone)
    url = f"{ports.config.base_url.rstrip('/')}/policy"
    said = promise.answer(found, purchase, speech.wording(), refund_days=ports.shop.bank_days.most, url=url)
    html = render_template("widget.html", said=said, words=speech.gettext, language=speech.locale.replace("_", "-"))
    return _public(make_response(html), framed=True)


@pages.get("/widget.js")
def script() -> Response:
    """The script: fills every element with ``data-returns`` from its other data attributes."""
    return _public(Response(SCRIPT, content_type="text/javascript; charset=utf-8"))


def _refused(error: Invalid) -> Response:
    """Which parameter makes no sense and what to do, for whoever builds the product page: in English, as the API says it, and
    in the frame, where that person looks."""
    response = make_response(render_template("widget_refused.html", error=error), error.status)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-store"
    return response


def _public(response: Response, *, framed: bool = False) -> Response:
    headers = response.headers
    headers["Cache-Control"] = f"public, max-age={promise.MAX_AGE}"
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if framed:
        headers["Content-Security-Policy"] = POLICY
    response.add_etag()
    response.make_conditional(request)
    return response
