"""Staff: people of the shop, their roles and what each may do.

In: sign-in. Out: `User`, `permissions.allows(...)`. Invariants: Argon2 for every password; a deactivated person is signed out
at the next request. Never: a customer account; customers have none.
"""
