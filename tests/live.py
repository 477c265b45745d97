"""The whole portal as real processes: stand-in for Stripe, web server, worker. For browser, API and flow tests and the bench."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 90) -> None:
    """Wait until ``url`` answers; fail with the process's log when it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer:\n{log.read_text()[-4000:]}")


@dataclass
class LivePortal:
    """One portal with everything around it, in one folder. Use it as a context manager."""

    folder: Path
    database_url: str = ""
    web_workers: int = 2
    workers: int = 1
    policy_dir: Path = ROOT / "policies"
    policy: str = "policies/default.yaml"
    env: dict[str, str] = field(default_factory=dict)
    url: str = ""
    stripe_url: str = ""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> LivePortal:
        for name in ("mail", "files", "log"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        port, stripe_port = free_port(), free_port()
        self.url, self.stripe_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{stripe_port}"
        webhook_secret, stripe_key = "whsec_" + secrets.token_hex(24), "sk_test_" + secrets.token_hex(12)
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        self.env = clean | {
            "PORTAL_SECRET_KEY": secrets.token_hex(32),
            "PORTAL_DATABASE_URL": self.database_url or f"sqlite:///{self.folder / 'portal.sqlite3'}",
            "PORTAL_BASE_URL": self.url,
            "PORTAL_STRIPE_API_KEY": stripe_key,
            "PORTAL_STRIPE_API_BASE": self.stripe_url,
            "PORTAL_STRIPE_WEBHOOK_SECRET": webhook_secret,
            "PORTAL_MAIL_URL": f"file:{self.folder / 'mail'}",
            "PORTAL_MAIL_FROM": "Wren & Harbour <returns@wrenandharbour.example>",
            "PORTAL_STORAGE_URL": f"file:{self.folder / 'files'}",
            "PORTAL_POLICY_DIR": str(self.policy_dir),
        }
        try:
            self.start(
                "stripe", str(BIN / "python"), "-m", "stripe_stand_in", "--port", str(stripe_port), "--key", stripe_key,
                "--webhook-url", f"{self.url}/hooks/stripe", "--webhook-secret", webhook_secret,
            )  # fmt: skip
            wait_for(self.stripe_url, self.processes["stripe"], self.log("stripe"))
            self.portal("db", "upgrade")
            self.portal("policy", "publish", self.policy, "--note", "First version")
            self.start("web", str(BIN / "portal"), "serve", "--port", str(port), "--workers", str(self.web_workers))
            for number in range(self.workers):
                self.start_worker(f"worker-{number + 1}")
            wait_for(f"{self.url}/healthz", self.processes["web"], self.log("web"))
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def log(self, name: str) -> Path:
        """The file that holds what the process ``name`` printed."""
        return self.folder / "log" / f"{name}.log"

    def start(self, name: str, *command: str) -> subprocess.Popen[bytes]:
        """Start a process of the portal."""
        with self.log(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(command, env=self.env, cwd=ROOT, stdout=log, stderr=log)
        return self.processes[name]

    def start_worker(self, name: str) -> None:
        """Start one worker (again)."""
        self.start(name, str(BIN / "portal"), "worker", "--name", name)

    def kill(self, name: str) -> None:
        """SIGKILL, as a machine that loses power."""
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self) -> None:
        """Stop every process, the last started first."""
        for process in reversed(self.processes.values()):
            if process.poll() is None:
                process.terminate()
        for process in reversed(self.processes.values()):
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def portal(self, *arguments: str) -> str:
        """Run one command of the portal; what it printed. Fails with it when the command failed."""
        done = subprocess.run(
            [str(BIN / "portal"), *arguments],
            env=self.env, cwd=ROOT, text=True, capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, f"portal {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def token(self, *scopes: str) -> str:
        """A fresh API token."""
        arguments = [part for scope in scopes or ("admin",) for part in ("--scope", scope)]
        return self.portal("token", "create", f"test-{secrets.token_hex(4)}", *arguments).strip()

    def import_sample_shop(self) -> None:
        """The orders of `make run`, each with a real payment at the stand-in."""
        path = self.folder / "sample-orders.jsonl"
        subprocess.run([str(BIN / "python"), "scripts/sample_shop.py", str(path)], cwd=ROOT, check=True)
        self.portal("orders", "import", str(path), "--pay-with-stripe")
