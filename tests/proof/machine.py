"""A machine that does to a shop whatever customers, staff, Stripe, the network and the power supply can do, in any order.

In: steps drawn by hypothesis. Out: nothing, or the shortest way to a broken rule. After every step all of `invariants`,
`controls` and `decided` are checked; at the end the storm is over and both sides must agree.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from portal.refunds import gate
from portal.returns.replay import replay
from tests.proof.acting import CRASH, FIGURES, PICK, WISHES
from tests.proof.books import Orders
from tests.proof.outside import FAULT
from tests.proof.scenes import Scenes
from tests.proof.shop import MAYA

SCENE = os.environ.get("PROOF_SCENE", "")
"""One of `scenes` with which every shop begins."""
CARDS = st.sampled_from(
    [
        "pm_card_visa", "pm_card_visa", "pm_card_visa", "hold:pm_card_visa", "pm_card_refundFail", "pm_card_pendingRefund",
        "pm_konbini", "pm_sepa_debit", "gift_card", "cash",
    ]
)  # fmt: skip
LINE = st.fixed_dictionaries(
    {
        "quantity": st.integers(1, 3),
        "unit_price": st.sampled_from([210, 1000, 2390, 6670, 10000]),
        "discount": st.sampled_from([0, 0, 10]),
        "tags": st.lists(st.sampled_from(["keep", "trusted", "transit", "delicate", "fee"]), max_size=2, unique=True),
    }
)
ORDERS = st.sampled_from(
    [
        Orders(), Orders(), Orders(), Orders(cap_count=1), Orders(cap_minor={"GBP": 4000}), Orders(second_above={"GBP": 4000}),
        Orders(undo_minutes=30),
        Orders(cap_minor={"GBP": 9000, "KWD": 2000}, second_above={"GBP": 2000}, undo_minutes=30, zone="Pacific/Auckland"),
    ]
)  # fmt: skip


class MoneyMachine(Scenes):
    """One shop from its opening to the end of the storm."""

    @initialize(
        lines=st.lists(LINE, min_size=1, max_size=3),
        shipping=st.sampled_from([0, 450]),
        currency=st.sampled_from(["GBP", "GBP", "GBP", "JPY", "KWD", "ISK"]),
        cards=st.lists(st.tuples(CARDS, st.integers(1, 9)), min_size=1, max_size=3),
        orders=ORDERS,
        reverse=st.booleans(),
        data=st.data(),
    )
    def open_with_an_order(
        self, lines: Any, shipping: int, currency: str, cards: Any, orders: Orders, reverse: bool, data: Any
    ) -> None:
        self.shop.order_rules(orders, reverse=reverse)
        self.order(lines, shipping, currency, cards)
        if SCENE:
            (scene,) = (each for each in self.rules if each.function.__name__ == SCENE)
            scene.function(self, **{name: data.draw(drawn) for name, drawn in scene.arguments.items()})

    @precondition(lambda self: len(self.books["order"]) < 3)
    @rule(
        lines=st.lists(LINE, min_size=1, max_size=2),
        shipping=st.sampled_from([0, 450]),
        currency=st.sampled_from(["GBP", "KWD"]),
        cards=st.lists(st.tuples(CARDS, st.integers(1, 9)), min_size=1, max_size=2),
    )
    def another_order(self, lines: Any, shipping: int, currency: str, cards: Any) -> None:
        self.order(lines, shipping, currency, cards)

    @rule(
        pick=PICK,
        wishes=WISHES,
        far=st.sampled_from([1, 2, 3, 4, 5, 6, 6, 6]),
        condition=st.sampled_from(["as_new", "as_new", "as_new", "used", "missing"]),
        crash=CRASH,
    )
    def journey(self, pick: int, wishes: Any, far: int, condition: str, crash: int) -> None:
        """What usually happens, as far as it goes: booked, approved if asked, received, inspected, paid. Each is a step."""
        self.book(pick, wishes, True, 0)
        for number, doing in enumerate(
            (
                lambda: self.authorize(0, False, None, 0),
                lambda: self.receive(0, 3, condition, True, crash if far == 3 else 0),
                lambda: self.inspect(0, "as_new", 0),
                lambda: self.authorize(0, False, None, 0),
                lambda: self.work(crash if far == 6 else 0),
            ),
            start=2,
        ):
            if number <= far:
                doing()

    @rule(
        pick=PICK, wishes=WISHES, fault=FAULT, times=st.integers(1, 2),
        by=st.sampled_from([{"seconds": 3}, {"seconds": 30}, {"minutes": 20}, {"minutes": 40}, {"hours": 26}]),
    )  # fmt: skip
    def stormy_payment(self, pick: int, wishes: Any, fault: dict[str, Any], times: int, by: dict[str, float]) -> None:
        """Goods come, and the call that pays for them meets a fault; a while later it is tried again."""
        self.journey(pick, wishes, 5, "as_new", 0)
        self.fault(fault, times, "POST", "/v1/refunds*")
        self.work(0)
        self.time_passes(by, 0)
        self.work(0)

    @rule(
        pick=PICK, wishes=WISHES, decision=st.sampled_from(["succeeded", "failed", "failed", "canceled"]),
        told=st.booleans(),
    )  # fmt: skip
    def late_news(self, pick: int, wishes: Any, decision: str, told: bool) -> None:
        """A refund is paid, its bank decides otherwise later, and the portal may be told of it or not."""
        self.journey(pick, wishes, 6, "as_new", 0)
        self.bank_decides(0, decision)
        if told and self.books.stripe_refunds:
            self.webhooks([0, 1], 0)
        self.time_passes({"hours": 26}, 0)
        self.work(0)

    def teardown(self) -> None:
        try:
            if len(self.books["order"]):
                # Whoever has stopped all refunds lets them flow again in the end.
                self.shop.do(MAYA, lambda tx: gate.resume(tx, "all is well"))
                self.books = self.shop.settle_everything()
                for return_ in self.books["return"]:
                    self.read_money(return_)
                FIGURES["returns"] += len(self.books["return"])
                FIGURES["closed returns"] += sum(row["status"] == "closed" for row in self.books["return"])
                FIGURES["refunds"] += len(self.books["refund"])
                FIGURES["refunds at Stripe"] += len(self.books.stripe_refunds)
                # Whatever happened since, each decision is still what its stored facts and its version give.
                again = replay(self.shop.database)
                assert not again.different, again.listed
                FIGURES["decisions replayed"] += again.decisions
        finally:
            self.shop.close()
