"""Labels: how goods travel back.

In: an authorized return. Out: `Label` with its code and stored PDF; the packing slip.
Invariants: one label per return; sender is the customer, recipient the warehouse; the code on paper is the code in the row.
Never: a fetch from anywhere while rendering; a label when the policy says that the customer pays and posts.
"""
