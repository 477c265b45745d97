"""`portal policy explain`: what the policy answers for one line of an order, why, and what would have changed it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from portal import clock, wording
from portal.cli.context import ports
from portal.cli.policy import policy
from portal.errors import NotFound
from portal.money import Money
from portal.orders.queries import get_order
from portal.policy.counterfactual import WhatIf
from portal.policy.counterfactual_words import staff_sentence, staff_sentences
from portal.policy.decision import Decision
from portal.policy.explain import cause_message, staff_message, trace
from portal.policy.laws import Applied
from portal.policy.reasons import REASONS
from portal.policy.terms import RESOLUTIONS
from portal.policybook import service
from portal.returns.assess import Assessment, Wish, assess
from portal.returns.explaining import changes_of_wish, laws_of

NO_ADVICE = "A reading of the law for this program, no legal advice."


class Reason(click.Choice[str]):
    """A reason, also as terms and ways are spelled (``changed_mind``)."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raises `click.BadParameter` with the reasons that are known."""
        return super().convert(value.replace("_", "-"), param, ctx)


@policy.command()
@click.argument("order")
@click.argument("line")
@click.option("--reason", type=Reason(tuple(REASONS)), required=True, help="Why it comes back.")
@click.option("--resolution", type=click.Choice(RESOLUTIONS), default="refund", show_default=True)
@click.option("--quantity", type=click.IntRange(1), default=1, show_default=True)
@click.option("--at", "moment", type=click.DateTime(), help="Ask as of this moment (UTC); now when left out.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, in the shape of policies/README.md.")
def explain(
    order: str, line: str, reason: str, resolution: str, quantity: int, moment: datetime | None, as_json: bool
) -> None:
    """Say what the policy answers for LINE of ORDER, why, which rule set what, and what would have changed it.

    Changes nothing.
    """
    at = clock.now() if moment is None else moment.replace(tzinfo=UTC)
    with ports().database.read() as session:
        found = get_order(session, order)
        if all(each.ref != line for each in found.lines):
            lines = ", ".join(f"{each.ref} ({each.name or each.sku})" for each in found.lines[:20])
            raise NotFound(f"order {found.number} has no line `{line}`; it has {lines}")
        book = service.load_book(session)
        said = assess(session, book, found, [Wish(line, quantity, reason, resolution)], at=at)
        one = said.lines[0]
        changes = changes_of_wish(book, found, one)
        laws = laws_of(book, one.decision)
        if as_json:
            click.echo(json.dumps(_json(said, changes, laws), indent=2, ensure_ascii=False))
            return
        for text in _text(said, changes, laws):
            click.echo(text)


def _json(said: Assessment, changes: tuple[WhatIf, ...], laws: tuple[Applied, ...]) -> dict[str, Any]:
    one = said.lines[0]
    decided = one.decision.to_json()
    for kind, causes in (("causes", one.decision.causes), ("requires", one.decision.requires)):
        for shown, cause in zip(decided[kind], causes, strict=True):
            shown["staff"] = staff_message(cause)
    return {
        "order": said.order.number,
        "line": one.wish.line,
        "quantity": one.wish.quantity,
        "reason": one.wish.reason,
        "resolution": one.wish.resolution,
        **decided,
        "policy": {"version": said.policy_number, **decided["policy"]},
        "laws": [each.to_json() for each in laws],
        "what_if": [{**each.to_json(), "sentence": staff_sentence(each)} for each in changes],
        "quote": said.quote.to_json(),
        "facts": one.facts.to_json(),
    }


def _still_asked(decision: Decision) -> str:
    """What the customer still has to add, as a sentence after the answer."""
    asked = []
    for cause in decision.requires:
        match cause.code:
            case "photo_required":
                missing = cause.params["photos"] - cause.params["given"]
                asked.append("a photo" if missing == 1 else f"{missing} photos")
            case "question_unanswered":
                asked.append(f"an answer to “{cause.params['ask']}”")
    return f". The customer still has to add {' and '.join(asked)}" if asked else ""


def _text(said: Assessment, changes: tuple[WhatIf, ...], laws: tuple[Applied, ...]) -> Iterator[str]:
    one = said.lines[0]
    yield f"{said.order.number} line {one.wish.line}: {one.decision.answer}{_still_asked(one.decision)}"
    yield f"policy version {said.policy_number}, “{one.decision.policy_name}”, {one.decision.policy_hash[:12]}"
    for cause in (*one.decision.causes, *one.decision.requires):
        yield f"- {staff_message(cause)}"
        yield f"  the customer reads: {cause_message(cause)}"
    if one.decision.return_by_on is not None:
        yield f"until {wording.day(one.decision.return_by_on)}"
    rows = [("Setting", "Result", "Set by", "Instead of")]
    for row in trace(one.decision):
        instead = "; ".join(f"{result} ({rule})" for result, rule in row.instead_of)
        rows.append((row.label, row.result, row.set_by, instead))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    yield ""
    for row_ in rows:
        cells = [cell.ljust(width) for cell, width in zip(row_, widths, strict=False)]
        yield "  ".join([*cells, row_[3]]).rstrip()
    if laws:
        yield ""
        for each in laws:
            yield f"{each.law.title}: {each.floor.name}, {each.floor.cite}; checked {each.law.checked.isoformat()}"
        yield NO_ADVICE
    yield ""
    yield "What would have changed it" if changes else "Nothing else that the policy asks would have changed it"
    for better, sentence in staff_sentences(changes):
        yield f"{'+' if better else '-'} {sentence}"
    yield ""
    for part in said.quote.all_parts():
        yield f"{part.kind:<20}{Money(part.amount_minor, said.quote.currency)!s:>16}"
    yield f"{'total':<20}{said.quote.total!s:>16}"
