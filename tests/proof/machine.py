"""A machine that does to a shop whatever customers, staff, Stripe, the network and the power supply can do, in any order.

In: steps drawn by hypothesis. Out: nothing, or the shortest way to a broken rule. After every step all of `invariants` are
checked; at the end the storm is over and both sides must agree.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from portal.db import Tx
from portal.receiving import service as receiving
from portal.refunds import actions, gate, goodwill, undo
from portal.refunds.goodwill import Gift
from portal.returns import service as returns
from portal.returns.assess import Wish
from tests.proof.shop import BENCH, CUSTOMER, MAYA, Shop

FIGURES: Counter[str] = Counter()
"""What was done in this run, for the report."""
SHOP: list[Shop] = []

PICK = st.integers(0, 7)
CRASH = st.one_of(st.just(0), st.just(0), st.just(0), st.integers(1, 45))
"""At which boundary the process dies; 0 is never, which is the usual case."""
CARDS = st.sampled_from(
    [
        "pm_card_visa",
        "pm_card_visa",
        "pm_card_refundFail",
        "pm_card_pendingRefund",
        "pm_konbini",
        "pm_sepa_debit",
        "gift_card",
    ]
)
LINE = st.fixed_dictionaries(
    {
        "quantity": st.integers(1, 3),
        "unit_price": st.sampled_from([210, 1000, 2390, 6670, 10000]),
        "discount": st.sampled_from([0, 0, 10]),
        "tags": st.lists(st.sampled_from(["keep", "trusted", "transit", "delicate", "fee"]), max_size=2, unique=True),
    }
)
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
FAULT = st.sampled_from(
    [
        {"kind": "timeout_after"},
        {"kind": "drop_before"},
        {"kind": "error"},
        {"kind": "error", "when": "after"},
        {"kind": "gateway", "status": 502},
        {"kind": "gateway", "status": 504, "when": "after"},
        {"kind": "conflict"},
        {"kind": "rate_limit", "retry_after": 2},
        {"kind": "rate_limit", "reason": ""},
        {"kind": "malformed"},
        {"kind": "truncated"},
        {"kind": "answer", "status": 401, "error": {"type": "invalid_request_error", "message": "Invalid API Key"}},
    ]
)


class MoneyMachine(RuleBasedStateMachine):
    """One shop from its opening to the end of the storm."""

    def __init__(self) -> None:
        super().__init__()
        if not SHOP:
            SHOP.append(Shop())
        self.shop = SHOP[0]
        self.shop.open()
        self.shop.stripe.control("settings", "POST", settle_after=7200)
        self.books: Any = self.shop.check()
        self.keys = 0
        FIGURES["shops"] += 1

    # -- helpers -------------------------------------------------------------------------------------------------

    def _do(self, name: str, doing: Any, crash: int = 0) -> None:
        """Do it, and once more if the process died over it, as whoever clicked does; check after each."""
        FIGURES["steps"] += 1
        FIGURES[name] += 1
        if self.shop.killed_at(crash, doing):
            FIGURES["deaths"] += 1
            self.books = self.shop.check()
            self.shop.restart_worker(self.shop.worker_name)
            self.shop.killed_at(0, doing)
        self.books = self.shop.check()
        FIGURES["checks"] += 1 + bool(crash)

    def _pick(self, table: str, pick: int, **equal: Any) -> dict[str, Any] | None:
        found = [row for row in self.books[table] if all(row[name] == value for name, value in equal.items())]
        return found[pick % len(found)] if found else None

    def _return(self, pick: int, *statuses: str) -> dict[str, Any] | None:
        found = [row for row in self.books["return"] if not statuses or row["status"] in statuses]
        return found[-1 - pick % len(found)] if found else None

    def _refund(self, pick: int, *statuses: str) -> dict[str, Any] | None:
        found = [row for row in self.books["refund"] if not statuses or row["status"] in statuses]
        return found[-1 - pick % len(found)] if found else None

    def _key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

    def _wanted(self, pick: int, wishes: Any) -> tuple[int, list[Wish]]:
        """An order that still has units (a new one where none has), and wishes for some of its lines.

        Mostly for units that are there; every eighth asks for more.
        """
        left = {row["id"]: row["quantity"] - row["units_held"] - row["units_gone"] for row in self.books["order_line"]}
        open_ = sorted({row["order_id"] for row in self.books["order_line"] if left[row["id"]] > 0})
        if not open_:
            self.order(FURTHER[pick % len(FURTHER)], 450, "GBP", [("pm_card_visa", 5), ("pm_card_refundFail", 5)])
            return self._wanted(pick, wishes)
        order_id = open_[pick % len(open_)]
        articles = [row for row in self.books["order_line"] if row["order_id"] == order_id]
        free = [row for row in articles if left[row["id"]] > 0]
        wanted = {}
        for place, quantity, reason, resolution in wishes:
            article = free[place % len(free)] if place else articles[pick % len(articles)]
            units = min(quantity, max(left[article["id"]], 1)) if place else quantity
            sku = article["sku"] if resolution == "exchange" else None
            wanted[article["ref"]] = Wish(article["ref"], units, reason, resolution, exchange_sku=sku)
        return order_id, list(wanted.values())

    def _lines(self, return_: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
        refs = {row["id"]: row["ref"] for row in self.books["order_line"]}
        return [
            (line, refs[line["order_line_id"]])
            for line in self.books["return_line"]
            if line["return_id"] == return_["id"] and line["status"] in ("accepted", "review")
        ]

    # -- customers ---------------------------------------------------------------------------------------------------

    @initialize(
        lines=st.lists(LINE, min_size=1, max_size=3),
        shipping=st.sampled_from([0, 450]),
        currency=st.sampled_from(["GBP", "GBP", "GBP", "JPY", "KWD", "ISK"]),
        cards=st.lists(st.tuples(CARDS, st.integers(1, 9)), min_size=1, max_size=3),
    )
    def first_order(self, lines: Any, shipping: int, currency: str, cards: Any) -> None:
        self.order(lines, shipping, currency, cards)

    def order(self, lines: Any, shipping: int, currency: str, cards: Any) -> None:
        self._do("order", lambda: self.shop.order([dict(line) for line in lines], shipping, currency, list(cards)))

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
        ask_us=st.booleans(),
        crash=CRASH,
    )
    def book(self, pick: int, wishes: Any, ask_us: bool, crash: int) -> None:
        order_id, wanted = self._wanted(pick, wishes)
        key = self._key()
        self._do(
            "book",
            lambda: self.shop.do(
                CUSTOMER,
                lambda tx: returns.book(tx, self.shop.book, order_id, wanted, booking_key=key, ask_us=ask_us),
            ),
            crash,
        )

    @precondition(lambda self: self._return(0, "under_review", "authorized", "in_transit"))
    @rule(pick=PICK, customer=st.booleans(), crash=CRASH)
    def cancel(self, pick: int, customer: bool, crash: int) -> None:
        if return_ := self._return(pick):
            actor, by = (CUSTOMER, "customer") if customer else (MAYA, "staff")
            self._do("cancel", lambda: self.shop.do(actor, lambda tx: returns.cancel(tx, return_["rma"], by=by)), crash)

    @rule(
        pick=PICK,
        wishes=WISHES,
        far=st.integers(1, 6),
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

    # -- staff -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._return(0, "under_review", "received", "inspected", "rejected", "expired"))
    @rule(pick=PICK, some=st.booleans(), amount=st.one_of(st.none(), st.integers(0, 3000)), crash=CRASH)
    def authorize(self, pick: int, some: bool, amount: int | None, crash: int) -> None:
        """Approve, accept differing goods, or take a refusal or an expiry back; whole or in part, with another amount."""
        return_ = self._return(pick, "under_review", "received", "inspected", "rejected", "expired")
        if return_ is None:
            return
        lines = self._lines(return_)
        chosen = [lines[0][1]] if some and lines else None
        amounts = {lines[0][1]: amount} if amount is not None and lines else None
        self._do(
            "authorize",
            lambda: self.shop.do(
                MAYA,
                lambda tx: returns.authorize(tx, return_["rma"], note="as agreed", lines=chosen, amounts=amounts),
            ),
            crash,
        )

    @precondition(lambda self: self._return(0, "under_review", "received", "inspected"))
    @rule(pick=PICK, crash=CRASH)
    def refuse(self, pick: int, crash: int) -> None:
        if return_ := self._return(pick, "under_review", "received", "inspected"):
            self._do(
                "refuse",
                lambda: self.shop.do(MAYA, lambda tx: returns.refuse(tx, return_["rma"], message="No.")),
                crash,
            )

    @precondition(lambda self: self._return(0, "authorized"))
    @rule(pick=PICK)
    def ship(self, pick: int) -> None:
        if return_ := self._return(pick, "authorized"):
            self._do("ship", lambda: self.shop.do(MAYA, lambda tx: returns.mark_in_transit(tx, return_["rma"])))

    @precondition(lambda self: self._return(0, "authorized", "in_transit"))
    @rule(
        pick=PICK,
        units=st.integers(1, 3),
        condition=st.sampled_from(["as_new", "as_new", "as_new", "used", "damaged", "wrong_item", "missing"]),
        every=st.booleans(),
        crash=CRASH,
    )
    def receive(self, pick: int, units: int, condition: str, every: bool, crash: int) -> None:
        return_ = self._return(pick, "authorized", "in_transit")
        if return_ is None:
            return
        lines = self._lines(return_)
        counts = [
            receiving.Count(ref, line["quantity"] if every else min(units, line["quantity"]), condition)
            for line, ref in (lines if every else lines[:1])
        ]
        key = self._key()
        self._do(
            "receive",
            lambda: self.shop.do(BENCH, lambda tx: receiving.receive(tx, return_["rma"], counts, command_key=key)),
            crash,
        )

    @precondition(lambda self: self._return(0, "received", "inspected"))
    @rule(pick=PICK, condition=st.sampled_from(["as_new", "used", "damaged"]), crash=CRASH)
    def inspect(self, pick: int, condition: str, crash: int) -> None:
        return_ = self._return(pick, "received", "inspected")
        if return_ is None:
            return
        counts = [
            receiving.Count(ref, line["received_quantity"], condition)
            for line, ref in self._lines(return_)
            if line["received_quantity"]
        ]
        key = self._key()
        self._do(
            "inspect",
            lambda: self.shop.do(BENCH, lambda tx: receiving.inspect(tx, return_["rma"], counts, command_key=key)),
            crash,
        )

    @precondition(lambda self: self._return(0, "under_review", "authorized", "in_transit", "received"))
    @rule(pick=PICK, resolution=st.sampled_from(["refund", "store_credit"]))
    def change_resolution(self, pick: int, resolution: str) -> None:
        return_ = self._return(pick)
        if return_ is None or not (lines := self._lines(return_)):
            return
        self._do(
            "change_resolution",
            lambda: self.shop.do(
                MAYA,
                lambda tx: returns.change_resolution(
                    tx, return_["rma"], line=lines[0][1], resolution=resolution, note="asked for it"
                ),
            ),
        )

    @precondition(lambda self: self._refund(0, "failed", "canceled"))
    @rule(pick=PICK, crash=CRASH)
    def retry(self, pick: int, crash: int) -> None:
        if refund := self._refund(pick, "failed", "canceled"):
            self._do(
                "retry", lambda: self.shop.do(MAYA, lambda tx: actions.retry(tx, refund["public_id"], "again")), crash
            )

    @precondition(lambda self: self._refund(0, "failed", "canceled", "planned"))
    @rule(pick=PICK, lost=st.booleans(), crash=CRASH)
    def pay_elsewhere(self, pick: int, lost: bool, crash: int) -> None:
        if refund := self._refund(pick, *(("failed", "canceled") if lost else ("planned",))):
            self._do(
                "pay_elsewhere",
                lambda: self.shop.do(MAYA, lambda tx: actions.mark_paid_elsewhere(tx, refund["public_id"], "by bank")),
                crash,
            )

    @precondition(lambda self: self._refund(0, "unknown"))
    @rule(pick=PICK)
    def declare_unsent(self, pick: int) -> None:
        if refund := self._refund(pick, "unknown"):
            self._do(
                "declare_unsent",
                lambda: self.shop.do(MAYA, lambda tx: actions.declare_unsent(tx, refund["public_id"], "not there")),
            )

    @rule(pick=PICK, amount=st.sampled_from([0, 1, 500, 2500, 40000]), units=st.integers(1, 2), crash=CRASH)
    def give(self, pick: int, amount: int, units: int, crash: int) -> None:
        articles = self.books["order_line"]
        article = articles[pick % len(articles)]
        gift = Gift(amount) if amount else Gift(lines={article["ref"]: units})
        key = self._key()

        def give_(tx: Tx) -> None:
            goodwill.give(
                tx, article["order_id"], gift, reason="Late parcel", command_key=key, shop=self.shop.ports.shop
            )

        self._do("give", lambda: self.shop.do(MAYA, give_), crash)

    @precondition(lambda self: self._refund(0, "planned"))
    @rule(pick=PICK, crash=CRASH)
    def take_back(self, pick: int, crash: int) -> None:
        if refund := self._refund(pick, "planned"):
            self._do(
                "take_back",
                lambda: self.shop.do(MAYA, lambda tx: undo.take_back(tx, refund["public_id"], "typo")),
                crash,
            )

    @rule(stop=st.booleans())
    def stop_or_resume(self, stop: bool) -> None:
        what = gate.stop if stop else gate.resume
        self._do("stop_or_resume", lambda: self.shop.do(MAYA, lambda tx: what(tx, "as a precaution") and None))

    # -- Stripe and its people -----------------------------------------------------------------------------------

    def _intent(self, pick: int) -> str | None:
        found = [row["payment_intent"] for row in self.books["payment"] if row["payment_intent"]]
        return found[pick % len(found)] if found else None

    @rule(pick=PICK, amount=st.sampled_from([10, 100, 700, 2000]))
    def refund_by_hand(self, pick: int, amount: int) -> None:
        if intent := self._intent(pick):
            unit = 100 if self._pick("payment", 0, payment_intent=intent)["currency"] == "ISK" else 1
            self._do(
                "refund_by_hand",
                lambda: self.shop.stripe.control("refunds", "POST", payment_intent=intent, amount=amount * unit),
            )

    @precondition(lambda self: self.books.stripe_refunds)
    @rule(pick=PICK, status=st.sampled_from(["succeeded", "failed", "failed", "canceled"]))
    def bank_decides(self, pick: int, status: str) -> None:
        made = self.books.stripe_refunds
        if made:
            id_ = made[-1 - pick % len(made)]["id"]
            self._do("bank_decides", lambda: self.shop.stripe.control(f"refunds/{id_}", "POST", status=status))

    @rule(pick=PICK, inquiry=st.booleans())
    def dispute(self, pick: int, inquiry: bool) -> None:
        if intent := self._intent(pick):
            status = "warning_needs_response" if inquiry else "needs_response"
            self._do(
                "dispute", lambda: self.shop.stripe.control("disputes", "POST", payment_intent=intent, status=status)
            )

    @precondition(lambda self: self.shop.stripe.objects("dispute"))
    @rule(pick=PICK, status=st.sampled_from(["won", "lost", "under_review", "warning_closed"]))
    def dispute_moves(self, pick: int, status: str) -> None:
        found = self.shop.stripe.objects("dispute")
        if found:
            id_ = found[pick % len(found)]["id"]
            self._do("dispute_moves", lambda: self.shop.stripe.control(f"disputes/{id_}", "POST", status=status))

    @rule(available=st.sampled_from([0, 500, 10**9]), short=st.sampled_from(["pending", "refuse"]))
    def balance(self, available: int, short: str) -> None:
        def change() -> None:
            self.shop.stripe.control("settings", "POST", short_balance=short)
            self.shop.stripe.control("balance", "POST", currency="gbp", available=available)

        self._do("balance", change)

    @rule(fault=FAULT, times=st.integers(1, 3), creating=st.booleans())
    def fault(self, fault: dict[str, Any], times: int, creating: bool) -> None:
        FIGURES["faults"] += 1
        method = "POST" if creating else "GET"
        self.shop.stripe.control("faults", "POST", **fault, method=method, path="/v1/refunds*", times=times)

    @precondition(lambda self: self.shop.stripe.objects("event"))
    @rule(picks=st.lists(st.integers(0, 40), min_size=1, max_size=4), crash=CRASH)
    def webhooks(self, picks: list[int], crash: int) -> None:
        """Any events there have ever been, in any order, again or for the first time, late or at once."""
        events = self.shop.stripe.objects("event")
        if not events:
            return

        def bring() -> None:
            for pick in picks:
                self.shop.deliver(events[-1 - pick % len(events)])

        self._do("webhooks", bring, crash)

    # -- the machine -------------------------------------------------------------------------------------------------

    @rule(crash=CRASH)
    def work(self, crash: int) -> None:
        self._do("work", self.shop.work, crash)

    @rule(name=st.sampled_from(["w1", "w2"]))
    def restart(self, name: str) -> None:
        """A worker is killed with a job in hand, and one starts under the same name or another."""

        def die_and_start() -> None:
            from portal import jobs

            jobs.claim(self.shop.database, self.shop.worker_name)
            self.shop.restart_worker(name)

        self._do("restart", die_and_start)

    @rule(by=st.sampled_from([{"seconds": 5}, {"minutes": 2}, {"hours": 1}, {"hours": 3}, {"days": 1}, {"days": 9}]))
    def time_passes(self, by: dict[str, float]) -> None:
        def pass_() -> None:
            self.shop.pass_time(**by)
            self.shop.clockwork()

        self._do("time_passes", pass_)

    @rule(
        pick=PICK, wishes=WISHES, fault=FAULT, times=st.integers(1, 2),
        by=st.sampled_from([{"seconds": 3}, {"seconds": 30}, {"minutes": 20}, {"hours": 26}]),
    )  # fmt: skip
    def stormy_payment(self, pick: int, wishes: Any, fault: dict[str, Any], times: int, by: dict[str, float]) -> None:
        """Goods come, and the call that pays for them meets a fault; a while later it is tried again."""
        self.journey(pick, wishes, 5, "as_new", 0)
        self.fault(fault, times, True)
        self.work(0)
        self.time_passes(by)
        self.work(0)

    def teardown(self) -> None:
        try:
            if len(self.books["order"]):
                # Whoever has stopped all refunds lets them flow again in the end.
                self.shop.do(MAYA, lambda tx: gate.resume(tx, "all is well") and None)
                self.books = self.shop.settle_everything()
                FIGURES["returns"] += len(self.books["return"])
                FIGURES["closed returns"] += sum(row["status"] == "closed" for row in self.books["return"])
                FIGURES["refunds"] += len(self.books["refund"])
                FIGURES["refunds at Stripe"] += len(self.books.stripe_refunds)
        finally:
            self.shop.close()
