"""A form for every kind of term. A term of a known kind needs nothing here; a new kind needs one class.

In: a typed value, or what a form holds. Out: fields, or the typed value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from portal.policy import phrases as p
from portal.policy import terms as t
from portal.policy.explain import resolution_words
from portal.policy.read_terms import MAX_QUESTIONS
from portal.web.staff import words
from portal.web.staff.policy.fields import Data, Field, Holder, decimal, percentage, spoken
from portal.web.staff.text import _


class TermForm(Protocol):
    """How one kind of term is shown and read."""

    def show(self, value: Any) -> Data:
        """What the controls hold for a value."""

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        """The controls that what is held asks for."""

    def read(self, spec: t.TermSpec, held: Holder) -> Any:
        """The value; None when something is wrong, which is then said at its field."""


class _YesNo:
    def show(self, value: bool) -> Data:
        return {"value": ["yes" if value else "no"]}

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        yes, no = p.YES_NO_PHRASES[spec.name]
        return [held.field("value", _("Setting"), "select", options=(("yes", spoken(yes)), ("no", spoken(no))))]

    def read(self, spec: t.TermSpec, held: Holder) -> bool | None:
        found = held.word("value", ("yes", "no"), _("Choose one of the two"))
        return None if found is None else found == "yes"


class _Word:
    def show(self, value: str) -> Data:
        return {"value": [value]}

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        options = [(word, spoken(p.WORD_PHRASES[spec.name, word])) for word in spec.words]
        return [held.field("value", _("Setting"), "select", options=options)]

    def read(self, spec: t.TermSpec, held: Holder) -> str | None:
        return held.word("value", spec.words, _("Choose one from the list"))


class _Words:
    def show(self, value: tuple[str, ...]) -> Data:
        return {"value": list(value)}

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        known = p.METHOD_WORDS if spec.name == "ship_with" else p.OFFER_WORDS
        # What is ticked stands first, so that the order in which a policy offers things is kept.
        order = [*(word for word in held.all("value") if word in spec.words)]
        order += [word for word in spec.words if word not in order]
        return [held.field("value", _("Setting"), "checks", options=[(word, spoken(known[word])) for word in order])]

    def read(self, spec: t.TermSpec, held: Holder) -> tuple[str, ...] | None:
        return held.words("value", spec.words, _("Tick at least one"))


class _Text:
    def show(self, value: str) -> Data:
        return {"value": [value]}

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        return [held.field("value", _("Text"), "area")]

    def read(self, spec: t.TermSpec, held: Holder) -> str | None:
        return held.text("value", _("Enter the text"))


class _Share:
    def show(self, value: int) -> Data:
        return {"value": [percentage(value)]}

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        return [held.field("value", _("Percent"), affix="%", width="xs")]

    def read(self, spec: t.TermSpec, held: Holder) -> int | None:
        return held.share("value")


class _Days:
    def show(self, value: int) -> Data:
        return {"value": [str(value)]}

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        return [held.field("value", _("Days"), "number", width="xs")]

    def read(self, spec: t.TermSpec, held: Holder) -> int | None:
        return held.days("value")


class _Window:
    def show(self, value: t.Window) -> Data:
        out = {"ends-on": [value.ends_on], "grace": [str(value.grace or "")]}
        if value.until is not None:
            return out | {"from": ["until"], "until": [value.until.isoformat()]}
        out |= {"from": [value.start], "days": [str(value.days)]}
        other = value.if_undelivered
        if isinstance(other, t.Window):
            return {**out, "else": [other.start], "else-days": [str(other.days)]}
        return {**out, "else": [other]}

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        starts = (
            ("delivered", _("Days after delivery")),
            ("shipped", _("Days after it was sent")),
            ("placed", _("Days after the order")),
            ("last_delivered", _("Days after the last parcel of the order")),
            ("until", _("Until a date")),
        )
        start = held.get("from", "delivered")
        found = [held.field("from", _("Counted"), "select", options=starts, refresh=True)]
        ends = (("day", _("On that day")), ("business_day", _("On a business day: Monday after a weekend")))
        last = [
            held.field("ends-on", _("It ends"), "select", options=ends),
            held.field("grace", _("Days of grace, not told to customers (optional)"), "number", width="xs"),
        ]
        if start == "until":
            return [*found, held.field("until", _("Last day"), "date"), *last]
        found.append(held.field("days", _("Days"), "number", width="xs"))
        if start == "placed":
            return [*found, *last]
        earlier = {"placed": _("Count from the order"), "shipped": _("Count from the day it was sent")}
        others = (
            ("review", _("A person decides")),
            ("refuse", _("Don’t accept it yet")),
            *((word, earlier[word]) for word in (("placed", "shipped") if start == "delivered" else ("placed",))),
        )
        found.append(held.field("else", _("While that day isn’t known"), "select", options=others, refresh=True))
        if held.get("else") in earlier:
            found.append(held.field("else-days", _("Days then"), "number", width="xs"))
        return [*found, *last]

    def read(self, spec: t.TermSpec, held: Holder) -> t.Window | None:
        window = self._read_window(held)
        ends_on = held.word("ends-on", t.ENDS_ON, _("Choose on which day it ends")) if held.get("ends-on") else "day"
        grace = held.days("grace") if held.get("grace", "").strip() else 0
        return (
            None
            if window is None or ends_on is None or grace is None
            else replace(window, grace=grace, ends_on=ends_on)
        )

    def _read_window(self, held: Holder) -> t.Window | None:
        start = held.word("from", (*t.STARTS, "until"), _("Choose from when the days count"))
        if start is None:
            return None
        if start == "until":
            until = held.day("until")
            return None if until is None else t.Window(until=until)
        days = held.days("days")
        if days is None:
            return None
        if start == "placed":
            return t.Window(days=days, start=start)
        earlier = ("placed", "shipped") if start == "delivered" else ("placed",)
        other = held.get("else", "review") or "review"
        if other in earlier:
            more = held.days("else-days")
            return None if more is None else t.Window(days, None, start, t.Window(more, None, other))
        chosen = held.word("else", ("review", "refuse"), _("Choose what holds then")) if other != "review" else other
        return None if chosen is None else t.Window(days, None, start, chosen)


class _Evidence:
    def show(self, value: t.Evidence) -> Data:
        return {"photos": [str(value.photos)], "of": [value.of or ""]}

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        return [
            held.field("photos", _("Photos"), "number", width="xs", hint=_("0 asks for none")),
            held.field("of", _("Of what? (optional)"), hint=_("“the tags”, for example")),
        ]

    def read(self, spec: t.TermSpec, held: Holder) -> t.Evidence | None:
        photos = held.number("photos", _("Enter a number of photos from 0 to 10"), 10)
        of = held.text("of", _("Say of what")) if held.get("of") else None
        if photos is None or (held.get("of") and of is None):
            return None
        return t.Evidence(photos, of) if photos else t.Evidence()


class _Fee:
    def show(self, value: t.Fee) -> Data:
        if value.amount is None:
            return {"kind": ["share"], "share": [percentage(value.bp)]}
        return {"kind": ["amount"], "amount": [decimal(value.amount)], "currency": [value.amount.currency]}

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        kinds = (("share", _("A share of the price")), ("amount", _("An amount for each unit")))
        found = [held.field("kind", _("Fee"), "select", options=kinds, refresh=True)]
        return [*found, *(_money(held) if held.get("kind") == "amount" else [_share(held)])]

    def read(self, spec: t.TermSpec, held: Holder) -> t.Fee | None:
        if held.get("kind", "share") == "amount":
            amount = held.money("amount", "currency")
            return None if amount is None else t.Fee(amount=amount)
        share = held.share("share")
        return None if share is None else t.Fee(bp=share)


def _share(held: Holder) -> Field:
    return held.field("share", _("Percent"), affix="%", width="xs")


def _money(held: Holder) -> list[Field]:
    return [
        held.field("amount", _("Amount"), width="sm"),
        held.field("currency", _("Currency"), width="xs"),
    ]


class _Shipping:
    def show(self, value: t.ReturnShipping) -> Data:
        more: Data = {"free": list(value.free_for), "once": [value.once_per]}
        if value.paid_by == "merchant":
            return {"kind": ["merchant"]}
        if value.amount is not None:
            amount, currency = decimal(value.amount), value.amount.currency
            return {"kind": ["amount"], "amount": [amount], "currency": [currency], **more}
        if value.bp is not None:
            return {"kind": ["share"], "share": [percentage(value.bp)], **more}
        return {"kind": ["own"], **more}

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        kinds = (
            ("merchant", _("We pay for the label")),
            ("amount", _("Take an amount off")),
            ("share", _("Take a share of the value off")),
            ("own", _("The customer posts it and pays")),
        )
        kind = held.get("kind", "merchant")
        found = [held.field("kind", _("Label"), "select", options=kinds, refresh=True)]
        if kind == "merchant":
            return found
        found += _money(held) if kind == "amount" else [_share(held)] if kind == "share" else []
        wording = words.staff_wording()
        free = [(word, resolution_words(word, wording).capitalize()) for word in t.RESOLUTIONS]
        once = (("return", _("Each return")), ("order", _("Once per order")))
        return [
            *found,
            held.field("free", _("Free with"), "checks", options=free),
            held.field("once", _("Taken"), "select", options=once),
        ]

    def read(self, spec: t.TermSpec, held: Holder) -> t.ReturnShipping | None:
        kind = held.word("kind", ("merchant", "amount", "share", "own"), _("Choose who pays"))
        if kind is None or kind == "merchant":
            return None if kind is None else t.ReturnShipping()
        once = held.word("once", ("return", "order"), _("Choose how often")) if held.get("once") else "return"
        free = tuple(word for word in t.RESOLUTIONS if word in held.all("free"))
        amount = held.money("amount", "currency") if kind == "amount" else None
        share = held.share("share") if kind == "share" else None
        if once is None or (kind == "amount" and amount is None) or (kind == "share" and share is None):
            return None
        return t.ReturnShipping("customer", amount, share, free, once)


class _Grades:
    def show(self, value: Mapping[str, t.Grade]) -> Data:
        out: Data = {}
        for condition, grade in value.items():
            out[condition] = [percentage(grade.bp)]
            out[f"{condition}-review"] = ["yes"] if grade.review else []
        return out

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        found = []
        for condition in spec.words:
            word = words.condition(condition)[0]
            found.append(held.field(condition, word, affix="%", width="xs"))
            found.append(
                held.field(f"{condition}-review", _("%(condition)s: a person decides", condition=word), "check")
            )
        return found

    def read(self, spec: t.TermSpec, held: Holder) -> dict[str, t.Grade] | None:
        before = len(held.errors)
        found: dict[str, t.Grade] = {}
        for condition in spec.words:
            review = "yes" in held.all(f"{condition}-review")
            if not held.get(condition):
                if review:
                    held.fail(condition, _("Enter a percentage from 0 to 100, like 12.5"))
                continue
            share = held.share(condition)
            if share is not None:
                found[condition] = t.Grade(share, review)
        if not found and len(held.errors) == before:
            held.fail(spec.words[0], _("Enter at least one percentage"))
        return None if len(held.errors) > before else found


_ASKED = re.compile(r"([a-z][a-z0-9_-]{0,29}):\s*(.+?)\s*(?:\(([^()]*)\))?", re.ASCII)


class _Questions:
    def show(self, value: t.Questions) -> Data:
        return {"value": ["\n".join(map(self._line, value.items))]}

    @staticmethod
    def _line(question: t.Question) -> str:
        return f"{question.name}: {question.ask}" + (f" ({', '.join(question.choices)})" if question.choices else "")

    def fields(self, spec: t.TermSpec, held: Holder) -> list[Field]:
        hint = _("One on each line: a name for rules, the question, the choices. “worn: Have you worn it? (yes, no)”")
        return [held.field("value", _("Questions"), "area", hint=hint)]

    def read(self, spec: t.TermSpec, held: Holder) -> t.Questions | None:
        found = []
        for line in held.lines("value"):
            match = _ASKED.fullmatch(line)
            choices = tuple(part.strip() for part in (match[3] or "").split(",") if part.strip()) if match else ()
            if match is None or len(choices) == 1 or len(set(choices)) < len(choices):
                held.fail("value", _("Write each question like “worn: Have you worn it? (yes, no)”"))
                return None
            found.append(t.Question(match[1], match[2], choices))
        names = {each.name for each in found}
        if not 0 < len(found) <= MAX_QUESTIONS or len(names) < len(found):
            held.fail("value", _("Ask 1 to %(most)s questions, each with a name of its own", most=MAX_QUESTIONS))
            return None
        return t.Questions(tuple(found))


FORMS: Mapping[str, TermForm] = {
    t.YES_NO.name: _YesNo(),
    t.WORD.name: _Word(),
    t.WORDS.name: _Words(),
    t.TEXT.name: _Text(),
    t.WINDOW.name: _Window(),
    t.EVIDENCE.name: _Evidence(),
    t.SHARE.name: _Share(),
    t.FEE.name: _Fee(),
    t.SHIPPING.name: _Shipping(),
    t.DAYS.name: _Days(),
    t.GRADES.name: _Grades(),
    t.QUESTIONS.name: _Questions(),
}
"""By the name of the kind. A test walks the terms, so that a new kind without a form is noticed."""


def show_term(term: str, value: Any) -> Data:
    """What the controls of a term hold, under their whole names."""
    return {f"set-{term}-{name}": held for name, held in FORMS[t.TERMS[term].type.name].show(value).items()}


def term_fields(term: str, held: Holder) -> list[Field]:
    """The controls of a term."""
    spec = t.TERMS[term]
    return FORMS[spec.type.name].fields(spec, held.at(f"set-{term}-"))


def read_term(term: str, held: Holder) -> Any:
    """The value of a term, or None with what is wrong in the holder."""
    spec = t.TERMS[term]
    return FORMS[spec.type.name].read(spec, held.at(f"set-{term}-"))
