"""The policy in the staff's pages: rules as sentences, forms for people who never saw YAML, checks, versions, publishing.

In: what somebody types. Out: typed values of the language, changes of the draft, published versions.
Invariants: every fact, operator and term has a form, made from the tables of the language; a mistake is named at its field; every
command carries the state of the draft that its author saw. Never: a rule of the language; `portal.policy` reads and writes.
"""
