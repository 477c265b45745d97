"""Why customers send things back: the product's own codes, their English words (message ids), and other platforms' codes.

In: a code of a platform. Out: one of ours. Invariants: the codes are stored with returns and never change their meaning.
Never: a guess about a code that is not in the table; it becomes `other`.
"""

from __future__ import annotations

from collections.abc import Mapping

TOO_SMALL = "too-small"
TOO_LARGE = "too-large"
CHANGED_MIND = "changed-mind"
NOT_AS_DESCRIBED = "not-as-described"
FAULTY = "faulty"
DAMAGED = "damaged"
WRONG_ITEM = "wrong-item"
ARRIVED_LATE = "arrived-late"
OTHER = "other"


def _(message: str) -> str:
    """Mark a message id for the extractor; the page translates it when it renders."""
    return message


# In the order in which the customer's page asks them.
REASONS: Mapping[str, str] = {
    TOO_SMALL: _("It’s too small"),
    TOO_LARGE: _("It’s too big"),
    CHANGED_MIND: _("I changed my mind"),
    NOT_AS_DESCRIBED: _("It’s not what I expected"),
    FAULTY: _("It’s faulty"),
    DAMAGED: _("It arrived damaged"),
    WRONG_ITEM: _("It’s the wrong item"),
    ARRIVED_LATE: _("It arrived too late"),
    OTHER: _("Something else"),
}

# The seller did not deliver what was agreed. The item page asks these when it looks for "only if faulty".
FAULTS = (FAULTY, DAMAGED, WRONG_ITEM, NOT_AS_DESCRIBED)

_FOREIGN: Mapping[str, Mapping[str, str]] = {
    # ReturnReason of Shopify's API. STYLE and COLOR are matters of taste, not of a wrong description.
    "shopify": {
        "COLOR": CHANGED_MIND,
        "DEFECTIVE": FAULTY,
        "NOT_AS_DESCRIBED": NOT_AS_DESCRIBED,
        "SIZE_TOO_LARGE": TOO_LARGE,
        "SIZE_TOO_SMALL": TOO_SMALL,
        "STYLE": CHANGED_MIND,
        "UNWANTED": CHANGED_MIND,
        "WRONG_ITEM": WRONG_ITEM,
    },
    # Codes of Amazon's fulfilment reports. What the buyer damaged, returned wrongly or never received is not among them: none
    # of it is the seller's fault by the code alone, so a person's look is not skipped by a promise made for faults.
    "amazon-fba": {
        "DEFECTIVE": FAULTY,
        "NOT_AS_DESCRIBED": NOT_AS_DESCRIBED,
        "WRONG_ITEM": WRONG_ITEM,
        "MISSING_PARTS": FAULTY,
        "QUALITY_NOT_ADEQUATE": NOT_AS_DESCRIBED,
        "UNWANTED_ITEM": CHANGED_MIND,
        "EXPIRED_ITEM": FAULTY,
        "DAMAGED_BY_FC": DAMAGED,
        "DAMAGED_BY_CARRIER": DAMAGED,
        "NOT_COMPATIBLE": CHANGED_MIND,
        "ORDERED_WRONG_ITEM": CHANGED_MIND,
        "FOUND_BETTER_PRICE": CHANGED_MIND,
        "MISSED_ESTIMATED_DELIVERY": ARRIVED_LATE,
        "APPAREL_STYLE": CHANGED_MIND,
        "APPAREL_TOO_SMALL": TOO_SMALL,
        "APPAREL_TOO_LARGE": TOO_LARGE,
        "JEWELRY_TOO_SMALL": TOO_SMALL,
        "JEWELRY_TOO_LARGE": TOO_LARGE,
        "EXTRA_ITEM": WRONG_ITEM,
    },
}


def reason_of(platform: str, code: str) -> str:
    """Our reason for a platform's code (``shopify``, ``amazon-fba``); `other` for what is not known."""
    return _FOREIGN.get(platform.casefold(), {}).get(code.strip().upper(), OTHER)
