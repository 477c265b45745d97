"""What is different in some case, for one country and one currency: a fault, another reason, another wish, a season, a kind of
item, a rule that holds by what is only known of an order.

In: a policy, a way to decide, a purchase. Out: `Told`: the usual terms and each case that differs from them.
Invariants: every row is made from a decision, also that of a rule which may hold: it is decided as if it did; a rule that may
change something is told in one of the cases; titles are the customer's words. Never: a rule's name, a guess about two rules that
may hold together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from portal.policy.conditions import Unknown, comparisons
from portal.policy.customer_conditions import customer_condition
from portal.policy.customer_words import label
from portal.policy.decision import ACCEPT, REFUSE, REVIEW
from portal.policy.explain import Wording, resolution_words
from portal.policy.facts import Facts
from portal.policy.laws import PREFIX
from portal.policy.loader import Policy, Rule
from portal.policy.offers import Offer, Season, offer
from portal.policy.pieces import listed_words
from portal.policy.promise import (
    UNKNOWN_ITEM,
    Asks,
    Kind,
    Promise,
    Purchase,
    exempt_kinds,
    is_foreign,
    kinds,
    ordinary,
    promise,
)
from portal.policy.reasons import CHANGED_MIND, FAULTS, FAULTY, REASONS
from portal.policy.rights import goods_words
from portal.policy.term_rows import Rows, answer_of, beyond, differences, rows_of, whole_of
from portal.policy.terms import RESOLUTIONS


@dataclass(frozen=True, slots=True)
class Case:
    """One case: a title, a sentence, the terms that differ from the usual ones, and all of its terms. ``implied`` are terms of
    faults that nobody says: they are taken to be as for a change of mind. ``answer`` is the sentence where it has to be
    said, ``about`` the reasons of a case that is told for some reasons."""

    title: str
    text: str
    rows: Rows
    whole: Rows
    implied: Rows = ()
    answer: str = ""
    about: tuple[str, ...] = ()

    @property
    def said(self) -> tuple[str, Rows]:
        return self.text, self.rows

    def beside(self, there: Case | None, usual: Rows) -> Case | None:
        """What has to be said of this case to somebody who has read of it ``there``, in the light of the ``usual`` terms here;
        None where nothing has to be said."""
        read = {**dict(usual), **dict((*there.implied, *there.rows) if there is not None else ())}
        told = {name for name, _words in (*self.rows, *(there.rows if there is not None else ()))}
        rows = tuple(
            (name, words) for name, words in self.whole if read.get(name) != words and (name in read or name in told)
        )
        text = self.text
        if there is not None and there.text and not text:
            text = self.answer
        if not rows and text == (there.text if there is not None else ""):
            return None
        return replace(self, text=text, rows=rows)


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that is said to one country in one currency. ``whole`` are all usual terms, also those that ask for nothing;
    ``both`` are these and those of faults. ``changes`` are the rules that may hold, by name."""

    usual: Promise
    text: str
    rows: Rows
    whole: Rows
    both: Rows
    cases: Mapping[str, Case]
    kinds: Mapping[Kind, Case]
    changes: Mapping[str, Case]

    def key(self) -> tuple[object, ...]:
        """What tells two countries apart."""
        return self.text, self.rows, *(tuple(each.items()) for each in (self.cases, self.kinds, self.changes))


def tell(policy: Policy, asks: Asks, purchase: Purchase, wording: Wording) -> Told:
    """What is said of purchases from that moment on, in its country and currency, of ordinary items and of others."""
    found = offer(policy, asks, purchase)
    special = _offers(policy, asks, purchase)
    both = whole_of(found.usual, wording) + _if_wrong(whole_of(found.faulty, wording), wording)
    return Told(
        found.usual, answer_of(found.usual, wording), rows_of(found.usual, wording), whole_of(found.usual, wording), both,
        _cases(policy, asks, found, wording), _kinds(policy, found, special, wording),
        _changes(policy, asks, found, special, wording),
    )  # fmt: skip


def _offers(policy: Policy, asks: Asks, purchase: Purchase) -> dict[Kind, Offer]:
    """What is promised for each kind of item. Those that only laws name and that no law tells apart share theirs."""
    named = kinds(policy)
    out = {kind: offer(policy, asks, replace(purchase, item=ordinary(kind.item()))) for kind in named}
    alike: dict[tuple[object, ...], Offer] = {}
    for kind in exempt_kinds(policy):
        if kind in out:
            continue
        item = ordinary(kind.item())
        unless = [floor.exempt for law in policy.floors for floor in law.floors]
        key = tuple(exempt(Facts(item=item)) is True for exempt in unless)
        if key not in alike:
            alike[key] = offer(policy, asks, replace(purchase, item=item))
        out[kind] = alike[key]
    return out


