"""Returns: the authorised case, from the wish to the close.

In: a customer's or an integrator's wish for units of an order. Out: `Return` with frozen decision, facts and quote per line.
Invariants: units in returns never exceed units bought; state changes only along `lifecycle`; what was shown is what is stored.
Never: a call to the outside; a refund (that is `refunds`, which reads the frozen quote).
"""
