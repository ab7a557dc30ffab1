"""Every key derivation of SPQR, with the labels that are on the wire.

Pure functions of bytes. Epochs are numbered in 8 bytes, big-endian, wherever they are hashed.
"""

from hmac import digest
from typing import Final, NamedTuple

from linnet.crypto.kdf import hkdf

MAC_BYTES: Final = 32

_PROTOCOL: Final = b"Signal_PQCKA_V1_MLKEM768"
_UPDATE_LABEL: Final = _PROTOCOL + b":Authenticator Update"
_SECRET_LABEL: Final = _PROTOCOL + b":SCKA Key"
_HEADER_LABEL: Final = _PROTOCOL + b":ekheader"
_CIPHERTEXT_LABEL: Final = _PROTOCOL + b":ciphertext"
_START_LABEL: Final = b"Signal PQ Ratchet V1 Chain  Start"  # two spaces, as deployed
_ADD_LABEL: Final = b"Signal PQ Ratchet V1 Chain Add Epoch"
_NEXT_LABEL: Final = b"Signal PQ Ratchet V1 Chain Next"


class EpochKeys(NamedTuple):
    """The next root and a new chain for each direction, 32 bytes each. A opened the session."""

    root: bytes
    a_to_b: bytes
    b_to_a: bytes


def update(root: bytes, epoch: int, secret: bytes) -> tuple[bytes, bytes]:
    """Return (next root, MAC key) of the authenticator."""
    out = hkdf(root + secret, _UPDATE_LABEL + _number(epoch), 64)
    return out[:32], out[32:]


def epoch_secret(shared: bytes, epoch: int) -> bytes:
    """Turn the secret of ML-KEM into that of its epoch."""
    return hkdf(shared, _SECRET_LABEL + _number(epoch), 32)


def header_mac(mac_key: bytes, epoch: int, header: bytes) -> bytes:
    """The MAC sent after a header."""
    return digest(mac_key, _HEADER_LABEL + _number(epoch) + header, "sha256")


def ciphertext_mac(mac_key: bytes, epoch: int, ct1: bytes, ct2: bytes) -> bytes:
    """The MAC sent after the second part of a ciphertext."""
    return digest(mac_key, _CIPHERTEXT_LABEL + _number(epoch) + ct1 + ct2, "sha256")


def first_chains(pq_key: bytes) -> EpochKeys:
    """The chains of epoch 0, from what PQXDH agreed on."""
    return _split(hkdf(pq_key, _START_LABEL, 96))


def more_chains(root: bytes, secret: bytes) -> EpochKeys:
    """The chains of the next epoch, from its secret."""
    return _split(hkdf(secret, _ADD_LABEL, 96, root))


def next_key(chain_key: bytes, counter: int) -> tuple[bytes, bytes]:
    """Return (next chain key, key of message `counter`). Counters start at 1."""
    out = hkdf(chain_key, counter.to_bytes(4) + _NEXT_LABEL, 64)
    return out[:32], out[32:]


def _split(out: bytes) -> EpochKeys:
    return EpochKeys(out[:32], out[32:64], out[64:])


def _number(epoch: int) -> bytes:
    return epoch.to_bytes(8)
