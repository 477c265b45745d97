"""The words behind `sentences` and the editor's forms: one table for facts, one for operators, one for the language's own words.

In: names of the language. Out: message ids, which the reader of a table translates.
Invariants: every fact, operator and word of the language stands here (a test walks the tables of `conditions` and `terms`);
a fact's ``lead`` ends where a value can follow. Never: a sentence that is put together from translated halves of words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


def _(message: str) -> str:
    """Mark a message id for the extractor; it is translated when a sentence is made."""
    return message


@dataclass(frozen=True, slots=True)
class FactWords:
    """How a fact is spoken of.

    ``label`` names it in a form, ``lead`` opens its part of a sentence ("the item cost"), ``many`` does so before several values
    that must all be there, ``none`` before those of a list of which none may be. ``yes`` and ``no`` are the two values of a fact
    that is true or false.
    """

    label: str
    lead: str
    many: str = ""
    none: str = ""
    yes: str = ""
    no: str = ""


FACT_WORDS: Mapping[str, FactWords] = {
    "order.placed": FactWords(_("Order date"), _("the order was placed")),
    "order.shipped": FactWords(_("Date it was sent"), _("the item was sent")),
    "order.delivered": FactWords(_("Delivery date"), _("the item was delivered")),
    "order.last_delivered": FactWords(_("Last delivery date"), _("the last parcel of the order was delivered")),
    "days_since.placed": FactWords(_("Days since the order"), _("the number of days since the order is")),
    "days_since.shipped": FactWords(_("Days since it was sent"), _("the number of days since it was sent is")),
    "days_since.delivered": FactWords(_("Days since delivery"), _("the number of days since delivery is")),
    "today": FactWords(_("Date of the request"), _("the customer asks")),
    "order.country": FactWords(_("Country"), _("the country is")),
    "order.currency": FactWords(_("Currency"), _("the order’s currency is")),
    "order.number": FactWords(_("Order number"), _("the order number is")),
    "order.region": FactWords(_("Region"), _("the region is")),
    "order.channel": FactWords(_("Sales channel"), _("the sales channel is")),
    "order.payment_method": FactWords(_("Payment method"), _("the payment method is")),
    "order.fulfilment": FactWords(_("Fulfilment"), _("the fulfilment is")),
    "order.tags": FactWords(
        _("Order tags"), _("the order has the tag"), _("the order has the tags"), _("the order doesn’t have the tag")
    ),
    "order.discount_codes": FactWords(
        _("Discount codes"),
        _("the order used the discount code"),
        _("the order used the discount codes"),
        _("the order didn’t use the discount code"),
    ),
    "order.total": FactWords(_("Order total"), _("the order’s total is")),
    "order.discount_percent": FactWords(_("Discount on the order"), _("the discount on the order is")),
    "order.returns_so_far": FactWords(
        _("Returns of this order"), _("the number of returns already made of this order is")
    ),
    "order.is_gift": FactWords(_("Gift order"), _("the order is"), yes=_("a gift"), no=_("not a gift")),
    "order.is_business": FactWords(
        _("Business order"), _("the order is from"), yes=_("a business"), no=_("a private person")
    ),
    "customer.email": FactWords(_("Customer e-mail"), _("the customer’s e-mail address is")),
    "customer.tags": FactWords(
        _("Customer tags"),
        _("the customer has the tag"),
        _("the customer has the tags"),
        _("the customer doesn’t have the tag"),
    ),
    "customer.orders": FactWords(_("Orders of the customer"), _("the customer’s number of orders is")),
    "customer.returns": FactWords(_("Returns of the customer"), _("the customer’s number of returns is")),
    "customer.kept_items": FactWords(_("Items kept before"), _("the number of items the customer kept before is")),
    "customer.failed_inspections": FactWords(
        _("Failed checks"), _("the number of the customer’s items that failed the check is")
    ),
    "customer.return_rate": FactWords(_("Return rate"), _("the customer’s return rate is")),
    "customer.refunded_90_days": FactWords(_("Refunded in 90 days"), _("the customer’s refunds in 90 days are")),
    "customer.credit_received": FactWords(_("Store credit received"), _("the customer’s store credit so far is")),
    "customer.is_consumer": FactWords(
        _("Consumer"), _("the customer buys as"), yes=_("a consumer"), no=_("a business customer")
    ),
    "item.sku": FactWords(_("SKU"), _("the SKU is")),
    "item.product": FactWords(_("Product"), _("the product is")),
    "item.vendor": FactWords(_("Vendor"), _("the vendor is")),
    "item.type": FactWords(_("Product type"), _("the product type is")),
    "item.category": FactWords(_("Category"), _("the category is")),
    "item.tags": FactWords(
        _("Item tags"), _("the item has the tag"), _("the item has the tags"), _("the item doesn’t have the tag")
    ),
    "item.price": FactWords(_("Item price"), _("the item cost")),
    "item.paid": FactWords(_("Price paid"), _("the customer paid for the item")),
    "item.discounted": FactWords(
        _("Discounted"), _("the item was sold"), yes=_("at a discount"), no=_("at full price")
    ),
    "item.hazardous": FactWords(_("Hazardous"), _("the item is"), yes=_("hazardous"), no=_("not hazardous")),
    "item.is_exchange": FactWords(
        _("From an exchange"), _("the item was"), yes=_("sent as an exchange"), no=_("not sent as an exchange")
    ),
    "item.quantity": FactWords(_("Number bought"), _("the number bought of this item is")),
    "item.weight": FactWords(_("Weight"), _("the item’s weight is")),
    "line.value": FactWords(_("Value of these units"), _("the units to return are worth")),
    "line.quantity": FactWords(_("Number of units"), _("the number of units to return is")),
    "return.value": FactWords(_("Value of the return"), _("the return is worth")),
    "return.items": FactWords(_("Items in the return"), _("the number of items in the return is")),
    "return.is_full": FactWords(
        _("Whole order"), _("the return is"), yes=_("the whole order"), no=_("a part of the order")
    ),
    "reason": FactWords(_("Reason"), _("the reason is")),
    "evidence": FactWords(_("Photos given"), _("the number of photos given is")),
    "resolution": FactWords(_("Wish"), _("the customer wants")),
    "method": FactWords(_("Way to send it"), _("the customer sends it with")),
}

ANSWER_LABEL, ANSWER_LEAD = _("Answer to “%(question)s”"), _("the answer to “%(question)s” is")
OTHER_LEAD = _("“%(fact)s” is")  # for a fact of a newer version of the language

OPERATOR_WORDS: Mapping[str, tuple[str, str]] = {
    # operator -> (in a form, in a sentence). What stands within [ and ] belongs to the value.
    "is": (_("is"), _("%(lead)s [%(value)s]")),
    "in": (_("is one of"), _("%(lead)s [%(value)s]")),
    "not_in": (_("is none of"), _("%(lead)s not [%(value)s]")),
    "matches": (_("fits the pattern"), _("%(lead)s of the pattern [%(value)s]")),
    "has": (_("has"), _("%(lead)s [%(value)s]")),
    "has_any": (_("has one of"), _("%(lead)s [%(value)s]")),
    "has_all": (_("has all of"), _("%(lead)s [%(value)s]")),
    "over": (_("is more than"), _("%(lead)s more than [%(value)s]")),
    "under": (_("is less than"), _("%(lead)s less than [%(value)s]")),
    "at_least": (_("is at least"), _("%(lead)s [%(value)s or more]")),
    "at_most": (_("is at most"), _("%(lead)s [%(value)s or less]")),
    "between": (_("is from … to …"), _("%(lead)s [from %(value)s to %(last)s]")),
    "from": (_("is from"), _("%(lead)s [from %(value)s on]")),
    "to": (_("is until"), _("%(lead)s [until %(value)s]")),
}
ON_A_DAY = _("%(lead)s on [%(value)s]")

REASON_WORDS: Mapping[str, str] = {
    "too-small": _("too small"),
    "too-large": _("too big"),
    "changed-mind": _("a change of mind"),
    "not-as-described": _("not as described"),
    "faulty": _("faulty"),
    "damaged": _("damaged"),
    "wrong-item": _("the wrong item"),
    "arrived-late": _("too late"),
    "other": _("something else"),
}

METHOD_WORDS: Mapping[str, str] = {
    "label": _("a label to print"),
    "qr": _("a QR code"),
    "shop": _("a shop’s counter"),
    "own": _("a carrier of their own"),
}

OFFER_WORDS: Mapping[str, str] = {
    "refund": _("refunds"),
    "exchange": _("exchanges"),
    "store_credit": _("store credit"),
}

CONDITION_WORDS: Mapping[str, str] = {
    "as_new": _("as new"),
    "opened": _("opened"),
    "used": _("used"),
    "damaged": _("damaged"),
    "wrong_item": _("the wrong item"),
    "missing": _("missing"),
}

# (term, word) -> the part of a sentence that says it. What stands within [ and ] is the value.
WORD_PHRASES: Mapping[tuple[str, str], str] = {
    ("review", "never"): _("approve [automatically]"),
    ("review", "always"): _("ask [a person] to decide"),
    ("outbound_shipping", "never"): _("pay [no] delivery costs back"),
    ("outbound_shipping", "full_return"): _("pay delivery costs back [when everything comes back]"),
    ("outbound_shipping", "always"): _("pay delivery costs back [always]"),
    ("refund_when", "authorized"): _("send the money [when we approve]"),
    ("refund_when", "in_transit"): _("send the money [when the carrier has it]"),
    ("refund_when", "received"): _("send the money [when it arrives]"),
    ("refund_when", "inspected"): _("send the money [after the check]"),
    ("exchange_for", "same_price"): _("exchange for [the same product at the same price]"),
}

# Yes-or-no terms: (when it is true, when it is false).
YES_NO_PHRASES: Mapping[str, tuple[str, str]] = {
    "returnable": (_("[accept it]"), _("[don’t accept it]")),
    "keep_item": (_("let the customer [keep it]"), _("want it [back]")),
    "donate": (_("ask to [give it away] where nothing is sent"), _("let it be [kept] where nothing is sent")),
}

# Terms of a share, of days and of a text.
VALUE_PHRASES: Mapping[str, str] = {
    "exchange_bonus": _("let a replacement cost [up to %(value)s more]"),
    "credit_bonus": _("add [%(value)s] to store credit"),
    "ship_by": _("give [%(value)s] to send it"),
    "destination": _("have it sent to [%(value)s]"),
    "message": _("tell the customer [“%(value)s”]"),
}
