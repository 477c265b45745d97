"""Orders: what was bought, frozen as it was charged.

In: orders of other systems (`importer`), by command line or API. Out: `Order` rows, and look-up for customers.
Invariants: lines + shipping + extras + rounding = total charged; amounts are read, never recomputed; an order imported twice
changes nothing. Never: an order for a row that is no purchase; a word about an order to somebody who has not named it.
"""
