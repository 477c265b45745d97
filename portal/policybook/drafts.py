"""The draft of the next version: the shop has one, everybody who may edit the policy works on it.

A draft may have errors (somebody typed YAML and went for coffee); what is published may not. Every change names the state that
its author saw. When somebody else was quicker, nothing is saved and both texts are given back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal import timeline
from portal.db import Tx
from portal.errors import Conflict, Invalid
from portal.policy.carry import carried
from portal.policy.checks import ERROR, WARNING, Check, check_text
from portal.policy.diagnostics import PolicyErrors
from portal.policy.document import MAX_BYTES, MAX_LINES
from portal.policy.loader import recall_policy
from portal.policybook import service
from portal.policybook.models import PolicyDraft, PolicyVersion

KEEP = 50
"""So many states of the draft can be undone."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What the editor shows: the draft, or (``revision`` 0) the version in force as it was published."""

    source: str
    revision: int
    base: int
    follows: int
    author: str
    saved_at: datetime | None

    @property
    def exists(self) -> bool:
        """Whether something is drafted at all."""
        return self.revision > 0

    @property
    def seen(self) -> str:
        """What a form carries to say which state its author saw."""
        return f"{self.base}.{self.revision}"


class StaleDraft(Conflict):
    """Somebody else saved first. ``mine`` is the text that would have been saved (None when it cannot be made any more), ``both``
    the text with the changes of both (None where one of them would be lost)."""

    code = "stale_draft"

    def __init__(self, mine: str | None, theirs: Draft, both: str | None = None) -> None:
        super().__init__("Somebody changed the draft at the same time. Nothing of yours was saved yet.")
        self.mine = mine
        self.theirs = theirs
        self.both = both


def find_draft(session: Session, at: datetime) -> Draft:
    """The draft; without one, the version in force ``at`` that moment (an empty text where nothing was ever published)."""
    drafted = session.scalar(select(PolicyDraft).order_by(PolicyDraft.id.desc()).limit(1))
    if drafted is not None:
        return Draft(drafted.source, drafted.id, drafted.base, drafted.follows, drafted.author, drafted.saved_at)
    live = service.load_book(session).live(at)
    if live is None:
        return Draft("", 0, 0, 0, "", None)
    row = service.get_version(session, live.number)
    return Draft(row.source, 0, row.number, 0, row.author, row.published_at)


def save(tx: Tx, seen: str, change: Callable[[str], str]) -> Draft:
    """Change the draft that was ``seen``; the first change begins it. A change that changes nothing saves nothing.

    Raises `StaleDraft` with both texts, `Invalid` for a text that is too long or has a NUL character, and whatever ``change``
    raises.
    """
    there = find_draft(tx.session, tx.at)
    if there.seen != seen:
        before = _text_of(tx.session, seen)
        if before is None:
            raise StaleDraft(None, there)
        mine = change(before)
        raise StaleDraft(mine, there, _both(before, mine, there.source))
    text = change(there.source)
    if text == there.source:
        return there
    if len(text.encode("utf-8", "replace")) > MAX_BYTES or text.count("\n") > MAX_LINES:
        raise Invalid("The policy is longer than a policy can be.", {"text": "shorten it to 256 kB and 5,000 lines"})
    if "\x00" in text:
        raise Invalid("The policy has a NUL character, which no text can have.", {"text": "take the NUL character out"})
    row = PolicyDraft(follows=there.revision, base=there.base, source=text, author=tx.actor.name, saved_at=tx.at)
    tx.session.add(row)
    tx.session.flush()
    tx.session.execute(delete(PolicyDraft).where(PolicyDraft.id <= row.id - KEEP))
    return Draft(text, row.id, row.base, row.follows, row.author, row.saved_at)


def _both(before: str, mine: str, theirs: str) -> str | None:
    """The text of theirs with my change in it; None where either would be lost: both changed the same, I changed what is in no
    rule, or one of the texts is no policy."""
    try:
        was, one, other = (recall_policy(text) for text in (before, mine, theirs))
        if carried(before, was, one) != mine:
            return None
        text, turned = carried(theirs, was, one), carried(mine, was, other)
        return text if recall_policy(text).content_hash == recall_policy(turned).content_hash else None
    except PolicyErrors:
        return None


def _text_of(session: Session, seen: str) -> str | None:
    """The text of a state that somebody saw, as long as it is kept."""
    base, _, revision = seen.partition(".")
    if not (base.isascii() and base.isdigit() and revision.isascii() and revision.isdigit() and len(seen) < 20):
        return None
    if int(revision):
        return session.scalar(select(PolicyDraft.source).where(PolicyDraft.id == int(revision)))
    return session.scalar(select(PolicyVersion.source).where(PolicyVersion.number == int(base)))


def undo(tx: Tx, seen: str) -> Draft:
    """The draft as it was one change earlier; after the first change there is no draft. Raises `StaleDraft`."""
    there = _seen(tx, seen)
    if not there.exists:
        return there
    tx.session.execute(delete(PolicyDraft).where(PolicyDraft.id == there.revision))
    return find_draft(tx.session, tx.at)


def discard(tx: Tx, seen: str) -> None:
    """Throw the draft away, all of its states. Raises `StaleDraft`."""
    if _seen(tx, seen).exists:
        tx.session.execute(delete(PolicyDraft))
        timeline.record(tx, "policy_draft.discarded")


def publish(
    tx: Tx,
    seen: str,
    *,
    read: Collection[str],
    note: str = "",
    effective_at: datetime | None = None,
    check: Callable[[str], Sequence[Check]] = check_text,
) -> PolicyVersion:
    """Publish the draft that was ``seen`` as the next version; then there is no draft.

    ``read`` are the keys of the warnings that the author has read; ``check`` gives everything that is to be read.

    Raises `StaleDraft`, and `Invalid` as long as the draft has an
    error or a warning that was not read, or as `service.publish` does.
    """
    there = _seen(tx, seen)
    found = check(there.source)
    if any(each.severity == ERROR for each in found):
        raise Invalid("The draft has errors. Mend them first.", {"checks": "mend the errors"})
    if unread := [each for each in found if each.severity == WARNING and each.key not in read]:
        raise Invalid(
            "Read the warnings first.", {f"read-{each.key}": "tick that you have read this" for each in unread}
        )
    version = service.publish(
        tx, there.source, filename="draft", author=tx.actor.name, note=note, effective_at=effective_at
    )
    tx.session.execute(delete(PolicyDraft))
    return version


def _seen(tx: Tx, seen: str) -> Draft:
    there = find_draft(tx.session, tx.at)
    if there.seen != seen:
        raise StaleDraft(_text_of(tx.session, seen), there)
    return there
