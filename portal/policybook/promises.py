"""What the shop promises today: the version that binds an order of this moment, and who may buy.

In: the book and the shop. Out: everything that page, search engines and widget say, from one place. Never: a version that is
not in force yet.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from sqlalchemy.orm import Session

from portal.policy.binding import Version
from portal.policy.explain import Wording
from portal.policy.loader import Policy
from portal.policy.offers import Offer, offer, offers
from portal.policy.page import PolicyPage, policy_page
from portal.policy.plain import Point, policy_points
from portal.policy.promise import Purchase, countries, currencies, ordinary
from portal.policy.rights import LawTold, laws_told
from portal.policybook.service import Book, asking, load_book
from portal.shop import Shop


@dataclass(frozen=True, slots=True)
class Promises:
    """The policy of today's orders. ``sold_to`` and ``currencies`` begin with the shop's own."""

    number: int
    policy: Policy
    purchase: Purchase
    sold_to: tuple[str, ...]
    currencies: tuple[str, ...]

    def page(self, wording: Wording, refund_days: int) -> PolicyPage:
        """The whole policy in sentences."""
        return policy_page(
            self.policy, asking, self.purchase, sold_to=self.sold_to, currencies=self.currencies, wording=wording,
            refund_days=refund_days,
        )  # fmt: skip

    def rights(self, wording: Wording) -> tuple[LawTold, ...]:
        """What the laws of the policy give, for the countries that are sold to."""
        return laws_told(self.policy, self.sold_to, wording)

    def points(self, wording: Wording, refund_days: int) -> tuple[Point, ...]:
        """The policy in four points."""
        return policy_points(self.policy, asking, self.purchase, wording, refund_days=refund_days)

    def offer(self, purchase: Purchase | None = None) -> Offer:
        """What is promised for this purchase; for an ordinary one in the shop's own country when it is left out."""
        return offer(self.policy, asking, purchase or self.purchase)

    def offers(self) -> tuple[Offer, ...]:
        """What is promised to each country in the shop's currency; countries with the same promise together."""
        return offers(self.policy, asking, self.purchase, self.sold_to)

    def foreign(self) -> tuple[Offer, ...]:
        """The same for orders in each other currency that the policy names."""
        return tuple(
            each
            for currency in self.currencies[1:]
            for each in offers(self.policy, asking, replace(self.purchase, currency=currency), self.sold_to)
        )


def find_promises(session: Session, shop: Shop, at: datetime) -> Promises | None:
    """Today's promises, or None when nothing was ever published."""
    book = load_book(session)
    live = book.live(at)
    if live is None:
        return None
    since, before = _days_of(book, live, at)
    return promises_of(live.policy, shop, at, number=live.number, since=since, before=before)


def _days_of(book: Book, live: Version, at: datetime) -> tuple[date | None, date | None]:
    """The days of purchase that the version in force binds for certain: the first one, and the first one of the next version.
    What is in force before its own start, as the first version is before every start, begins on no day."""
    zone, start = live.policy.zone, live.effective_at
    since = before = None
    if start <= at and book.live(start - timedelta(microseconds=1)) is not live:
        starts = start.astimezone(zone)
        since = starts.date() if starts.time() == time() else starts.date() + timedelta(days=1)
    if coming := book.coming(at):
        ends = coming[0].effective_at.astimezone(zone).date()
        before = max(ends, at.astimezone(zone).date() + timedelta(days=1))
    return since, before


def promises_of(
    policy: Policy, shop: Shop, at: datetime, *, number: int = 0, since: date | None = None, before: date | None = None
) -> Promises:
    """What this policy would promise in this shop; ``number`` 0 is that of a draft. ``since`` and ``before``: see `Purchase`."""
    own = Purchase(shop.country, shop.currency, at, ordinary(), since, before)
    sold_to = tuple(dict.fromkeys((*shop.sold_to, *countries(policy))))
    known = tuple(dict.fromkeys((shop.currency, *currencies(policy))))
    return Promises(number, policy, own, sold_to, known)
