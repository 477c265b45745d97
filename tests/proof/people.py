"""What customers and staff do in the machine, each action as somebody's one click, also at the wrong moment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from portal.db import Tx
from portal.receiving import service as receiving
from portal.refunds import actions, claims, gate, given_up, goodwill, second, shortage, undo
from portal.refunds.goodwill import Gift
from portal.returns import service as returns
from portal.returns.assess import Wish
from portal.returns.queries import get_return
from tests.proof.acting import CRASH, PICK, WISHES, Acting
from tests.proof.books import Row
from tests.proof.shop import BENCH, CUSTOMER, MAYA, STAFF
from tests.proof.terms import POLICIES

CONDITIONS = ["as_new", "as_new", "as_new", "used", "damaged", "wrong_item", "missing"]
UNDECIDED = ("under_review", "received", "inspected", "rejected", "expired")


class Customers(Acting):
    """They book, change their minds, answer."""

    @rule(pick=PICK, wishes=WISHES, ask_us=st.booleans(), crash=CRASH)
    def book(self, pick: int, wishes: Any, ask_us: bool, crash: int) -> None:
        self.book_these(*self.wanted(pick, wishes), ask_us=ask_us, crash=crash)

    def book_these(self, order_id: int, wanted: list[Wish], *, ask_us: bool, crash: int = 0) -> None:
        """Book these wishes of an order."""
        key = self.key()

        def book_(tx: Tx) -> None:
            returns.book(tx, self.shop.book, order_id, wanted, booking_key=key, ask_us=ask_us)

        self.command("book", CUSTOMER, book_, crash)

    @precondition(lambda self: self.a_return(0, "under_review", "authorized", "in_transit"))
    @rule(pick=PICK, customer=st.booleans(), crash=CRASH)
    def cancel(self, pick: int, customer: bool, crash: int) -> None:
        if return_ := self.a_return(pick):
            actor, by = (CUSTOMER, "customer") if customer else (MAYA, "staff")
            self.command("cancel", actor, lambda tx: returns.cancel(tx, return_["rma"], by=by), crash)

    @precondition(lambda self: self.a_return(0, *UNDECIDED))
    @rule(pick=PICK, answers=st.booleans())
    def ask(self, pick: int, answers: bool) -> None:
        """Staff ask the customer, who mostly answers."""
        if return_ := self.a_return(pick, *UNDECIDED):
            self.command("ask", MAYA, lambda tx: returns.ask(tx, return_["rma"], message="Which size?"))
            if answers:
                self.command("answer", CUSTOMER, lambda tx: returns.answer_question(tx, return_["rma"], "Medium"))

    @precondition(lambda self: self.a_return(0))
    @rule(pick=PICK)
    def look(self, pick: int) -> None:
        """A customer reads what page and mails say of a return's money."""
        if return_ := self.a_return(pick):
            self.read_money(return_)


