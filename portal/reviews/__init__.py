"""Reviews: the exception queue, a question put to staff.

In: a return or a refund that no rule may settle alone. Out: rows with why, deadline and owner; staff answer them.
Invariants: one open review per subject and kind; an answer names a person and the state it was given for.
Never: money; a review only says who decided what.
"""
