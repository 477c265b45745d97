"""What every part of the machine uses: one step with its death and its checks, and things to choose from.

In: a step as a callable. Out: the books after it, in which all rules hold; or an AssertionError that names the broken ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from portal.db import Actor, Tx
from portal.refunds.queries import money_of_return
from portal.returns.assess import Wish
from tests.proof import decided
from tests.proof.books import Books, Row
from tests.proof.shop import Shop

FIGURES: Counter[str] = Counter()
"""What was done in this run, for the report."""
SHOP: list[Shop] = []
PICK = st.integers(0, 7)
CRASH = st.one_of(st.just(0), st.just(0), st.just(0), st.integers(1, 45))
"""At which boundary the process dies; 0 is never, which is the usual case."""
FURTHER = [
    [
        {"quantity": 3, "unit_price": 2390, "discount": 10, "tags": tags},
        {"quantity": 2, "unit_price": 1000, "discount": 0, "tags": []},
    ]
    for tags in ([], ["trusted"], ["fee"], ["delicate"])
]
"""What is bought when everything else is in returns already."""
WISHES = st.lists(
    st.tuples(
        PICK,
        st.integers(1, 3),
        st.sampled_from(["changed-mind", "changed-mind", "faulty"]),
        st.sampled_from(["refund", "refund", "refund", "store_credit", "exchange"]),
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda wish: wish[0] % 3,
)


class Acting(RuleBasedStateMachine):
    """A machine with a shop."""

    def __init__(self) -> None:
        super().__init__()
        if not SHOP:
            SHOP.append(Shop())
        self.shop = SHOP[0]
        self.shop.open()
        self.shop.stripe.control("settings", "POST", settle_after=7200)
        self.books: Books = self.shop.check()
        self.keys = 0
        FIGURES["shops"] += 1

    def step(self, name: str, doing: Callable[[], object], crash: int = 0) -> None:
        """Do it, and once more if the process died over it, as whoever clicked does; check after each."""
        FIGURES["steps"] += 1
        FIGURES[name] += 1
        if self.shop.killed_at(crash, doing):
            FIGURES["deaths"] += 1
            FIGURES[f"deaths in {name}"] += 1
            self.books = self.shop.check()
            self.shop.restart_worker(self.shop.worker_name)
            self.shop.killed_at(0, doing)
        self.books = self.shop.check()

    def command(self, name: str, actor: Actor, doing: Callable[[Tx], object], crash: int = 0) -> None:
        """A step that is one command of somebody."""
        self.step(name, lambda: self.shop.do(actor, doing), crash)

    def order(self, lines: Any, shipping: int, currency: str, cards: Any) -> None:
        """An order comes in."""
        self.step("order", lambda: self.shop.order([dict(line) for line in lines], shipping, currency, list(cards)))

    def read_money(self, return_: Row) -> None:
        """Nothing is said of a return's money that is not so."""
        with self.shop.database.read() as session:
            view = money_of_return(session, return_["id"])
        wrong = decided.told(self.books, return_, view.state, [(piece.refund, piece.state) for piece in view.pieces])
        assert not wrong, "\n".join(wrong)

    def key(self) -> str:
        """A key that no form had before."""
        self.keys += 1
        return f"key-{self.keys}"

    # -- choosing, the latest first ------------------------------------------------------------------------------

    def one_of(self, table: str, pick: int, *statuses: str) -> Row | None:
        """A row of the table in one of these statuses, or in any."""
        found = [row for row in self.books[table] if not statuses or row["status"] in statuses]
        return found[-1 - pick % len(found)] if found else None

    def a_return(self, pick: int, *statuses: str) -> Row | None:
        """A return in one of these statuses."""
        return self.one_of("return", pick, *statuses)

    def a_refund(self, pick: int, *statuses: str) -> Row | None:
        """A refund in one of these statuses."""
        return self.one_of("refund", pick, *statuses)

    def wanted(self, pick: int, wishes: Any) -> tuple[int, list[Wish]]:
        """An order that still has units (a new one where none has), and wishes for some of its lines.

        Mostly for units that are there; every eighth asks for more.
        """
        left = {row["id"]: row["quantity"] - row["units_held"] - row["units_gone"] for row in self.books["order_line"]}
        open_ = sorted({row["order_id"] for row in self.books["order_line"] if left[row["id"]] > 0})
        if not open_:
            self.order(FURTHER[pick % len(FURTHER)], 450, "GBP", [("pm_card_visa", 5), ("pm_card_refundFail", 5)])
            return self.wanted(pick, wishes)
        order_id = open_[pick % len(open_)]
        articles = [row for row in self.books["order_line"] if row["order_id"] == order_id]
        free = [row for row in articles if left[row["id"]] > 0]
        found = {}
        for place, quantity, reason, resolution in wishes:
            article = free[place % len(free)] if place else articles[pick % len(articles)]
            units = min(quantity, max(left[article["id"]], 1)) if place else quantity
            sku = article["sku"] if resolution == "exchange" else None
            found[article["ref"]] = Wish(article["ref"], units, reason, resolution, exchange_sku=sku)
        return order_id, list(found.values())

    def lines_of(self, return_: Row) -> list[tuple[Row, str]]:
        """The lines of a return that still count, each with the name of its order line."""
        refs = {row["id"]: row["ref"] for row in self.books["order_line"]}
        return [
            (line, refs[line["order_line_id"]])
            for line in self.books["return_line"]
            if line["return_id"] == return_["id"] and line["status"] in ("accepted", "review")
        ]
