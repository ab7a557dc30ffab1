"""Sender keys: a device encrypts once for a whole group, under a key all its members were given.

State out, state in: nothing that is passed in changes, and on any failure a `CryptoError` is
raised and the state passed in is still the valid one. The signature of a message is verified
before anything is derived for it. Distribution messages go pairwise, as content `sender_key`;
who may have one is a matter of the group's log, and when to rotate of `sender_key_rotation`.
"""

from typing import Final

from linnet.crypto.cbc import decrypt_cbc, encrypt_cbc
from linnet.crypto.errors import (
    BadSignature,
    Duplicate,
    Malformed,
    NoSenderKey,
    TooFarAhead,
    WrongSender,
)
from linnet.crypto.kdf import hkdf, message_seed, next_chain_key
from linnet.crypto.sender_key_messages import (
    CHAIN_KEY_BYTES,
    DISTRIBUTION_ID_BYTES,
    Distribution,
    SenderKeyMessage,
    encode_distribution,
    encode_message,
    parse_distribution,
    parse_message,
)
from linnet.crypto.sender_key_record import (
    SenderChain,
    SenderKeyBinding,
    SenderKeyRecord,
    SenderKeyState,
)
from linnet.signing import xeddsa
from linnet.signing.keys import Rng, generate

__all__ = [
    "MAX_JUMP",
    "MAX_SKIPPED",
    "SenderKeyBinding",
    "SenderKeyMessage",
    "SenderKeyRecord",
    "SenderKeyState",
    "create",
    "decrypt",
    "distribution_id_of",
    "distribution_message",
    "encrypt",
    "is_signed",
    "parse_message",
    "process_distribution",
    "rotate",
]

MAX_JUMP: Final = 25_000
MAX_SKIPPED: Final = 2_000

_LABEL: Final = b"WhisperGroup"
_IV_BYTES: Final = 16
_KEY_BYTES: Final = 32
_CHAIN_ID_MASK: Final = 2**31 - 1


def create(now_ms: int, rng: Rng) -> SenderKeyState:
    """Make this device's sender key for a group, under a new random distribution id."""
    return _fresh(_random_uuid(rng), now_ms, rng)


def rotate(state: SenderKeyState, now_ms: int, rng: Rng) -> SenderKeyState:
    """Make a new chain and a new signing key under the same distribution id."""
    return _fresh(state.distribution_id, now_ms, rng)


def distribution_message(state: SenderKeyState) -> bytes:
    """Return what a device needs to read this key's messages from the next one on."""
    return encode_distribution(
        Distribution(
            state.distribution_id,
            state.chain_id,
            state.iteration,
            state.chain_key,
            state.signing_key,
        )
    )


def encrypt(state: SenderKeyState, plaintext: bytes, rng: Rng) -> tuple[SenderKeyState, bytes]:
    """Encrypt and sign for the group.

    Store the new state before the message leaves: one state must never encrypt twice.
    """
    iv, key = _message_keys(message_seed(state.chain_key))
    covered = encode_message(
        state.distribution_id, state.chain_id, state.iteration, encrypt_cbc(key, iv, plaintext)
    )
    moved = SenderKeyState(
        state.distribution_id,
        state.chain_id,
        state.iteration + 1,
        next_chain_key(state.chain_key),
        state.signing_private,
        state.signing_key,
        state.created_ms,
    )
    return moved, covered + xeddsa.sign(state.signing_private, covered, rng)


def process_distribution(
    record: SenderKeyRecord | None, sender: SenderKeyBinding, data: bytes
) -> SenderKeyRecord:
    """Take a distribution message that `sender` sent pairwise for its group.

    `record` is the one kept under the distribution id in `data`, whoever's it is. A chain that is
    known already stays as it is: what was read cannot be read again. Raises Malformed, or
    WrongSender if the distribution id is another device's or group's.
    """
    new = parse_distribution(data)
    chain = SenderChain(new.chain_id, new.iteration, new.chain_key, new.signing_key, {})
    if record is None:
        return SenderKeyRecord(new.distribution_id, sender, (chain,))
    _check_bound(record, sender, new.distribution_id)
    known = _find(record, new.chain_id)
    if known is not None and known.signing_key == new.signing_key:
        return record.with_newest(known)
    return record.with_newest(chain)


