"""One IPv4 address, or one IPv6 /64, is one neighbourhood."""

import pytest

from linnet.server.services.addresses import neighbourhood


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "local"),
        ("testclient", "local"),
    ],
)
def test_neighbours_share_a_name(host: str, expected: str) -> None:
    assert neighbourhood(host) == expected
