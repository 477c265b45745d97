"""One item: why it comes back, the photo where a rule asks for one, and what the customer would like instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from flask import flash, redirect, request, url_for
from werkzeug.wrappers import Response

from portal import clock
from portal.errors import Invalid
from portal.orders.incoming import MAX_SKU
from portal.orders.models import OrderLine
from portal.policy.counterfactual_words import customer_sentences
from portal.policy.explain import cause_message, customer_summary
from portal.policy.quote import EXCHANGE, STORE_CREDIT
from portal.policy.reasons import REASONS
from portal.policy.terms import RESOLUTIONS, Question
from portal.returns.photos import MAX_PER_LINE
from portal.web.customer import photos
from portal.web.customer.amounts import Row, compared, item_rows, pay_to
from portal.web.customer.base import Errors, money, page, pages, read, see, speech, typed
from portal.web.customer.basket import Basket, booked_as, open_basket, save
from portal.web.customer.items import name_of, next_page
from portal.web.customer.offers import Offer, Outcome, is_answered, missing, needs_asking, offer_for, reasons_for
from portal.web.customer.plan import Choice
from portal.web.customer.review import book_now, is_question
from portal.web.customer.words import _, ngettext

LONGEST_NOTE = 2_000
LONGEST_ANSWER = 500
LEFT = "left"
"""The step of a form that the browser sends by itself while the page is left; nobody sees the answer."""
ANSWER = "answer-"
"""What the fields of the policy's questions begin with."""
Answer = Response | tuple[str, int]


@dataclass(frozen=True, slots=True)
class Card:
    """One outcome as a choice card."""

    value: str
    title: str
    hint: str
    end: str
    tag: str
    rows: tuple[Row, ...]
    short: str
    """What the bar at the bottom says while it is chosen."""


@pages.get("/order/<path:number>/item/<int:position>")
def item(number: str, position: int) -> Answer:
    """The questions about one item; outcomes appear once there is a reason."""
    with read() as session:
        basket = open_basket(session, number)
        line = _line(basket, position)
        if (away := _elsewhere(basket, line)) is not None or line is None:
            return away or see("items", number=basket.number)
        return _show(basket, line, _choice(basket, line))


@pages.post("/order/<path:number>/item/<int:position>")
def answer_item(number: str, position: int) -> Answer:
    """Keep what was answered. Only "continue" goes on; everything else comes back to the page, with more on it."""
    with read() as session:
        basket = open_basket(session, number)
        line = _line(basket, position)
        if (away := _elsewhere(basket, line)) is not None or line is None:
            return away or see("items", number=basket.number)
        line_id, choice = line.id, _read(_choice(basket, line))
        if choice.ask and not needs_asking(basket, choice, clock.now()):
            # The form is old, or another reason was chosen in it; the outcome was never shown, so it is asked for.
            choice = replace(choice, ask=False, resolution="")
            flash(_("You needn’t ask us: for this reason it can come back."), "blue")
        before = _back(basket, position)
    # Reading has ended: drawing photos anew takes seconds, and no snapshot of the database waits for it.
    token = save(basket, basket.plan.put(choice))
    here = {"number": number, "position": position, "back": request.args.get("back")}
    if removed := request.form.get("remove_photo", ""):
        if removed.isascii() and removed.isdigit() and len(removed) < 19:
            photos.remove(token, line_id, int(removed))
        return see("item", "photo-add", **here)
    refused = []
    files = photos.uploads()
    if files:
        try:
            photos.add(token, line_id, files)
        except Invalid as error:
            refused = [("photo", error.message)]
    step = request.form.get("step", "")
    if step == LEFT:
        return Response(status=204)
    if step == "back":
        return redirect(before, 303)
    if step == "photo" and not files:
        # Only the button for those without JavaScript says so: elsewhere choosing a file is what sends the form.
        refused = [("photo", _("Choose a photo, then select “Upload”"))]
    if not refused and step == "later":
        flash(_("Saved. Find your order again in this browser, and your answers are still here."), "green")
        return see("lookup")
    if not refused and step != "continue":
        return see("item", _anchor(choice, step, bool(files)), **here)
    # Photos that came with this form count: everything is read anew.
    with read() as session:
        basket = open_basket(session, number)
        line = _line(basket, position)
        if line is None:
            return see("items", number=basket.number)
        choice = _choice(basket, line)
        if refused:
            return _show(basket, line, choice, refused)
        if not choice.ask and choice.reason and request.form.get("shown", "") != choice.reason:
            return see("item", "outcome", **here)
        if errors := _errors(basket, choice):
            return _show(basket, line, choice, errors)
        if is_question(basket.plan):
            return book_now(basket, None)
        if request.args.get("back") == "review" and all(each.answered for each in basket.plan.choices):
            return see("review", number=basket.number)
        return next_page(basket, basket.plan, after=choice.line)


