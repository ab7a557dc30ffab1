"""One IPv4 address, or one IPv6 /64, is one neighbourhood."""

import pytest

from linnet.server.services.addresses import client_address, neighbourhood, networks

TRUSTED = networks(["10.0.0.0/8", "fd00::/8", "127.0.0.1"])


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


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.1.2.3", "192.0.2.7", "192.0.2.7"),
        ("10.1.2.3", "198.51.100.1, 192.0.2.7", "192.0.2.7"),
        ("10.1.2.3", "198.51.100.1, 192.0.2.7, 10.9.9.9", "192.0.2.7"),
        ("10.1.2.3", "10.8.8.8,10.9.9.9", "10.8.8.8"),
        ("::ffff:10.1.2.3", " 192.0.2.7 ", "192.0.2.7"),
        ("fd00::1", "[2001:db8::5]:443", "2001:db8::5"),
        ("127.0.0.1", "192.0.2.7:5555", "192.0.2.7"),
        ("127.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
    ],
)
def test_a_trusted_proxy_names_the_client(peer: str, forwarded: str, expected: str) -> None:
    assert client_address(peer, forwarded, TRUSTED) == expected


@pytest.mark.parametrize("peer", ["192.0.2.7", "127.0.0.2", "2001:db8::1", "", "testclient"])
def test_nobody_else_is_believed(peer: str) -> None:
    assert client_address(peer, "198.51.100.1", TRUSTED) == peer
    assert client_address(peer, "198.51.100.1", ()) == peer


@pytest.mark.parametrize("forwarded", [None, "", ",", "unknown", "198.51.100.1, _hidden", "1.2.3"])
def test_a_proxy_that_names_nobody_is_the_client_itself(forwarded: str | None) -> None:
    assert client_address("10.1.2.3", forwarded, TRUSTED) == "10.1.2.3"


@pytest.mark.parametrize("text", ["", "proxy", "10.0.0.1/8", "10.0.0.0/33"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        networks([text])
