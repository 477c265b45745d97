"""The facts that the story of a return is made of.

In: a return, its money, its timeline and open questions. Out: `Told`, and what is told while the bank asks. Never: a query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from portal import clock
from portal.refunds.queries import MoneyView
from portal.returns import lifecycle as life
from portal.returns.models import Return, ReturnLine
from portal.returns.payable import accounted, expected_lines
from portal.reviews.models import Review
from portal.reviews.service import ASKED, DISPUTE
from portal.shop import Shop
from portal.web.customer.words import _


@dataclass(frozen=True)
class Told:
    """Everything the sentences are made of."""

    return_: Return
    money: MoneyView
    when: Mapping[str, datetime]
    reviews: Sequence[Review]
    shop: Shop
    today: date
    pay_to: str
    first_came: datetime | None
    """When the first goods were counted, if not all came at once."""
    by_bank: bool = False
    """The end of a dispute is why something was closed unpaid."""

    @property
    def travels(self) -> bool:
        return bool(self.return_.ship_with)

    @property
    def coming(self) -> list[ReturnLine]:
        """The lines whose goods travel."""
        return expected_lines(self.return_)

    @property
    def partly(self) -> bool:
        """True while some of it has come and more is awaited."""
        return self.came > 0 and any(accounted(line) < line.quantity for line in self.coming)

    @property
    def came(self) -> int:
        """How many units have come; what was found missing has not."""
        return sum(line.received_quantity for line in self.coming)

    @property
    def rest_by(self) -> date | None:
        """The day by which the rest is to be sent; None once it has gone by."""
        by = self.return_.ship_by_on
        return by if by is not None and by >= self.today else None

    @property
    def asked(self) -> bool:
        return any(review.status == ASKED for review in self.reviews)

    @property
    def disputed(self) -> bool:
        """True while a chargeback keeps back money that was not prepared yet."""
        return waits_for_bank(self.money, self.reviews)

    @property
    def due(self) -> bool:
        """True once nothing is to be done with the goods before the money goes."""
        checked = self.return_.status == life.RECEIVED and self.return_.refund_when != life.INSPECTED
        return checked or self.return_.status == life.INSPECTED

    @property
    def hear_by(self) -> date | None:
        """The day by which we said to have checked the goods."""
        arrived = self.return_.received_at
        if arrived is None:
            return None
        return clock.add_working_days(clock.local_date(arrived, self.shop.timezone), self.shop.check_within_days)


def waits_for_bank(money: MoneyView, reviews: Sequence[Review]) -> bool:
    """True while nothing of the money is prepared because the customer's bank looks into the payment."""
    return money.planned_at is None and any(review.kind == DISPUTE for review in reviews)


def bank_asks() -> str:
    """What the customer is told then, as of a refund that the bank refused."""
    return _("Your bank is looking into this payment. We wait for its answer before we send anything.")
