"""The timeline in plain sentences: who did what, and why.

In: an entry as a stage wrote it. Out: one sentence, and the reason beside it, in the reader's language. Invariants: every event
that a stage records has a sentence; an unknown one is shown as it is. Never: a sentence put together of parts whose order another
language would change; a code of Stripe's or ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from portal.receiving.disposition import MISSING
from portal.receiving.service import WITHOUT_SCAN
from portal.refunds.refusals import REFUSALS
from portal.timeline import TimelineEntry
from portal.web.staff import words
from portal.web.staff.text import _, ngettext

TONES: Mapping[str, str] = {
    "return.answered": "amber",
    "return.review_opened": "amber",
    "review.opened": "amber",
    "return.questioned": "amber",
    "refund.unknown": "amber",
    "payment.captured_less": "amber",
    "refund.failed": "red",
    "refund.contradicted": "red",
    "notice.failed": "red",
    "return.rejected": "red",
    "dispute.opened": "red",
    "return.authorized": "green",
    "refund.succeeded": "green",
    "return.closed": "green",
}
"""The colour of an entry's dot; grey for all others."""
PEOPLE = ("staff", "customer", "api")
"""The actors whose name a sentence says; what the portal and Stripe do says itself who did it."""
_TOLD = ("return.asked", "return.authorized", "return.rejected", "return.inspected")
"""What the customer is told of with words of staff's, beside which a note for colleagues may stand."""
_CODE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)*", re.ASCII)


def sentence(entry: TimelineEntry, names: Mapping[str, str] | None = None) -> str:
    """``Maya Okafor approved it``. ``names`` are what the items of a return are called, by ref."""
    known = entry.data or {}
    # Who receives a parcel that no carrier has scanned has not handed it to one.
    named = entry.actor_kind in PEOPLE and not (entry.what == "return.in_transit" and entry.why == WITHOUT_SCAN)
    who = entry.actor_name if named else ""
    said = _counted(entry.what, known, who, names or {}) or (_by(entry.what, known, who) if who else "")
    return said or _of_itself(entry.what, known) or entry.what


def reason(entry: TimelineEntry) -> str:
    """Why: what a person wrote stands in quotation marks; what the portal says of itself does not, and no code is said at all."""
    why = entry.why
    if not why or entry.what in _TOLD:
        return ""
    if entry.what.startswith("dispute."):
        return dispute(why)
    if entry.what == "refund.accepted":
        code = f"pending_{why}" if why == "insufficient_funds" else why
        return _(REFUSALS[code].what) if code in REFUSALS else ""
    if why == WITHOUT_SCAN:
        return _("It arrived without a scan on the way.")
    if _CODE.fullmatch(why) and entry.actor_kind not in PEOPLE:
        return ""
    if entry.actor_kind != "staff" or entry.what.startswith(("review.", "return.review_")):
        return why
    return _("“%(words)s”", words=why)


def said(entry: TimelineEntry) -> list[str]:
    """What staff wrote to the customer, and what for their colleagues: two things, and never one for the other."""
    if entry.what not in _TOLD or (entry.data or {}).get("by") == "policy":
        return []
    told = (entry.data or {}).get("message")
    return [
        *([_("To the customer: “%(words)s”", words=told)] if told else []),
        *([_("Note for the team: “%(words)s”", words=entry.why)] if entry.why else []),
    ]


def denied(entry: TimelineEntry, names: Mapping[str, str]) -> str:
    """Which items an approval left out; empty where it took them all."""
    taken = (entry.data or {}).get("lines")
    refused = (entry.data or {}).get("refused", ())
    if entry.what not in ("return.authorized", "return.inspected") or taken is None:
        return ""
    left_out = [names.get(ref, ref) for ref in refused if ref not in taken]
    return _("Denied: %(names)s", names=", ".join(left_out)) if left_out else ""


