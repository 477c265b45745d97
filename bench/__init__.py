"""The bench: measures the portal as it runs, real processes over real HTTP, and prints the table of docs/benchmarks.md.

In: nothing prepared. Out: a Markdown table with the machine beside it. Never: a limit that fails; figures are for people.
"""
