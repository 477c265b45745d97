"""What happens by itself: pending refunds that succeed, succeeded ones that fail later, references that arrive."""

from __future__ import annotations

import json
import threading

from . import refunds
from .account import Account

_LONG = 3600.0


def run_due(account: Account) -> int:
    """Do everything that is due by the account's clock, in order; answers how much that was."""
    done = 0
    while True:
        with account.transaction():
            rows = account.store.run(
                "SELECT seq, refund, change FROM transitions WHERE due <= ? ORDER BY due, seq LIMIT 1", account.now()
            )
            if not rows:
                return done
            seq, id_, wanted = rows[0]
            account.store.run("DELETE FROM transitions WHERE seq = ?", seq)
            refund = account.store.find("refund", id_)
            # A refund that failed meanwhile (a dispute, a control call) has nothing left to happen to it.
            if refund is not None and refund["status"] not in refunds.GONE:
                refunds.change(account, refund, json.loads(wanted))
        done += 1


class Ticker(threading.Thread):
    """Runs `run_due` when something is due, until stopped."""

    def __init__(self, account: Account) -> None:
        super().__init__(name="ticker", daemon=True)
        self._account = account
        self._stopped = False

    def run(self) -> None:
        while not self._stopped:
            seen = self._account.changes()
            run_due(self._account)
            rows = self._account.store.run("SELECT min(due) FROM transitions")
            self._account.wait(seen, _LONG if rows[0][0] is None else rows[0][0] - self._account.now())

    def stop(self) -> None:
        self._stopped = True
        self._account.wake()
        self.join(5)