def dispute(code: str) -> str:
    """How a chargeback stands, by Stripe's name for it (docs.stripe.com/api/disputes/object)."""
    return {
        "needs_response": _("The bank waits for the shop’s answer"),
        "under_review": _("The bank is looking into it"),
        "warning_needs_response": _("The bank has asked about the payment"),
        "warning_under_review": _("The bank is looking into it"),
        "warning_closed": _("The bank’s question is closed"),
        "prevented": _("It was prevented"),
        "won": _("The shop has won"),
        "lost": _("The shop has lost"),
    }.get(code, "")


def _counted(what: str, known: Mapping[str, Any], who: str, names: Mapping[str, str]) -> str:
    """The events that count something, or that name what changed into what."""
    match what:
        case "return.booked":
            count = int(known.get("units", 1))
            if who:
                return ngettext("%(who)s booked %(num)s item", "%(who)s booked %(num)s items", count, who=who)
            return ngettext("Booked, %(num)s item", "Booked, %(num)s items", count)
        case "return.withdrawn":
            count = int(known.get("items", 1))
            one, many = (
                "%(who)s withdrew from the contract, %(num)s item",
                "%(who)s withdrew from the contract, %(num)s items",
            )
            return ngettext(one, many, count, who=who or _("The customer"))
        case "return.authorized" if known.get("by") == "policy":
            if "policy" in known:
                return _("Approved by the policy, version %(number)s", number=known["policy"])
            return _("Approved by the policy")
        case "return.resolution_changed":
            before = words.resolution(str(known.get("from", ""))).lower()
            after = words.resolution(str(known.get("to", ""))).lower()
            if who:
                return _("%(who)s changed it from %(before)s to %(after)s", who=who, before=before, after=after)
            return _("Changed from %(before)s to %(after)s", before=before, after=after)
        case "return.received" | "return.partly_received" | "return.inspected" | "return.questioned":
            return _goods(what, known, who, names)
        case "notice.sent" | "notice.failed":
            kind = notice(str(known.get("kind", "")))
            sent = what == "notice.sent"
            return _("E-mail sent: %(kind)s", kind=kind) if sent else _("E-mail not sent: %(kind)s", kind=kind)
        case "return.answered" if known.get("photos"):
            one, many = "%(who)s answered with %(num)s photo", "%(who)s answered with %(num)s photos"
            return ngettext(one, many, int(known["photos"]), who=who or _("The customer"))
        case "review.assigned" if known.get("to"):
            name = str(known["to"])
            if who and who != name:
                return _("%(who)s gave it to %(name)s", who=who, name=name)
            return _("%(name)s took it", name=name) if who else _("Given to %(name)s", name=name)
    return ""


def _goods(what: str, known: Mapping[str, Any], who: str, names: Mapping[str, str]) -> str:
    if what == "return.inspected" and known.get("by") == "staff":
        return _("%(who)s accepted the goods", who=who) if who else _("Goods accepted")
    counted = ", ".join(
        _("%(count)s × %(name)s %(condition)s", count=each["quantity"], name=names[each["line"]], condition=condition)
        # Of a return of one item everybody knows which.
        if len(names) > 1 and each["line"] in names
        else _("%(count)s × %(condition)s", count=each["quantity"], condition=condition)
        for each in known.get("counts", ())
        for condition in (words.condition(each["condition"])[0].lower(),)
    )
    if who and counted:
        if what == "return.received" and all(each["condition"] == MISSING for each in known["counts"]):
            return _("%(who)s counted what never came: %(counted)s", who=who, counted=counted)
        return {
            "return.received": _("%(who)s received the parcel: %(counted)s", who=who, counted=counted),
            "return.partly_received": _("%(who)s received a part of it: %(counted)s", who=who, counted=counted),
            "return.inspected": _("%(who)s checked the goods: %(counted)s", who=who, counted=counted),
            "return.questioned": _(
                "%(who)s checked the goods and sent them to exceptions: %(counted)s", who=who, counted=counted
            ),
        }[what]
    return {
        "return.received": _("Parcel received"),
        "return.partly_received": _("Part of it received"),
        "return.inspected": _("Goods checked"),
        "return.questioned": _("Goods checked, and sent to exceptions"),
    }[what]


