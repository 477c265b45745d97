"""The link in a mail: it opens the page of one return, or of one goodwill refund, without a password.

In: the secret key and the number. Out: an address with a signed key. Invariants: a key opens exactly what it was
made for; a mail sent twice carries the same link. Never: a key in the database or in a log.
"""

from __future__ import annotations

from itsdangerous import BadData, URLSafeSerializer

from portal.config import Config

_SALT = "status"


def status_link(config: Config, rma: str) -> str:
    """The absolute address of the return's page, to be given to the customer alone."""
    return f"{config.base_url}/returns/{rma}?key={_serializer(config).dumps(rma)}"


def gift_link(config: Config, public_id: str) -> str:
    """The same for the page of a gift, by its number (``gw_…``)."""
    return f"{config.base_url}/gifts/{public_id}?key={_serializer(config).dumps(public_id)}"


def read_status_key(config: Config, number: str, key: str) -> bool:
    """True when ``key`` was made for exactly this return or gift by this portal. A key never runs out: refunds fail months
    later."""
    try:
        return bool(_serializer(config).loads(key) == number)
    except BadData:
        return False


def _serializer(config: Config) -> URLSafeSerializer:
    return URLSafeSerializer(config.secret_key, salt=_SALT)
