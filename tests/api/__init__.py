"""The API against the contract: shapes, statuses, tokens, keys, and nothing a client sends makes a 5xx."""
