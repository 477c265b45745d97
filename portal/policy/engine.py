"""Decides: `decide(policy, facts) -> Decision`, and which version of a policy binds an order.

In: a loaded `Policy` and `Facts`. Out: a `Decision` with provenance, every cause, and what is still required.
Invariants: rules are read from the top and the first that matches and sets a term decides it; a rule that cannot be evaluated
and sets a term that no rule above it has decided makes the answer `review`; same input, same bytes.
Never: a clock, an exception for a "no", a cause that hides another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from portal.policy.conditions import Unknown
from portal.policy.decision import ACCEPT, OTHERWISE, REFUSE, REVIEW, Cause, Decision, Term
from portal.policy.facts import Facts
from portal.policy.laws import PREFIX, START_OF, last_day
from portal.policy.loader import Policy, Rule
from portal.policy.terms import Fee, ReturnShipping, Window


def decide(policy: Policy, facts: Facts) -> Decision:
    """What the policy says about these units, this reason and this wish, at the moment ``facts.at``.

    `review` when a rule or the window could not be evaluated, even if another cause refuses: obeying a refusal next to a broken
    rule could break a promise. Otherwise `refuse` with every cause, `review` when a rule asks for a person, or `accept`.
    The laws that the policy names have raised the terms before that.
    """
    terms, unknown = _terms(policy, facts)
    blocked: list[Cause] = []
    for law in policy.floors:
        for floor in law.raise_terms(facts, terms, policy.zone):
            blocked += _blocked(floor.floor, floor.why, floor.terms)
    for rule, why, undecided in unknown:
        blocked += _blocked(rule, why, undecided)
    refusing: list[Cause] = []
    reviewing: list[Cause] = []
    returnable = terms["returnable"]
    if returnable.value is False:
        refusing += _not_returnable(policy, returnable)
    return_by, return_by_on = _window(policy, facts, terms["window"], blocked, refusing, reviewing)
    _resolution(policy, facts, terms["resolutions"], refusing)
    review = terms["review"]
    if review.value == "always":
        reviewing.append(Cause("review_rule", review.set_by, _say(policy, review.set_by)))
    _fees(facts, terms, reviewing)
    if blocked:
        answer, causes = REVIEW, (*blocked, *refusing, *reviewing)
    elif refusing:
        answer, causes = REFUSE, tuple(refusing)
    elif reviewing:
        answer, causes = REVIEW, tuple(reviewing)
    else:
        answer, causes = ACCEPT, ()
    return Decision(
        answer=answer,
        causes=causes,
        terms=terms,
        return_by=return_by,
        policy_hash=policy.content_hash,
        policy_name=policy.name,
        requires=() if answer == REFUSE else (*_requires(policy, facts, terms["evidence"]), *_unanswered(facts, terms)),
        return_by_on=return_by_on,
    )


def _blocked(rule: str, why: Unknown, undecided: Sequence[str]) -> list[Cause]:
    """One cause for each fact that stood in the way of a rule or of a law's floor."""
    found = []
    for miss in why.misses:
        params: dict[str, Any] = {"fact": miss.fact, "sets": list(undecided)}
        if miss.why == "other_currency":
            found.append(Cause("other_currency", rule, {**params, "found": miss.found, "wanted": miss.wanted}))
        else:
            found.append(Cause("unknown_fact", rule, params))
    return found


def _terms(policy: Policy, facts: Facts) -> tuple[dict[str, Term], list[tuple[str, Unknown, list[str]]]]:
    """Every term with its provenance, and the rules that could not be evaluated and would have had a say, with those terms."""
    won: dict[str, Term] = {}
    overruled: dict[str, list[tuple[str, Any]]] = {}
    unknown: list[tuple[str, Unknown, list[str]]] = []
    for rule, sets, left in policy.plan.candidates(facts):
        got = left is None or left(facts)
        if got is True:
            for name, term, instead in sets:
                if name not in won:
                    won[name] = term
                else:
                    overruled.setdefault(name, []).append(instead)
        elif isinstance(got, Unknown):
            undecided = [name for name, _, _ in sets if name not in won]
            if undecided:
                unknown.append((rule, got, undecided))
    terms = {**policy.defaults, **won}
    for name, later in overruled.items():
        term = won[name]
        # What holds otherwise comes last, after every rule.
        terms[name] = Term(term.value, term.set_by, (*later, *term.instead_of))
    return terms, unknown


def _say(policy: Policy, rule_name: str) -> dict[str, Any]:
    said = policy.says.get(rule_name)
    return {} if said is None else {"say": said}


