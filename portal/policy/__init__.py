"""The return policy: what a merchant writes, and what it decides for n units of one order line.

In: a policy document (text) and `Facts` (values). Out: a `Decision` with the provenance of every term, a `Quote`, sentences.
Invariants: pure; the same input gives the same bytes; the first matching rule wins, term by term; a rule that cannot be
evaluated is never skipped but turns the answer into `review`; amounts are integers of the order's own currency.
Never: a clock, a database, a setting, a framework; an exception for a "no" (that is a value); a float.

The documents are in `policies/`, the language is described in `policies/README.md`.
"""
