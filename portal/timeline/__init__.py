"""The timeline: who did what to this return, when and why. Append-only.

In: one `record()` per event, inside the command's transaction. Out: entries for pages, and the event for `flow`.
Invariants: a change of state and its entry are written together; an entry is never changed or deleted.
Never: a secret, a card number or a message body.
"""

from portal.timeline.models import TimelineEntry
from portal.timeline.service import entries_for_refund, entries_for_return, last_of_return, record

__all__ = ["TimelineEntry", "entries_for_refund", "entries_for_return", "last_of_return", "record"]