class Staff(Acting):
    """They decide, count goods, give, take back, and settle what went wrong."""

    @precondition(lambda self: self.a_return(0, *UNDECIDED))
    @rule(pick=PICK, some=st.booleans(), amount=st.one_of(st.none(), st.integers(0, 3000)), crash=CRASH)
    def authorize(self, pick: int, some: bool, amount: int | None, crash: int) -> None:
        """Approve, accept differing goods, or take a refusal or an expiry back; whole or in part, with another amount."""
        return_ = self.a_return(pick, *UNDECIDED)
        if return_ is None:
            return
        lines = self.lines_of(return_)
        chosen = [lines[0][1]] if some and lines else None
        amounts = {lines[0][1]: amount} if amount is not None and lines else None

        def authorize_(tx: Tx) -> None:
            returns.authorize(tx, return_["rma"], note="as agreed", message="as agreed", lines=chosen, amounts=amounts)

        self.command("authorize", MAYA, authorize_, crash)

    @precondition(lambda self: self.a_return(0, "under_review", "received", "inspected"))
    @rule(pick=PICK, crash=CRASH)
    def refuse(self, pick: int, crash: int) -> None:
        if return_ := self.a_return(pick, "under_review", "received", "inspected"):
            self.command("refuse", MAYA, lambda tx: returns.refuse(tx, return_["rma"], message="No."), crash)

    @precondition(lambda self: self.a_return(0, "authorized", "rejected"))
    @rule(pick=PICK, crash=CRASH)
    def take_decision_back(self, pick: int, crash: int) -> None:
        """Whoever said yes or no thinks better of it."""
        if return_ := self.a_return(pick, "authorized", "rejected"):
            within = timedelta(minutes=10)
            self.command(
                "decision back", MAYA, lambda tx: returns.take_decision_back(tx, return_["rma"], within), crash
            )

    @precondition(lambda self: self.a_return(0, "authorized"))
    @rule(pick=PICK)
    def ship(self, pick: int) -> None:
        if return_ := self.a_return(pick, "authorized"):
            self.command("ship", MAYA, lambda tx: returns.mark_in_transit(tx, return_["rma"]))

    @precondition(lambda self: self.a_return(0, "authorized", "in_transit"))
    @rule(pick=PICK, units=st.integers(1, 3), condition=st.sampled_from(CONDITIONS), every=st.booleans(), crash=CRASH)
    def receive(self, pick: int, units: int, condition: str, every: bool, crash: int) -> None:
        return_ = self.a_return(pick, "authorized", "in_transit")
        if return_ is None:
            return
        lines = self.lines_of(return_)
        counts = [
            receiving.Count(ref, line["quantity"] if every else min(units, line["quantity"]), condition)
            for line, ref in (lines if every else lines[:1])
        ]
        key = self.key()
        self.command("receive", BENCH, lambda tx: receiving.receive(tx, return_["rma"], counts, command_key=key), crash)

    @precondition(lambda self: self.a_return(0, "received", "inspected"))
    @rule(pick=PICK, condition=st.sampled_from(["as_new", "used", "damaged"]), crash=CRASH)
    def inspect(self, pick: int, condition: str, crash: int) -> None:
        return_ = self.a_return(pick, "received", "inspected")
        if return_ is None:
            return
        counts = [
            receiving.Count(ref, line["received_quantity"], condition)
            for line, ref in self.lines_of(return_)
            if line["received_quantity"]
        ]
        key = self.key()
        self.command("inspect", BENCH, lambda tx: receiving.inspect(tx, return_["rma"], counts, command_key=key), crash)

    @precondition(lambda self: self.a_return(0, "under_review", "authorized", "in_transit", "received"))
    @rule(pick=PICK, resolution=st.sampled_from(["refund", "store_credit"]))
    def change_resolution(self, pick: int, resolution: str) -> None:
        return_ = self.a_return(pick)
        if return_ is not None and (lines := self.lines_of(return_)):
            self.change_this(return_, lines[0][1], resolution)

    def change_this(self, return_: Row, line: str, resolution: str) -> None:
        """Give something else for this line."""

        def change(tx: Tx) -> None:
            returns.change_resolution(
                tx, return_["rma"], line=line, resolution=resolution, note="asked for it", overrule=True
            )

        self.command("change_resolution", MAYA, change)

    @precondition(lambda self: self._claimed())
    @rule(pick=PICK, crash=CRASH)
    def end_claim(self, pick: int, crash: int) -> None:
        """Staff leave it at that: goods that were paid ahead do not come, or came otherwise."""
        if rmas := self._claimed():
            rma = rmas[-1 - pick % len(rmas)]
            self.command("end_claim", MAYA, lambda tx: claims.end(tx, rma, "kind of us"), crash)

    def _claimed(self) -> list[str]:
        asked = {row["return_id"] for row in self.books["review"] if row["kind"] == "goods_missing"}
        return [row["rma"] for row in self.books["return"] if row["id"] in asked]

    # -- about one refund ----------------------------------------------------------------------------------------

    @precondition(lambda self: self.a_refund(0, "failed", "canceled"))
    @rule(pick=PICK, crash=CRASH)
    def retry(self, pick: int, crash: int) -> None:
        if refund := self.a_refund(pick, "failed", "canceled"):
            self.command("retry", MAYA, lambda tx: actions.retry(tx, refund["public_id"], "again"), crash)

    @precondition(lambda self: self.a_refund(0, "failed", "canceled"))
    @rule(pick=PICK, crash=CRASH)
    def give_up(self, pick: int, crash: int) -> None:
        """What failed and has too little left is sent no more; its amount gets another end."""
        if refund := self.a_refund(pick, "failed", "canceled"):
            self.command(
                "give_up", MAYA, lambda tx: given_up.give_up(tx, refund["public_id"], "too little left"), crash
            )

    @precondition(lambda self: self.a_refund(0, "failed", "canceled", "planned"))
    @rule(pick=PICK, lost=st.booleans(), crash=CRASH)
    def pay_elsewhere(self, pick: int, lost: bool, crash: int) -> None:
        if refund := self.a_refund(pick, *(("failed", "canceled") if lost else ("planned",))):
            self.command(
                "pay_elsewhere", MAYA, lambda tx: actions.mark_paid_elsewhere(tx, refund["public_id"], "by bank"), crash
            )

    @precondition(lambda self: self.a_refund(0, "unknown"))
    @rule(pick=PICK)
    def declare_unsent(self, pick: int) -> None:
        if refund := self.a_refund(pick, "unknown"):
            self.command(
                "declare_unsent", MAYA, lambda tx: actions.declare_unsent(tx, refund["public_id"], "not there")
            )

    @precondition(lambda self: self.a_refund(0, "planned"))
    @rule(pick=PICK, crash=CRASH)
    def take_back(self, pick: int, crash: int) -> None:
        if refund := self.a_refund(pick, "planned"):
            self.command("take_back", MAYA, lambda tx: undo.take_back(tx, refund["public_id"], "typo"), crash)

    @precondition(lambda self: any(row["held_for"] for row in self.books["refund"]))
    @rule(pick=PICK, who=st.sampled_from(STAFF), crash=CRASH)
    def let_go(self, pick: int, who: Any, crash: int) -> None:
        """What waits for a person gets one, who may be the wrong one."""
        held = [row for row in self.books["refund"] if row["held_for"]]
        refund = held[-1 - pick % len(held)]
        let = second.approve if refund["held_for"] == "second_person" else actions.send_anyway
        self.command(f"let_go {refund['held_for']}", who, lambda tx: let(tx, refund["public_id"], "right"), crash)

    # -- about money as a whole ----------------------------------------------------------------------------------

    @precondition(lambda self: self._short())
    @rule(pick=PICK, how=st.sampled_from(["send", "send", "paid", "close"]), wrong=st.integers(0, 7), crash=CRASH)
    def settle_shortage(self, pick: int, how: str, wrong: int, crash: int) -> None:
        """What could not be sent is sent now, was paid by bank, or is owed no more; sometimes the amount seen is an old one."""
        rmas = self._short()
        if not rmas:
            return
        rma = rmas[-1 - pick % len(rmas)]

        def settle(tx: Tx) -> None:
            shown = shortage.in_money if how == "paid" else shortage.amount
            seen = shown(tx.session, get_return(tx.session, rma)).minor + (wrong == 0)
            if how == "send":
                shortage.send_left(tx, rma, "now", self.shop.ports.shop)
            else:
                {"paid": shortage.paid_elsewhere, "close": shortage.close}[how](tx, rma, "settled", seen_minor=seen)

        self.command(f"shortage {how}", MAYA, settle, crash)

    def _short(self) -> list[str]:
        asked = {
            row["return_id"]
            for row in self.books["review"]
            if row["refund_id"] is None and row["kind"] in ("refund_failed", "dispute") and row["status"] == "open"
        }
        return [row["rma"] for row in self.books["return"] if row["id"] in asked]

    @precondition(lambda self: self.books["order_line"])
    @rule(pick=PICK, amount=st.sampled_from([0, 0, 1, 500, 2500, 40000]), units=st.integers(1, 2), crash=CRASH)
    def give(self, pick: int, amount: int, units: int, crash: int) -> None:
        articles = self.books["order_line"]
        article = articles[-1 - pick % len(articles)]
        self.give_this(article["order_id"], Gift(amount) if amount else Gift(lines={article["ref"]: units}), crash)

    def give_this(self, order_id: int, gift: Gift, crash: int = 0) -> None:
        """Give it for the order."""
        key = self.key()

        def give_(tx: Tx) -> None:
            goodwill.give(tx, order_id, gift, reason="Late parcel", command_key=key, shop=self.shop.ports.shop)

        self.command("give", MAYA, give_, crash)

    @precondition(lambda self: self.a_refund(0, "planned", "unknown") or self.shop.is_stopped())
    @rule(stop=st.booleans(), crash=CRASH)
    def stop_or_resume(self, stop: bool, crash: int) -> None:
        what = gate.stop if stop else gate.resume
        self.command("stop_or_resume", MAYA, lambda tx: what(tx, "as a precaution"), crash)

    @precondition(lambda self: len(self.books["policy_version"]) == 1 and self.books["return"])
    @rule(text=st.sampled_from(POLICIES), crash=CRASH)
    def publish(self, text: str, crash: int) -> None:
        """A kinder or a stricter policy; nothing that was decided changes by it."""
        before = [self.books[table] for table in ("return", "return_line", "refund", "ledger_entry", "review")]
        self.step("publish", lambda: self.shop.publish(text), crash)
        after = [self.books[table] for table in ("return", "return_line", "refund", "ledger_entry", "review")]
        assert before == after, "a published policy has changed what was decided"
