"""One file and one class for each vendor behind a port, named ``<vendor>_<port>.py``.

In: the frozen dataclasses of the ports. Out: the same, or one `portal.errors.UpstreamError`.
Invariants: vendor objects stay in here; nothing but `portal.bootstrap` imports this package.
Never: a rule of the trade.
"""
