"""What the API answers, as in the contract. Later releases may add keys, never take one away.

Money is `{"amount", "currency"}` in minor units. A part of a quote is money with a kind: its `amount` and `currency` stand side
by side. The order alone has plain minor units throughout, in the `currency` that it names, as it was sent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from portal.returns.lifecycle import STATUSES


class Amount(BaseModel):
    """Money in the currency's minor unit."""

    amount: int
    currency: str


class FieldProblem(BaseModel):
    """One field that is wrong: where, as a JSON pointer into the body (or the query's or header's name), and what to do."""

    pointer: str
    detail: str


class Open(BaseModel):
    """An answer; later releases may add keys."""

    model_config = ConfigDict(extra="allow")


class Part(Open):
    """One row of a quote, in minor units. Fees are negative. ``into`` says which pot: refund or store credit."""

    kind: str
    amount: int
    currency: str


class QuoteOut(Open):
    """What the customer gets. ``total`` is the sum of the parts."""

    total: Amount
    parts: list[Part]


class CauseOut(BaseModel):
    """Why the policy does not simply accept. ``rule`` names the rule that said so; ``message`` is for the customer."""

    model_config = ConfigDict(extra="allow")

    code: str
    rule: str | None
    message: str


class TermOut(Open):
    """One term of a decision, the rule that set it, and what it would have been by others."""

    value: Any
    set_by: str
    instead_of: list[Any]


class ChangeOut(Open):
    """A change that gives another answer: facts that would be otherwise (``if``, as conditions of the language) or rules that
    would not be there (``without``). ``requires`` are codes of what the customer would still have to add."""

    model_config = ConfigDict(extra="allow", populate_by_name=True)

    if_: Annotated[list[dict[str, Any]], Field(alias="if")]
    without: list[str]
    answer: Literal["accept", "review", "refuse"]
    requires: list[str]
    terms: dict[str, Any]
    sentence: str


class DecidedLine(Open):
    """The policy's answer for one line. ``what_if`` is there when it was asked for: what would have changed the answer, what
    helps the customer first; see "Why" in policies/README.md."""

    line: str
    answer: Literal["accept", "review", "refuse"]
    causes: list[CauseOut]
    terms: dict[str, TermOut]
    quote: QuoteOut
    what_if: list[ChangeOut] = Field(default_factory=list)


class DecisionOut(Open):
    """The policy's answer. Nothing was changed."""

    lines: list[DecidedLine]
    quote: QuoteOut


class Problem(Open):
    """RFC 9457. ``state`` is the state that was found (409), ``errors`` the fields that are wrong, ``decision`` why the
    policy refuses (422)."""

    type: str
    title: str
    status: int
    detail: str
    code: str = ""
    state: str = ""
    errors: list[FieldProblem] = Field(default_factory=list)
    decision: DecisionOut | None = None


class OrderLineOut(Open):
    """A line as it was sent, and ``returnable``: units that may still be returned."""

    id: str
    sku: str
    name: str
    quantity: int
    unit_price: int
    discount: int
    tax: int
    tax_included: bool
    gross: int
    returnable: int


class PaymentOut(Open):
    """A payment, and what can still go back to it."""

    provider: str
    payment_intent: str | None
    captured: int
    refundable: int


class OrderOut(Open):
    """An order as it was sent, with the units left to return per line. Amounts are minor units of ``currency``."""

    number: str
    placed_at: str
    email: str
    currency: str
    lines: list[OrderLineOut]
    discount: int
    total: int
    payments: list[PaymentOut]


class OrdersOut(Open):
    """A page of orders."""

    orders: list[OrderOut]
    next: str | None


class VariantOut(Open):
    """An article that can be sent in exchange. ``available`` is stock less what booked exchanges hold."""

    sku: str
    product: str
    label: str
    price: Amount
    stock: int
    available: int


class ReturnLineOut(Open):
    """Units of one order line: what was wished, what was decided, what came."""

    line: str
    quantity: int
    reason: str
    resolution: str
    status: str
    answer: Literal["accept", "review", "refuse"]
    causes: list[CauseOut]
    terms: dict[str, TermOut]
    received: int
    condition: str | None
    disposition: str | None


class ReturnOut(Open):
    """A return."""

    rma: str
    status: Literal[tuple(STATUSES)]  # type: ignore[valid-type]
    version: int
    order: str
    quote: QuoteOut
    lines: list[ReturnLineOut]
    label_url: Annotated[str | None, Field(description="The label's address on this server; null when there is none")]


class ReturnsOut(Open):
    """A page of returns."""

    returns: list[ReturnOut]
    next: str | None


class RefundOut(Open):
    """One movement of money back to one payment.

    ``provider`` and ``method`` name the payment it goes to. ``way`` is how: ``refund`` (sent there), ``release`` (never captured,
    so given free) or ``elsewhere`` (staff pay it by hand). ``hold`` is why a planned one waits for a person: ``daily_cap``,
    ``second_person``; null when it does not. ``bank_reference`` is the number that the customer's bank knows it by, and
    ``reference_status`` is pending, available, unavailable, or ``reversal``: the purchase itself is taken back and has none.
    """

    id: str
    status: str
    amount: Amount
    provider: str
    method: str | None
    way: Literal["refund", "release", "elsewhere"]
    hold: str | None
    bank_reference: str | None
    reference_status: str | None
    payment_intent: str | None
    stripe_refund_id: str | None
    failure_reason: str | None


class RefundsOut(Open):
    """A page of refunds."""

    refunds: list[RefundOut]
    next: str | None = None
