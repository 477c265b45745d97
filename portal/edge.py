"""The edge: what pages and API share. One transaction per command, rate limits, errors to answers.

In: a command from outside. Out: its effect, or an error of `errors` that the caller turns into a page or a problem document.
Invariants: one command, one transaction; a collision is a 409, never a 5xx. Never: a rule of the trade.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import BinaryIO

import structlog
from limits import RateLimitItem
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm.exc import StaleDataError

from portal import clock, jobs, limiter
from portal.db import Actor, Database, Tx, schema_revision
from portal.errors import Conflict, TooManyTries

log = structlog.get_logger(__name__)

GUESSES = limiter.limit("10/15 minutes")
"""Wrong look-ups, or wrong sign-ins, of one address."""
NEIGHBOURS = limiter.limit("200/15 minutes")
"""Wrong tries, at whatever, of the /48 that some providers hand out whole. A carrier's many customers may share one too: so high
that they mistype together without noticing."""
CEILINGS = (limiter.limit("60/15 minutes"), limiter.limit("300/day"))
"""Wrong tries at one order, or one account, from all addresses together: too few to guess."""
SHARE = limiter.limit("40/day")
"""The most that one visitor adds to these ceilings: a stranger or a few cannot lock out whoever knows the answer and comes from
elsewhere. Of IPv6 a visitor is here the /48."""
DRAINED = 64 * 1024 * 1024
"""So many bytes of a body that is refused are read: photos of a few phones at once, and no more of one that never ends."""
WRITE_LIMIT = limiter.limit("60/15 minutes")
"""Photos and bookings of one address; a family behind one router stays far below."""
KEPT_PAGES = limiter.limit("60/15 minutes")
"""Pages of one address that say what is wrong with a form; mistakes use up nobody's right to book."""


def network(address: str, prefix: int = 64) -> str:
    """What a limit counts as one visitor: an IPv4 address, or the /64 of an IPv6 address, which is what one connection is given.

    An IPv4 address that is written as an IPv6 one is itself. What is no address is counted as it stands. ``prefix`` is another
    length than 64.
    """
    try:
        found: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or f"{IPv6Address(int(found) >> (128 - prefix) << (128 - prefix))}/{prefix}")


@contextmanager
def command(database: Database, actor: Actor) -> Iterator[Tx]:
    """The one transaction of a command. Somebody else's simultaneous change becomes `Conflict`; nothing is half-written."""
    try:
        with database.transaction(actor) as tx:
            yield tx
    except StaleDataError:
        raise Conflict("Somebody changed this at the same moment. Nothing was saved. Look again and repeat.") from None
    except IntegrityError as error:
        if not _is_twice(error):
            # The last guard held; the code that should have seen it before is worth a look.
            log.error("the database refused a command", error=str(error.orig))
        raise Conflict("This was just done by somebody else. Nothing was saved. Look again.") from error
    except OperationalError as error:
        if _is_busy(error):
            raise Conflict("The portal is very busy. Nothing was saved. Try again.") from error
        raise


_TWICE = {"23505", sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_BUSY = {"40P01", "40001", "55P03"}
"""PostgreSQL's codes of a deadlock, of transactions that cannot be put in a row, and of a lock that is not to be had. Its words
depend on the server's language."""


def _code(error: DBAPIError) -> str | int | None:
    found: str | int | None = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorcode", None)
    return found


def _is_twice(error: DBAPIError) -> bool:
    """Whether it was refused because a row with the same unique value is there already."""
    return _code(error) in _TWICE


def _is_busy(error: DBAPIError) -> bool:
    """Whether the same command may well succeed in a moment."""
    code = _code(error)
    return code in _BUSY or (isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED))


def limit_lookup(database: Database, address: str, lookup_key: str) -> None:
    """Count one look-up against the visitor's address and the order, however its number is typed. Raises `TooManyTries`."""
    limiter.hit(database, [*_visitor("lookup", address), *_ceilings("lookup-order", lookup_key, address)])


