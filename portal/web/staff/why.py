"""Why a line was decided so: which rule set what, the laws that had a say, and what would have changed it.

In: a return line with its stored decision, and the book. Out: rows for the page. Invariants: everything shown stands in the
record, or was decided again from it. Never: a write, a query for each row.
"""

from __future__ import annotations

from typing import Any

from portal import wording
from portal.orders.models import Order
from portal.policy.counterfactual import WhatIf
from portal.policy.counterfactual_words import answer_words, change_words
from portal.policy.decision import ACCEPT, Decision
from portal.policy.explain import counting_photos, staff_message, term_label, trace
from portal.policy.laws import PREFIX
from portal.policybook.service import Book
from portal.returns.explaining import changes_of_line, laws_of
from portal.returns.models import ReturnLine
from portal.web.render import locale
from portal.web.staff import words
from portal.web.staff.text import _

_MAIN = ("returnable", "window", "evidence", "review", "return_shipping", "refund_when")


def rules(line: ReturnLine, photos: int) -> dict[str, list[dict[str, Any]]]:
    """Which rule set what, for one line: what decides first, the rest to unfold."""
    decision = Decision.from_json(line.decision)
    default = _("Default")
    main: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    for row in trace(decision, words.staff_wording()):
        more = ""
        if row.term == "window" and decision.return_by_on is not None and "until" not in row.result.casefold():
            more = _("until %(day)s", day=wording.day(decision.return_by_on, locale()))
        elif row.term == "window" and any(cause.code == "no_start_date" for cause in decision.causes):
            more = _("not known yet, so a person decides")
        elif row.term == "evidence" and photos:
            more = _("%(count)s given", count=photos)
        shown = {
            "label": row.label,
            "result": row.result,
            "more": more,
            "set_by": _short(row.set_by),
            "instead_of": [
                _("%(result)s, from “%(rule)s”", result=result, rule=_short(rule)) for result, rule in row.instead_of
            ],
        }
        (main if row.term in _MAIN or (row.set_by != default and row.instead_of) else rest).append(shown)
    return {"main": main, "rest": rest}


def _short(name: str) -> str:
    """A law's floor without its article, which stands below the table."""
    return name.removeprefix(PREFIX).partition(" (")[0] if name.startswith(PREFIX) else name


def causes(line: ReturnLine, photos: int) -> list[str]:
    """Why the line was decided so, each sentence once; ``photos`` are there by now."""
    decision, spoken = Decision.from_json(line.decision), words.staff_wording()
    told = (counting_photos(cause, photos) for cause in (*decision.causes, *decision.requires))
    return list(dict.fromkeys(staff_message(cause, spoken) for cause in told))


def explained(book: Book, order: Order, line: ReturnLine, photos: int) -> dict[str, Any]:
    """The causes of the answer, the laws that set terms, and what would have changed it: what helps first, the rest to unfold."""
    decision, spoken = Decision.from_json(line.decision), words.staff_wording()
    changes = changes_of_line(book, order, line) if book.versions else ()
    return {
        "causes": causes(line, photos),
        "laws": [
            {
                "title": each.law.title,
                "floor": each.floor.name,
                "cite": each.floor.cite,
                "checked": each.law.checked,
                "terms": ", ".join(term_label(name, spoken) for name in each.terms),
            }
            for each in laws_of(book, decision)
        ],
        "accepted": decision.answer == ACCEPT,
        "better": [_change(each) for each in changes if each.better],
        "worse": [_change(each) for each in changes if not each.better],
    }


def _change(found: WhatIf) -> dict[str, str]:
    spoken = words.staff_wording()
    answer = answer_words(found, spoken)
    return {
        "change": change_words(found, spoken),
        "answer": answer[:1].upper() + answer[1:],
        "terms": ", ".join(term_label(name, spoken) for name in found.terms),
    }
