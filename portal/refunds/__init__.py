"""Refunds: money goes back, exactly once.

In: a return whose frozen quote is due. Out: `Refund` rows (one movement to one payment each), store credit, exchanges,
the append-only ledger. Invariants: those of docs/money.md; the row and its key are committed before any call; unknown is not
failure; "refunded" is said only after Stripe said `succeeded` or staff recorded "paid elsewhere".
Never: a call inside a transaction; an amount without a row that names a return, a claim or a member of staff.
"""
