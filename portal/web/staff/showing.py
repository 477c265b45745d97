"""One return with everything that its page shows: a fixed number of queries, however many lines it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask import get_flashed_messages, url_for
from sqlalchemy.orm import Session

from portal import wording
from portal.labels.service import find_label, short_code, travelling
from portal.policy.decision import Decision
from portal.policy.quote import Quote
from portal.policy.reasons import REASONS
from portal.policybook.service import load_book
from portal.receiving import rest
from portal.receiving.disposition import NOWHERE
from portal.refunds import gifts, promised
from portal.refunds.corrections import numbers_in
from portal.refunds.credit_notes import number_in
from portal.refunds.queries import money_of_return
from portal.refunds.setbacks import setback
from portal.returns import lifecycle
from portal.returns.models import Photo, Return, ReturnLine
from portal.returns.payable import accounted, expected_lines, goods_outstanding, payable_quote
from portal.returns.queries import get_return, photos_of
from portal.reviews import queries as reviews
from portal.reviews import service as questions
from portal.reviews.models import Review
from portal.staff import permissions as may
from portal.staff import queries as people
from portal.timeline import TimelineEntry, entries_for_return
from portal.web.render import locale
from portal.web.staff import log_words, money, offers, reads, why, words
from portal.web.staff.base import Me, light_menu, ports
from portal.web.staff.queue import href_of
from portal.web.staff.returns import outcome_of
from portal.web.staff.swaps import swaps
from portal.web.staff.text import _
from portal.web.staff.undoing import offer_undo
from portal.web.statuses import badge_of, line_badge


def return_view(session: Session, rma: str, who: Me, now: datetime, line: str = "") -> dict[str, Any]:
    """Everything that the page needs. Raises `NotFound`."""
    shop = ports().shop
    return_ = get_return(session, rma)
    quote = payable_quote(session, return_)
    view = money_of_return(session, return_.id, bank_days=shop.bank_days)
    photos = photos_of(session, return_)
    asked = reviews.reviews_of(session, return_.id)
    open_ = sorted((each for each in asked if each.status in questions.UNDECIDED), key=lambda each: each.id)
    entries = entries_for_return(session, return_.id)
    label = find_label(session, return_.id)
    names = {each.order_line.ref: words.name_of(each.order_line) for each in return_.lines}
    chosen = next((each for each in return_.lines if each.order_line.ref == line), _first_to_decide(return_))
    shown = photos_shown(return_, photos)
    away, waits = _put_away(entries), rest.is_waiting(return_)
    to_come = {each.id: each.quantity - accounted(each) for each in expected_lines(return_)} if waits else {}
    counts = {each.id: len(photos.get(each.id, ())) for each in return_.lines}
    late = setback(return_, view)
    closed, owed = money.ended(quote, view)
    found: dict[str, Any] = {
        "return_": return_,
        "order": return_.order,
        "first_name": words.first_name(return_),
        "badge": badge_of(return_, late),
        "outcome": outcome_of(return_, view.came),
        "credit_note": number_in(entries),
        "corrections": numbers_in(entries),
        "reviews": [_question(each, return_, now, shop.timezone, shown, counts) for each in open_],
        "answered": [
            turn
            for each in reversed(asked)
            # An answer about a refund may hold somebody's bank details.
            if each not in open_ and (each.refund_id is None or who.may(may.SEE_REFUNDS))
            for turn in talk_of(each, now, shop.timezone, shown)
        ],
        "items": [
            _item(each, quote, [shown[photo.id] for photo in photos.get(each.id, ())])
            | {
                "goes": away.get(each.order_line.ref, ""),
                "to_come": to_come.get(each.id, 0),
                "badge": line_badge(return_, each, view.came, late),
            }
            for each in return_.lines
        ],
        "rules": why.rules(chosen, counts[chosen.id]),
        "why": why.explained(load_book(session), return_.order, chosen, counts[chosen.id]),
        "rules_of": chosen.order_line.ref,
        "line_choices": [(each.order_line.ref, names[each.order_line.ref]) for each in return_.lines],
        "money_rows": money.rows(quote, names) + closed,
        "money_totals": owed,
        "owed": words.amount(view.owed.minor, view.currency),
        "paid": words.amount(view.paid.minor, view.currency),
        "never_charged": view.never_charged,
        "pieces": money.pieces(view),
        "given": money.given(gifts.given_beside(session, return_.order_id, shop.bank_days)),
        "money_when": money.when_words(return_, view, open_),
        "log": [log_entry(each, now, shop.timezone, names) for each in reversed(entries)],
        "seen": entries[-1].id if entries else 0,
        "label": label,
        "label_code": short_code(label) if label is not None else "",
        "papers": _papers(return_),
        "decision": (decision := offers.decision(return_, open_, quote, who)),
        "seniors": offers.seniors(session, quote.total, who) if decision and decision["above"] else [],
        "shortage": offers.shortage(session, return_, open_, who),
        "ways": words.ways_by_hand(),
        "too_little": _too_little(session, return_),
        "claim": next((each for each in open_ if each.kind == questions.GOODS_MISSING), None)
        if who.may(may.DECIDE)
        else None,
        "rest": _rest(return_) if waits and who.may(may.DECIDE) else None,
        "people": people.list_who_may(session, may.DECIDE) if open_ and who.may(may.DECIDE) else [],
        "more": offers.more(return_, open_, who),
        "swaps": swaps(session, return_, who),
        # Just after the decision the message above offers it.
        "undo": offer_undo(return_, entries) if who.may(may.DECIDE) and not get_flashed_messages() else None,
        "repairers": offers.repairers(session, open_, who),
        "buyer": None,
    }
    light_menu(asked=bool(open_))
    if open_:
        found["previous"], found["following"] = _neighbours(session, open_[0].id)
    elif who.may(may.SEE_QUEUE) and get_flashed_messages():
        # Something was done here just now, so the next case is one click away.
        found["next_case"] = reviews.next_open(session)
    if who.may(may.SEE_CUSTOMERS):
        buyer = reads.buyer_of(session, return_.order)
        found["buyer"] = [
            (_("Customer since"), wording.day(buyer.since, locale())),
            (_("Orders"), buyer.orders),
            (_("Returns"), _("%(count)s of %(all)s items", count=buyer.returned, all=buyer.bought)),
            (_("Spent, after returns"), words.amount(buyer.spent_minor, buyer.currency)),
        ]
    return found


def _too_little(session: Session, return_: Return) -> dict[str, str] | None:
    """What of the return's money can be paid, where the payments no longer have all of it."""
    missing = promised.missing(session, return_)
    if not missing:
        return None
    owed = promised.in_money(session, return_)
    return {
        "owed": words.amount(owed, return_.currency),
        "left": words.amount(owed - missing, return_.currency),
        "missing": words.amount(missing, return_.currency),
    }