def forgive_lookup(database: Database, address: str, lookup_key: str) -> None:
    """Take the try back that found its order: only guesses are counted."""
    limiter.give_back(database, [*_visitor("lookup", address), *_ceilings("lookup-order", lookup_key, address)])


def limit_tracking(database: Database, address: str, typed: str, order_key: str) -> bool:
    """Count one look-up of a return against the address, the return as typed, and the order behind it.

    False when guesses at the order have used up its tries: nothing may be found then, and nothing may say why, because a pause
    would tell whose return it is. Raises `TooManyTries` for the address and for the return.
    """
    limiter.hit(database, [*_visitor("lookup", address), *_ceilings("lookup-return", typed, address)])
    try:
        limiter.hit(database, _ceilings("lookup-order", order_key, address))
    except TooManyTries:
        return False
    return True


def forgive_tracking(database: Database, address: str, typed: str, order_key: str) -> None:
    """Take the try back that found its return."""
    counted = [*_ceilings("lookup-return", typed, address), *_ceilings("lookup-order", order_key, address)]
    limiter.give_back(database, [*_visitor("lookup", address), *counted])


def limit_sign_in(database: Database, address: str, email: str) -> None:
    """Count one sign-in against the address and the account. Raises `TooManyTries`."""
    limiter.hit(database, [*_visitor("signin", address), *_ceilings("signin-account", email, address)])


def forgive_sign_in(database: Database, address: str, email: str) -> None:
    """Take the try back that let somebody in: an office behind one address signs in as often as it likes."""
    limiter.give_back(database, [*_visitor("signin", address), *_ceilings("signin-account", email, address)])


def _visitor(kind: str, address: str) -> list[tuple[RateLimitItem, str]]:
    # Who is stopped alone adds nothing to what stops the neighbours.
    return [(GUESSES, f"{kind}-address:{network(address)}"), (NEIGHBOURS, f"{kind}-block:{network(address, 48)}")]


def _ceilings(kind: str, key: str, address: str) -> list[tuple[RateLimitItem, str]]:
    # The visitor's own share comes first: who has used it up adds nothing to what stops everybody.
    return [(SHARE, f"{kind}:{key}:{network(address, 48)}"), *((item, f"{kind}:{key}") for item in CEILINGS)]


def limit_writes(database: Database, address: str) -> None:
    """Count one customer command against the address. Raises `TooManyTries`."""
    limiter.hit(database, [(WRITE_LIMIT, f"write:{network(address)}")])


def limit_kept_pages(database: Database, address: str) -> None:
    """Count one page that is kept for a customer against the address. Raises `TooManyTries`."""
    limiter.hit(database, [(KEPT_PAGES, f"kept:{network(address)}")])


def drain(body: BinaryIO, announced: int | None) -> None:
    """Read, and forget, the rest of a body that is too large to be taken, up to `DRAINED` bytes: a server that closes while the
    client still sends resets the connection, and the client never reads the answer."""
    left = DRAINED if announced is None else min(announced, DRAINED)
    while left > 0 and (chunk := body.read(min(left, 64 * 1024))):
        left -= len(chunk)


def readiness(database: Database, schema_head: str) -> dict[str, str]:
    """What `/readyz` says: ``ok`` or what is wrong, for database, migrations and worker."""
    found = {"database": "ok", "migrations": "ok", "worker": "ok"}
    try:
        with database.read() as session:
            if schema_revision(session.connection()) != schema_head:
                found["migrations"] = "behind; run `portal db upgrade`"
                return found
            beat = jobs.last_beat(session)
            if beat is None or beat < clock.now() - timedelta(seconds=30):
                found["worker"] = "no worker was seen in the last 30 seconds; start `portal worker`"
    except OperationalError:
        found["database"] = "cannot be reached"
        found["migrations"] = found["worker"] = "unknown"
    return found
