"""What pages and mails show of the money of a return. Reads only.

In: a return. Out: `MoneyView` in codes that the wording layer turns into words.
Invariants: "refunded" is said only of money that arrived; the number of queries does not depend on the number of rows.
Never: a text for a person; an amount computed anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session, joinedload
from sqlalchemy.orm.attributes import set_committed_value

from portal import clock
from portal.money import Money
from portal.policy.quote import EXCHANGE, STORE_CREDIT, QuotePart
from portal.policy.quote import REFUND as REFUNDED
from portal.refunds import exchange, gate, ledger, lifecycle
from portal.refunds.credit import find_credit
from portal.refunds.models import Refund
from portal.refunds.refusals import ANSWERED, explain, explain_state
from portal.refunds.settle import RELEASE
from portal.refunds.tenders import is_stripe, paid_with, tender_name
from portal.returns import lifecycle as returns
from portal.returns.models import Return
from portal.returns.payable import payable_quote
from portal.reviews import service as reviews
from portal.reviews.models import Review
from portal.shop import BankDays
from portal.timeline import TimelineEntry

RELEASED, UNPAID = "released", "unpaid"
"""What came of a refund, credit or exchange that was agreed, in its place: nothing had been taken and it was let go, or it was
closed and never arrived."""
BANK_DAYS = BankDays()

# What a piece of money is doing, as the customer is told. Words for the codes:
#   planned "being prepared", waits "waits while it is checked", paused "the shop sends no refunds now", sent "sent to your bank",
#   needs_you "waiting for your bank details", unsure "being checked", by_shop "the shop pays this by hand",
#   held "we are looking after it", arrived "refunded", released "never charged", credited, ordered, reserved
_STATES = {
    lifecycle.PLANNED: "planned",
    lifecycle.SUBMITTED: "planned",
    lifecycle.UNKNOWN: "unsure",
    lifecycle.PENDING: "sent",
    lifecycle.REQUIRES_ACTION: "needs_you",
    lifecycle.SUCCEEDED: "arrived",
    lifecycle.FAILED: "held",
    lifecycle.CANCELED: "held",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """One way on which the customer gets something: a refund to one payment, a credit code, or a replacement.

    ``kind`` is refund, store_credit or exchange; what staff paid beside every payment is a refund without a number (``refund``).
    ``label`` is ``Visa ending 4242``, the credit's code, or the article.
    ``state`` is one of planned, waits, paused, sent, needs_you, unsure, by_shop, held, arrived, released (never charged),
    credited, reserved, ordered.
    A bank should show it between ``expected_from`` and ``expected_on``, by the shop's working days after ``counted_on``;
    ``late`` says that it was told to take longer, and still does. ``status`` and ``reason`` are Stripe's own, for staff.
    ``reference_status`` is `Refund.reference_status`.
    """

    kind: str
    label: str
    state: str
    amount: Money | None = None
    refund: str = ""
    status: str = ""
    reason: str = ""
    told: str = ""
    """What the customer should know about a part that does not go as usual: a message id, neutral and true."""
    sent_at: datetime | None = None
    counted_on: date | None = None
    expected_from: date | None = None
    expected_on: date | None = None
    late: bool = False
    bank_reference: str = ""
    reference_status: str = ""
    method: str = ""
    """The name of the card or account, or empty where only the ``provider`` is known."""
    provider: str = ""
    by_hand: bool = False
    """Staff paid by another way than the payment's own; ``provider`` names that way."""
    order_number: str = ""
    shipped_at: datetime | None = None
    """When a replacement that was ordered left, as far as the shop has said."""
    hold: str = ""
    """What a prepared refund waits for: the kind of the question that holds it; empty where none does."""
    prepared_at: datetime | None = None
    tried: bool = False
    charged: Money | None = None
    """What was taken of the payment of which this was given free; None where nothing was, or nobody knows."""


