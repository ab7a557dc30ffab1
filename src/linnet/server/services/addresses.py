"""Addresses: whose network address a request has, and what counts as one where limits are kept.

One IPv4 address, or one IPv6 /64: a household gets a whole /64 and can use any address in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Network = IPv4Network | IPv6Network


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks as people write them: 10.0.0.0/8, or one address. Raises ValueError."""
    return tuple(ip_network(text) for text in texts)


def client_address(peer: str, forwarded: str | None, trusted: Iterable[Network]) -> str:
    """The address that a request came from, as far as it can be believed.

    `peer` is the other end of the TCP connection. If it is one of the `trusted` proxies, the
    client is the last entry of X-Forwarded-For that is not: each proxy adds whom it heard from
    at the end, and what stands before may be anybody's invention. `forwarded` is the header, all
    of its lines joined by commas in their order.
    """
    trusted = tuple(trusted)
    if not trusted:
        return peer
    client = peer
    for entry in reversed((forwarded or "").split(",")):
        if not _is_in(client, trusted):
            break
        address = _address(entry)
        if address is None:
            break
        client = str(address)
    return client


@lru_cache(maxsize=4096)
def neighbourhood(host: str) -> str:
    """The name under which limits of this peer address are counted.

    An IPv4 address inside IPv6 is the IPv4 address. Anything else that is not an address (a
    Unix socket, say) is one neighbourhood.
    """
    address = _address(host)
    if address is None:
        return "local"
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), 64), strict=False))
    return str(address)


def _is_in(host: str, trusted: tuple[Network, ...]) -> bool:
    address = _address(host)
    return address is not None and any(address in network for network in trusted)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address in `text`, which may have a zone, or a port as some proxies write it."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped: IPv4Address | None = getattr(address, "ipv4_mapped", None)
    return mapped or address