def _by(what: str, known: Mapping[str, Any], who: str) -> str:
    """What a person did, with the sum where there is one; empty for what is said without a person."""
    sum_ = _amount(known)
    return {
        "note.added": _("%(who)s left a note", who=who),
        "return.authorized": _("%(who)s approved it", who=who),
        "return.asked": _("%(who)s asked the customer", who=who),
        "return.answered": _("%(who)s answered", who=who),
        "return.rejected": _("%(who)s denied it", who=who),
        "return.canceled": _("%(who)s cancelled it", who=who),
        "return.reinstated": _("%(who)s took it back into work", who=who),
        "return.reopened": _("%(who)s took the decision back", who=who),
        "return.in_transit": _("%(who)s marked it as handed to the carrier", who=who),
        "review.assigned": _("%(who)s removed the owner", who=who),
        "refund.planned": _("%(who)s had a refund of %(amount)s prepared", who=who, amount=sum_),
        "refund.succeeded": _("%(who)s counted %(amount)s as paid by Stripe", who=who, amount=sum_),
        "refund.paid_elsewhere": _("%(who)s recorded %(amount)s as paid another way", who=who, amount=sum_),
        "money.paid_elsewhere": _("%(who)s recorded %(amount)s as paid another way", who=who, amount=sum_),
        "money.resumed": _("%(who)s looked what the payments have left, and there was nothing", who=who)
        if known.get("amount") == 0
        else _("%(who)s looked what the payments have left", who=who),
        "money.waived": _("%(who)s closed it, %(amount)s is no longer owed", who=who, amount=sum_),
        "rest.given_up": _("%(who)s gave the rest up", who=who),
        "rest.awaited": _("%(who)s waits longer for the rest", who=who),
        "refund.given_up": _("%(who)s decided to send %(amount)s no more", who=who, amount=sum_),
        "claim.ended": _("%(who)s left it at that, the money stays with the customer", who=who),
        "refund.let_through": _("%(who)s let %(amount)s go although the daily cap is reached", who=who, amount=sum_),
        "refund.seconded": _("%(who)s approved %(amount)s as the second person", who=who, amount=sum_),
        "refund.taken_back": _("%(who)s took %(amount)s back before it was sent", who=who, amount=sum_),
        "goodwill.given": _("%(who)s gave %(amount)s as goodwill", who=who, amount=sum_),
        "refunds.stopped": _("%(who)s stopped all refunds", who=who),
        "refunds.resumed": _("%(who)s let refunds flow again", who=who),
    }.get(what, "")


