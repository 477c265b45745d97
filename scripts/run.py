"""The whole portal on this machine: Stripe's stand-in, a sample shop, web and worker. `make run` calls it.

Everything is the real thing but two settings: where Stripe answers and where mail goes. State lives in var/ and is kept.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"
BIN = ROOT / ".venv" / "bin"
PEOPLE = (
    ("maya@wrenandharbour.example", "Maya Okafor", "lead"),
    ("jonas@wrenandharbour.example", "Jonas Berg", "agent"),
    ("ben@wrenandharbour.example", "Ben Whitlock", "warehouse"),
    ("ines@wrenandharbour.example", "Ines Moreau", "owner"),
)
PASSWORD = "harbour-lights-2026"  # noqa: S105 (the sample shop of this machine; printed at every start)


def free_port(wanted: int, name: str) -> int:
    """``wanted`` if nobody listens there; otherwise stop with a sentence."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            sys.exit(
                f"Port {wanted} ({name}) is taken. Stop what runs there, or choose another: PORT=8010 make run\n"
                "Two neighbouring ports are needed: one for the portal, the next for the stand-in for Stripe."
            )
    return wanted


def settings(port: int, stripe_port: int) -> dict[str, str]:
    """The settings of this run; the two secrets are drawn once and kept in var/."""
    kept = VAR / "secrets"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(f"{secrets.token_hex(32)}\nwhsec_{secrets.token_hex(24)}\nsk_test_{secrets.token_hex(12)}\n")
    secret_key, webhook_secret, stripe_key = kept.read_text().split()
    mine = {
        "PORTAL_SECRET_KEY": secret_key,
        "PORTAL_STRIPE_API_KEY": stripe_key,
        "PORTAL_STRIPE_WEBHOOK_SECRET": webhook_secret,
        "PORTAL_STRIPE_API_BASE": f"http://127.0.0.1:{stripe_port}",
        "PORTAL_BASE_URL": f"http://127.0.0.1:{port}",
        "PORTAL_DATABASE_URL": f"sqlite:///{VAR / 'portal.sqlite3'}",
        "PORTAL_MAIL_URL": f"file:{VAR / 'mail'}",
        "PORTAL_MAIL_FROM": "Wren & Harbour <returns@wrenandharbour.example>",
        "PORTAL_STORAGE_URL": f"file:{VAR / 'files'}",
    }
    # What the caller has set wins, so that two variables point the same start at Stripe and at a mail server.
    chosen = mine | {name: value for name, value in os.environ.items() if name.startswith("PORTAL_")}
    (VAR / "run.env").touch(mode=0o600)
    (VAR / "run.env").write_text("".join(f"export {name}='{value}'\n" for name, value in sorted(chosen.items())))
    return chosen


def portal(*arguments: str, env: dict[str, str]) -> str:
    """Run one command of the portal to its end; its output. Stops the start with that output when it fails."""
    done = subprocess.run(
        [BIN / "portal", *arguments], env=env, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode:
        sys.exit(f"portal {' '.join(arguments)} failed:\n{done.stdout}")
    return done.stdout


def wait_for(url: str, process: subprocess.Popen[bytes], name: str) -> None:
    """Wait until ``url`` answers at all."""
    for _ in range(300):
        if process.poll() is not None:
            sys.exit(f"{name} stopped at its start; see {VAR / 'log'}")
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"{name} does not answer at {url}; see {VAR / 'log'}")


class Stopped(BaseException):
    """Somebody asked to stop, in the middle of whatever is being done."""


