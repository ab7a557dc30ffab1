"""Bodies of pre-keys and bundles."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from linnet.wire.frames import Device
from linnet.wire.rest.base import Body, KemKey, Key33, KeyId, Signature

ONE_TIME_KEYS = 100
"""One-time pre-keys of a kind that one upload may carry, and that a device may keep."""


class SignedKey(Body):
    """A signed X25519 pre-key; the signature is the device key's, over the 33 bytes."""

    id: KeyId
    key: Key33
    sig: Signature


class OneTimeKey(Body):
    """A one-time X25519 pre-key."""

    id: KeyId
    key: Key33


class KemPreKey(Body):
    """A signed Kyber-1024 pre-key; the signature is over the 1,569 bytes."""

    id: KeyId
    key: KemKey
    sig: Signature


class KeyUpload(Body):
    """`PUT /v1/keys`: replaces what is given, adds one-time keys; the same upload twice is one."""

    signed: SignedKey | None = None
    last_resort: KemPreKey | None = None
    one_time: Annotated[list[OneTimeKey], Meta(max_length=ONE_TIME_KEYS)] = msgspec.field(
        default_factory=list
    )
    kem: Annotated[list[KemPreKey], Meta(max_length=ONE_TIME_KEYS)] = msgspec.field(
        default_factory=list
    )


class KeyCount(Body):
    """`GET /v1/keys`: one-time keys of this device still on the server."""

    one_time: int
    kem: int


class Bundle(Body):
    """`POST /v1/keys/{account}/{device}`: one device's bundle; what is one-time is now taken."""

    device: Device
    registration_id: Annotated[int, Meta(ge=0, lt=1 << 14)]
    identity: Key33
    signed: SignedKey
    kem: KemPreKey
    kem_last_resort: bool
    one_time: OneTimeKey | None = None


class DeviceKeys(Body):
    """A new device's whole bundle: refused unless complete and correctly signed."""

    registration_id: Annotated[int, Meta(ge=0, lt=1 << 14)]
    identity: Key33
    signed: SignedKey
    last_resort: KemPreKey
    one_time: Annotated[list[OneTimeKey], Meta(max_length=ONE_TIME_KEYS)] = msgspec.field(
        default_factory=list
    )
    kem: Annotated[list[KemPreKey], Meta(max_length=ONE_TIME_KEYS)] = msgspec.field(
        default_factory=list
    )