def _first_to_decide(return_: Return) -> ReturnLine:
    return next((line for line in return_.lines if line.status == "review"), return_.lines[0])


def photos_shown(return_: Return, photos: Mapping[int, Sequence[Photo]]) -> dict[int, dict[str, str]]:
    """Every photo of the return as the page shows it, by its id."""
    return {
        photo.id: {
            "src": url_for("staff.photo", rma=return_.rma, photo_id=photo.id),
            "alt": _("%(name)s, photo %(number)s", name=words.name_of(line.order_line), number=number),
        }
        for line in return_.lines
        for number, photo in enumerate(photos.get(line.id, ()), start=1)
    }


def talk_of(review: Review, now: datetime, zone: str, photos: Mapping[int, dict[str, str]]) -> list[dict[str, Any]]:
    """What the customer was asked and has answered, the oldest first. ``photos`` are `photos_shown`."""
    return [
        {
            "question": each["question"],
            "by": each["by"],
            "at": words.when(datetime.fromisoformat(each["at"]), now, zone),
            "answered": words.when(datetime.fromisoformat(each["answered_at"]), now, zone) if "answer" in each else "",
            "answer": each.get("answer", ""),
            "waits": "answer" not in each and review.status == questions.ASKED,
            "photos": [photos[photo] for photo in each.get("photos", ()) if photo in photos],
        }
        for each in questions.turns(review)
    ]


def _question(
    review: Review,
    return_: Return,
    now: datetime,
    zone: str,
    photos: Mapping[int, dict[str, str]],
    counts: Mapping[int, int],
) -> dict[str, Any]:
    paused = review.status == questions.ASKED
    short, tipped = words.question(review.kind, review.why, review.fact)
    sentences: list[str] = []
    if review.kind in (questions.POLICY, questions.ASKED_US):
        for line in return_.lines:
            causes = why.causes(line, counts[line.id])
            if causes:
                # What the heading says already is not said again.
                said = [cause for cause in causes if cause != review.why]
                sentences.append(f"{words.name_of(line.order_line)}{': ' if said else '.'}{' '.join(said)}")
    return {
        "id": review.id,
        "kind": review.kind,
        "refund": (review.data or {}).get("refund", "") if review.refund_id is not None else "",
        "why": short,
        "sentences": sentences or [tipped],
        "status": review.status,
        "badge": "asked" if paused else "answered" if review.answered_at is not None else "",
        "paused": paused,
        "talk": talk_of(review, now, zone, photos),
        "owner_id": review.owner_id,
        "deadline": words.deadline(
            review.due_at, review.opened_at, now, zone, paused=paused, answered_at=review.answered_at
        ),
    }