def main() -> None:
    """Start everything, say where it is, stop everything on Ctrl-C."""
    port = free_port(int(os.environ.get("PORT", "8000")), "portal")
    stripe_port = free_port(port + 1, "stand-in for Stripe")
    for folder in ("mail", "files", "log"):
        (VAR / folder).mkdir(parents=True, exist_ok=True)
    chosen = settings(port, stripe_port)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")} | chosen
    running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(name: str, *command: str) -> subprocess.Popen[bytes]:
        log = (VAR / "log" / f"{name}.log").open("ab")
        # A group of its own: Ctrl-C reaches this script alone, which then stops the others in order.
        process = subprocess.Popen(command, env=env, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        running.append((name, process))
        return process

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(*_: object) -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped

    for number in signals:
        signal.signal(number, stop)

    try:
        local = chosen["PORTAL_STRIPE_API_BASE"] == f"http://127.0.0.1:{stripe_port}"
        if local:
            stand_in = start(
                "stripe", str(BIN / "python"), "-m", "stripe_stand_in", "--port", str(stripe_port),
                "--state", str(VAR / "stripe.sqlite3"), "--key", chosen["PORTAL_STRIPE_API_KEY"],
                "--webhook-url", f"http://127.0.0.1:{port}/hooks/stripe",
                "--webhook-secret", chosen["PORTAL_STRIPE_WEBHOOK_SECRET"],
            )  # fmt: skip
            wait_for(f"http://127.0.0.1:{stripe_port}/", stand_in, "The stand-in for Stripe")
        print("Preparing the database", flush=True)
        portal("db", "upgrade", env=env)
        if not (VAR / "sample-shop").exists():
            print("Stocking the sample shop", flush=True)
            portal("policy", "publish", "policies/default.yaml", "--note", "First version", env=env)
            for email, name, role in PEOPLE:
                portal("staff", "add", email, "--role", role, "--name", name, "--password", PASSWORD, env=env)
            subprocess.run(
                [BIN / "python", "scripts/sample_shop.py", VAR / "sample-orders.jsonl"], cwd=ROOT, check=True
            )
            pay = ["--pay-with-stripe"] if local or chosen["PORTAL_STRIPE_API_KEY"].startswith("sk_test_") else []
            portal("orders", "import", str(VAR / "sample-orders.jsonl"), *pay, env=env)
            (VAR / "sample-shop").touch()
        start("worker", str(BIN / "portal"), "worker", "--name", "worker-1")
        web = start("web", str(BIN / "portal"), "serve", "--port", str(port))
        wait_for(f"http://127.0.0.1:{port}/healthz", web, "The portal")
        tell(port, stripe_port if local else None, chosen)
        while True:
            for name, process in running:
                if process.poll() is not None:
                    sys.exit(f"{name} stopped by itself; see {VAR / 'log' / name}.log")
            time.sleep(0.2)
    except Stopped:
        print("\nStopping", flush=True)
    finally:
        for _, process in reversed(running):
            if process.poll() is None:
                process.terminate()
        for _, process in reversed(running):
            try:
                process.wait(timeout=25)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def tell(port: int, stripe_port: int | None, chosen: dict[str, str]) -> None:
    """Print the addresses and the sample logins."""
    base = chosen["PORTAL_BASE_URL"]
    print(f"""
The portal is running. Ctrl-C stops it; what happened is kept in var/.

  Customers   {base}/
              order WH-20418, e-mail priya.nair@example.com (or postcode BS6 5QA)
  Staff       {base}/staff/
              {PEOPLE[0][0]} (returns lead, who may also publish the policy), password {PASSWORD}
              {PEOPLE[1][0]} (agent), same password
              {PEOPLE[2][0]} (warehouse), same password
              {PEOPLE[3][0]} (owner, who may do all of this), same password
  API         {base}/api/v1/openapi.json   (token: . var/run.env && .venv/bin/portal token create me --scope admin)""")
    if chosen["PORTAL_MAIL_URL"].startswith("file:"):
        print(f"  Mail        {base}/mailbox/")
    if stripe_port:
        print(f"  Stripe      http://127.0.0.1:{stripe_port}/   (the local stand-in: payments and refunds)")
    print(flush=True)


if __name__ == "__main__":
    main()
