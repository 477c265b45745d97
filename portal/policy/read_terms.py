"""Reads the terms that a rule sets, or that hold otherwise.

In: nodes. Out: typed term values (see `terms`), or errors in `Findings`.
Invariants: one reader per kind of term; what a reader returns is complete, no part of it depends on another term.
Never: a default that the document could have meant otherwise: the defaults are those of `terms.Window` and `ReturnShipping`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from portal.policy import terms as t
from portal.policy.document import Findings, Mapping_, Node, Scalar, entries, shown
from portal.policy.schema import (
    read_date,
    read_days,
    read_list,
    read_money,
    read_number,
    read_scalar,
    read_share,
    read_text,
    read_word,
    read_yes_no,
)


def read_terms(node: Node, findings: Findings) -> dict[str, Any] | None:
    """The terms of a mapping, in the order of the language. None when any of them is wrong."""
    if not isinstance(node, Mapping_):
        findings.error(node, f"expected terms, not {shown(node)}", "write them like `{window: {days: 30}}`")
        return None
    read: dict[str, Any] = {}
    failed = False
    for key, value in entries(node, findings):
        spec = t.TERMS.get(key.text)
        if spec is None:
            if not _is_not_offered(key, findings):
                findings.error(key, f"unknown term {shown(key)}", known=tuple(t.TERMS))
            failed = True
            continue
        got = _READERS[spec.type.name](spec, value, findings)
        failed = failed or got is None
        read[key.text] = got
    return None if failed else {name: read[name] for name in t.TERMS if name in read}


def _yes_no(spec: t.TermSpec, node: Node, findings: Findings) -> bool | None:
    return read_yes_no(node, findings)


def _is_not_offered(node: Node, findings: Findings) -> bool:
    """True for a word that would be a promise nobody could keep yet; the reason is told."""
    reason = t.NOT_OFFERED.get(node.text) if isinstance(node, Scalar) else None
    if reason is not None:
        findings.error(node, f"{shown(node)} is not offered yet", reason)
    return reason is not None


def _word(spec: t.TermSpec, node: Node, findings: Findings) -> str | None:
    if spec.words == t.EXCHANGE_FOR and _is_not_offered(node, findings):
        return None
    return read_word(node, findings, spec.words, f"`{spec.name}`")


def _words(spec: t.TermSpec, node: Node, findings: Findings) -> tuple[str, ...] | None:
    items = read_list(node, findings, f"a list for `{spec.name}`")
    if items is None:
        return None
    words = [read_word(item, findings, spec.words, f"`{spec.name}`") for item in items]
    if any(word is None for word in words):
        return None
    read = tuple(word for word in words if word is not None)
    for position, word in enumerate(read):
        if word in read[:position]:
            findings.error(items[position], f"`{word}` is given twice", "keep one of them")
            return None
    return read


def _text(spec: t.TermSpec, node: Node, findings: Findings) -> str | None:
    return read_text(node, findings)


def _share(spec: t.TermSpec, node: Node, findings: Findings) -> int | None:
    return read_share(node, findings)


def _days(spec: t.TermSpec, node: Node, findings: Findings) -> int | None:
    return read_days(node, findings)


def _keys(
    node: Node, findings: Findings, known: tuple[str, ...], example: str
) -> dict[str, tuple[Scalar, Node]] | None:
    """The entries of a mapping by key; unknown keys are errors."""
    if not isinstance(node, Mapping_):
        findings.error(node, f"expected a mapping, not {shown(node)}", f"write it like `{example}`")
        return None
    found: dict[str, tuple[Scalar, Node]] = {}
    failed = False
    for key, value in entries(node, findings):
        if key.text not in known:
            findings.error(key, f"unknown key {shown(key)}", known=known)
            failed = True
        found[key.text] = (key, value)
    return None if failed else found


_WINDOW_EXAMPLE = "{days: 30, from: delivered}"


def _window(spec: t.TermSpec, node: Node, findings: Findings) -> t.Window | None:
    keys = _keys(node, findings, ("days", "until", "from", "if_undelivered", "grace", "ends_on"), _WINDOW_EXAMPLE)
    if keys is None:
        return None
    grace = read_days(keys["grace"][1], findings) if "grace" in keys else 0
    ends_on = read_word(keys["ends_on"][1], findings, t.ENDS_ON, "`ends_on`") if "ends_on" in keys else "day"
    window = _plain_window(node, keys, findings)
    if window is None or grace is None or ends_on is None:
        return None
    return replace(window, grace=grace, ends_on=ends_on)


def _plain_window(node: Node, keys: Mapping[str, tuple[Scalar, Node]], findings: Findings) -> t.Window | None:
    if "until" in keys:
        for other in ("days", "from", "if_undelivered"):
            if other in keys:
                findings.error(keys[other][0], f"`until` and `{other}` exclude each other", "a day is a day; keep one")
                return None
        until = read_date(keys["until"][1], findings)
        return None if until is None else t.Window(until=until)
    return _days_from(node, keys, findings)


def _days_from(node: Node, keys: Mapping[str, tuple[Scalar, Node]], findings: Findings) -> t.Window | None:
    if "days" not in keys:
        findings.error(node, "the window has no end", f"write it like `{_WINDOW_EXAMPLE}` or `{{until: 2027-01-31}}`")
        return None
    days = read_days(keys["days"][1], findings)
    start: str | None = "delivered"
    if "from" in keys:
        start = read_word(keys["from"][1], findings, t.STARTS, "start of a window")
    fallback: str | t.Window | None = "review"
    if "if_undelivered" in keys:
        key, value = keys["if_undelivered"]
        if start == "placed":
            findings.error(key, "`if_undelivered` means nothing from `placed`", "every order has that date; delete it")
            return None
        fallback = _fallback(value, findings)
        if isinstance(fallback, t.Window) and start == "shipped" and fallback.start != "placed":
            findings.error(value, "the fallback must count from an earlier moment", "write `from: placed`")
            return None
    if days is None or start is None or fallback is None:
        return None
    return t.Window(days=days, start=start, if_undelivered=fallback)


def _fallback(node: Node, findings: Findings) -> str | t.Window | None:
    """``review``, ``refuse``, or ``{days: 45, from: placed}``."""
    if not isinstance(node, Mapping_):
        return read_word(node, findings, ("review", "refuse"), "fallback")
    keys = _keys(node, findings, ("days", "from"), "{days: 45, from: placed}")
    if keys is None:
        return None
    for wanted in ("days", "from"):
        if wanted not in keys:
            findings.error(node, f"the fallback has no `{wanted}`", "write it like `{days: 45, from: placed}`")
            return None
    days = read_days(keys["days"][1], findings)
    start = read_word(keys["from"][1], findings, ("placed", "shipped"), "start of a fallback")
    return None if days is None or start is None else t.Window(days=days, start=start, if_undelivered="review")


MAX_PHOTOS = 10


def _evidence(spec: t.TermSpec, node: Node, findings: Findings) -> t.Evidence | None:
    if not isinstance(node, Mapping_):
        word = read_word(node, findings, ("none", "photo"), "`evidence`")
        return None if word is None else t.Evidence(1 if word == "photo" else 0)
    keys = _keys(node, findings, ("photos", "of"), "{photos: 1, of: the tags}")
    if keys is None:
        return None
    photos: int | None = 1
    if "photos" in keys:
        photos = read_number(keys["photos"][1], findings, highest=MAX_PHOTOS)
        if photos == 0:
            findings.error(keys["photos"][1], "no photo is `none`", "write `evidence: none`")
            return None
    of = read_text(keys["of"][1], findings) if "of" in keys else None
    return None if photos is None or ("of" in keys and of is None) else t.Evidence(photos, of)


def _fee(spec: t.TermSpec, node: Node, findings: Findings) -> t.Fee | None:
    scalar = read_scalar(node, findings, "a percentage or an amount")
    if scalar is None:
        return None
    if "%" in scalar.text:
        share = read_share(scalar, findings)
        return None if share is None else t.Fee(bp=share)
    amount = read_money(scalar, findings)
    return None if amount is None else t.Fee(amount=amount)


_SHIPPING_KEYS = ("paid_by", "amount", "share", "free_for", "once_per")


def _shipping(spec: t.TermSpec, node: Node, findings: Findings) -> t.ReturnShipping | None:
    keys = _keys(node, findings, _SHIPPING_KEYS, "{paid_by: customer, amount: 3.50 GBP}")
    if keys is None:
        return None
    if "paid_by" not in keys:
        findings.error(node, "nobody is said to pay", "write `paid_by: merchant` or `paid_by: customer`")
        return None
    before = len(findings.found)
    paid_by = read_word(keys["paid_by"][1], findings, ("merchant", "customer"), "payer")
    amount = read_money(keys["amount"][1], findings) if "amount" in keys else None
    share = read_share(keys["share"][1], findings) if "share" in keys else None
    free_for: tuple[str, ...] | None = ()
    if "free_for" in keys:
        free_for = _words(t.TERMS["resolutions"], keys["free_for"][1], findings)
    once_per: str | None = "return"
    if "once_per" in keys:
        once_per = read_word(keys["once_per"][1], findings, ("return", "order"), "`once_per`")
    if len(findings.found) > before or paid_by is None or free_for is None or once_per is None:
        return None
    if paid_by == "merchant":
        for key in ("amount", "share", "free_for", "once_per"):
            if key in keys:
                findings.error(keys[key][0], f"`{key}` means nothing when the merchant pays", "delete it")
                return None
    if amount is not None and share is not None:
        findings.error(keys["share"][0], "`amount` and `share` exclude each other", "keep one of them")
        return None
    # Sorted by the language, not as written: the order means nothing and must not change the content hash.
    return t.ReturnShipping(paid_by, amount, share, tuple(r for r in t.RESOLUTIONS if r in free_for), once_per)


def _grades(spec: t.TermSpec, node: Node, findings: Findings) -> dict[str, t.Grade] | None:
    keys = _keys(node, findings, t.CONDITIONS, "{used: 70%}")
    if keys is None:
        return None
    grades: dict[str, t.Grade] = {}
    for condition, (_, value) in keys.items():
        grade = _grade(value, findings)
        if grade is None:
            return None
        grades[condition] = grade
    return {condition: grades[condition] for condition in t.CONDITIONS if condition in grades}


def _grade(node: Node, findings: Findings) -> t.Grade | None:
    if not isinstance(node, Mapping_):
        share = read_share(node, findings)
        return None if share is None else t.Grade(share)
    keys = _keys(node, findings, ("refund", "review"), "{refund: 70%, review: always}")
    if keys is None:
        return None
    share = read_share(keys["refund"][1], findings) if "refund" in keys else 10_000
    review: str | None = "never"
    if "review" in keys:
        review = read_word(keys["review"][1], findings, t.REVIEW, "`review`")
    return None if share is None or review is None else t.Grade(share, review == "always")


MAX_QUESTIONS = 5
MAX_CHOICES = 12
QUESTION_NAME = r"[a-z][a-z0-9_-]{0,29}"
_QUESTION = "{name: worn, ask: Have you worn it?, choices: ['yes', 'no']}"


def _questions(spec: t.TermSpec, node: Node, findings: Findings) -> t.Questions | None:
    items = read_list(node, findings, "a list of questions")
    if items is None:
        return None
    if len(items) > MAX_QUESTIONS:
        findings.error(
            items[MAX_QUESTIONS], f"more than {MAX_QUESTIONS} questions", "customers answer a few; keep those"
        )
        return None
    read = [_question(item, findings) for item in items]
    names = [each.name for each in read if each is not None]
    for position, name in enumerate(names):
        if name in names[:position]:
            findings.error(items[position], f"two questions are called `{name}`", "give each a name of its own")
            return None
    return None if None in read else t.Questions(tuple(each for each in read if each is not None))


def _question(node: Node, findings: Findings) -> t.Question | None:
    keys = _keys(node, findings, ("name", "ask", "choices"), _QUESTION)
    if keys is None:
        return None
    for wanted in ("name", "ask"):
        if wanted not in keys:
            findings.error(node, f"the question has no `{wanted}`", f"write it like `{_QUESTION}`")
            return None
    name, ask = read_text(keys["name"][1], findings, "a name"), read_text(keys["ask"][1], findings, "a question")
    if name is not None and not re.fullmatch(QUESTION_NAME, name, re.ASCII):
        findings.error(keys["name"][1], f"{shown(keys['name'][1])} is no name of a question", "write it like `worn`")
        return None
    choices: list[str | None] = []
    if "choices" in keys:
        listed = read_list(keys["choices"][1], findings, "a list of choices")
        if listed is None:
            return None
        if not 2 <= len(listed) <= MAX_CHOICES:
            findings.error(
                keys["choices"][1],
                f"{len(listed)} choice{'' if len(listed) == 1 else 's'}",
                f"give 2 to {MAX_CHOICES}, or none for a text",
            )
            return None
        choices = [read_text(each, findings, "a choice") for each in listed]
        if len(set(choices)) < len(choices):
            findings.error(keys["choices"][1], "a choice is given twice", "keep one of them")
            return None
    if name is None or ask is None or None in choices:
        return None
    return t.Question(name, ask, tuple(each for each in choices if each is not None))


_READERS: Mapping[str, Callable[[t.TermSpec, Node, Findings], Any]] = {
    t.YES_NO.name: _yes_no,
    t.WORD.name: _word,
    t.WORDS.name: _words,
    t.TEXT.name: _text,
    t.WINDOW.name: _window,
    t.EVIDENCE.name: _evidence,
    t.SHARE.name: _share,
    t.FEE.name: _fee,
    t.SHIPPING.name: _shipping,
    t.DAYS.name: _days,
    t.GRADES.name: _grades,
    t.QUESTIONS.name: _questions,
}
