"""The proof that money cannot go wrong: a machine of thousands of steps, crashes at every boundary, and what must always hold.

`invariants`, `controls` and `decided` say once what must be true, `shop` is a whole shop in one process, `machine` with `scenes`
draw what happens to it, `__main__` is `make proof`.
"""
