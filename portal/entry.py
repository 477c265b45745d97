"""The console script ``portal``.

In: the command line. Out: what its command does. Invariant: nothing is loaded before it is called, because every process that a
simulation starts reads the script of its parent again. Never: a command of its own.
"""

from __future__ import annotations


def main() -> None:
    """Load the program and run it."""
    from portal.bootstrap import main as run

    run()
