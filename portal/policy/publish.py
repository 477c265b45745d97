"""The policy for search engines: schema.org `MerchantReturnPolicy` as JSON-LD.

In: offers (see `promise`). Out: JSON values. Invariants: only what the decision says for the listed countries; what the
vocabulary can't say exactly (a person decides; days that don't count from delivery) becomes a link to the page instead of a
wrong number; a cost that hangs on the order is left to the page; one that a law lifts for its own days stands beside the
vocabulary, for these days and for those after them.
Never: a float; amounts are decimal texts, as Google's own examples have them.

Google's requirements: developers.google.com/search/docs/appearance/structured-data/return-policy. Vocabulary:
schema.org/MerchantReturnPolicy, schema.org/MerchantReturnPolicySeasonalOverride.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from portal.money import Money
from portal.policy.customer_words import window
from portal.policy.decision import ACCEPT, REFUSE
from portal.policy.explain import ENGLISH
from portal.policy.offers import Offer, Season
from portal.policy.promise import Promise, Shipping

SCHEMA = "https://schema.org/"
MAX_COUNTRIES = 50
"""Google takes at most so many countries in one policy."""
_REFUNDS = {"refund": "FullRefund", "exchange": "ExchangeRefund", "store_credit": "StoreCreditRefund"}
# A label that is printed or scanned travels by mail, and so does what the customer posts; "shop" is a counter.
_METHODS = {"label": "ReturnByMail", "qr": "ReturnByMail", "own": "ReturnByMail", "shop": "ReturnInStore"}


def json_ld(
    offers: Sequence[Offer], *, name: str, url: str, link: str, returned_to: str, foreign: Sequence[Offer] = ()
) -> dict[str, Any]:
    """The shop with its return policies. ``link`` is the policy's page, ``returned_to`` the country of the warehouse, ``foreign``
    what is promised for orders in other currencies than that of ``offers``."""
    policies = [each for found in offers for each in _policies(found, foreign, link, returned_to)]
    return {
        "@context": "https://schema.org",
        "@type": "OnlineStore",
        "name": name,
        "url": url,
        "hasMerchantReturnPolicy": policies,
    }


def _policies(found: Offer, foreign: Sequence[Offer], link: str, returned_to: str) -> Iterator[dict[str, Any]]:
    window = _window(found.usual)
    seasons = [_season(season, found.usual) for season in found.seasons if not season.promise.same_terms(found.usual)]
    # One season without words would leave the usual terms standing for it, so all of it is a link then.
    told = window is not None and None not in seasons
    for start in range(0, len(found.countries), MAX_COUNTRIES):
        countries = list(found.countries[start : start + MAX_COUNTRIES])
        policy: dict[str, Any] = {"@type": "MerchantReturnPolicy", "merchantReturnLink": link}
        if told:
            policy |= {"applicableCountry": countries, "returnPolicyCountry": returned_to, **(window or {})}
            if found.usual.decision.answer == ACCEPT:
                policy |= _terms(found.usual)
                policy |= _variant("customerRemorse", found.usual)
            if found.faulty.decision.answer == ACCEPT:
                policy |= _variant("itemDefect", found.faulty)
            if seasons:
                policy["returnPolicySeasonalOverride"] = seasons
            if more := [
                *_from_last_parcel(found),
                *_lifted(found),
                *_defects(found),
                *_defects_in_season(found, link),
                *_by_currency(found, foreign, link),
            ]:
                policy["additionalProperty"] = more
        yield policy


def _from_last_parcel(found: Offer) -> Iterator[dict[str, Any]]:
    """Days that count from the last parcel of an order: those of the vocabulary count from the delivery of the product."""
    usual = found.usual
    if usual.decision.answer == ACCEPT and usual.window.start == "last_delivered":
        yield _property("merchantReturnDays from delivery of the last parcel", usual.window.days)


def _lifted(found: Offer) -> Iterator[dict[str, Any]]:
    """Costs that are not the same on every day: the vocabulary has one of each, for all days."""
    if found.usual.decision.answer == ACCEPT:
        for name, value in {**_course("return", found.usual), **_restocking(found.usual)}.items():
            if " " in name:
                yield _property(name, value)
    if found.faulty.decision.answer == ACCEPT:
        for name, value in _course("itemDefectReturn", found.faulty).items():
            if " " in name:
                yield _property(name, value)


def _defects(found: Offer) -> Iterator[dict[str, Any]]:
    """The days for what is faulty: the vocabulary has fees and labels by reason, and one number of days for all reasons."""
    wrong = _window(found.faulty) or {}
    days = wrong.get("merchantReturnDays")
    if days is not None and days != (_window(found.usual) or {}).get("merchantReturnDays"):
        yield _property("itemDefectMerchantReturnDays", days)


def _defects_in_season(found: Offer, link: str) -> Iterator[dict[str, Any]]:
    """What a season says of faults where its own days, or those for faults, would be read instead; a season of the vocabulary
    has one number of days for all reasons and no fees by reason. ``link`` stands for what can't be said."""
    days = "merchantReturnDays"
    usual = (_window(found.usual) or {}).get(days)
    for season in found.seasons:
        when = f"from {season.first.isoformat()} to {season.last.isoformat()}"
        wrong = _window(season.faulty)
        here = link if wrong is None else wrong.get(days, wrong["returnPolicyCategory"])
        if {(_window(season.promise) or {}).get(days), (_window(found.faulty) or {}).get(days, usual)} != {here}:
            yield _property(f"itemDefectMerchantReturnDays {when}", here)
        before, after = (
            _variant("itemDefect", each) | _course("itemDefectReturn", each) if each.decision.answer == ACCEPT else {}
            for each in (found.faulty, season.faulty)
        )
        for name in {**before, **after} if after else {}:
            if before.get(name) != after.get(name):
                yield _property(f"{name} {when}", after.get(name, link))


