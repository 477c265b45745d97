"""Ways into situations that chance alone hardly finds: each a few ordinary clicks in a row, from which everything else goes on.

In: what is drawn for a scene. Out: steps, each checked like any other. ``PROOF_SCENE`` names one that every shop begins with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from portal.db import Tx
from portal.receiving import service as receiving
from portal.refunds import actions, given_up, undo
from portal.refunds.goodwill import Gift
from portal.returns import service as returns
from portal.returns.assess import Wish
from tests.proof.acting import CRASH
from tests.proof.books import GONE, Row
from tests.proof.outside import FAULT, Outside, Powers
from tests.proof.people import Customers, Staff
from tests.proof.shop import BENCH, MAYA

CARD = (("pm_card_visa", 1),)
MONEY = st.sampled_from(["refund", "store_credit"])
CURRENCY = st.sampled_from(["GBP", "GBP", "KWD"])


def article(quantity: int, price: int = 2390, discount: int = 10, **more: Any) -> dict[str, Any]:
    """A line of an order; three at this price and discount are worth amounts that no three-decimal currency can send."""
    return {"quantity": quantity, "unit_price": price, "discount": discount, "tags": [], **more}


def scene(**drawn: Any) -> Callable[[Any], Any]:
    """A rule for shops that are not full yet: looking at all of one costs more with each order in it."""
    return lambda doing: precondition(lambda self: len(self.books["order"]) < 5)(rule(**drawn)(doing))


class Scenes(Customers, Staff, Outside, Powers):
    """Each method draws one situation."""

    # -- single clicks -------------------------------------------------------------------------------------------

    def buy(self, *lines: dict[str, Any], currency: str = "GBP", cards: Sequence[tuple[str, int]] = CARD) -> int:
        """A new order; its id."""
        self.order(lines, 0, currency, cards)
        return int(self.books["order"][-1]["id"])

    def wish(self, order_id: int, *wishes: tuple[str, int, str]) -> Row | None:
        """Somebody books these lines, units and outcomes, and staff say yes where they are asked; None when it is refused."""
        skus = {row["ref"]: row["sku"] for row in self.books["order_line"] if row["order_id"] == order_id}
        wanted = [
            Wish(ref, units, "changed-mind", outcome, exchange_sku=skus[ref] if outcome == "exchange" else None)
            for ref, units, outcome in wishes
        ]
        number = len(self.books["return"])
        self.book_these(order_id, wanted, ask_us=True)
        if len(self.books["return"]) == number:
            return None
        return_ = self.books["return"][-1]
        if return_["status"] == "under_review":
            self.say_yes(return_)
        return self.now(return_)

    def now(self, return_: Row) -> Row:
        """The return as it is by now."""
        return self.books.by_id("return")[return_["id"]]

    def say_yes(self, return_: Row, **more: Any) -> None:
        self.command(
            "authorize",
            MAYA,
            lambda tx: returns.authorize(tx, return_["rma"], note="as agreed", message="as agreed", **more),
        )

    def comes(self, return_: Row, units: int = 9, condition: str = "as_new", only: str = "", crash: int = 0) -> None:
        """Goods of a return arrive: all lines or ``only`` one, at most so many units of each."""
        counts = [
            receiving.Count(ref, min(units, line["quantity"]), condition)
            for line, ref in self.lines_of(return_)
            if only in ("", ref)
        ]
        key = self.key()
        self.command("receive", BENCH, lambda tx: receiving.receive(tx, return_["rma"], counts, command_key=key), crash)

    def looked_at(self, return_: Row, condition: str = "as_new") -> None:
        counts = [
            receiving.Count(ref, line["received_quantity"], condition)
            for line, ref in self.lines_of(return_)
            if line["received_quantity"]
        ]
        key = self.key()
        self.command("inspect", BENCH, lambda tx: receiving.inspect(tx, return_["rma"], counts, command_key=key))

    def brought_back(self, order_id: int, *wishes: tuple[str, int, str]) -> Row | None:
        """Booked and arrived as agreed; the customer looks what becomes of the money."""
        return_ = self.wish(order_id, *wishes)
        if return_ is not None:
            self.comes(return_)
            self.read_money(return_)
        return return_

    def taken_back(self, return_: Row, crash: int = 0) -> None:
        """A refund of the return is taken back before it is sent."""
        of = self.books.of("refund", "return_id", return_["id"])
        if here := [row["public_id"] for row in of if row["status"] == "planned"]:
            self.command("take_back", MAYA, lambda tx: undo.take_back(tx, here[0], "typo"), crash)

    def give_rest(self, order_id: int, less: int = 0) -> None:
        """Somebody gives all that the payments of an order still seem to have."""
        left = sum(
            row["captured_minor"] - row["refunding_minor"] - row["refunded_elsewhere_minor"]
            for row in self.books["payment"]
            if row["order_id"] == order_id
        )
        amount = (left - less) // 10 * 10
        if amount > 0:
            self.give_this(order_id, Gift(amount))

    def later(self, **by: float) -> None:
        self.shop.pass_time(**by)
        self.step("time_passes", lambda: self.shop.clockwork(timedelta(**by)))

    # -- exchanges -----------------------------------------------------------------------------------------------

    @scene(change=st.sampled_from(["", "refund", "store_credit"]), again=st.booleans(), crash=CRASH)
    def exchange_taken_back(self, change: str, again: bool, crash: int) -> None:
        """A replacement is on its way when the refund beside it is taken back, and somebody decides once more."""
        order_id = self.buy(article(2), article(2, 1000, 0))
        return_ = self.brought_back(order_id, ("1", 2, "exchange"), ("2", 1, "refund"))
        if return_ is None:
            return
        self.taken_back(return_, crash)
        if change:
            self.change_this(return_, "1", change)
        if again:
            self.looked_at(return_)
        self.say_yes(return_)
        self.work(0)

    @scene(resolution=MONEY, condition=st.sampled_from(["as_new", "used"]), decides=st.booleans(), crash=CRASH)
    def looked_at_again(self, resolution: str, condition: str, decides: bool, crash: int) -> None:
        """A lead takes a payout back, and the warehouse looks at the goods before the lead has decided."""
        return_ = self.brought_back(self.buy(article(3)), ("1", 2, resolution))
        if return_ is None:
            return
        self.taken_back(return_, crash)
        self.looked_at(return_, condition)
        self.looked_at(return_)
        if decides:
            self.say_yes(return_)
        self.work(0)

    @scene(came=st.integers(0, 2), only=st.sampled_from(["1", "2", ""]), waits=st.booleans(), crash=CRASH)
    def rest_given_up(self, came: int, only: str, waits: bool, crash: int) -> None:
        """Paid ahead, beside an exchange; a part comes, or nothing, and staff leave it at that after a while."""
        order_id = self.buy(article(2, tags=["trusted"]), article(2, 1000, 0, tags=["trusted"]))
        return_ = self.wish(order_id, ("1", 2, "exchange"), ("2", 2, "refund"))
        if return_ is None:
            return
        self.work(0)
        if came:
            self.comes(return_, came, only=only)
        for _ in range(5):
            self.later(days=9)
            self.work(0)
        if not waits:
            self.end_claim(0, crash)

    @scene(first=MONEY, then=st.sampled_from(["refund", "store_credit", "exchange"]), gift=st.booleans(), crash=CRASH)
    def replacement_returned(self, first: str, then: str, gift: bool, crash: int) -> None:
        """A replacement comes back in its turn; its money and the first order's are one room, in whatever form."""
        order_id = self.buy(article(2), article(2, 1000, 0))
        if self.brought_back(order_id, ("1", 2, "exchange")) is None:
            return
        another = self.books["order"][-1]["id"]
        if another == order_id:
            return
        if then == "exchange" and self.brought_back(another, ("1", 2, "exchange")):
            another = self.books["order"][-1]["id"]
        self.brought_back(another, ("1", 1, first))
        self.brought_back(another, ("1", 1, "store_credit"))
        if gift:
            self.give_rest(order_id)
        self.work(crash)
        self.brought_back(order_id, ("2", 2, "refund"))
        self.work(0)

    # -- store credit --------------------------------------------------------------------------------------------

    @scene(
        currency=CURRENCY, units=st.integers(1, 3), less=st.sampled_from([0, 1500, 3000]),
        end=st.sampled_from(["fails", "taken back", "stays"]), how=st.sampled_from(["send", "paid", "close", "again"]),
        outcome=MONEY, crash=CRASH,
    )  # fmt: skip
    def credit_short(self, currency: str, units: int, less: int, end: str, how: str, outcome: str, crash: int) -> None:
        """There is less left than a return owes as credit or money; later there is more again, or staff settle it otherwise."""
        order_id = self.buy(article(3), article(1, 1000, 0), currency=currency)
        self.give_rest(order_id, less)
        gift = self.books["refund"][-1]["public_id"] if self.books["refund"] else ""
        if end != "taken back":
            self.work(0)
        if self.brought_back(order_id, ("1", units, outcome), ("2", 1, "store_credit")) is None:
            return
        if end == "fails":
            self.bank_decides(0, "failed")
            self.webhooks([0, 1], 0)
            self.work(0)
        elif end == "taken back" and gift:
            self.command("take_back", MAYA, lambda tx: undo.take_back(tx, gift, "typo"))
        self.settle_shortage(0, "send" if how == "again" else how, 1, crash)
        if how == "again":
            self.retry(0, 0)
        self.work(0)

    @scene(units=st.integers(1, 3), less=st.sampled_from([500, 1200, 1500, 2000]), crash=CRASH)
    def paid_beside_credit(self, units: int, less: int, crash: int) -> None:
        """What a payment still has stands for store credit, given or short as well, when staff pay by bank what was short."""
        order_id = self.buy(article(3), article(1, 1000, 0))
        self.give_rest(order_id, less)
        self.work(0)
        self.brought_back(order_id, ("1", units, "refund"), ("2", 1, "store_credit"))
        self.settle_shortage(0, "paid", 1, crash)
        self.work(0)

    @scene(units=st.integers(1, 2), outcome=MONEY, back=st.booleans(), crash=CRASH)
    def rest_sent_later(self, units: int, outcome: str, back: bool, crash: int) -> None:
        """What was short is sent once there is room; of its three decimals a rest is left for the order's next payout."""
        order_id = self.buy(article(3), article(1, 1000, 0), currency="KWD")
        self.give_rest(order_id)
        gift = self.books["refund"][-1]["public_id"] if self.books["refund"] else ""
        self.brought_back(order_id, ("1", units, "refund"), ("2", 1, outcome))
        if back and gift:
            self.command("take_back", MAYA, lambda tx: undo.take_back(tx, gift, "typo"))
        else:
            self.work(0)
            self.bank_decides(0, "failed")
            self.webhooks([0, 1], 0)
            self.work(0)
        self.settle_shortage(0, "send", 1, crash)
        self.work(0)
        self.brought_back(order_id, ("1", 3 - units, "refund"))
        self.work(0)

    @scene(
        outcome=st.sampled_from(["store_credit", "store_credit", "refund"]), gift=st.booleans(),
        end=st.sampled_from(["again", "bank", "give up"]), how=st.sampled_from(["", "send", "paid", "close"]), crash=CRASH,
    )  # fmt: skip
    def credit_after_failure(self, outcome: str, gift: bool, end: str, how: str, crash: int) -> None:
        """What failed at the bank is free again and is given in another form; then it is sent once more, or given up."""
        order_id = self.buy(article(2), article(1, 1000, 0))
        if gift:
            self.give_rest(order_id)
        else:
            self.brought_back(order_id, ("2", 1, "refund"))
        self.work(0)
        self.bank_decides(0, "failed")
        self.webhooks([0, 1], 0)
        self.work(0)
        if gift:
            self.brought_back(order_id, ("1", 2, outcome))
        else:
            self.give_rest(order_id)
        lost = [row["public_id"] for row in self.books["refund"] if row["status"] in GONE]
        if lost:
            doing = {"again": actions.retry, "bank": actions.mark_paid_elsewhere, "give up": given_up.give_up}[end]
            self.command(end, MAYA, lambda tx: doing(tx, lost[-1], "as agreed"), crash)
        if how:
            self.settle_shortage(0, how, 1, 0)
        self.work(0)

    @scene(less=st.sampled_from([500, 1500, 3000]), outcome=MONEY, noted=st.booleans(), lost=st.booleans(), crash=CRASH)
    def rest_closed(self, less: int, outcome: str, noted: bool, lost: bool, crash: int) -> None:
        """A part was given and the rest is closed unpaid, before or after the credit note; then that part may be lost too."""
        order_id = self.buy(article(3), article(1, 1000, 0))
        self.give_rest(order_id, less)
        self.work(0)
        self.brought_back(order_id, ("1", 3, "refund"), ("2", 1, outcome))
        self.work(0)
        if noted:
            self.later(seconds=5)
            self.work(0)
        self.settle_shortage(0, "close", 1, 0)
        self.work(crash)
        self.later(seconds=5)
        self.work(0)
        if lost:
            self.bank_decides(0, "failed")
            self.webhooks([0, 1], 0)
            self.work(0)
            self.give_rest(order_id)
            gone = [row["public_id"] for row in self.books["refund"] if row["status"] in GONE]
            if gone:
                self.command("give up", MAYA, lambda tx: given_up.give_up(tx, gone[-1], "too little left"), crash)
            self.settle_shortage(0, "close", 1, 0)
            self.work(0)

    @scene(units=st.integers(1, 3), crash=CRASH)
    def less_captured_after_credit(self, units: int, crash: int) -> None:
        """The shop's system says that less was captured than was given as credit."""
        order_id = self.buy(article(3))
        self.brought_back(order_id, ("1", units, "store_credit"))
        self.order_again(0, "captured less", crash)
        self.work(0)

    @scene(money=st.integers(1, 2), credit=st.integers(1, 2), who=st.booleans())
    def credit_beside_refund(self, money: int, credit: int, who: bool) -> None:
        """A payout in two forms, which together may need a second person."""
        order_id = self.buy(article(2, 1000), article(2, 1000, 0))
        self.brought_back(order_id, ("1", money, "refund"), ("2", credit, "store_credit"))
        self.work(0)
        if any(row["held_for"] for row in self.books["refund"]):
            self.let_go(0, BENCH if who else MAYA, 0)
            self.work(0)

    @scene(amount=st.sampled_from([0, 500, 2300, 2380, 2500]), crash=CRASH)
    def bonus_taken_off(self, amount: int, crash: int) -> None:
        """Staff give less credit than was agreed, because of how the goods came; the rest of the order follows."""
        order_id = self.buy(article(2))
        return_ = self.wish(order_id, ("1", 1, "store_credit"))
        if return_ is None:
            return
        self.comes(return_, condition="damaged")
        self.say_yes(return_, amounts={"1": amount})
        self.give_rest(order_id)
        self.work(crash)

    # -- payments that are not captured, or not alone ------------------------------------------------------------

    @scene(
        card=st.sampled_from(["pm_card_visa", "hold:pm_card_visa", "hold:pm_card_visa"]), both=st.booleans(),
        hand=st.booleans(), crash=CRASH,
    )  # fmt: skip
    def payment_of_two_orders(self, card: str, both: bool, hand: bool, crash: int) -> None:
        """An order was split by its shop: one payment, captured or not, stands for both halves."""
        lines = [article(2)], [article(2, 1000, 0)]
        self.step("order", lambda: self.shop.split_order(*lines, "GBP", card))
        first, second = (row["id"] for row in self.books["order"][-2:])
        self.brought_back(first, ("1", 1, "refund"))
        if both:
            self.brought_back(second, ("1", 2, "refund"))
        if hand:
            intent = self.books["payment"][-1]["payment_intent"]
            body = {"payment_intent": intent, "amount": 700}
            self.step("refund_by_hand", lambda: self.shop.stripe.control("refunds", "POST", **body))
        self.work(crash)
        self.later(minutes=20)
        self.work(0)

    @scene(
        fault=FAULT, times=st.integers(1, 6), units=st.integers(1, 3), bank=st.booleans(),
        captured=st.sampled_from(["", "", "all", "part", "none"]), crash=CRASH,
    )  # fmt: skip
    def free_without_answer(
        self, fault: dict[str, Any], times: int, units: int, bank: bool, captured: str, crash: int
    ) -> None:
        """An authorized payment is let go and the answer is lost; staff give up, or the shop captures it meanwhile."""
        order_id = self.buy(article(3), cards=(("hold:pm_card_visa", 1),))
        if self.brought_back(order_id, ("1", units, "refund")) is None:
            return
        self.fault(fault, times, "POST", "/v1/payment_intents*")
        self.work(crash)
        if bank:
            self.pay_elsewhere(0, False, 0)
        else:
            self.take_back(0, 0)
        if captured:
            self.shop_captures(0, captured)
        self.later(minutes=20)
        self.work(0)

    @scene(units=st.integers(1, 3), wait=st.sampled_from([0, 26, 50]), bank=st.booleans(), crash=CRASH)
    def let_go_since_the_backup(self, units: int, wait: int, bank: bool, crash: int) -> None:
        """An authorized payment is let go, a backup from before is restored, and staff pay by bank or a worker sends it again."""
        order_id = self.buy(article(3), cards=(("hold:pm_card_visa", 1),))
        if self.brought_back(order_id, ("1", units, "refund")) is None:
            return
        self.back_up()
        self.work(crash)
        self.work(0)
        self.restore()
        if wait:
            self.later(hours=wait)
        if bank:
            self.pay_elsewhere(0, False, 0)
        self.work(0)

    # -- refunds that do not get out, and gifts in parts ---------------------------------------------------------

    @scene(
        fault=st.sampled_from([{"kind": "drop_before"}, {"kind": "error"}, {"kind": "gateway", "status": 502}]),
        card=st.sampled_from(["pm_card_visa", "hold:pm_card_visa"]), tries=st.sampled_from([3, 14, 14]),
    )  # fmt: skip
    def stuck(self, fault: dict[str, Any], card: str, tries: int) -> None:
        """Stripe cannot be reached for hours."""
        if self.brought_back(self.buy(article(1), cards=((card, 1),)), ("1", 1, "refund")) is None:
            return
        path = "/v1/payment_intents*" if card.startswith("hold:") else "/v1/refunds*"
        self.fault(fault, 30, "POST", path)
        for _ in range(tries):
            self.work(0)
            self.later(minutes=20)
        self.work(0)

    @scene(bank=st.booleans(), crash=CRASH)
    def gift_in_parts(self, bank: bool, crash: int) -> None:
        """A gift goes to two payments; one part has arrived when the other is taken back or paid by bank."""
        order_id = self.buy(article(2), cards=(("pm_card_visa", 3), ("pm_card_visa", 7)))
        self.give_rest(order_id)
        parts = [row["public_id"] for row in self.books["refund"] if row["status"] == "planned" and row["goodwill_id"]]
        self.shop.stripe.control(
            "faults", "POST", kind="rate_limit", reason="", retry_after=600, method="POST", path="/v1/refunds*"
        )
        self.work(0)
        self.later(seconds=5)
        self.work(0)
        for number in parts:
            what = actions.mark_paid_elsewhere if bank else undo.take_back

            def end(tx: Tx, number: str = number, what: Any = what) -> None:
                what(tx, number, "typo")

            self.command("pay_elsewhere" if bank else "take_back", MAYA, end, crash)
        self.work(0)

    @scene(units=st.integers(1, 2), amount=st.booleans(), crash=CRASH)
    def split_delivery(self, units: int, amount: bool, crash: int) -> None:
        """One article has come and the other has not; gifts and returns of both are asked for, then the rest is delivered."""
        order_id = self.buy(article(2), article(2, 1000, 0, on_its_way=True))
        self.give_this(order_id, Gift(500) if amount else Gift(lines={"2": units}))
        self.wish(order_id, ("2", units, "refund"))
        self.brought_back(order_id, ("1", units, "refund"))
        self.order_again(0, "delivered", crash)
        self.give_this(order_id, Gift(lines={"2": 1}))
        self.work(0)
