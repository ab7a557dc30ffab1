"""Linking a device, the encryption: what new device and primary tell each other before the list.

Both keys come from a Diffie-Hellman secret, an ML-KEM-1024 secret and `q`, which only the code
carried, over a transcript of everything seen. Three steps: `invite` (new device), `answer`
(primary, after it asked its person), `accept` (new device). Then two boxes: the grant, and the
counter-signature for it. The list itself is signed last, by the caller, and only then is anything
linked: whatever dies before leaves nothing behind. Nothing here knows the server or the time.
"""

from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import (
    MLKEM1024PrivateKey,
    MLKEM1024PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from linnet.crypto.curve import agree, generate
from linnet.crypto.device_name import STORAGE_KEY_BYTES, open_name, seal_name
from linnet.crypto.errors import BadKey, CryptoError, Malformed
from linnet.crypto.kdf import hkdf
from linnet.crypto.secret import SecretStruct
from linnet.signing.errors import Malformed as NotPacked
from linnet.signing.keys import KEY_TYPE, PUBLIC_BYTES, KeyPair, Rng
from linnet.signing.linking import (
    EXCHANGE_BYTES,
    HASH_BYTES,
    LINK_ID_BYTES,
    Q_BYTES,
    LinkCode,
    Offer,
    check_offer,
    encode_offer,
    transcript,
)
from linnet.signing.list_format import (
    ACCOUNT_BYTES,
    MAX_DEVICE_ID,
    ListedDevice,
    countersign,
    countersigned,
)
from linnet.signing.objects import label
from linnet.signing.packing import pack, unpack

MAX_NUMBER_CHARS: Final = 16
"""`+` and at most 15 digits (E.164)."""

_KEM_SEED_BYTES: Final = 64
_NO_DEVICE: Final = 0
_FORMAT: Final = 1
_GRANT_TYPES: Final = [int, bytes, int, bytes, int, str, bytes, list]
_NUMBERLESS_TYPES: Final = [int, bytes, int, bytes, int, type(None), bytes, list]


class BadBox(CryptoError):
    """The box was not made by the other side of this linking, or is not the next one."""


class Channel(SecretStruct, frozen=True):
    """One side's keys and counters. What `seal` returns replaces it before the box leaves."""

    link_id: bytes
    send_key: bytes
    receive_key: bytes
    sent: int = 0
    received: int = 0

    def seal(self, plaintext: bytes) -> tuple["Channel", bytes]:
        """Return (the channel after this box, the box: ciphertext ‖ tag)."""
        box = AESGCM(self.send_key).encrypt(_nonce(self.sent), plaintext, self.link_id)
        return msgspec.structs.replace(self, sent=self.sent + 1), box

    def open(self, box: bytes) -> tuple["Channel", bytes]:
        """Return (the channel after this box, its plaintext). Raises BadBox."""
        nonce = _nonce(self.received)
        try:
            plaintext = AESGCM(self.receive_key).decrypt(nonce, box, self.link_id)
        except (InvalidTag, ValueError):
            raise BadBox("not the next box of this linking") from None
        return msgspec.structs.replace(self, received=self.received + 1), plaintext


class Invitation(SecretStruct, frozen=True):
    """The new device's side until it is answered: what it shows, uploads, and keeps secret."""

    code: LinkCode
    offer: bytes
    exchange_private: bytes
    kem_seed: bytes


class Opening(msgspec.Struct, frozen=True):
    """The primary's half of the key agreement: X25519 key (32) and KEM ciphertext (1,568)."""

    exchange: bytes
    ciphertext: bytes


class Grant(SecretStruct, frozen=True):
    """What the primary lets the new device become; the first box.

    `added_s` stands in the list and under the counter-signature. The list that names the device
    must follow `list_version` and `list_hash`, so that no server can show it an older one.
    """

    account: bytes
    device_id: int
    account_key: bytes
    added_s: int
    number: str | None
    storage_key: bytes
    list_version: int
    list_hash: bytes


def invite(device_public: bytes, kind: int, name: str, rng: Rng) -> Invitation:
    """Make a code to show and an offer to upload. Raises ValueError for a name over 64 bytes."""
    exchange, seed = generate(rng), rng(_KEM_SEED_BYTES)
    kem_key = MLKEM1024PrivateKey.from_seed_bytes(seed).public_key().public_bytes_raw()
    link_id, q = rng(LINK_ID_BYTES), rng(Q_BYTES)
    sealed = seal_name(q, link_id, _NO_DEVICE, name, rng)
    offer = encode_offer(Offer(device_public, kem_key, kind, sealed))
    code = LinkCode.of(exchange.public[1:], link_id, q, offer)
    return Invitation(code, offer, exchange.private, seed)


def offered_name(code: LinkCode, offer: Offer) -> str:
    """Return the name that the new device goes by, to show to a person. Raises BadName."""
    return open_name(code.q, code.link_id, _NO_DEVICE, offer.name)


def answer(code: LinkCode, offer: bytes, rng: Rng) -> tuple[Channel, Opening]:
    """Agree on keys with the device that showed `code`; for the primary, its person having agreed.

    The KEM's randomness is the library's own. Raises OfferSwapped, signing's Malformed, BadKey.
    """
    checked = check_offer(code, offer)
    own = generate(rng)
    ciphertext, secret = _encapsulate(checked.kem_key)
    shared = agree(own.private, _with_type(code.exchange))
    opening = Opening(own.public[1:], ciphertext)
    to_device, to_primary = _keys(code, offer, opening, shared + secret)
    return Channel(code.link_id, to_device, to_primary), opening


def accept(invitation: Invitation, opening: Opening) -> Channel:
    """Agree on keys with whoever answered; it is the primary if its box opens.

    Raises BadKey for values of a wrong size or of small order.
    """
    if len(opening.exchange) != EXCHANGE_BYTES:
        raise BadKey("not an X25519 public key")
    shared = agree(invitation.exchange_private, _with_type(opening.exchange))
    secret = _decapsulate(invitation.kem_seed, opening.ciphertext)
    code = invitation.code
    to_device, to_primary = _keys(code, invitation.offer, opening, shared + secret)
    return Channel(code.link_id, to_primary, to_device)


def seal_grant(channel: Channel, grant: Grant) -> tuple[Channel, bytes]:
    """The primary's box: [1, account, id, account key, added, number, storage key, [v, hash]]."""
    *start, version, hash = msgspec.structs.astuple(grant)
    return channel.seal(pack([_FORMAT, *start, [version, hash]]))


def open_grant(channel: Channel, box: bytes) -> tuple[Channel, Grant]:
    """Read the primary's box. Raises BadBox, Malformed."""
    after, plaintext = channel.open(box)
    return after, _grant(_unpacked(plaintext))


def seal_countersignature(
    channel: Channel, grant: Grant, device: KeyPair, rng: Rng
) -> tuple[Channel, bytes]:
    """The new device's box: [1, counter-signature]. Only after its keys are where it is linked."""
    signature = countersign(
        device, grant.account, grant.account_key, grant.device_id, grant.added_s, rng
    )
    return channel.seal(pack([_FORMAT, signature]))


def open_countersignature(
    channel: Channel, box: bytes, grant: Grant, offer: Offer, name: bytes
) -> tuple[Channel, ListedDevice]:
    """Return the device, to be listed under `name` (sealed for the list).

    Raises BadBox; Malformed; BadKey if the device did not sign its entry.
    """
    after, plaintext = channel.open(box)
    row = _unpacked(plaintext)
    _need(type(row) is list and [type(item) for item in row] == [int, bytes] and row[0] == _FORMAT)
    device = ListedDevice(
        grant.device_id, offer.device_key, name, grant.added_s, offer.kind, row[1]
    )
    if not countersigned(grant.account, grant.account_key, device):
        raise BadKey("the device did not sign its entry")
    return after, device


def _keys(code: LinkCode, offer: bytes, opening: Opening, shared: bytes) -> tuple[bytes, bytes]:
    """(primary → device, device → primary)."""
    seen = transcript(code, offer, opening.exchange, opening.ciphertext)
    out = hkdf(shared + code.q, label("link") + seen, 64)
    return out[:32], out[32:]


def _encapsulate(kem_key: bytes) -> tuple[bytes, bytes]:
    try:
        secret, ciphertext = MLKEM1024PublicKey.from_public_bytes(kem_key).encapsulate()
    except ValueError:
        raise BadKey("not a canonical ML-KEM-1024 key") from None
    return ciphertext, secret


def _decapsulate(seed: bytes, ciphertext: bytes) -> bytes:
    try:
        return MLKEM1024PrivateKey.from_seed_bytes(seed).decapsulate(ciphertext)
    except ValueError:
        raise BadKey("not an ML-KEM-1024 ciphertext") from None


def _nonce(counter: int) -> bytes:
    return counter.to_bytes(12, "big")


def _with_type(exchange: bytes) -> bytes:
    return bytes((KEY_TYPE,)) + exchange


def _unpacked(plaintext: bytes) -> Any:
    try:
        return unpack(plaintext, max_depth=2)
    except NotPacked:
        raise Malformed("not what a linking box holds") from None


def _grant(row: Any) -> Grant:
    types = [type(item) for item in row] if type(row) is list else []
    _need(types in (_GRANT_TYPES, _NUMBERLESS_TYPES) and row[0] == _FORMAT)
    *start, newest = row[1:]
    _need([type(item) for item in newest] == [int, bytes])
    grant = Grant(*start, *newest)
    sizes = (len(grant.account), len(grant.account_key), len(grant.storage_key))
    _need(sizes == (ACCOUNT_BYTES, PUBLIC_BYTES, STORAGE_KEY_BYTES))
    _need(len(grant.list_hash) == HASH_BYTES and grant.list_version >= 1)
    _need(1 <= grant.device_id <= MAX_DEVICE_ID and grant.added_s >= 0)
    _need(grant.number is None or len(grant.number) <= MAX_NUMBER_CHARS)
    return grant


def _need(condition: bool) -> None:
    if not condition:
        raise Malformed("not what a linking box holds")