def _by_currency(found: Offer, foreign: Sequence[Offer], link: str) -> Iterator[dict[str, Any]]:
    """What orders in another currency pay otherwise: a policy has one amount, and countries but no currencies to apply to.
    ``link`` stands for what can't be said."""
    if found.usual.decision.answer != ACCEPT:
        return
    for other in foreign:
        if other.usual.decision.answer != ACCEPT or not set(found.countries) <= set(other.countries):
            continue
        for told in (_way_back, _restocking):
            own, here = told(found.usual), told(other.usual)
            if own != here:
                for name, now in (here or dict.fromkeys(own, link)).items():
                    yield _property(f"{name} of orders in {other.currency}", now)


def _property(name: str, value: Any) -> dict[str, Any]:
    """A `PropertyValue`, schema.org's own place for what it has no property for."""
    days = {"unitCode": "DAY"} if type(value) is int and "Days" in name else {}
    return {"@type": "PropertyValue", "name": name, "value": value, **days}


def _window(told: Promise) -> dict[str, Any] | None:
    """Category and days, or None for what the vocabulary has no words for."""
    if told.decision.answer == REFUSE:
        return {"returnPolicyCategory": SCHEMA + "MerchantReturnNotPermitted"}
    if told.decision.answer != ACCEPT:
        return None
    window = told.window
    finite = {"returnPolicyCategory": SCHEMA + "MerchantReturnFiniteReturnWindow"}
    if window.until is not None:
        return finite | {"merchantReturnDays": window.until.isoformat()}
    # Days from the last parcel are at least as many from the delivery of each; `_from_last_parcel` says which they are.
    if window.start not in ("delivered", "last_delivered"):
        return None
    return finite | {"merchantReturnDays": window.days}


def _terms(told: Promise) -> dict[str, Any]:
    found: dict[str, Any] = {"refundType": [SCHEMA + _REFUNDS[each] for each in told.resolutions]}
    methods = dict.fromkeys(_METHODS[each] for each in told.methods)
    if methods:
        found["returnMethod"] = [SCHEMA + each for each in methods]
    found |= _sayable(_course("return", told), _restocking(told))
    if not found.get("restockingFee", True):
        del found["restockingFee"]
    if label := _label(told):
        found["returnLabelSource"] = label
    return found


def _variant(prefix: str, told: Promise) -> dict[str, Any]:
    found = _sayable(_course(prefix + "Return", told))
    if label := _label(told):
        found[prefix + "ReturnLabelSource"] = label
    return found


def _sayable(*courses: dict[str, Any]) -> dict[str, Any]:
    """What holds on every day, and so can be said by a property of the vocabulary."""
    return {name: value for course in courses for name, value in course.items() if " " not in name}


