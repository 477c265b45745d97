"""Mistakes that are built in on purpose, one at a time, into a copy of the portal: does anything notice?

`catalogue` is the list, `tryout` builds each in and runs the machine and the tests that are named with it. `make proof` does
that; the suite only checks that the list still fits the code.
"""
