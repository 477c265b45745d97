"""What Stripe, banks, card holders, the shop's own system, the network and the power supply do in the machine."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from portal import clock, jobs
from tests.proof.acting import CRASH, FIGURES, PICK, Acting
from tests.proof.books import STRIPE_UNIT

FAULT = st.sampled_from(
    [
        {"kind": "timeout_after"},
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
CHANGES = st.sampled_from(
    [
        "dearer",
        "more",
        "fewer",
        "returned",
        "captured less",
        "captured all",
        "refunded",
        "undelivered",
        "delivered",
        "no line",
        "shipping",
    ]
)


class Outside(Acting):
    """Whoever acts without asking the portal."""

    def _intent(self, pick: int) -> str | None:
        found = [row["payment_intent"] for row in self.books["payment"] if row["payment_intent"]]
        return found[pick % len(found)] if found else None

    @rule(pick=PICK, amount=st.sampled_from([10, 100, 700, 2000]))
    def refund_by_hand(self, pick: int, amount: int) -> None:
        if intent := self._intent(pick):
            unit = STRIPE_UNIT[self.books.intents[intent]["currency"].upper()]
            body = {"payment_intent": intent, "amount": amount * unit}
            self.step("refund_by_hand", lambda: self.shop.stripe.control("refunds", "POST", **body))

    @precondition(lambda self: self.books.stripe_refunds)
    @rule(pick=PICK, status=st.sampled_from(["succeeded", "failed", "failed", "canceled"]))
    def bank_decides(self, pick: int, status: str) -> None:
        """Also of a refund that has succeeded. What was only given free is no bank's."""
        held = {id_ for id_, intent in self.books.intents.items() if intent["capture_method"] == "manual"}
        # A bank sends back what it has had for thirty days at most.
        oldest = (clock.now() - timedelta(days=30)).timestamp()
        made = [
            each
            for each in self.books.stripe_refunds
            if (each["metadata"].get("refund") or each["payment_intent"] not in held) and each["created"] > oldest
        ]
        if made:
            id_ = made[-1 - pick % len(made)]["id"]
            self.step("bank_decides", lambda: self.shop.stripe.control(f"refunds/{id_}", "POST", status=status))

    @rule(pick=PICK, inquiry=st.booleans())
    def dispute(self, pick: int, inquiry: bool) -> None:
        if intent := self._intent(pick):
            status = "warning_needs_response" if inquiry else "needs_response"
            body = {"payment_intent": intent, "status": status}
            self.step("dispute", lambda: self.shop.stripe.control("disputes", "POST", **body))

    @precondition(lambda self: self.shop.stripe.objects("dispute"))
    @rule(pick=PICK, status=st.sampled_from(["won", "lost", "under_review", "warning_closed"]))
    def dispute_moves(self, pick: int, status: str) -> None:
        found = self.shop.stripe.objects("dispute")
        if found:
            id_ = found[pick % len(found)]["id"]
            self.step("dispute_moves", lambda: self.shop.stripe.control(f"disputes/{id_}", "POST", status=status))

    @precondition(lambda self: self._held())
    @rule(pick=PICK, capture=st.sampled_from(["all", "all", "part", "none"]))
    def shop_captures(self, pick: int, capture: str) -> None:
        """The shop's own system captures an authorized payment, in part, or cancels it; the portal is not asked."""
        held = self._held()
        if not held:
            return
        intent = held[pick % len(held)]
        part = {"amount_to_capture": intent["amount"] * 2 // 3 // 100 * 100} if capture == "part" else {}
        verb = "cancel" if capture == "none" else "capture"
        self.step("shop_captures", lambda: self.shop.stripe.call(f"payment_intents/{intent['id']}/{verb}", **part))

    def _held(self) -> list[dict[str, Any]]:
        return [intent for intent in self.books.intents.values() if intent["status"] == "requires_capture"]

    @rule(available=st.sampled_from([0, 500, 10**9]), short=st.sampled_from(["pending", "refuse"]))
    def balance(self, available: int, short: str) -> None:
        def change() -> None:
            self.shop.stripe.control("settings", "POST", short_balance=short)
            self.shop.stripe.control("balance", "POST", currency="gbp", available=available)

        self.step("balance", change)

    @rule(
        fault=FAULT, times=st.integers(1, 3), method=st.sampled_from(["POST", "POST", "GET"]),
        path=st.sampled_from(["/v1/refunds*", "/v1/refunds*", "/v1/payment_intents*"]),
    )  # fmt: skip
    def fault(self, fault: dict[str, Any], times: int, method: str, path: str) -> None:
        FIGURES["faults"] += 1
        self.shop.stripe.control("faults", "POST", **fault, method=method, path=path, times=times)

    @precondition(lambda self: self.books.stripe_refunds or self.shop.stripe.objects("dispute"))
    @rule(picks=st.lists(st.integers(0, 40), min_size=1, max_size=4), crash=CRASH)
    def webhooks(self, picks: list[int], crash: int) -> None:
        """Any events there have ever been, in any order, again or for the first time, late or at once."""
        events = self.shop.stripe.objects("event")

        def bring() -> None:
            for pick in picks:
                self.shop.deliver(events[-1 - pick % len(events)])

        self.step("webhooks", bring, crash)

    @precondition(lambda self: self.shop.made)
    @rule(pick=PICK, change=CHANGES, crash=CRASH)
    def order_again(self, pick: int, change: str, crash: int) -> None:
        """The shop's system sends an order again, changed. What the portal must not take it refuses."""
        numbers = list(self.shop.made)
        made = copy.deepcopy(self.shop.made[numbers[-1 - pick % len(numbers)]])
        line, payment = made["lines"][-1], made["payments"][0]
        unit = STRIPE_UNIT[made["currency"]]
        there = self.books.intents.get(payment.get("payment_intent", ""))
        match change:
            case "dearer":
                line["unit_price"] += 500
            case "more":
                line["quantity"] += 1
            case "fewer" if line["quantity"] > 1:
                line["quantity"] -= 1
            case "returned":
                line["returned"] = 1
            case "captured less":
                payment["captured"] = payment["captured"] // 20 * 10
            case "captured all" if there:
                payment["captured"] = there["amount"] // unit
            case "refunded":
                payment["refunded"] = payment["captured"] // 40 * 10
            case "undelivered":
                line.pop("delivered_at", None)
            case "delivered":
                for each in made["lines"]:
                    each.setdefault("delivered_at", clock.now().isoformat())
            case "no line" if len(made["lines"]) > 1:
                made["lines"].pop()
            case "shipping":
                made["shipping"]["amount"] += 100
        self.step("order_again", lambda: self.shop.bring_again(made), crash)


class Powers(Acting):
    """Workers, restarts, backups, and time."""

    @precondition(lambda self: self.shop.has_jobs())
    @rule(crash=CRASH)
    def work(self, crash: int) -> None:
        self.step("work", self.shop.work, crash)

    @precondition(lambda self: self._unknown_here())
    @rule()
    def night(self) -> None:
        """Refunds made by hand are found without a message."""
        self.step("night", self.shop.night)

    def _unknown_here(self) -> bool:
        known = {row["stripe_refund_id"] for row in self.books["refund"]}
        return any(each["id"] not in known for each in self.books.stripe_refunds)

    @precondition(lambda self: self.shop.has_jobs())
    @rule(name=st.sampled_from(["w1", "w2"]))
    def restart(self, name: str) -> None:
        """A worker is killed with a job in hand, and one starts under the same name or another."""

        def die_and_start() -> None:
            jobs.claim(self.shop.database, self.shop.worker_name)
            self.shop.restart_worker(name)

        self.step("restart", die_and_start)

    @rule(
        by=st.sampled_from(
            [{"seconds": 5}, {"minutes": 2}, {"minutes": 40}, {"hours": 1}, {"hours": 3}, {"hours": 26}, {"days": 9}]
        ),
        crash=CRASH,
    )
    def time_passes(self, by: dict[str, float], crash: int) -> None:
        self.shop.pass_time(**by)
        self.step("time_passes", lambda: self.shop.clockwork(timedelta(**by)), crash)

    @precondition(lambda self: self.a_refund(0, "planned") and not self.shop.saved)
    @rule()
    def back_up(self) -> None:
        self.step("back_up", self.shop.back_up)

    @precondition(lambda self: self.shop.saved)
    @rule()
    def restore(self) -> None:
        def lose_the_disk() -> None:
            FIGURES["restored"] += self.shop.restore()

        self.step("restore", lose_the_disk)