def _course(prefix: str, told: Promise) -> dict[str, Any]:
    """What the way back costs; where a law lifts that for its own days, under names that say for which days;
    nothing where it hangs on what nobody knows before the order."""
    if told.uncertain("return_shipping"):
        return {}
    costs = _apart(told, [_fees(prefix, each.shipping) for each in told.costs])
    return {f"{name}{days}": value for days, fees in costs for name, value in fees.items()}


def _way_back(told: Promise) -> dict[str, Any]:
    """The same as one value each: the amount where there is one."""
    found = _course("return", told)
    amounts = {name for name in found if name.startswith("returnShippingFeesAmount")}
    for name in amounts:
        found[name.replace("returnShippingFeesAmount", "returnFees")] = found.pop(name)
    return found


def _restocking(told: Promise) -> dict[str, Any]:
    """The fee for restocking, 0 where there is none, in the same way."""
    if told.uncertain("restocking_fee"):
        return {}
    fees = (each.fee for each in told.costs)
    values = [_amount(fee.amount) if fee.amount is not None else _percent(fee.bp) for fee in fees]
    return {f"restockingFee{days}": value for days, value in _apart(told, values)}


_Value = TypeVar("_Value")


def _apart(told: Promise, values: list[_Value]) -> list[tuple[str, _Value]]:
    """Values of the costs with the days that each holds for; one value with no days where all are the same."""
    if all(value == values[0] for value in values):
        return [("", values[0])]
    days = [
        " after that" if each.stage is None else f" for {window(each.stage.within, ENGLISH)}" for each in told.costs
    ]
    return list(zip(days, values, strict=True))


def _fees(prefix: str, shipping: Shipping) -> dict[str, Any]:
    """A share of the value is an amount that nobody knows before the order; nothing is said of it."""
    match shipping.kind:
        case "free":
            return {f"{prefix}Fees": SCHEMA + "FreeReturn"}
        case "own":
            return {f"{prefix}Fees": SCHEMA + "ReturnFeesCustomerResponsibility"}
        case _ if shipping.amount is not None and shipping.amount.minor:
            return {
                f"{prefix}Fees": SCHEMA + "ReturnShippingFees",
                f"{prefix}ShippingFeesAmount": _amount(shipping.amount),
            }
        case _ if shipping.amount is not None:
            return {f"{prefix}Fees": SCHEMA + "FreeReturn"}
        case _:
            return {}


def _label(told: Promise) -> str:
    if "label" in told.methods:
        return SCHEMA + "ReturnLabelDownloadAndPrint"
    return SCHEMA + "ReturnLabelCustomerResponsibility" if told.methods == ("own",) else ""


def _season(season: Season, usual: Promise) -> dict[str, Any] | None:
    window = _window(season.promise)
    if window is None:
        return None
    found: dict[str, Any] = {
        "@type": "MerchantReturnPolicySeasonalOverride",
        "startDate": season.first.isoformat(),
        "endDate": season.last.isoformat(),
        **window,
    }
    if season.promise.decision.answer != ACCEPT:
        return found
    before = _terms(usual) if usual.decision.answer == ACCEPT else {}
    after = _terms(season.promise)
    fees = [_restocking(each) if each.decision.answer == ACCEPT else {} for each in (usual, season.promise)]
    ways = [_course("return", each) if each.decision.answer == ACCEPT else {} for each in (usual, season.promise)]
    for was, now, name in ((*fees, "restockingFee"), (*ways, "returnFees")):
        if was != now and was and name not in now:
            # A season of the vocabulary has no place for days of its own, so the usual words would be read for it.
            return None
    if fees[0] != fees[1] and (fees[1].get("restockingFee") or fees[0]):
        after |= _sayable(fees[1])
        before.pop("restockingFee", None)
    for group in (("refundType",), ("returnMethod",), ("returnFees", "returnShippingFeesAmount"), ("restockingFee",)):
        if any(before.get(key) != after.get(key) for key in group):
            found |= {key: after[key] for key in group if key in after}
    return found


def _amount(money: Money) -> dict[str, Any]:
    return {"@type": "MonetaryAmount", "value": str(money.decimal), "currency": money.currency}


def _percent(bp: int) -> int | str:
    """A share of the price in percent: a number where it is whole."""
    whole, rest = divmod(bp, 100)
    return whole if not rest else f"{whole}.{rest:02d}".rstrip("0")