@dataclass(frozen=True, slots=True)
class MoneyView:
    """The money of one return. ``state`` is:

    nothing (no money moves) · promised (nothing sent yet) · on_its_way · partly_refunded · refunded (all money arrived, credit
    included) · held (a part failed or is looked at by staff). ``parts`` are the rows of the quote that ``owed`` sums up,
    but for what staff have ended: ``waived`` of the prices and ``lapsed`` of the bonus of a store credit.
    """

    currency: str
    state: str
    owed: Money
    refunded: Money
    credited: Money
    under_way: Money
    parts: tuple[QuotePart, ...]
    pieces: tuple[Piece, ...]
    tax_minor: int
    planned_at: datetime | None
    waived: Money
    lapsed: Money

    @property
    def unpaid(self) -> Money:
        """What staff have closed and nobody gets. A bonus that lapsed because its price was paid in money is no part of it."""
        return self.waived + self.lapsed if self.waived.minor else self.waived

    @property
    def came(self) -> dict[str, str]:
        """What came of each resolution that came to something else than its name says: `RELEASED` or `UNPAID`."""
        ordered = any(piece.kind == EXCHANGE for piece in self.pieces)
        unpaid = (self.waived.minor, self.refunded.minor, self.credited.minor)
        return _came(unpaid, ordered=ordered, free=self.let_go)

    @property
    def paid(self) -> Money:
        """What the customer has: arrived refunds and store credit."""
        return self.refunded + self.credited

    @property
    def never_charged(self) -> bool:
        """True when all of it was only authorized and is free again: nothing was taken, so nothing was sent."""
        parts = [piece.state for piece in self.pieces if piece.amount is not None]
        return bool(parts) and set(parts) == {"released"}

    @property
    def charged(self) -> bool:
        """True when less was taken in place of something that was given free."""
        return any(piece.charged is not None for piece in self.pieces)

    @property
    def let_go(self) -> bool:
        """True when every refund of it was given free and never taken, whatever else the customer got beside."""
        parts = {piece.state for piece in self.pieces if piece.kind == "refund"}
        return parts == {"released"}

    @property
    def open(self) -> Money:
        """What the customer has not got yet, under way or not."""
        return self.owed - self.paid


def money_of_return(session: Session, return_id: int, *, bank_days: BankDays = BANK_DAYS) -> MoneyView:
    """Owed, paid and under way, with each piece; for the status page, the staff page and notices.

    ``bank_days`` is `Shop.bank_days`. Before the payout is planned, what is owed is the frozen quote.
    """
    return_ = session.get_one(Return, return_id)
    quote = payable_quote(session, return_)
    planned = return_.payout_planned_at is not None
    # Before the payout was planned there is no refund, no credit and no entry of the ledger to be found.
    refunds = session.scalars(_PIECES, {"return_id": return_id}).all() if planned else []
    for refund in refunds:
        # It is here already, and whoever works on the refund keeps it at hand.
        set_committed_value(refund, "return_", return_)
    written = ledger.sums(session, return_id) if planned else Counter[tuple[str, str]]()
    sums = ledger.balances_of(written)
    currency = return_.currency
    owed = sums[ledger.OWED] if planned else quote.refund_total.minor + quote.credit_total.minor
    pieces = pieces_of(session, standing(refunds), bank_days)
    if written[ledger.REFUNDED, "paid_elsewhere"]:
        pieces += [_beside(*each, currency, bank_days) for each in ledger.paid_beside_return(session, return_id)]
    credit = find_credit(session, return_id) if sums[ledger.STORE_CREDIT] else None
    if credit is not None:
        amount = Money(credit.amount_minor, currency)
        pieces.append(Piece("store_credit", credit.code, "credited", amount, sent_at=credit.issued_at))
    exchanges = exchange.exchanges_of(session, return_id) if any(line.exchange_sku for line in return_.lines) else []
    for held, variant, number, shipped_at in exchanges:
        if held.status != exchange.RELEASED:
            label = f"{held.quantity} × {variant.name} {variant.label}".strip()
            number, at = number or "", held.ordered_at
            pieces.append(Piece("exchange", label, held.status, sent_at=at, order_number=number, shipped_at=shipped_at))
    return MoneyView(
        currency=currency,
        state=_state(return_, owed, sums, pieces),
        owed=Money(owed, currency),
        refunded=Money(sums[ledger.REFUNDED], currency),
        credited=Money(sums[ledger.STORE_CREDIT], currency),
        under_way=Money(sums[ledger.RESERVED], currency),
        parts=quote.all_parts(),
        pieces=tuple(pieces),
        tax_minor=quote.tax_minor,
        planned_at=return_.payout_planned_at,
        waived=Money(-written[ledger.OWED, ledger.WAIVED], currency),
        lapsed=Money(-written[ledger.OWED, ledger.BONUS_LAPSED], currency),
    )


