"""Bodies of sealed sending: what is asked without a token, and certificates."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from linnet.wire.frames import Device, Id16, Mode, Natural
from linnet.wire.limits import ACCOUNT_DEVICES, CIPHERTEXT_BYTES
from linnet.wire.rest.base import Body, Key33


class DeliveryKeyHash(Body):
    """`PUT /v1/profile/delivery-key`: SHA-256 of the key that sealed requests must show."""

    hash: Annotated[bytes, Meta(min_length=32, max_length=32)]


class SenderCertificate(Body):
    """`GET /v1/certificates/sender`: what the caller puts inside sealed messages."""

    certificate: bytes
    expires: int
    """In seconds."""


class TrustRoot(Body):
    """`GET /v1/certificates/root`: the key that sender certificates lead back to."""

    key: Key33


class SealedPart(Body):
    """One device's sealed ciphertext."""

    device: Device
    ciphertext: Annotated[bytes, Meta(min_length=1, max_length=CIPHERTEXT_BYTES)]


class SealedSend(Body):
    """`POST /v1/sealed/{account}/messages`, without a token. `id` and all else occur in no
    authenticated request. `set` is the recipient's; `mode` as in frames."""

    id: Id16
    mode: Mode
    set: Natural
    parts: Annotated[list[SealedPart], Meta(min_length=1, max_length=ACCOUNT_DEVICES)]


class SealedSent(Body):
    """It is durable; repeated by id, the same answer."""

    server_timestamp: int