def _cases(policy: Policy, asks: Asks, found: Offer, wording: Wording) -> dict[str, Case]:
    """Faults, other reasons, other wishes, seasons."""
    _ = wording.gettext
    cases = [*_of_reasons(policy, asks, found, wording)]
    for other in found.usual.resolutions if found.usual.decision.answer != REFUSE else ():
        if other != found.usual.resolution:
            told = promise(policy, asks, found.bought, CHANGED_MIND, resolution=other)
            title = _("If you choose %(wish)s") % {"wish": resolution_words(other, wording)}
            cases.append(_case(title, told, found.usual, wording))
    for season in found.seasons:
        here, there = (season.promise, season.faulty), (found.usual, found.faulty)
        cases.append(_pair(_season_words(season, found, wording), here, there, wording, season=True))
    return {case.title: case for case in cases if any(case.said)}


def _of_reasons(policy: Policy, asks: Asks, found: Offer, wording: Wording) -> Iterator[Case]:
    """A case for all reasons that are promised the same."""
    told = {reason: promise(policy, asks, found.bought, reason) for reason in REASONS}
    alike: list[list[str]] = []
    for reason in (FAULTY, *(each for each in REASONS if each not in (FAULTY, CHANGED_MIND))):
        same = next((group for group in alike if told[group[0]].same_terms(told[reason])), None)
        alike.append([reason]) if same is None else same.append(reason)
    for group in alike:
        if not told[group[0]].same_terms(found.usual):
            case = _case(reasons_title(group, wording), told[group[0]], found.usual, wording)
            yield replace(case, about=tuple(group))


def reasons_title(reasons: Sequence[str], wording: Wording) -> str:
    """The title of a case for these reasons, in the words of the form that asks for them."""
    _ = wording.gettext
    if set(reasons) == set(FAULTS):
        return _("If something is wrong with it")
    words = listed_words([f"“{_(REASONS[each])}”" for each in REASONS if each in reasons], wording)
    return _("If you say %(reasons)s") % {"reasons": words}


def _season_words(season: Season, found: Offer, wording: Wording) -> str:
    """Of the days that are gone nothing is said: orders of then may be bound by another version."""
    _ = wording.gettext
    days = {"first": wording.date(season.first), "last": wording.date(season.last)}
    if season.first <= found.day <= season.last:
        return _("Bought by %(last)s") % days
    return _("Bought from %(first)s to %(last)s") % days


def _case(title: str, told: Promise, usual: Promise, wording: Wording) -> Case:
    text = answer_of(told, wording)
    if text == answer_of(usual, wording):
        text = ""
    elif not text and usual.decision.answer != ACCEPT:
        accepted = wording.gettext("Returns are accepted.")
        unasked = wording.gettext("Returns are accepted without a check by a person.")
        text = accepted if usual.decision.answer == REFUSE else unasked
    answer = answer_of(told, wording) or wording.gettext("Returns are accepted.")
    return Case(title, text, differences(told, usual, wording), whole_of(told, wording), answer=answer)


_Pair = tuple[Promise, Promise]
"""What is promised for a change of mind, and for a fault."""


def _pair(
    title: str, here: _Pair, there: _Pair, wording: Wording, *, plain: bool = False, season: bool = False
) -> Case:
    """What is different here from there, for both: a fault is told where it is not told as there, nor simply as everything.
    ``plain`` leaves the merchant's own sentence out. A ``season`` is read in the place of what is said of faults as well, so it
    says what it puts there."""
    _ = wording.gettext
    (mine, faulty), (usual, wrong) = here, there
    first = _case(title, mine, usual, wording)
    refused = mine.decision.answer == REFUSE
    texts, rows = (
        [_("If you change your mind, this can’t be returned.") if plain and refused else first.text],
        first.rows,
    )
    if mine.same_terms(usual):
        texts = []
    if not faulty.same_terms(wrong) and not (faulty.same_terms(mine) and wrong.same_terms(usual)):
        if faulty.decision.answer == REFUSE:
            same = _("The same holds if something is wrong with it.")
            texts.append(same if refused else _("If something is wrong with it, this can’t be returned."))
        elif faulty.decision.answer == REVIEW == mine.decision.answer and texts:
            texts.append(_("The same holds if something is wrong with it."))
        elif faulty.decision.answer == REVIEW:
            texts.append(_("If something is wrong with it, a person in our team checks it before we answer."))
        elif refused:
            texts.append(_("If something is wrong with it, you can send it back all the same."))
    elif refused and faulty.decision.answer != REFUSE:
        texts.append(_("If something is wrong with it, you can send it back all the same."))
    rows += _if_wrong(beyond(faulty, mine, wrong, usual, wording, replaces=season), wording)
    whole = whole_of(mine, wording) + _if_wrong(whole_of(faulty, wording), wording)
    own = {name for name, _words in differences(wrong, usual, wording)}
    implied = _if_wrong(tuple(row for row in first.rows if row[0] not in own), wording)
    return Case(title, " ".join(each for each in texts if each), rows, whole, implied, first.answer)


