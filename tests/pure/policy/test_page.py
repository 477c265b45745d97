"""The policy's page says to whoever reads it what is decided: in every market, season and kind, on every day, for all reasons."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.money import Money
from portal.policy.customer_conditions import customer_condition
from portal.policy.customer_words import phrase
from portal.policy.decision import REFUSE
from portal.policy.engine import decide, end_of_day
from portal.policy.explain import ENGLISH
from portal.policy.facts import CustomerFacts, Facts, ItemFacts, OrderFacts
from portal.policy.loader import Policy, load_policy
from portal.policy.offers import offer
from portal.policy.page import policy_page
from portal.policy.promise import UNKNOWN_ITEM, Purchase, ordinary, promise
from portal.policy.reasons import CHANGED_MIND, FAULTY, REASONS
from portal.policy.term_rows import SHOWN, value_of
from tests.pure.policy.reader import agrees, read, titles_of
from tests.pure.policy.test_promise import EXAMPLES, NOW, PHASES, RULES, SOLD_TO, asks, published_by, text_of

MORE = """
- {rule: gadget_v2, when: {item.category: gadgets}, set: {restocking_fee: 15%}}
- {rule: opened_r7, when: {answer.opened: "yes"}, set: {restocking_fee: 20%}}
- {rule: both-1, when: {item.category: shoes, item.tags: {has: heavy}}, set: {ship_by: 3 days}}
- {rule: small-1, when: {reason: too-small}, set: {return_shipping: {paid_by: merchant}, ship_by: 30 days}}
- {rule: credit-1, when: {resolution: store_credit}, set: {window: {days: 80}, credit_bonus: 20%}}
- {rule: xmas-shoes, when: {item.category: shoes, order.placed: {from: 2026-11-01, to: 2026-12-24}}, set: {evidence: photo}}
- {rule: hyg, when: {item.tags: {has: hygiene}}, set: {returnable: false}, say: Not once it is open.}
- {rule: shoe-faults, when: {item.category: shoes, reason: faulty}, set: {window: {days: 200}, evidence: photo}}
- {rule: fees-1, when: {order.country: DE}, set: {restocking_fee: 9%, outbound_shipping: never}}
- {rule: credit-only, when: {item.type: card}, set: {resolutions: [store_credit]}}
""".strip().splitlines()
LAWS = "laws: [eu-consumer, uk-consumer]\n"

policies = st.builds(
    lambda laws, rules, days, returnable: load_policy(
        text_of(rules, days, returnable).replace("rules:", f"{LAWS if laws else ''}rules:", 1)
    ),
    st.booleans(),
    st.lists(st.sampled_from([*RULES, *MORE]), unique=True, max_size=8),
    st.sampled_from([10, 14, 30]),
    st.sampled_from(["true", "true", "true", "false"]),
)
ITEMS = (
    ItemFacts(category="shoes"), ItemFacts(category="food"), ItemFacts(category="gadgets"), ItemFacts(type="card"),
    ItemFacts(type="sample"), ItemFacts(tags=("heavy",)), ItemFacts(tags=("final-sale",)), ItemFacts(tags=("hygiene",)),
)  # fmt: skip
questions = st.one_of(
    st.tuples(st.sampled_from(ITEMS), st.sampled_from([CHANGED_MIND, FAULTY]), st.none(), st.just(False)),
    st.tuples(st.just(UNKNOWN_ITEM), st.sampled_from(list(REASONS)), st.none(), st.booleans()),
    st.tuples(
        st.just(UNKNOWN_ITEM),
        st.just(CHANGED_MIND),
        st.sampled_from(["refund", "exchange", "store_credit"]),
        st.just(False),
    ),
)


def bought(country: str, currency: str, placed_on: date, item: ItemFacts, policy: Policy, **more: Any) -> Facts:
    """The facts of an order with one line; the parcel came four days later."""
    placed_at = datetime(placed_on.year, placed_on.month, placed_on.day, 12, tzinfo=policy.zone)
    delivered_at, price = placed_at + timedelta(days=4), more.pop("price")
    return Facts(
        order=OrderFacts(
            number="1", placed_at=placed_at, country=country, region="", channel="web", currency=currency, total=price, tags=(),
            discount_codes=(), discount_percent_bp=0, payment_method="card", returns_so_far=0, is_gift=False, is_business=False,
            fulfilment="fulfilled", last_delivered_at=delivered_at,
        ),
        customer=CustomerFacts(orders=more.pop("orders"), tags=()),
        item=replace(
            ordinary(item), sku="B-2", product="", vendor="", price=price, paid=price, discounted=False, quantity=1, weight_g=1,
            hazardous=False, is_exchange=False, shipped_at=placed_at, delivered_at=delivered_at,
        ),
        quantity=1, line_value=price, return_value=price, return_items=1, return_is_full=True, evidence=9, method="label",
        is_consumer=True, **more,
    )  # fmt: skip


@settings(max_examples=EXAMPLES, deadline=None, phases=PHASES)
@given(policies, st.sampled_from(SOLD_TO), st.sampled_from(["GBP", "EUR"]), questions, st.integers(0, 60), st.data())
def test_whoever_reads_the_page_knows_what_is_decided(
    policy: Policy, country: str, currency: str, question: tuple[Any, ...], later: int, data: st.DataObject
) -> None:
    shop = Purchase("GB", "GBP", NOW, ordinary())
    # The part that is read stands beside that of Britain, in euros beside that in pounds.
    sold_to, currencies = (tuple(dict.fromkeys(each)) for each in (("GB", country), ("GBP", currency)))
    page = policy_page(policy, asks, shop, sold_to=sold_to, currencies=currencies)
    item, reason, wish, changed = question
    placed_on = NOW.date() + timedelta(days=later if wish is None and reason in (CHANGED_MIND, FAULTY) else 900)
    here = replace(shop, country=country, currency=currency, item=ordinary(item))
    bare = bought(
        country, currency, placed_on, item, policy, price=Money(20_000 if changed else 900, currency), orders=9 if changed else 1,
        reason=reason, answers={"opened": "yes" if changed else "no"},
    )  # fmt: skip
    known = promise(policy, asks, replace(here, placed_at=bare.order.placed_at), reason, resolution=wish)
    assert bare.item.delivered_at is not None
    came = bare.item.delivered_at.astimezone(policy.zone).date()
    asked_on = came + timedelta(days=data.draw(st.sampled_from([0, 5, 14, 15, 25])))
    facts = bare.asking(resolution=known.resolution, at=end_of_day(asked_on, policy.zone))
    change = _change(policy, page, facts, here, known)
    if change is None or (change and item != UNKNOWN_ITEM):
        return
    decision = decide(policy, facts)
    last = decide(policy, facts.asking(at=bare.item.delivered_at)).return_by_on
    if last is not None and asked_on > last:
        # Where only a law lets it come back, its days are over by then, and that is read from the page as well.
        return
    if "window_closed" in [cause.code for cause in decision.causes] or (
        wish and wish not in decision.value("resolutions")
    ):
        return
    if policy.floors and (known.window.until is not None or known.window.start == "placed"):
        # The law's days begin with the parcel, which came later than the page could know: they may end later than is told.
        return
    kept = decision.value("keep_item")
    names = tuple(name for name in SHOWN if not (kept and name in ("return_shipping", "ship_with", "ship_by")))
    words = {name: phrase(name, value_of(decision, name), ENGLISH) for name in names}
    agrees(read(page, facts, placed_on, change=change), decision, names, words, (came, asked_on))


def _change(policy: Policy, page: Any, facts: Facts, here: Purchase, known: Any) -> str | None:
    """The title of the one change that holds for these facts, "" where none does, None where several do. Every rule that holds
    and that the kinds, reasons, wishes and seasons do not tell must be told as a change."""
    told = replace(here, placed_at=facts.order.placed_at).facts(known.reason, known.resolution)
    titles = titles_of(page, here.country, here.currency)
    found = []
    for rule in policy.rules:
        if rule.holds(facts) is not True or rule.holds(told) is True or _idle(policy, rule.name, facts):
            continue
        everybody = replace(here, item=UNKNOWN_ITEM, placed_at=facts.order.placed_at).facts(CHANGED_MIND)
        title = "If " + customer_condition(policy, rule.when, replace(everybody, reason=None), ENGLISH)
        assert title in titles, (title, titles)
        found.append(title)
    return None if len(found) > 1 else "".join(found)


def _idle(policy: Policy, name: str, facts: Facts) -> bool:
    """Whether the rule changes nothing for these facts that a page tells."""
    without = replace(policy, rules=tuple(rule for rule in policy.rules if rule.name != name))
    mine, theirs = (decide(each, facts) for each in (policy, without))
    if REFUSE == mine.answer == theirs.answer:
        return True
    return mine.answer == theirs.answer and all(value_of(mine, each) == value_of(theirs, each) for each in SHOWN)


def test_a_fee_for_a_kind_is_told_in_the_kinds_own_words_with_the_days_in_which_a_law_lifts_it() -> None:
    policy = load_policy(text_of(MORE[:2]).replace("rules:", f"{LAWS}rules:", 1))
    shop = Purchase("DE", "GBP", NOW, ordinary())
    page = policy_page(policy, asks, shop, sold_to=("DE", "US"), currencies=("GBP",))
    first, other = page.markets
    (gadgets,) = [each for each in first.kinds if each.name == "Gadgets"]
    lifted = "None (for 14 days from delivery of the last parcel). After that: 15% of the price"
    assert (gadgets.text, dict(gadgets.rows)["Restocking fee"]) == ("", lifted)
    (abroad,) = [dict(each.rows) for each in other.kinds if each.name == "Gadgets"]
    assert set(abroad.values()) == {"15% of the price"}, "no law lifts it there, for faults neither"
    assert [each.name for each in first.changes] == ["If the answer to “opened” is yes"]
    said = repr(page)
    assert not [rule.name for rule in policy.rules if rule.name in said], "a rule's name is the shop's own business"


def test_the_data_say_a_lifted_fee_for_its_days_and_for_those_after_them_and_never_as_one_number() -> None:
    policy = load_policy(
        text_of([]).replace("restocking_fee: 0%", "restocking_fee: 15%").replace("rules:", f"{LAWS}rules:", 1)
    )
    listed = published_by(policy, Purchase("GB", "GBP", NOW, ordinary()))["hasMerchantReturnPolicy"]
    for country, fee in (("DE", None), ("GB", None), ("US", 15)):
        (entry,) = [each for each in listed if country in each["applicableCountry"]]
        more = {each["name"]: each["value"] for each in entry.get("additionalProperty", ())}
        told = {name: value for name, value in more.items() if name.startswith("restockingFee")}
        assert entry.get("restockingFee") == fee
        within = {"restockingFee for 14 days from delivery of the last parcel": 0, "restockingFee after that": 15}
        assert told == ({} if fee else within)


def test_days_that_a_law_counts_from_the_last_parcel_are_promised_so_and_are_those_of_the_decision() -> None:
    sale = "- {rule: Sale, when: {item.tags: {has: final-sale}}, set: {window: {days: 14, from: delivered}}, say: Final sale.}"
    policy = load_policy(text_of([sale]).replace("rules:", f"{LAWS}rules:", 1))
    shop, sold = Purchase("GB", "GBP", NOW, ordinary()), ItemFacts(tags=("final-sale",))
    first, abroad = policy_page(policy, asks, shop, sold_to=("GB", "US"), currencies=("GBP",)).markets
    assert [dict(each.rows)["Time to return"] for each in first.kinds] == ["14 days from delivery of the last parcel"]
    assert [dict(each.rows)["Time to return"] for each in abroad.kinds] == ["14 days from delivery"], "no law there"
    price = Money(10_00, "GBP")
    facts = bought(
        "GB", "GBP", date(2026, 11, 1), sold, policy, price=price, orders=1, reason=CHANGED_MIND, resolution="refund"
    )
    later = datetime(2026, 11, 11, 12, tzinfo=policy.zone)
    two = replace(facts, order=replace(facts.order, last_delivered_at=later), at=later)
    assert asks(policy)(two).return_by_on == date(2026, 11, 25)
    # All of a shop's goods on these days: the vocabulary knows delivery alone, and the exact words stand beside it.
    every = load_policy(text_of([], days=14).replace("rules:", f"{LAWS}rules:", 1))
    listed = published_by(every, shop)["hasMerchantReturnPolicy"]
    for country, exactly in (("GB", [14]), ("US", [])):
        (entry,) = [each for each in listed if country in each["applicableCountry"]]
        more = [each for each in entry.get("additionalProperty", ()) if each["name"].endswith("last parcel")]
        assert (entry["merchantReturnDays"], [each["value"] for each in more]) == (14, exactly)
    # More days than the law's, and days that may end on a business day, stay the policy's own.
    for own in ("days: 15, from: delivered", "days: 14, from: delivered, ends_on: business_day"):
        policy = load_policy(
            text_of([sale.replace("days: 14, from: delivered", own)]).replace("rules:", f"{LAWS}rules:", 1)
        )
        assert promise(policy, asks, replace(shop, item=ordinary(sold)), CHANGED_MIND).window.start == "delivered"


def test_a_season_says_the_days_of_faults_where_its_own_would_be_read_for_them() -> None:
    policy = load_policy(text_of([RULES[6]]).replace("rules:", f"{LAWS}rules:", 1))
    shop = Purchase("GB", "GBP", NOW, ordinary())
    page = policy_page(policy, asks, shop, sold_to=("GB", "FR"), currencies=("GBP",))
    told = [dict(each.rows) for part in page.markets for each in part.cases if each.name.startswith("Bought by")]
    faults = "Time to return, if something is wrong with it"
    assert told == [
        {"Time to return": "Until 31 January 2027", faults: "184 days from delivery"},
        {faults: "2 years from delivery"},
    ]


def test_a_season_begins_no_earlier_than_its_version_and_ends_before_the_next_one() -> None:
    policy = load_policy(text_of([RULES[6]]))
    today = NOW.date()
    shop = Purchase("GB", "GBP", NOW, ordinary(), since=today - timedelta(days=2), before=today + timedelta(days=300))
    (season,) = offer(policy, asks, shop).seasons
    assert (season.first, season.last) == (today - timedelta(days=2), date(2026, 12, 24))
    (case,) = policy_page(policy, asks, shop, sold_to=("GB",), currencies=("GBP",)).markets[0].cases
    assert case.name == "Bought by 24 December 2026", "nothing is said of days that are gone"
    # The next version binds before the season ends: what holds until then is all that is promised.
    short = offer(policy, asks, replace(shop, before=today + timedelta(days=5)))
    assert (short.usual.window.until, short.seasons) == (date(2027, 1, 31), ())
