"""What a product page may promise: can this be returned, until when, at what cost. Public and cacheable."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from portal import clock, edge, i18n
from portal.api.base import answer, api, call, ports
from portal.errors import NotFound
from portal.notices.speech import Speech
from portal.policybook import widget
from portal.policybook.promises import find_promises

Text = Annotated[str | None, Field(max_length=widget.MAX_TEXT)]


class ReturnableQuery(BaseModel):
    """What the product page knows. A tag, category or type that is left out is not known; an empty one says there is none."""

    model_config = ConfigDict(extra="forbid")

    country: Annotated[
        str | None, Field(pattern="^[A-Z]{2}$", description="Of delivery; the shop's own by default")
    ] = None
    currency: Annotated[str | None, Field(pattern="^[A-Z]{3}$", description="The shop's own by default")] = None
    sku: Text = None
    product: Text = None
    vendor: Text = None
    category: Text = None
    type: Text = None
    tags: Annotated[str | None, Field(max_length=5000, description="With commas between them")] = None
    price: Annotated[str | None, Field(pattern="^[0-9]{1,15}$", description="Of one unit, in minor units")] = None
    delivered: Annotated[
        str | None, Field(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="The expected day; gives `until`")
    ] = None
    lang: Annotated[
        str | None, Field(pattern="^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})?$", description="Of the sentences; the shop's by default")
    ] = None  # fmt: skip


class ReturnableCause(BaseModel):
    """Why it is not simply accepted."""

    code: str
    message: str


class ReturnableRule(BaseModel):
    """What may change it, by what is not known yet, in a sentence."""

    message: str


class ReturnableCost(BaseModel):
    """What it costs the customer, for some days or to the end."""

    for_days: Annotated[int | None, Field(description="For so many days; null: to the end")] = None
    for_from: Annotated[
        str | None, Field(description="What these days are counted from: delivered, last_delivered")
    ] = None
    until: Annotated[str | None, Field(description="The last of these days, where `delivered` is given")] = None
    shipping: Annotated[
        str, Field(description="free, label (`amount` or `share` comes off), own (the customer pays the carrier)")
    ]
    amount: dict[str, Any] | None
    share: str | None
    restocking_fee: Any
    free_for: list[str]


class ReturnableCase(BaseModel):
    """What holds for one reason. `answer` is accept, review or refuse; a refusal has no terms."""

    answer: str
    causes: list[ReturnableCause]
    depends: list[ReturnableRule]
    days: int | None = None
    from_: Annotated[str | None, Field(alias="from")] = None
    until: str | None = None
    cost: Annotated[ReturnableCost | None, Field(description="From the first day on")] = None
    later: Annotated[
        list[ReturnableCost] | None,
        Field(description="What it costs after the days of `cost`, in order; empty where the cost stays the same"),
    ] = None
    resolutions: list[str] | None = None
    ship_with: list[str] | None = None


class ReturnablePoint(BaseModel):
    """A sentence for the product page."""

    title: str
    text: str


class ReturnablePolicy(BaseModel):
    """The version that would bind the order."""

    version: int
    hash: str
    url: str


class ReturnableOut(BaseModel):
    """`answer` is yes, ask (a person decides), only_if_faulty or no."""

    answer: str
    points: list[ReturnablePoint]
    ordinary: ReturnableCase
    faulty: ReturnableCase
    policy: ReturnablePolicy


@api.get("/returnable")
@call(
    "",
    query=ReturnableQuery,
    answers=ReturnableOut,
    says="Rate limited by address; keep answers as `Cache-Control` says.",
)
def returnable(query: ReturnableQuery) -> Response:
    """Whether an article could be returned, until when and at what cost."""
    widget.count(edge.network(request.remote_addr or ""))
    shop, config = ports().shop, ports().config
    with ports().database.read() as session:
        found = find_promises(session, shop, clock.now())
    if found is None:
        raise NotFound("No policy has been published yet.")
    given = {name: value for name, value in query.model_dump().items() if value is not None}
    purchase = widget.read_purchase(given, found)
    words = Speech.of(i18n.reader(given.get("lang", ""), shop.locale), shop.timezone).wording()
    url = f"{config.base_url.rstrip('/')}/policy"
    response = answer(widget.answer(found, purchase, words, refund_days=shop.bank_days.most, url=url))
    response.headers["Cache-Control"] = f"public, max-age={widget.MAX_AGE}"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.add_etag()
    response.make_conditional(request)
    return response
