"""How gunicorn serves the portal: its settings file (`portal serve` names it).

In: nothing. Out: gunicorn's settings. Invariant: the app is made once and then shared by all server processes, who open
connections of their own. Never: a setting of the portal; those are `config`'s.
"""

from __future__ import annotations

import gc
from typing import Any

worker_class = "portal.intake.WholeRequests"
threads = 2
"""More would only wait for each other: one holds the interpreter, and SQLite lets one write."""
worker_connections = 400
"""Below the 1,024 open files that a process has where nobody set another number."""
keepalive = 0
timeout = 30
max_requests = 20_000
max_requests_jitter = 2_000
limit_request_line = 8190
"""A list may be filtered by an address of 320 signs, each of which takes up to twelve bytes in a URL."""
loglevel = "warning"
control_socket_disable = True
preload_app = True


def pre_fork(_server: Any, _worker: Any) -> None:
    """Set what the app is made of aside from garbage collection, so that its memory stays shared and is never searched again."""
    gc.collect()
    gc.freeze()


def post_fork(_server: Any, worker: Any) -> None:
    """Forget, without closing them, connections that the app may have opened while it was made: they are the first process's."""
    worker.app.wsgi().extensions["portal"].database.engine.dispose(close=False)
