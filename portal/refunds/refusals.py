"""Why money did not go: what staff and customer should know and do, by code. Pure.

In: the code of a refusal, a failure or a delay, as Stripe names it (or as we do where Stripe has no code). Out: one `Refusal`.
Invariants: every code has one meaning for both readers; Stripe's own sentence is shown to staff beside it and to no customer;
the customer's sentence is true whatever lies behind it, and blames nobody. Never: a decision by the wording of a message.
Source: docs.stripe.com/refunds, error-codes, error-low-level and api/idempotent_requests; failure reasons of the Refund object.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Next(Enum):
    """Who acts next."""

    PORTAL = "portal"
    """It goes on by itself."""
    SHOP = "shop"
    """Something is put right at Stripe or in the settings; then it goes on, or may be sent again."""
    STAFF_AGAIN = "again"
    """Staff may send a new one."""
    STAFF_ELSEWHERE = "elsewhere"
    """This way is closed: staff pay by another one."""
    STAFF_LOOK = "look"
    """Staff look at Stripe before anything else: it may have been paid."""
    NOBODY = "nobody"
    """It waits for the end of a dispute."""
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Refusal:
    """``what`` went wrong and what is ``todo``, for staff; ``told`` is for the customer. All three are message ids in English."""

    what: str
    todo: str
    next: Next
    told: str

    @property
    def disputed(self) -> bool:
        """The bank holds the payment: whatever is sent now could pay twice."""
        return self.next is Next.NOBODY


def N_(message: str) -> str:
    """Mark a text for translation where it is written; it is translated where it is shown."""
    return message


# What a customer is told, by what happens next.
_ON_ITS_WAY = N_("It takes a little longer than usual. It goes on by itself, you don’t need to do anything.")
_LOOKING = N_("We’re looking into it. You don’t need to do anything.")
_AGAIN = N_("It didn’t get through. We send it again or find another way. You don’t need to do anything.")
_OTHER_WAY = N_("It couldn’t be paid to the card or account you paid with. We’ll ask you for another way.")
_BANK = N_("Your bank is looking into this payment. We wait for its answer before we send anything.")
_YOUR_MAIL = N_("Look for an e-mail from our payment provider: it asks where to send the money.")
_NOT_TAKEN = N_("The payment was never taken in full. We’re sorting out what you were charged.")

ANSWERED = N_("We have your answer, and a person in our team pays you that way. You don’t need to do anything.")
"""What takes the place of the sentences above once the customer has said where the money may go."""

_PAY_ELSEWHERE = N_("Ask for a bank account, pay there, then record it here.")
_LOOK = N_("Look at the payment in Stripe before you do anything.")
_SEND_AGAIN = N_("Try again, or pay another way and record it here.")
_WAITS = N_("Nothing. The portal goes on by itself.")
_BUG = N_("Tell whoever runs the portal. Pay another way and record it here if the customer can’t wait.")
_SETTINGS = N_("Put the key right in the settings of the portal, then it goes on by itself.")
_DISPUTE = N_("Wait for the end of the dispute. Refunding now would pay twice.")

UNKNOWN_CODE = Refusal(N_("It did not arrive"), _SEND_AGAIN, Next.STAFF_AGAIN, _AGAIN)
"""Whatever Stripe may say in the future."""

REFUSALS: dict[str, Refusal] = {
    # A refund that came back (failure_reason).
    "lost_or_stolen_card": Refusal(
        N_("The card was reported lost or stolen"), _PAY_ELSEWHERE, Next.STAFF_ELSEWHERE, _OTHER_WAY
    ),
    "expired_or_canceled_card": Refusal(
        N_("The card has expired or was canceled, and its bank sent the money back"),
        _PAY_ELSEWHERE,
        Next.STAFF_ELSEWHERE,
        _OTHER_WAY,
    ),
    "charge_for_pending_refund_disputed": Refusal(
        N_("The customer disputed the charge while the refund was under way"), _DISPUTE, Next.NOBODY, _BANK
    ),
    "insufficient_funds": Refusal(
        N_("The Stripe balance was too low"),
        N_("Add money in Stripe, then try again."),
        Next.SHOP,
        _AGAIN,
    ),
    "declined": Refusal(N_("The customer’s bank declined it"), _SEND_AGAIN, Next.STAFF_AGAIN, _AGAIN),
    "merchant_request": Refusal(N_("It was canceled on the shop’s request"), _SEND_AGAIN, Next.STAFF_AGAIN, _LOOKING),
    "unknown": Refusal(N_("The bank gave no reason"), _SEND_AGAIN, Next.STAFF_AGAIN, _AGAIN),
    "canceled": Refusal(N_("It was canceled before it was paid"), _SEND_AGAIN, Next.STAFF_AGAIN, _LOOKING),
    "failed": Refusal(N_("The bank sent it back"), _SEND_AGAIN, Next.STAFF_AGAIN, _AGAIN),
    # A refund that was refused at once.
    "charge_already_refunded": Refusal(
        N_("The payment has been refunded before"),
        N_("Look in Stripe whether this return was meant. If so, record it here as paid; if not, pay another way."),
        Next.STAFF_LOOK,
        _LOOKING,
    ),
    "amount_too_large": Refusal(
        N_("The payment has less left than this"),
        N_("Look in Stripe what was refunded there, then pay what is missing another way and record it here."),
        Next.STAFF_LOOK,
        _LOOKING,
    ),
    "charge_disputed": Refusal(N_("The payment was charged back"), _DISPUTE, Next.NOBODY, _BANK),
    "refund_disputed_payment": Refusal(N_("The payment is disputed"), _DISPUTE, Next.NOBODY, _BANK),
    "not_captured": Refusal(
        N_("The payment was never captured, failed or was canceled"),
        N_("Look in Stripe what became of it. What the customer was not charged needs no refund."),
        Next.STAFF_LOOK,
        _NOT_TAKEN,
    ),
    "balance_insufficient": Refusal(
        N_("Our Stripe balance is too low"), N_("Add money in Stripe, then try again."), Next.SHOP, _AGAIN
    ),
    "resource_missing": Refusal(
        N_("Stripe does not know this payment"),
        N_("It belongs to another Stripe account, or to test mode. Compare the key in the settings with the payment."),
        Next.SHOP,
        _LOOKING,
    ),
    "parameter_unknown": Refusal(N_("Stripe does not understand the request"), _BUG, Next.SHOP, _LOOKING),
    "parameter_invalid_integer": Refusal(N_("Stripe does not accept the amount"), _BUG, Next.SHOP, _LOOKING),
    "parameter_missing": Refusal(N_("Stripe misses something in the request"), _BUG, Next.SHOP, _LOOKING),
    "amount_not_payable": Refusal(
        N_("Stripe pays this currency in larger steps"),
        N_("Pay it another way and record it here."),
        Next.STAFF_ELSEWHERE,
        _LOOKING,
    ),
    "refused": Refusal(N_("Stripe refused it without a code"), _LOOK, Next.STAFF_LOOK, _LOOKING),
    # A request without a certain answer, or one that was not listened to.
    "idempotency_error": Refusal(
        N_("Stripe has seen this refund’s key with other content"), _LOOK, Next.STAFF_LOOK, _LOOKING
    ),
    "idempotency_key_in_use": Refusal(N_("Stripe is still working on it"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "conflict": Refusal(N_("Stripe is still working on it"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "lock_timeout": Refusal(N_("The payment is busy at Stripe"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "rate_limit": Refusal(N_("Stripe asks us to be slower"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "quiet": Refusal(N_("Stripe asks us to be slower"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "no_answer": Refusal(N_("Stripe did not answer"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "http_500": Refusal(N_("Stripe had a fault of its own"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "http_502": Refusal(N_("Stripe could not be reached"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "http_503": Refusal(N_("Stripe could not be reached"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "http_504": Refusal(N_("Stripe could not be reached"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "unreadable_amount": Refusal(N_("Stripe’s answer can’t be read"), _LOOK, Next.STAFF_LOOK, _LOOKING),
    "authentication": Refusal(N_("Stripe does not accept our key"), _SETTINGS, Next.SHOP, _ON_ITS_WAY),
    "permission": Refusal(N_("Our key may not refund"), _SETTINGS, Next.SHOP, _ON_ITS_WAY),
    "no_api_key": Refusal(N_("There is no Stripe key"), _SETTINGS, Next.SHOP, _ON_ITS_WAY),
    "never_arrived": Refusal(N_("It never reached Stripe"), N_("Try again."), Next.STAFF_AGAIN, _AGAIN),
    # A refund that waits.
    "processing": Refusal(N_("The bank is working on it"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "charge_pending": Refusal(N_("The payment itself is not settled yet"), _WAITS, Next.PORTAL, _ON_ITS_WAY),
    "pending_insufficient_funds": Refusal(
        N_("Pending, action by merchant: the Stripe balance is too low"),
        N_("Add money in Stripe; it is sent by itself then."),
        Next.SHOP,
        _ON_ITS_WAY,
    ),
    "requires_action": Refusal(
        N_("The customer’s bank details are needed"),
        N_("Stripe asks the customer by e-mail. Remind them."),
        Next.CUSTOMER,
        _YOUR_MAIL,
    ),
    "taken_back": Refusal(
        N_("It was taken back before it was sent"), N_("Decide the return again."), Next.STAFF_LOOK, _LOOKING
    ),
    "given_up": Refusal(
        N_("It failed and is sent no more"),
        N_("Decide the rest of its return; a gift has ended."),
        Next.STAFF_LOOK,
        _LOOKING,
    ),
    "part_taken_back": Refusal(N_("It was taken back before it was sent"), _SEND_AGAIN, Next.STAFF_AGAIN, _LOOKING),
    "second_person": Refusal(
        N_("A second person has to approve it"), N_("Approve it or take it back."), Next.STAFF_LOOK, _ON_ITS_WAY
    ),
    "daily_cap": Refusal(
        N_("More than the shop lets go in a day"),
        N_("Look whether all refunds of today are right, then send it anyway."),
        Next.STAFF_AGAIN,
        _ON_ITS_WAY,
    ),
}


def explain(code: str) -> Refusal:
    """What the code means. A code that nobody has heard of is `UNKNOWN_CODE`; another 5xx is like its kind."""
    if code.startswith("http_5"):
        return REFUSALS.get(code, REFUSALS["http_502"])
    return REFUSALS.get(code, UNKNOWN_CODE)


def explain_state(status: str, failure_code: str, pending_reason: str, *, held: str = "") -> Refusal | None:
    """What staff and customer should know about a refund in this state; None when there is nothing to explain."""
    if held:
        return REFUSALS[held]
    if status == "requires_action":
        return REFUSALS["requires_action"]
    if status == "pending" and pending_reason:
        return explain(f"pending_{pending_reason}" if pending_reason == "insufficient_funds" else pending_reason)
    if status in ("failed", "canceled"):
        return explain(failure_code or status)
    if status == "unknown":
        found = explain(failure_code)
        return REFUSALS["no_answer"] if found is UNKNOWN_CODE else found
    if status in ("planned", "submitted") and failure_code:
        return explain(failure_code)
    return None