def standing(refunds: Sequence[Refund]) -> list[Refund]:
    """Those of a return's or a gift's refunds that were given or are still owed: not what was taken back, given up, or sent
    again."""
    replaced = {refund.replaces_id for refund in refunds}
    return [each for each in refunds if each.id not in replaced and each.failure_code not in lifecycle.DECIDED_ANEW]


def _came(unpaid: tuple[int, int, int], *, ordered: bool, free: bool) -> dict[str, str]:
    waived, refunded, credited = unpaid
    found = {} if ordered else {EXCHANGE: UNPAID}
    if waived:
        found |= {name: UNPAID for name, arrived in ((REFUNDED, refunded), (STORE_CREDIT, credited)) if not arrived}
    return found | ({REFUNDED: RELEASED} if free else {})


def _state(return_: Return, owed: int, sums: dict[str, int], pieces: list[Piece]) -> str:
    if return_.status in returns.ENDED or owed == 0:
        return "nothing"
    if return_.payout_planned_at is None:
        return "promised"
    paid = sums[ledger.REFUNDED] + sums[ledger.STORE_CREDIT]
    if paid == owed:
        return "refunded"
    if paid:
        return "partly_refunded"
    if any(piece.state == "held" for piece in pieces) or not sums[ledger.RESERVED]:
        return "held"
    return "on_its_way"


def is_stopped(session: Session, refunds: Iterable[Refund]) -> bool:
    """Whether some of these are prepared while all refunds are stopped: one query, or none where nothing is prepared."""
    prepared = any(refund.status == lifecycle.PLANNED for refund in refunds)
    return prepared and gate.read(session).stopped_at is not None


def pieces_of(session: Session, refunds: Sequence[Refund], bank_days: BankDays) -> list[Piece]:
    """These refunds as the customer is told of them; their payments are loaded."""
    stopped, charged = is_stopped(session, refunds), _charged_beside(session, refunds)
    pieces = [piece_of(each, bank_days, stopped=stopped, charged_minor=charged.get(each.id, 0)) for each in refunds]
    answered = _answered(session, refunds)
    return [
        replace(piece, told=ANSWERED) if refund.id in answered else piece
        for refund, piece in zip(refunds, pieces, strict=True)
    ]


def _answered(session: Session, refunds: Iterable[Refund]) -> frozenset[int]:
    """The ids of those that failed and about which the customer has answered where the money may go: one query, or none."""
    failed = [each.id for each in refunds if each.status in lifecycle.LOST and not explain(each.failure_code).disputed]
    if not failed:
        return frozenset()
    query = select(Review.refund_id).where(
        Review.refund_id.in_(failed), Review.answered_at.is_not(None), Review.status.in_(reviews.UNDECIDED)
    )
    return frozenset(found for found in session.scalars(query) if found is not None)


def _charged_beside(session: Session, refunds: Iterable[Refund]) -> dict[int, int]:
    """What was captured in place of those of these refunds that were given free, by refund: one query, or none."""
    free = [each for each in refunds if each.way == RELEASE and each.status == lifecycle.SUCCEEDED]
    if not free:
        return {}
    query = select(TimelineEntry.refund_id, TimelineEntry.data).where(
        TimelineEntry.order_id.in_({each.payment.order_id for each in free}),
        TimelineEntry.refund_id.in_([each.id for each in free]),
        TimelineEntry.what == "refund.released",
    )
    return {refund_id: (data or {}).get("charged", 0) for refund_id, data in session.execute(query) if refund_id}


