"""The policy book: which version of the policy was published when. Immutable rows around the pure `policy` package.

In: a checked policy text. Out: the version that binds an order (the one in force when it was placed).
Invariants: a version is never changed; numbers have no gaps; the stored text loads to the stored hash.
Never: a decision; that is `policy.engine`.
"""
