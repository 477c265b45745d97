"""Orders and returns for the tests of the staff's pages, at the moment of the design's pictures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update

from portal.db import Database
from portal.orders.models import Payment
from portal.policybook.service import Book
from portal.refunds.models import Refund
from portal.returns import service
from portal.returns.models import Return
from portal.reviews.models import Review
from portal.timeline import TimelineEntry
from tests.stages.returns import trade
from tests.stages.returns.trade import CUSTOMER, Item, wish

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)


class Shop:
    """A small shop with a published policy and the real river."""

    def __init__(self, database: Database, book: Book) -> None:
        self.database, self.book = database, book

    def order(self, *items: Item, **more: Any) -> int:
        """An order paid by card; its row id."""
        order_id = trade.add_order(self.database, items or (Item(gross=72_00, name="Selvedge jeans"),), **more)
        with self.database.transaction() as tx:
            total = sum(item.gross for item in items or (Item(gross=72_00),)) + more.get("shipping", 0)
            tx.session.add(
                Payment(
                    order_id=order_id, position=1, provider="stripe", payment_intent=f"pi_{order_id}",
                    captured_minor=total, currency=more.get("currency", "GBP"), method="Visa ending 1177",
                )
            )  # fmt: skip
        return order_id

    def booked(
        self, *wishes: Any, items: tuple[Item, ...] = (), hours_ago: float = 1, order: int = 0, **more: Any
    ) -> str:
        """A return that the policy accepts; its number."""
        order_id = order or self.order(*items)
        at = NOW - timedelta(hours=hours_ago)
        return trade.book_return(self.database, self.book, order_id, *(wishes or (wish(),)), at=at, **more)

    def under_review(
        self, value: int = 310_00, *, hours_ago: float = 5, name: str = "Field jacket", **more: Any
    ) -> str:
        """A return that a rule puts to a person, because it is over £300."""
        return self.booked(items=(Item(gross=value, name=name),), hours_ago=hours_ago, **more)

    def asked_us(self, **more: Any) -> str:
        """A return that the policy refuses and the customer has put to a person."""
        return self.booked(items=(Item(gross=72_00, name="Selvedge jeans", tags=("final-sale",)),), ask_us=True, **more)

    def look(self, rma: str) -> Return:
        return trade.look(self.database, rma)

    def events(self, rma: str) -> list[str]:
        return trade.events_of(self.database, rma)

    def entry(self, rma: str, what: str) -> TimelineEntry:
        """The last such entry of the return."""
        return [each for each in trade.timeline_of(self.database, rma) if each.what == what][-1]

    def review(self, rma: str) -> Review:
        """The newest question about the return."""
        query = select(Review).join(Return, Return.id == Review.return_id).where(Return.rma == rma)
        return trade.rows(self.database, query.order_by(Review.id))[-1]

    def pick(self, rma: str) -> str:
        """What the queue's box of this return holds."""
        return f"{self.review(rma).id}:{self.look(rma).version}"

    def refunds(self, rma: str) -> list[Refund]:
        query = select(Refund).join(Return, Return.id == Refund.return_id).where(Return.rma == rma)
        return trade.rows(self.database, query.order_by(Refund.id))

    def set_refund(self, public_id: str, **values: Any) -> None:
        """Put a refund into a state that only Stripe brings about."""
        with self.database.transaction() as tx:
            tx.session.execute(update(Refund).where(Refund.public_id == public_id).values(**values))

    def count(self, model: Any) -> int:
        with self.database.read() as session:
            return session.scalar(select(func.count()).select_from(model)) or 0

    def do(self, actor: Any = CUSTOMER) -> Any:
        """A transaction of somebody else."""
        return self.database.transaction(actor)


__all__ = ["Item", "service", "wish"]