def piece_of(refund: Refund, bank_days: BankDays, *, stopped: bool = False, charged_minor: int = 0) -> Piece:
    """One refund as the customer is told of it; its payment is loaded. ``stopped``: nothing that is prepared leaves now;
    ``charged_minor`` is what was taken of the payment of which it was given free."""
    payment = refund.payment
    state = _STATES[refund.status]
    hold = ""
    if refund.status == lifecycle.PLANNED:
        hold = refund.waits_for or (reviews.DISPUTE if payment.disputed_at else "")
        state = "by_shop" if not is_stripe(payment) else "waits" if hold else "paused" if stopped else state
    elif refund.status == lifecycle.SUCCEEDED and refund.way == RELEASE:
        state = "released"
    sent = refund.submitted_at if refund.status in lifecycle.ACCEPTED else None
    method, provider = paid_with(refund)
    if refund.paid_elsewhere_by:
        sent = refund.settled_at
        # Cash or a gift card is there at once; a transfer takes the banks' days from the day on which it was made.
        counted = sent.date() if sent and provider == "bank" else None
    else:
        counted = _counted(refund, sent, bank_days)
    meaning = explain_state(refund.status, refund.failure_code, refund.pending_reason, held=refund.waits_for)
    return Piece(
        kind="refund",
        label=tender_name(method, provider),
        state=state,
        amount=Money(refund.amount_minor, refund.currency),
        refund=refund.public_id,
        status=refund.status,
        # Stripe's try is no part of what staff have paid by hand; neither is its reference, below.
        reason="" if refund.paid_elsewhere_by else refund.failure_reason or refund.pending_reason,
        told=meaning.told if meaning else "",
        sent_at=sent,
        counted_on=counted,
        expected_from=clock.add_working_days(counted, bank_days.least) if counted else None,
        expected_on=clock.add_working_days(counted, bank_days.most) if counted else None,
        late=bool(refund.late_at) and refund.status == lifecycle.PENDING,
        bank_reference="" if refund.paid_elsewhere_by else refund.bank_reference,
        reference_status="" if refund.paid_elsewhere_by else refund.reference_status,
        method=method,
        provider=provider,
        by_hand=bool(refund.paid_elsewhere_how),
        hold=hold,
        prepared_at=refund.planned_at,
        tried=refund.attempts > 0,
        charged=Money(charged_minor, refund.currency) if charged_minor else None,
    )


def _beside(at: datetime, minor: int, how: str, currency: str, bank_days: BankDays) -> Piece:
    """What staff have paid although no payment had it left."""
    counted = at.date() if how == "bank" else None
    return Piece(
        kind="refund",
        label=tender_name("", how),
        state="arrived",
        amount=Money(minor, currency),
        status=lifecycle.SUCCEEDED,
        sent_at=at,
        counted_on=counted,
        expected_from=clock.add_working_days(counted, bank_days.least) if counted else None,
        expected_on=clock.add_working_days(counted, bank_days.most) if counted else None,
        provider=how,
        by_hand=True,
    )


def _counted(refund: Refund, sent: datetime | None, bank_days: BankDays) -> date | None:
    """The day from which a bank's days count: once it was late, the one on which the shop said so; where Stripe finished it after
    the day that was named, the one on which it did."""
    if sent is None:
        return None
    counted = (refund.late_at or sent).date()
    done = refund.settled_at.date() if refund.status == lifecycle.SUCCEEDED and refund.settled_at else counted
    return done if done > clock.add_working_days(counted, bank_days.most) else counted


def let_go(session: Session, returns_: Iterable[Return]) -> frozenset[int]:
    """The ids of those closed returns whose refunds were all given free because nothing had been captured: one query, or none."""
    closed = [each.id for each in returns_ if each.status == returns.CLOSED]
    if not closed:
        return frozenset()
    query = (
        select(Refund.return_id)
        .where(Refund.return_id.in_(closed), Refund.status == lifecycle.SUCCEEDED)
        .group_by(Refund.return_id)
        .having(func.min(Refund.way) == RELEASE, func.max(Refund.way) == RELEASE)
    )
    return frozenset(session.scalars(query))


def endings(session: Session, returns_: Sequence[Return]) -> dict[int, dict[str, str]]:
    """`MoneyView.came` of each of these returns that is closed, by its id: three queries, or none."""
    closed = [each.id for each in returns_ if each.status == returns.CLOSED]
    if not closed:
        return {}
    free = let_go(session, returns_)
    ordered = exchange.ordered(session, closed)
    unpaid = ledger.waived_and_arrived(session, closed)
    return {each: _came(unpaid.get(each, (0, 0, 0)), ordered=each in ordered, free=each in free) for each in closed}


# The customer's pieces name payments, no order.
_PIECES = (
    select(Refund)
    .options(joinedload(Refund.payment, innerjoin=True))
    .where(Refund.return_id == bindparam("return_id"))
    .order_by(Refund.id)
)
