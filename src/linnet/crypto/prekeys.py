"""Pre-keys: made and signed here, published as a bundle, checked before use.

How long private halves are kept, and that a one-time key is used once, is the store's business.
"""

from dataclasses import dataclass, field
from typing import Final, Protocol

from linnet.crypto import kem
from linnet.crypto.curve import agree
from linnet.crypto.errors import BadKey
from linnet.signing.keys import KeyPair, Rng, generate
from linnet.signing.xeddsa import sign, verify

MAX_REGISTRATION_ID: Final = 0x3FFF
_ANY_SCALAR: Final = bytes(32)
"""Clamped by X25519, and no secret: only to see whether a point agrees on anything."""


@dataclass(frozen=True, slots=True)
class LocalIdentity:
    """This device: its identity key and its registration id (14 bits)."""

    key: KeyPair
    registration_id: int


@dataclass(frozen=True, slots=True)
class OneTimePreKey:
    """An X25519 pre-key that serves one session."""

    id: int
    private: bytes = field(repr=False)
    public: bytes


@dataclass(frozen=True, slots=True)
class SignedPreKey:
    """An X25519 pre-key that serves all sessions of its week, signed by the identity key."""

    id: int
    private: bytes = field(repr=False)
    public: bytes
    signature: bytes
    created_ms: int


@dataclass(frozen=True, slots=True)
class KemPreKey:
    """A signed Kyber-1024 pre-key: for one session, or the last resort when those ran out."""

    id: int
    seed: bytes = field(repr=False)
    public: bytes
    signature: bytes
    created_ms: int
    last_resort: bool


@dataclass(frozen=True, slots=True)
class PreKeyBundle:
    """What a device publishes for those who want to write to it. `pre_key` may have run out."""

    registration_id: int
    device_id: int
    identity_key: bytes
    signed_pre_key_id: int
    signed_pre_key: bytes
    signed_pre_key_sig: bytes
    kem_pre_key_id: int
    kem_pre_key: bytes
    kem_pre_key_sig: bytes
    pre_key_id: int | None = None
    pre_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class LastResortUse:
    """What names one use of the last-resort key. Seen twice, it is a replay."""

    kem_pre_key_id: int
    signed_pre_key_id: int
    base_key: bytes


class PreKeyLookup(Protocol):
    """The private halves of this device. Looking one up uses nothing up."""

    def signed(self, pre_key_id: int) -> SignedPreKey | None:
        """Return the signed pre-key, current or kept, or None."""

    def one_time(self, pre_key_id: int) -> OneTimePreKey | None:
        """Return the one-time pre-key unless it was used."""

    def kem(self, pre_key_id: int) -> KemPreKey | None:
        """Return the KEM pre-key: the last resort, current or kept, or a one-time one not used."""

    def seen(self, use: LastResortUse) -> bool:
        """Tell whether this use of a last-resort key was accepted before."""


def generate_signed(identity: KeyPair, pre_key_id: int, now_ms: int, rng: Rng) -> SignedPreKey:
    """Make a signed pre-key."""
    pair = generate(rng)
    signature = sign(identity.private, pair.public, rng)
    return SignedPreKey(pre_key_id, pair.private, pair.public, signature, now_ms)


def generate_one_time(start_id: int, count: int, rng: Rng) -> list[OneTimePreKey]:
    """Make `count` one-time pre-keys with ids from `start_id` on."""
    pairs = [generate(rng) for _ in range(count)]
    return [OneTimePreKey(start_id + i, pair.private, pair.public) for i, pair in enumerate(pairs)]


def generate_kem(
    identity: KeyPair, start_id: int, count: int, now_ms: int, rng: Rng
) -> list[KemPreKey]:
    """Make `count` one-time KEM pre-keys with ids from `start_id` on."""
    return [_kem(identity, start_id + i, now_ms, rng, last_resort=False) for i in range(count)]


def generate_last_resort(identity: KeyPair, pre_key_id: int, now_ms: int, rng: Rng) -> KemPreKey:
    """Make the KEM pre-key that is handed out when the one-time ones have run out."""
    return _kem(identity, pre_key_id, now_ms, rng, last_resort=True)


def verify_bundle(bundle: PreKeyBundle) -> None:
    """Raise BadKey unless both signatures of the bundle are by its identity key, and its X25519
    pre-keys are points to agree with: canonical, not of small order. A signature does not say so.

    Whether that identity key is the right one, the caller has checked against the device list.
    """
    signed = (
        (bundle.signed_pre_key, bundle.signed_pre_key_sig),
        (bundle.kem_pre_key, bundle.kem_pre_key_sig),
    )
    if not all(verify(bundle.identity_key, key, signature) for key, signature in signed):
        raise BadKey("a pre-key is not signed by the identity key of its bundle")
    if (bundle.pre_key is None) != (bundle.pre_key_id is None):
        raise BadKey("a one-time pre-key without its id, or an id without its key")
    if not 0 < bundle.registration_id <= MAX_REGISTRATION_ID:
        raise BadKey("not a registration id")
    for point in (bundle.signed_pre_key, bundle.pre_key):
        if point is not None:
            agree(_ANY_SCALAR, point)


def _kem(
    identity: KeyPair, pre_key_id: int, now_ms: int, rng: Rng, *, last_resort: bool
) -> KemPreKey:
    pair = kem.generate(rng)
    signature = sign(identity.private, pair.public, rng)
    return KemPreKey(pre_key_id, pair.seed, pair.public, signature, now_ms, last_resort)
