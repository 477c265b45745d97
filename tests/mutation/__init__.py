"""Mutation testing of the pure rules: each small mistake that could be made in them must fail a test (`make mutate`).

In: modules without side effects and their tests. Out: for each mistake whether a test noticed it, and a score.
Invariants: the tests draw the same examples every time, so a run can be repeated; what survives is killed by a new test or listed
with its reason in ``equivalent.txt``. Never: a change to a file; a mistake that is only tried against a cached result.
"""
