"""Why customers send things back: the product's own codes and their English words (message ids).

In: nothing. Out: codes, in the order in which they are asked. Invariants: the codes are stored with returns and never change
their meaning. Never: another platform’s code.
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
