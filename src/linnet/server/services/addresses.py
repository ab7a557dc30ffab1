"""Addresses: what counts as one network address where limits are kept.

One IPv4 address, or one IPv6 /64: a household gets a whole /64 and can use any address in it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address


def neighbourhood(host: str) -> str:
    """The name under which limits of this peer address are counted.

    An IPv4 address inside IPv6 is the IPv4 address. Anything else that is not an address (a
    Unix socket, say) is one neighbourhood.
    """
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return "local"
    if isinstance(address, IPv6Address):
        mapped: IPv4Address | None = address.ipv4_mapped
        return str(mapped or IPv6Network((int(address), 64), strict=False))
    return str(address)
