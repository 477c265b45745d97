"""Settings: the only reader of the environment, frozen once read.

In: variables with the prefix ``PORTAL_``. Out: `Config`. Invariant: every setting is known, well formed and strong enough,
or the start stops with one clear line each. Never: a default secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

from portal.errors import ConfigError

PREFIX = "PORTAL_"
STRIPE = "https://api.stripe.com"
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that differs between two installations of the portal."""

    secret_key: str
    database_url: str = f"sqlite:///{ROOT / 'var' / 'portal.sqlite3'}"
    base_url: str = "http://127.0.0.1:8000"
    stripe_api_key: str = ""
    stripe_api_base: str = STRIPE
    stripe_webhook_secrets: tuple[str, ...] = ()
    mail_url: str = f"file:{ROOT / 'var' / 'mail'}"
    mail_from: str = "returns@localhost"
    storage_url: str = f"file:{ROOT / 'var' / 'files'}"
    policy_dir: Path = ROOT / "policies"
    trusted_proxies: int = 0
    log_level: str = "INFO"
    metrics_token: str = ""
    """What whoever reads `/metrics` has to send; empty leaves it open, for a port that only the shop's machines reach."""

    @property
    def stripe_is_test(self) -> bool:
        """True when the key can only move test money."""
        return self.stripe_api_key.startswith(("sk_test_", "rk_test_"))

    @property
    def https(self) -> bool:
        """True when customers reach the portal over TLS; cookies are then sent over TLS only."""
        return self.base_url.startswith("https://")


def _names() -> dict[str, str]:
    names = {field.name: PREFIX + field.name.upper() for field in fields(Config)}
    names["stripe_webhook_secrets"] = PREFIX + "STRIPE_WEBHOOK_SECRET"
    return names


def _is_local(url: str) -> bool:
    return urlsplit(url).hostname in LOCAL_HOSTS


def _problems(config: Config) -> list[str]:
    found = []
    if len(config.secret_key) < 32:
        found.append("PORTAL_SECRET_KEY has fewer than 32 characters; make one with `openssl rand -hex 32`")
    if not config.database_url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        found.append("PORTAL_DATABASE_URL is neither `sqlite:///…` nor `postgresql://…`")
    base = urlsplit(config.base_url)
    if base.scheme not in ("http", "https") or not base.hostname or base.path not in ("", "/") or base.query:
        found.append("PORTAL_BASE_URL is no address like `https://returns.example.com`")
    elif base.scheme == "http" and not _is_local(config.base_url):
        found.append("PORTAL_BASE_URL is not https; only this machine itself may be reached without")
    if config.stripe_api_key and not config.stripe_api_key.startswith(("sk_test_", "rk_test_", "sk_live_", "rk_live_")):
        found.append("PORTAL_STRIPE_API_KEY is no Stripe key (`sk_test_…`, `rk_live_…`)")
    if config.stripe_api_base != STRIPE and not config.stripe_is_test:
        found.append("PORTAL_STRIPE_API_BASE may be changed with a test key only")
    elif not config.stripe_api_base.startswith("https://") and not _is_local(config.stripe_api_base):
        found.append("PORTAL_STRIPE_API_BASE is neither https nor on this machine")
    if any(len(secret) < 16 for secret in config.stripe_webhook_secrets):
        found.append("PORTAL_STRIPE_WEBHOOK_SECRET has fewer than 16 characters; copy it from Stripe (`whsec_…`)")
    if urlsplit(config.mail_url).scheme not in ("smtp", "smtps", "file"):
        found.append("PORTAL_MAIL_URL is neither `smtp://user:pass@host:587?tls=1` nor `file:folder`")
    if "@" not in parseaddr(config.mail_from)[1]:
        found.append("PORTAL_MAIL_FROM is no e-mail address")
    if urlsplit(config.storage_url).scheme not in ("file", "s3"):
        found.append("PORTAL_STORAGE_URL is neither `file:folder` nor `s3://bucket`")
    if not config.policy_dir.is_dir():
        found.append(f"PORTAL_POLICY_DIR: there is no folder {config.policy_dir}")
    if config.metrics_token and len(config.metrics_token) < 16:
        found.append("PORTAL_METRICS_TOKEN has fewer than 16 characters; make one with `openssl rand -hex 32`")
    if config.log_level not in LEVELS:
        found.append(f"PORTAL_LOG_LEVEL is none of {', '.join(LEVELS)}")
    return found


def load(environ: Mapping[str, str] | None = None) -> Config:
    """Read and judge the settings. Raises `ConfigError` with one line for each that is wrong."""
    environ = os.environ if environ is None else environ
    names = _names()
    known = set(names.values())
    found = [
        f"{name} is no setting of the portal; known are {', '.join(sorted(known))}"
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in known
    ]
    values: dict[str, object] = {}
    for field, name in names.items():
        text = environ.get(name, "").strip()
        if not text:
            continue
        if field == "stripe_webhook_secrets":
            values[field] = tuple(part.strip() for part in text.split(",") if part.strip())
        elif field == "policy_dir":
            values[field] = Path(text)
        elif field == "trusted_proxies":
            if text.isdigit():
                values[field] = int(text)
            else:
                found.append("PORTAL_TRUSTED_PROXIES is no number; give how many proxies stand before the portal")
        elif field == "base_url":
            values[field] = text.rstrip("/")
        elif field == "log_level":
            values[field] = text.upper()
        else:
            values[field] = text
    if "secret_key" not in values:
        found.append("PORTAL_SECRET_KEY is missing; make one with `openssl rand -hex 32`")
        values["secret_key"] = "-" * 32
    config = Config(**values)  # type: ignore[arg-type]
    found += _problems(config)
    if found:
        raise ConfigError("\n".join(found))
    return config
