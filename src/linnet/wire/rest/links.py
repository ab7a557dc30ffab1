"""Bodies of linking a device."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from linnet.wire.frames import Id16
from linnet.wire.rest.base import Body, Key33
from linnet.wire.rest.keys import DeviceKeys


class LinkOffer(Body):
    """`POST /v1/links`: a new device's offer, named by an id that only its QR code holds.

    `by_text` if a person carries the text form: it then lives longer.
    """

    link: Id16
    offer: Annotated[bytes, Meta(min_length=1, max_length=4096)]
    by_text: bool = False


class LinkOpened(Body):
    """The offer is kept for so many seconds."""

    expires_in: int


class LinkOffered(Body):
    """`GET /v1/links/{link}/offer`: what the primary fetches and checks against the QR's hash."""

    offer: bytes


class LinkAnswer(Body):
    """`PUT /v1/links/{link}/answer`: the primary's half of the key agreement, and what it says."""

    ephemeral: Annotated[bytes, Meta(min_length=32, max_length=32)]
    kem_ciphertext: Annotated[bytes, Meta(min_length=1568, max_length=1568)]
    box: Annotated[bytes, Meta(min_length=1, max_length=16 * 1024)]


class LinkKeys(Body):
    """`PUT /v1/links/{link}/keys`: the new device's whole bundle, its counter-signature for the
    primary, and SHA-256 of the ticket that it will log in with."""

    keys: DeviceKeys
    box: Annotated[bytes, Meta(min_length=1, max_length=16 * 1024)]
    ticket_hash: Annotated[bytes, Meta(min_length=32, max_length=32)]


class LinkState(Body):
    """`GET /v1/links/{link}?wait=`: what the new device waits for, as far as it has come."""

    answer: LinkAnswer | None = None
    active: bool = False


class LinkReady(Body):
    """`GET /v1/links/{link}/keys?wait=`: what the primary waits for; null until it is there."""

    identity: Key33 | None = None
    box: bytes | None = None


class LinkLogin(Body):
    """`POST /v1/links/{link}/login`: the linked device's first login."""

    ticket: Annotated[bytes, Meta(min_length=32, max_length=32)]