def gives_reason(rule: Rule) -> bool:
    """Whether some cause of a decision can be this rule, and so carry its sentence to the customer."""
    sets = rule.sets
    asks = "evidence" in sets and sets["evidence"].photos > 0
    limits = "window" in sets or "resolutions" in sets
    return limits or asks or sets.get("returnable") is False or sets.get("review") == "always"


def _not_returnable(policy: Policy, returnable: Term) -> list[Cause]:
    """The rule that refuses, and those below it that would have refused too: each of them would have to yield."""
    names = [returnable.set_by]
    for rule_name, value in returnable.instead_of:
        if value is not False:
            break
        if rule_name != OTHERWISE:
            names.append(rule_name)
    return [Cause("not_returnable", name, _say(policy, name)) for name in names]


def _window(
    policy: Policy,
    facts: Facts,
    term: Term,
    blocked: list[Cause],
    refusing: list[Cause],
    reviewing: list[Cause],
) -> tuple[datetime | None, date | None]:
    """The end of the window, and the cause when it has passed or cannot be known."""
    window: Window = term.value
    zone, rule, at = policy.zone, term.set_by, facts.at
    if at is None:
        blocked.append(Cause("unknown_fact", rule, {"fact": "today", "sets": ["window"]}))
    last = last_day(window, facts, zone)
    if last is None and isinstance(window.if_undelivered, Window):
        window = replace(window.if_undelivered, grace=window.grace, ends_on=window.ends_on)
        last = last_day(window, facts, zone)
    if last is None:
        where = {"from": window.start}
        if window.if_undelivered == "refuse":
            refusing.append(Cause("not_delivered", rule, where))
        else:
            reviewing.append(Cause("no_start_date", rule, where))
        return None, None
    if at is not None and at.astimezone(zone).toordinal() > last.toordinal() + window.grace:
        # Where a law moved the end, what the merchant says of the shorter window still explains why it is not the usual one.
        told = term.instead_of[0][0] if rule.startswith(PREFIX) else rule
        params: dict[str, Any] = {"ended_on": last.isoformat(), **_say(policy, told)}
        start = None if window.until is not None else START_OF[window.start](facts)
        if start is not None:
            params |= {
                "days": window.days,
                "from": window.start,
                "started_on": start.astimezone(zone).date().isoformat(),
            }
        refusing.append(Cause("window_closed", rule, params))
    return end_of_day(last, zone), last


_LAST_SECOND = time(23, 59, 59, fold=1)


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The last second of a day, aware; where clocks go back late in the evening, the second of both 23:59:59."""
    return datetime.combine(day, _LAST_SECOND, tzinfo=zone)


def _resolution(policy: Policy, facts: Facts, offered: Term, refusing: list[Cause]) -> None:
    if facts.resolution is not None and facts.resolution not in offered.value:
        refusing.append(
            Cause(
                "resolution_not_offered",
                offered.set_by,
                {
                    "resolution": facts.resolution,
                    "offered": list(offered.value),
                    **_say(policy, offered.set_by),
                },
            )
        )


def _fees(facts: Facts, terms: Mapping[str, Term], reviewing: list[Cause]) -> None:
    """A fee in another currency than the order's cannot be taken off, and is not converted: a person decides."""
    currency = facts.order.currency
    shipping: ReturnShipping = terms["return_shipping"].value
    if shipping.amount is not None and facts.resolution not in shipping.free_for:
        _fee_currency("return_shipping", terms, shipping.amount.currency, currency, reviewing)
    fee: Fee = terms["restocking_fee"].value
    if fee.amount is not None and facts.resolution != "exchange":
        _fee_currency("restocking_fee", terms, fee.amount.currency, currency, reviewing)


def _fee_currency(name: str, terms: Mapping[str, Term], wanted: str, found: str | None, reviewing: list[Cause]) -> None:
    if found != wanted:
        params = {"term": name, "wanted": wanted} | ({"found": found} if found is not None else {})
        reviewing.append(Cause("fee_currency", terms[name].set_by, params))


def _unanswered(facts: Facts, terms: Mapping[str, Term]) -> tuple[Cause, ...]:
    """The questions of the policy that the customer has not answered, or not with one of the choices."""
    term = terms.get("questions")
    if term is None:
        return ()
    given = facts.answers or {}
    return tuple(
        Cause("question_unanswered", term.set_by, {"question": each.name, "ask": each.ask})
        for each in term.value.items
        if not given.get(each.name) or (each.choices and given[each.name] not in each.choices)
    )


def _requires(policy: Policy, facts: Facts, term: Term) -> tuple[Cause, ...]:
    given = facts.evidence or 0
    if given >= term.value.photos:
        return ()
    params: dict[str, Any] = {"photos": term.value.photos, "given": given}
    if term.value.of is not None:
        params["of"] = term.value.of
    return (Cause("photo_required", term.set_by, params | _say(policy, term.set_by)),)
