"""`python -m stripe_stand_in`: start it, say where it listens, serve until told to stop."""

from __future__ import annotations

import argparse
import signal
import sqlite3
import sys
import threading

from . import people
from .account import Account
from .errors import ApiError
from .server import StandIn, start_in_thread
from .store import Store


def main() -> int:
    """Returns the exit status: 2 for arguments that make no sense, with one line saying which."""
    options = _parser().parse_args()
    if not options.key.startswith(("sk_test_", "rk_test_")):
        return _refuse("--key must be a test key (sk_test_…): the stand-in never holds a live one.")
    if bool(options.webhook_url) != bool(options.webhook_secret):
        return _refuse(
            "--webhook-url and --webhook-secret go together: a webhook without a secret could come from anyone."
        )
    try:
        store = Store(options.state)
        account = Account(store, key=options.key, defaults={"settle_after": options.settle_after})
        _set_endpoint(account, options.webhook_url, options.webhook_secret)
        stand_in = StandIn(account, options.port)
    except sqlite3.Error as error:
        return _refuse(f"cannot use {options.state} ({error}); is another stand-in running on it?")
    except (OSError, OverflowError) as error:
        return _refuse(f"cannot listen on port {options.port}: {error}")
    except ApiError as error:
        return _refuse(error.message)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    start_in_thread(stand_in)
    print(f"stand-in for Stripe listening on {stand_in.url}", flush=True)
    if options.until_stdin_closes:
        threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()
    stop.wait()
    stand_in.stop()
    store.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m stripe_stand_in", description="A stand-in for Stripe's HTTP API.")
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--key", default="sk_test_standin", help="the secret key that callers must use")
    parser.add_argument("--state", default=":memory:", metavar="FILE", help="SQLite file that keeps everything")
    parser.add_argument("--webhook-url", metavar="URL", help="where events are sent (this machine only)")
    parser.add_argument("--webhook-secret", metavar="whsec_…", help="what they are signed with")
    parser.add_argument(
        "--settle-after", type=float, metavar="SECONDS",
        help="pending refunds succeed, and refunds to pm_card_refundFail fail, after this long (default: when told to)",
    )  # fmt: skip
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when standard input ends")
    return parser


def _set_endpoint(account: Account, url: str | None, secret: str | None) -> None:
    """The endpoint of the command line takes the place of the one that an earlier start left in the state."""
    if not url or not secret:
        return
    with account.store.transaction():
        existing = account.store.all("webhook_endpoint")
        for endpoint in existing:
            if endpoint.get("_command_line"):
                account.store.save({**endpoint, "url": url, "_secrets": [secret]})
                return
        endpoint = people.add_endpoint(account, url, [secret], {})
        account.store.save({**endpoint, "_command_line": True})


def _wait_for_end_of_input(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


def _refuse(message: str) -> int:
    print(f"stripe_stand_in: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