def _rest(return_: Return) -> dict[str, list[str]]:
    """What came and what is awaited of a return that comes in parts."""
    found: dict[str, list[str]] = {"came": [], "awaited": []}
    for line in expected_lines(return_):
        for name, count in (("came", accounted(line)), ("awaited", line.quantity - accounted(line))):
            if count:
                found[name].append(f"{count} × {words.name_of(line.order_line)}")
    return found


def _put_away(entries: Sequence[TimelineEntry]) -> dict[str, str]:
    """Where the units of each line (by ref) go that came, as they were counted last: ``1 × Back to stock, 1 × Donate``."""
    found: dict[str, dict[str, int]] = {}
    for entry in entries:
        counts = (entry.data or {}).get("counts", ())
        if entry.what in ("return.inspected", "return.questioned"):
            # A check replaces what was noted at arrival, line by line.
            found |= {each["line"]: {} for each in counts}
        for each in counts:
            goes = found.setdefault(each["line"], {})
            goes[each["disposition"]] = goes.get(each["disposition"], 0) + each["quantity"]
    return {
        ref: ", ".join(
            words.disposition(name) if set(goes) == {name} else f"{count} × {words.disposition(name)}"
            for name, count in goes.items()
            if name != NOWHERE or len(goes) == 1
        )
        for ref, goes in found.items()
    }


def _item(line: ReturnLine, quote: Quote, photos: Sequence[dict[str, str]]) -> dict[str, Any]:
    article = line.order_line
    quoted = next((each for each in quote.lines if each.line == article.ref), None)
    wants = {
        "refund": _("Wants a refund."),
        "store_credit": _("Wants store credit."),
        "exchange": _("Wants %(sku)s in exchange.", sku=line.exchange_sku or ""),
    }[line.resolution]
    found = ", ".join(
        _("%(count)s × %(condition)s", count=count, condition=words.condition(name)[0].lower())
        for name, count in (line.found or {}).items()
        if count
    )
    return {
        "line": line,
        "ref": article.ref,
        "id": line.id,
        "name": words.name_of(article) if line.quantity == 1 else f"{line.quantity} × {words.name_of(article)}",
        "about": ", ".join(part for part in (article.variant, article.sku and f"SKU {article.sku}") if part),
        "reason": _(REASONS.get(line.reason, line.reason)),
        "wants": wants,
        "note": line.note,
        "answers": _answers(line),
        "found": found,
        "amount": words.amount(quoted.total_minor, quote.currency) if quoted is not None else "—",
        "photos": photos,
    }


def log_entry(entry: TimelineEntry, now: datetime, zone: str, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """One entry of the timeline: what, who, when, why; what the customer was told and what colleagues were, each by its name."""
    more = log_words.said(entry)
    if left_out := log_words.denied(entry, names or {}):
        more.insert(0, left_out)
    data = entry.data or {}
    if "was" in data and "now" in data:
        was, now_ = (words.amount(data[name]["amount"], data[name]["currency"]) for name in ("was", "now"))
        more.append(_("%(was)s became %(now)s", was=was, now=now_))
    return {
        "id": entry.id,
        "when": words.when(entry.at, now, zone),
        "when_iso": entry.at.isoformat(),
        "what": log_words.sentence(entry, names),
        "why": log_words.reason(entry),
        "more": more,
        "tone": log_words.TONES.get(entry.what),
    }


def _papers(return_: Return) -> bool:
    status = return_.status
    return status in lifecycle.TRAVELLING and goods_outstanding(return_) > 0 and bool(travelling(return_))


def _neighbours(session: Session, review_id: int) -> tuple[str | None, str | None]:
    before, after = reviews.neighbours(session, review_id)
    wanted = [each for each in (before, after) if each is not None]
    found = {row.id: href_of(row) for row in reviews.rows_of(session, wanted)} if wanted else {}
    return found.get(before or 0), found.get(after or 0)


def _answers(line: ReturnLine) -> list[tuple[str, str]]:
    """What the customer answered to the policy's questions, in the policy's words."""
    asked = Decision.from_json(line.decision).value("questions")
    said = line.facts.get("answers") or {}
    return [] if asked is None else [(each.ask, str(said.get(each.name, "—"))) for each in asked.items]
