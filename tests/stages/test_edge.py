"""Whom a limit counts as one visitor."""

from __future__ import annotations

import pytest

from portal import edge


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::ffff:c000:207", "192.0.2.7"),
        ("2001:db8:7:1::1", "2001:db8:7:1::/64"),
        ("2001:DB8:7:1:ffff:ffff:ffff:ffff", "2001:db8:7:1::/64"),
        ("2001:0db8:0007:0001:0000:0000:0000:0001", "2001:db8:7:1::/64"),
        ("2001:db8:7:2::1", "2001:db8:7:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_a_limit_counts_one_connection_as_one_visitor(address: str, counted: str) -> None:
    assert edge.network(address) == counted