def _if_wrong(rows: Rows, wording: Wording) -> Rows:
    said = wording.gettext("%(term)s, if something is wrong with it")
    return tuple((said % {"term": name}, words) for name, words in rows)


def _kinds(policy: Policy, found: Offer, special: Mapping[Kind, Offer], wording: Wording) -> dict[Kind, Case]:
    """The kinds of items for which something is different. A merchant's sentence about several kinds is left out where a law
    makes it untrue of one of them."""
    untrue = {
        rule.name
        for rule in policy.rules
        for kind, other in special.items()
        if rule.sets.get("returnable") is False and names(rule, kind) and other.usual.decision.answer != REFUSE
    }
    out: dict[Kind, Case] = {}
    for kind, other in special.items():
        if other.told() == found.told():
            continue
        plain = any(cause.rule in untrue for cause in other.usual.decision.causes)
        words = goods_words(kind.value, wording)
        case = _pair(
            words[:1].upper() + words[1:],
            (other.usual, other.faulty),
            (found.usual, found.faulty),
            wording,
            plain=plain,
        )
        case = _in_seasons(case, found, other, wording)
        if any(case.said):
            out[kind] = case
    return out


def _in_seasons(case: Case, found: Offer, other: Offer, wording: Wording) -> Case:
    """The case of a kind with what a season does to it that nobody could read from the season's own words and the kind's."""
    text, rows, told = case.text, list(case.rows), list(case.whole)
    usual = dict(whole_of(found.usual, wording) + _if_wrong(whole_of(found.faulty, wording), wording))
    for season in (*found.seasons, *(each for each in other.seasons if not _same_days(each, found.seasons))):
        base = next((each for each in found.seasons if _same_days(season, (each,))), None)
        mine = next((each for each in other.seasons if _same_days(season, (each,))), None)
        here = (mine.promise, mine.faulty) if mine is not None else (other.usual, other.faulty)
        there = (base.promise, base.faulty) if base is not None else (found.usual, found.faulty)
        told_of_all = _pair("", there, (found.usual, found.faulty), wording, season=True)
        read = usual | dict((*told_of_all.implied, *told_of_all.rows, *case.implied, *case.rows))
        whole = whole_of(here[0], wording) + _if_wrong(whole_of(here[1], wording), wording)
        days = _season_words(season, found, wording)
        days = days[:1].lower() + days[1:]
        said = wording.gettext("%(term)s, %(days)s")
        rows += [(said % {"term": term, "days": days}, words) for term, words in whole if read.get(term) != words]
        told += [(said % {"term": term, "days": days}, words) for term, words in whole]
        if here[0].decision.answer not in (other.usual.decision.answer, there[0].decision.answer):
            answer = answer_of(here[0], wording) or wording.gettext("Returns are accepted.")
            text = f"{text} {_season_words(season, found, wording)}: {answer}".strip()
    return replace(case, text=text, rows=tuple(rows), whole=tuple(told))


def _same_days(season: Season, others: Sequence[Season]) -> bool:
    return any((season.first, season.last) == (each.first, each.last) for each in others)