def _line(basket: Basket, position: int) -> OrderLine | None:
    return next((line for line in basket.order.lines if line.position == position), None)


def _elsewhere(basket: Basket, line: OrderLine | None) -> Response | None:
    """Where to go when there is nothing to ask here: the booked return, or the choice of items."""
    if rma := booked_as(basket):
        return see("booked", rma=rma)
    if line is None or basket.plan.find(line.ref) is None:
        return see("items", number=basket.number)
    return None


def _choice(basket: Basket, line: OrderLine) -> Choice:
    return basket.plan.find(line.ref) or Choice(line.ref)


def _read(before: Choice) -> Choice:
    form = request.form
    typed_in = replace(before, note=typed("note", LONGEST_NOTE), answers=_answers(before))
    if form.get("step") in ("back", LEFT):
        # Who goes back keeps what was typed; what was chosen counts with going on.
        return typed_in
    reason = form.get("reason", "")
    if reason not in REASONS:
        reason = before.reason
    resolution = form.get("outcome", before.resolution)
    step, sku = form.get("step", ""), form.get("sku", before.exchange_sku)
    changed = replace(
        typed_in,
        reason=reason,
        resolution=resolution if resolution in RESOLUTIONS else "",
        exchange_sku=sku if len(sku) <= MAX_SKU else "",
        ask=step == "ask" or (before.ask and step != "unask"),
    )
    if reason != before.reason:
        # Another reason, other terms: what was chosen under the old ones is asked again.
        changed = replace(changed, resolution="", exchange_sku="")
    return changed.asking() if changed.ask else changed


def _answers(before: Choice) -> dict[str, str]:
    """What was answered, by question. A question that this form did not show keeps its answer."""
    said = dict(before.answers)
    for name in list(request.form)[:50]:
        if name.startswith(ANSWER) and len(name) <= len(ANSWER) + 30:
            said[name.removeprefix(ANSWER)] = typed(name, LONGEST_ANSWER)
    return said


def _anchor(choice: Choice, step: str, photo: bool) -> str:
    if photo:
        return "photo-add"
    if step:
        return "note" if step == "ask" else "outcome"
    # Sent by the script on a change of the reason: focus stays where the person is.
    reasons = reasons_for(choice)
    return f"reason-{reasons.index(choice.reason) + 1}" if choice.reason in reasons else "reason"


def _errors(basket: Basket, choice: Choice) -> Errors:
    if choice.reason not in reasons_for(choice):
        return [("reason-1", _("Select a reason"))]
    offer = offer_for(basket, choice, clock.now())
    if offer.refusal is not None:
        return [("reason-1", _("Select another reason, or ask us"))]
    wrong: dict[str, Errors] = {
        "note": [("note", _("Write your message to us"))],
        "photo": [("photo", _photo_title(offer))],
        "question": [
            (_question_field(each), _("Answer “%(ask)s”", ask=each.ask))
            for each in offer.questions
            if not is_answered(each, choice)
        ],
        "outcome": [(f"outcome-{offer.outcomes[0].resolution}", _("Select what you would like"))],
        "variant": [("sku", _("Select what we should send you instead"))],
    }
    return [each for field in missing(offer, choice, len(basket.photos_of(choice))) for each in wrong[field]]


def _question_field(question: Question) -> str:
    """The control that an error leads to: the first choice, or the text."""
    return f"{ANSWER}{question.name}-1" if question.choices else f"{ANSWER}{question.name}"


def _photo_title(offer: Offer) -> str:
    evidence = offer.evidence
    if evidence.of:
        return _("Add a photo of %(what)s", what=evidence.of)
    return ngettext("Add a photo", "Add %(num)s photos", max(evidence.photos, 1))


def _show(basket: Basket, line: OrderLine, choice: Choice, errors: Errors | None = None) -> tuple[str, int]:
    offer = offer_for(basket, choice, clock.now()) if choice.reason else None
    refs = [each.line for each in basket.plan.choices]
    index = refs.index(choice.line) + 1
    words = speech().wording()
    changes = customer_sentences(offer.changes, words) if offer else ()
    currency = basket.order.currency
    last = index == len(refs)
    back = request.args.get("back")
    return page(
        "item",
        errors,
        order=basket.order,
        line=line,
        name=name_of(line),
        choice=choice,
        index=index,
        total=len(refs),
        back="review" if back == "review" else None,
        reasons=[(code, _(REASONS[code])) for code in reasons_for(choice)],
        offer=offer,
        dearer=len({each.price_minor for each in offer.variants}) > 1 if offer else False,
        why_not=" ".join((customer_summary(offer.refusal, words), *changes)) if offer and offer.refusal else "",
        why_person=_why_person(offer, changes),
        cards=[_card(basket, offer, outcome) for outcome in offer.outcomes] if offer else [],
        table=compared([(each.resolution, each.quote, each.decision) for each in offer.outcomes], alone=len(refs) == 1)
        if offer
        else [],
        paid=money(_paid(offer), currency) if offer and offer.outcomes else "",
        discounted=line.discount_minor > 0,
        photo_title=_photo_title(offer) if offer else "",
        photo_why=str(offer.photo_cause.params.get("say") or "") if offer and offer.photo_cause else "",
        photos=[photos.tile(each, removable=True) for each in basket.photos_of(choice)],
        most_photos=MAX_PER_LINE,
        questions=[(each, f"{ANSWER}{each.name}", choice.answers.get(each.name, "")) for each in offer.questions]
        if offer and not (offer.refusal and not choice.ask)
        else [],
        alone=is_question(basket.plan.put(replace(choice, note="?"))),
        button=_send_words(basket, choice, offer, index, last, back),
    )