def decrypt(
    record: SenderKeyRecord | None, sender: SenderKeyBinding, message: SenderKeyMessage
) -> tuple[SenderKeyRecord, bytes]:
    """Decrypt what `sender` sent to the group; `record` is kept under the message's distribution.

    Store the record and the plaintext in one transaction. Raises NoSenderKey, WrongSender,
    BadSignature, TooFarAhead, Duplicate, or Malformed for an authentic message that is broken.
    """
    if record is None:
        raise NoSenderKey("no sender key of this distribution")
    _check_bound(record, sender, message.distribution_id)
    chain = _find(record, message.chain_id)
    if chain is None:
        raise NoSenderKey("no sender key of this chain")
    if not xeddsa.verify(chain.signing_key, message.covered, message.signature):
        raise BadSignature("the message is not signed by its sender key")
    moved, seed = _advance(chain, message.iteration)
    iv, key = _message_keys(seed)
    return record.with_moved(moved), decrypt_cbc(key, iv, message.ciphertext)


def is_signed(record: SenderKeyRecord, message: SenderKeyMessage) -> bool:
    """Whether the device of this record wrote the message, whoever is said to have sent it."""
    chain = _find(record, message.chain_id)
    return chain is not None and xeddsa.verify(
        chain.signing_key, message.covered, message.signature
    )


def distribution_id_of(data: bytes) -> bytes:
    """Return the distribution id (16 bytes) in a distribution message. Raises Malformed."""
    return parse_distribution(data).distribution_id


def _fresh(distribution_id: bytes, now_ms: int, rng: Rng) -> SenderKeyState:
    chain_id = int.from_bytes(rng(4), "big") & _CHAIN_ID_MASK
    chain_key = rng(CHAIN_KEY_BYTES)
    signing = generate(rng)
    return SenderKeyState(
        distribution_id, chain_id, 0, chain_key, signing.private, signing.public, now_ms
    )


def _random_uuid(rng: Rng) -> bytes:
    """Return 16 bytes of version 4 and variant 2 (RFC 9562): peers read them as a UUID."""
    raw = bytearray(rng(DISTRIBUTION_ID_BYTES))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)


def _message_keys(seed: bytes) -> tuple[bytes, bytes]:
    out = hkdf(seed, _LABEL, _IV_BYTES + _KEY_BYTES)
    return out[:_IV_BYTES], out[_IV_BYTES:]


def _find(record: SenderKeyRecord, chain_id: int) -> SenderChain | None:
    return next((chain for chain in record.chains if chain.chain_id == chain_id), None)


def _check_bound(record: SenderKeyRecord, sender: SenderKeyBinding, distribution_id: bytes) -> None:
    if record.distribution_id != distribution_id:
        raise Malformed("of another distribution than the record")
    if record.binding != sender:
        raise WrongSender("the distribution is bound to another device or group")


def _advance(chain: SenderChain, iteration: int) -> tuple[SenderChain, bytes]:
    """Return the chain after this message, and the seed of the message."""
    if iteration < chain.iteration:
        return _take_skipped(chain, iteration)
    if iteration - chain.iteration > MAX_JUMP:
        raise TooFarAhead("the iteration skips too many messages")
    chain_key, skipped = chain.chain_key, chain.skipped
    if iteration > chain.iteration:
        skipped = dict(skipped)
        for number in range(chain.iteration, iteration):
            if iteration - number <= MAX_SKIPPED:
                skipped[number] = message_seed(chain_key)
            chain_key = next_chain_key(chain_key)
        for oldest in sorted(skipped)[: len(skipped) - MAX_SKIPPED]:
            del skipped[oldest]
    return (
        _at(chain, iteration + 1, next_chain_key(chain_key), skipped),
        message_seed(chain_key),
    )


def _take_skipped(chain: SenderChain, iteration: int) -> tuple[SenderChain, bytes]:
    if iteration not in chain.skipped:
        raise Duplicate("the key of this message was used, or given up")
    skipped = {number: seed for number, seed in chain.skipped.items() if number != iteration}
    return _at(chain, chain.iteration, chain.chain_key, skipped), chain.skipped[iteration]


def _at(
    chain: SenderChain, iteration: int, chain_key: bytes, skipped: dict[int, bytes]
) -> SenderChain:
    return SenderChain(chain.chain_id, iteration, chain_key, chain.signing_key, skipped)
