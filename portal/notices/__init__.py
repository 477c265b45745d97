"""Notices: what we tell whom.

In: an event of the river. Out: one `Notice` row per event and kind, sent by a job through the mailer port.
Invariants: a notice is written with the event and sent at least once, never twice for one event under retry of a mail server
that answered; a failing mail never touches money. Never: a secret or a full card number in a mail.
"""