def _why_person(offer: Offer | None, changes: Sequence[str]) -> str:
    """The reasons why a person checks it first, beyond the bare fact, which the notice says anyhow."""
    if offer is None or not offer.review:
        return ""
    words = speech().wording()
    said = dict.fromkeys((*(cause_message(cause, words) for cause in offer.review), *changes))
    said.pop(_("A person in our team checks this before we answer."), None)
    return " ".join(said)


def _send_words(basket: Basket, choice: Choice, offer: Offer | None, index: int, last: bool, back: str | None) -> str:
    if is_question(basket.plan.put(replace(choice, note="?"))):
        return _("Send my question")
    return _("Save and go back") if back == "review" else _button(offer, index, last)


def _button(offer: Offer | None, index: int, last: bool) -> str:
    if offer is None:
        return _("Show what I get")
    return _("Continue") if last else _("Continue to item %(number)s", number=index + 1)


def _back(basket: Basket, position: int) -> str:
    number = basket.number
    if request.args.get("back") == "review":
        return url_for("customer.review", number=number)
    places = [basket.line(each.line).position for each in basket.plan.choices]
    if index := places.index(position):
        return url_for("customer.item", number=number, position=places[index - 1])
    return url_for("customer.items", number=number)


def _paid(offer: Offer) -> int:
    parts = offer.outcomes[0].quote.all_parts()
    return sum(part.amount_minor for part in parts if part.kind in ("item", "discount", "tax"))


def _card(basket: Basket, offer: Offer, outcome: Outcome) -> Card:
    currency, decision = basket.order.currency, outcome.decision
    amount = money(outcome.total_minor, currency)
    if outcome.resolution == EXCHANGE:
        stock = offer.in_stock
        hint = (
            _("%(what)s is in stock. Nothing to pay.", what=stock[0].label or stock[0].name or stock[0].sku)
            if len(stock) == 1
            else ngettext(
                "%(num)s choice in stock. Nothing to pay.", "%(num)s choices in stock. Nothing to pay.", len(stock)
            )
        )
        return Card(EXCHANGE, _("Another size or colour"), hint, _("Exchange"), "", (), _("Exchange for this item"))
    rows = tuple(item_rows(outcome.quote, decision, outcome.resolution, alone=len(basket.plan.choices) == 1))
    if outcome.resolution == STORE_CREDIT:
        bonus = decision.value("credit_bonus")
        tag = _("%(percent)s bonus", percent=speech().percent(bonus)) if bonus else ""
        hint = {
            "authorized": _("Ready to spend as soon as we agree."),
            "in_transit": _("Ready to spend when you’ve dropped it off."),
            "received": _("Ready to spend when it has reached us."),
            "inspected": _("Ready to spend when we’ve checked the item."),
        }["authorized" if offer.keeps and len(basket.plan.choices) == 1 else decision.value("refund_when")]
        return Card(STORE_CREDIT, _("Store credit"), hint, amount, tag, rows, _("Store credit for this item"))
    sentences = [_("To %(method)s.", method=pay_to(basket.order, knows_buyer=basket.grant.by_email))]
    for part in outcome.quote.all_parts():
        value = money(abs(part.amount_minor), currency)
        if part.kind == "return_shipping" and part.amount_minor:
            several = len(basket.plan.choices) > 1
            sentences.append(
                _("%(amount)s comes off for the label, once for the whole return.", amount=value)
                if several
                else _("%(amount)s comes off for the label.", amount=value)
            )
        elif part.kind == "restocking_fee" and part.amount_minor:
            sentences.append(_("%(amount)s comes off as a restocking fee.", amount=value))
        elif part.kind == "outbound_shipping" and part.amount_minor:
            sentences.append(_("Your delivery costs of %(amount)s are in it.", amount=value))
    return Card(outcome.resolution, _("Refund"), " ".join(sentences), amount, "", rows, _("Refund for this item"))
