"""The API: the same services as the pages, for programs.

In: JSON with a bearer token. Out: the shapes of docs/api.md, problem documents for every error.
Invariants: every answer is documented in openapi.json; an `Idempotency-Key` gives the first answer again. Never: a 5xx for a body.
"""
