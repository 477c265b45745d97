"""Lists with Stripe's cursors and filters, and `expand`."""

from __future__ import annotations

import json
from typing import Any

from .account import Account, public
from .errors import ApiError, Obj, invalid, missing_object

EXPANDABLE: dict[str, tuple[str, ...]] = {
    "charge": ("balance_transaction", "customer", "failure_balance_transaction", "payment_intent", "refunds", "on_behalf_of"),
    "refund": (
        "balance_transaction", "charge", "customer", "failure_balance_transaction", "payment_intent", "payment_method",
        "source_transfer_reversal", "transfer_reversal",
    ),
    "payment_intent": ("customer", "latest_charge", "on_behalf_of", "payment_method", "review"),
    "dispute": ("charge", "payment_intent"),
    "balance_transaction": ("source",),
    "payment_method": ("customer",),
}  # fmt: skip
_DEEPEST = 4


def collect(account: Account, kind: str, url: str, params: Obj, *filters: str) -> Obj:
    """One page of a kind, newest first; ``filters`` are the parameters that are columns."""
    where: list[tuple[str, Any]] = [(f"{name} = ?", params[name]) for name in filters if name in params]
    where += [(f"created {operator} ?", moment) for operator, moment in params.get("created", [])]
    return page(account, kind, url, params, where)


def page(account: Account, kind: str, url: str, params: Obj, where: list[tuple[str, Any]]) -> Obj:
    """The same for conditions of one's own."""
    if "starting_after" in params and "ending_before" in params:
        raise invalid("You cannot use both `starting_after` and `ending_before`.", None, "starting_after")
    cursors: dict[str, int] = {}
    for name, argument in (("starting_after", "after"), ("ending_before", "before")):
        if name in params:
            position = account.store.position(kind, params[name])
            if position is None:
                raise missing_object(kind, params[name], name)
            cursors[argument] = position
    limit = params.get("limit", 10)
    found = account.store.page(kind, where, limit + 1, **cursors)
    more = len(found) > limit
    # One object more than asked tells whether there are more; it stands at the far end from the cursor.
    found = (found[1:] if "before" in cursors else found[:-1]) if more else found
    return {"object": "list", "data": found, "has_more": more, "url": url}


def events(account: Account, params: Obj) -> Obj:
    """Events by type, time and whether all their deliveries succeeded."""
    where: list[tuple[str, Any]] = [(f"created {operator} ?", moment) for operator, moment in params.get("created", [])]
    wanted = [params["type"]] if "type" in params else params.get("types", [])
    if wanted:
        where.append(("type IN (SELECT value FROM json_each(?))", json.dumps(wanted)))
    if "delivery_success" in params:
        unsettled = "id {} (SELECT event FROM deliveries WHERE state <> 'delivered') AND ? IS NOT NULL"
        where.append((unsettled.format("NOT IN" if params["delivery_success"] else "IN"), "asked"))
    return page(account, "event", "/v1/events", params, where)


def expand(account: Account, body: Obj, paths: list[str]) -> Obj:
    """``body`` as it is shown: hidden names gone, each path of ``paths`` replaced by the object it points at."""
    shown = _show(body)
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEEPEST + (steps[0] == "data"):
            raise ApiError(f"You can expand at most {_DEEPEST} levels ({path}).", param="expand")
        _expand(account, shown, steps, path)
    return shown


def _expand(account: Account, place: Any, steps: list[str], path: str) -> None:
    name, rest = steps[0], steps[1:]
    if place.get("object") == "list" and name == "data" and rest:
        for item in place["data"]:
            _expand(account, item, rest, path)
        return
    if name not in EXPANDABLE.get(place.get("object"), ()):
        raise ApiError(
            f"This property cannot be expanded ({path}).", code="parameter_unknown", param="expand", saved=False
        )
    if name == "refunds" and "refunds" not in place:
        place[name] = _show(
            collect(account, "refund", f"/v1/charges/{place['id']}/refunds", {"charge": place["id"]}, "charge")
        )
    elif isinstance(place.get(name), str):
        found = account.store.find_any(place[name])
        if found is not None:
            place[name] = _show(found)
    if rest and isinstance(place.get(name), dict):
        _expand(account, place[name], rest, path)


def _show(body: Obj) -> Obj:
    shown = public(body)
    if shown.get("object") == "list":
        shown["data"] = [public(item) for item in shown["data"]]
    return shown
