"""Receiving: goods arrive, are counted and graded.

In: a scan and a count per line with a condition. Out: `Receipt` rows, stock moves, the return's next state.
Invariants: a line is never received more often than announced; the same scan posted twice counts once.
Never: money; it records what was seen, and the event moves the refund.
"""
