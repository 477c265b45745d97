"""Customers and webhook endpoints: the two kinds of object that are little more than what was sent."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from .account import Account, new_id
from .errors import ApiError, Obj
from .forms import merge_metadata, require

_CUSTOMER_TEXTS = ("description", "email", "name", "phone")


def create_customer(account: Account, params: Obj) -> Obj:
    customer: Obj = {
        "id": new_id("cus"),
        "object": "customer",
        "address": params.get("address"),
        "balance": 0,
        "created": int(account.now()),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "discount": None,
        "invoice_prefix": secrets.token_hex(4).upper(),
        "invoice_settings": {
            "custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None,
        },
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata", {})),
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "shipping": params.get("shipping"),
        "tax_exempt": "none",
        "test_clock": None,
        **{name: params.get(name) for name in _CUSTOMER_TEXTS},
    }  # fmt: skip
    account.store.insert(customer)
    account.emit("customer.created", customer)
    return customer


def retrieve_customer(account: Account, params: Obj, id_: str) -> Obj:
    return account.get("customer", id_)


def create_endpoint(account: Account, params: Obj) -> Obj:
    """POST /v1/webhook_endpoints: its signing secret is shown in this answer only."""
    require(params, "url", "enabled_events")
    endpoint = add_endpoint(account, params["url"], [f"whsec_{secrets.token_hex(16)}"], params)
    return {**endpoint, "secret": endpoint["_secrets"][0]}


def add_endpoint(account: Account, url: str, signing: list[str], params: Obj) -> Obj:
    """A receiver of events. Raises ApiError unless it is on this machine: the stand-in sends nothing elsewhere."""
    try:
        local = urlsplit(url).scheme == "http" and urlsplit(url).hostname in ("127.0.0.1", "localhost", "::1")
        local = local and urlsplit(url).port != 0
    except ValueError:
        local = False
    if not local:
        raise ApiError("The stand-in delivers webhooks to this machine only (http://127.0.0.1:…).", param="url")
    endpoint: Obj = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": int(account.now()),
        "description": params.get("description"),
        "enabled_events": params.get("enabled_events") or ["*"],
        "livemode": False,
        "metadata": merge_metadata({}, params.get("metadata", {})),
        "status": "enabled",
        "url": url,
        "_secrets": signing,
    }
    account.store.insert(endpoint)
    return endpoint


def retrieve_endpoint(account: Account, params: Obj, id_: str) -> Obj:
    return account.get("webhook_endpoint", id_)


def delete_endpoint(account: Account, params: Obj, id_: str) -> Obj:
    account.get("webhook_endpoint", id_)
    account.store.run("DELETE FROM objects WHERE id = ?", id_)
    account.store.run("DELETE FROM deliveries WHERE endpoint = ? AND state <> 'delivered'", id_)
    return {"id": id_, "object": "webhook_endpoint", "deleted": True}