def _of_itself(what: str, known: Mapping[str, Any]) -> str:
    """What happened, where nobody is named."""
    sum_ = _amount(known)
    if sum_ and (said := _of_sum(what, sum_)):
        return said
    return {
        "return.authorized": _("Approved"),
        "return.review_opened": _("Sent to exceptions"),
        "review.opened": _("Sent to exceptions"),
        "review.assigned": _("The owner was removed"),
        "return.asked": _("The customer was asked"),
        "return.answered": _("The customer answered"),
        "return.rejected": _("Denied"),
        "return.canceled": _("Cancelled"),
        "return.reinstated": _("Taken back into work"),
        "return.reopened": _("To be decided again"),
        "return.expired": _("Expired, nothing was sent"),
        "return.repriced": _("Delivery costs moved between returns of the order"),
        "return.in_transit": _("Handed to the carrier"),
        "return.closed": _("Closed"),
        "payout.planned": _("Payment prepared"),
        "credit_note.issued": _("Credit note issued"),
        "credit_note.corrected": _("Credit note corrected"),
        "refund.planned": _("Refund prepared"),
        "refund.handed_to_staff": _("To be paid by hand"),
        "refund.accepted": _("Refund accepted by the payment provider"),
        "refund.succeeded": _("Refund sent"),
        "refund.failed": _("Refund failed"),
        "refund.unknown": _("Refund without an answer"),
        "refund.paid_elsewhere": _("Paid another way"),
        "refund.needs_customer": _("The customer’s bank details are needed"),
        "refund.uncaptured": _("The payment is not captured, so it is given free"),
        "refund.released": _("Given free, never charged"),
        "refund.held_back": _("Above the daily cap, waits for a person"),
        "refund.let_through": _("Let through although the daily cap is reached"),
        "refund.needs_second": _("Waits for a second person"),
        "refund.seconded": _("Approved by a second person"),
        "refund.taken_back": _("Taken back before it was sent"),
        "payout.taken_back": _("To be decided again"),
        "refund.given_up": _("Sent no more"),
        "refund.contradicted": _("Ended here, and alive at Stripe"),
        "refund.late": _("Later than banks need"),
        "goodwill.given": _("Goodwill refund given"),
        "money.resumed": _("Looked at what the payments have left"),
        "money.paid_elsewhere": _("The missing part paid another way"),
        "rest.given_up": _("The rest is given up"),
        "rest.awaited": _("The rest is waited for longer"),
        "claim.ended": _("Left at that, the money stays with the customer"),
        "money.waived": _("Closed, nothing more is owed"),
        "refunds.stopped": _("All refunds stopped"),
        "refunds.resumed": _("Refunds flow again"),
        "refund.imported": _("Refund made outside the portal"),
        "credit.issued": _("Store credit issued"),
        "exchange.ordered": _("Replacement ordered"),
        "dispute.opened": _("The customer disputes the payment"),
        "dispute.closed": _("Dispute closed"),
        "payment.shared": _("Its payment is another order’s too"),
        "payment.captured_less": _("Less was captured than the order says"),
        "label.incomplete": _("The label could not show everything"),
        "slip.incomplete": _("The packing slip could not show everything"),
        "note.added": _("Note"),
    }.get(what, "")


def _of_sum(what: str, amount: str) -> str:
    return {
        "refund.planned": _("Refund of %(amount)s prepared", amount=amount),
        "refund.handed_to_staff": _("%(amount)s has to be paid by hand", amount=amount),
        "refund.accepted": _("The payment provider accepted the refund of %(amount)s", amount=amount),
        "refund.succeeded": _("Refund of %(amount)s sent", amount=amount),
        "refund.failed": _("Refund of %(amount)s failed", amount=amount),
        "refund.unknown": _("The refund of %(amount)s got no answer", amount=amount),
        "refund.released": _("%(amount)s given free, never charged", amount=amount),
        "refund.held_back": _("%(amount)s is above the daily cap and waits for a person", amount=amount),
        "refund.needs_second": _("%(amount)s waits for a second person", amount=amount),
        "refund.imported": _("Refund of %(amount)s made outside the portal", amount=amount),
        "credit.issued": _("Store credit of %(amount)s issued", amount=amount),
        "credit_note.corrected": _("Credit note lowered by %(amount)s", amount=amount),
    }.get(what, "")


def _amount(known: Mapping[str, Any]) -> str:
    minor, currency = known.get("amount"), known.get("currency")
    return words.amount(minor, currency) if type(minor) is int and isinstance(currency, str) else ""


def notice(code: str) -> str:
    """What an e-mail is about."""
    return {
        "withdrawn": _("withdrawal confirmed"),
        "under_review": _("we look at it"),
        "asked": _("our question"),
        "booked": _("approved, with the next steps"),
        "refused": _("denied, with the reason"),
        "expired": _("expired"),
        "part_received": _("a part has arrived"),
        "received": _("received"),
        "credit_issued": _("store credit"),
        "exchange_sent": _("replacement on its way"),
        "refund_sent": _("refund sent"),
        "refund_failed": _("refund delayed"),
        "payment_released": _("never charged"),
        "closed_unpaid": _("closed without payment"),
        "refund_needs_you": _("bank details needed"),
        "refund_late": _("refund takes longer"),
        "goodwill_sent": _("goodwill refund sent"),
    }.get(code, code)
