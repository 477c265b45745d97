"""A small stateful stand-in for Stripe's HTTP API, for `make run`, for the tests and for the benchmarks.

In: form-encoded HTTP as stripe-python 16.1.0 sends it (API version 2026-10-28.endive); JSON under `/_control/` that
    orders faults, disputes, late failures and the clock about.
Out: Stripe's objects and errors, events, signed webhooks, and a page that shows a person the money.
Invariants: the refunds of a charge that hold money never sum to more than the charge; one idempotency key has one effect
    while the key lives; an effect, its events and its saved answer are committed together or not at all.
Never: a live key, an address other than the loopback, a real card number. Nothing in `portal/` imports it.
"""

API_VERSION = "2026-10-28.endive"
"""The API version that stripe-python 16.1.0 pins; objects and events are shown in its shape."""