def names(rule: Rule, kind: Kind) -> bool:
    """Whether a rule names this kind and may hold for it."""
    for test in comparisons(rule.when):
        value = test.value if isinstance(test.value, tuple) else (test.value,)
        if test.fact == kind.fact and kind.value in value:
            return rule.holds(Facts(item=kind.item())) is not False
    return False


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question: a purchase, a reason and a resolution; ``wish`` where that is not the one that is offered first."""

    purchase: Purchase
    reason: str
    resolution: str
    wish: str | None = None

    def facts(self) -> Facts:
        return self.purchase.facts(self.reason, self.resolution)


def _changes(
    policy: Policy, asks: Asks, found: Offer, special: Mapping[Kind, Offer], wording: Wording
) -> dict[str, Case]:
    """Every rule that may hold by what no case tells, decided as if it did."""
    here = [found.bought, *(season.bought for season in found.seasons)]
    told = [
        *(_Asked(each, reason, found.usual.resolution) for each in here for reason in (CHANGED_MIND, FAULTY)),
        *(_Asked(found.bought, reason, found.usual.resolution) for reason in REASONS),
        *(_Asked(found.bought, CHANGED_MIND, each, each) for each in RESOLUTIONS),
        *(
            _Asked(replace(each, item=ordinary(kind.item())), reason, other.usual.resolution)
            for kind, other in special.items()
            for each in here
            for reason in (CHANGED_MIND, FAULTY)
        ),
    ]
    # What no case tells holds for two things at once that the cases tell apart, such as a kind of item and a wish.
    rest = [
        _Asked(replace(each, item=UNKNOWN_ITEM), reason, wish or found.usual.resolution, wish)
        for each in here
        for reason in (CHANGED_MIND, *REASONS)
        for wish in (None, *RESOLUTIONS)
    ]
    facts = [(asked, asked.facts()) for asked in told]
    others = [(asked, asked.facts()) for asked in rest]
    out: dict[str, Case] = {}
    for place, rule in enumerate(policy.rules):
        held = [(asked, each, rule.holds(each)) for asked, each in facts]
        open_ = [(asked, each) for asked, each, holds in held if _is_open(rule, holds, asked)]
        if not open_ and all(holds is not True for _asked, _facts, holds in held):
            open_ = [(asked, each) for asked, each in others if _is_open(rule, rule.holds(each), asked)]
        for asked, each in open_:
            decided = {name for above in policy.rules[:place] if above.holds(each) is True for name in above.sets}
            if not rule.sets.keys() <= decided:
                case = _change(policy, asks, rule, asked, wording)
                if any(case.said):
                    out[rule.name] = case
                break
    return out


def _is_open(rule: Rule, holds: object, asked: _Asked) -> bool:
    """Whether it depends on the order if the rule holds; one that counts in another currency sends all of them to a person."""
    return isinstance(holds, Unknown) and not is_foreign(rule, holds, asked.purchase.currency)


def _change(policy: Policy, asks: Asks, rule: Rule, asked: _Asked, wording: Wording) -> Case:
    def both(assumed: tuple[str, ...]) -> _Pair:
        first = promise(policy, asks, asked.purchase, asked.reason, resolution=asked.wish, assumed=assumed)
        return first, promise(policy, asks, asked.purchase, FAULTY, assumed=assumed)

    known = replace(asked.purchase, item=UNKNOWN_ITEM).facts(asked.reason, asked.resolution)
    everybody = replace(known, reason=None, resolution=None)
    condition = customer_condition(policy, rule.when, everybody, wording)
    title = wording.gettext("If %(condition)s") % {"condition": condition}
    here, there = both((rule.name,)), both(())
    alone = asked.reason != CHANGED_MIND
    case = _case(title, here[0], there[0], wording) if alone else _pair(title, here, there, wording)
    if rule.say and rule.say not in case.text and any(case.said) and not _overruled(rule, here):
        case = _said_of(case, rule, wording)
    return case


def _said_of(case: Case, rule: Rule, wording: Wording) -> Case:
    """The case with the merchant's sentence: after what photo is asked for, whose reason it gives, else before all rows."""
    photo = label("evidence", wording)
    if "evidence" not in rule.sets or photo not in dict(case.rows):
        return replace(case, text=f"{rule.say} {case.text}".strip())
    rows, whole = (
        tuple((name, f"{words}. {rule.say}" if name == photo else words) for name, words in each)
        for each in (case.rows, case.whole)
    )
    return replace(case, rows=rows, whole=whole)


def _overruled(rule: Rule, told: _Pair) -> bool:
    """Whether a law gives more than the rule on some day, so that the rule's own sentence is not true on that day."""
    decided = [each for here in told for each in (*(stage.decision for stage in here.stages), here.decision)]
    return any(
        term.set_by.startswith(PREFIX) and rule.name in [name for name, _value in term.instead_of]
        for each in decided
        for name, term in each.terms.items()
        if name in rule.sets
    )
