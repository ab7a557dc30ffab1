"""Safety numbers: what two people compare to know that no one stands between them.

Over the account keys, so that a new laptop changes nothing. The 60 digits and the payload of the
QR code are those of Signal's library, version 2. Who was compared with whom, and what follows
from it, is the client's to remember.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha512
from hmac import compare_digest
from typing import Final

from linnet.crypto.errors import Malformed
from linnet.crypto.protobuf import STRING, VARINT, decode, encode
from linnet.signing.keys import PUBLIC_BYTES

VERSION: Final = 2
ITERATIONS: Final = 5200
FINGERPRINT_BYTES: Final = 32
ACCOUNT_BYTES: Final = 16

_FORMAT: Final = b"\x00\x00"
_GROUPS: Final = 6
_GROUP_BYTES: Final = 5
_GROUP_VALUES: Final = 100_000
_COMBINED: Final = {1: VARINT, 2: STRING, 3: STRING}
_LOGICAL: Final = {1: STRING}


def fingerprint(account: bytes, account_key: bytes) -> bytes:
    """Hash an AccountId (16 bytes) and account key (33) 5,200 times: 32 bytes; takes 2 ms.

    Raises ValueError for other sizes.
    """
    if len(account) != ACCOUNT_BYTES or len(account_key) != PUBLIC_BYTES:
        raise ValueError("a fingerprint is over 16 and 33 bytes")
    value = _FORMAT + account_key + account
    for _ in range(ITERATIONS):
        value = sha512(value + account_key).digest()
    return value[:FINGERPRINT_BYTES]


@dataclass(frozen=True)
class SafetyNumber:
    """The number of two accounts, seen from one of them: `local` is one's own fingerprint."""

    local: bytes
    remote: bytes

    @cached_property
    def digits(self) -> str:
        """60 digits, the same on both sides."""
        return "".join(sorted((_digits(self.local), _digits(self.remote))))

    @cached_property
    def scannable(self) -> bytes:
        """What the QR code holds: another one on each side."""
        return encode(
            (
                (1, VERSION),
                (2, encode(((1, self.local),))),
                (3, encode(((1, self.remote),))),
            )
        )

    def compare(self, scanned: bytes) -> bool:
        """Tell whether the other side's QR code is of the same two accounts and keys.

        Raises Malformed if it is no code of a safety number, or one of another version.
        """
        numbers, strings = decode(scanned, 0, len(scanned), _COMBINED)
        if numbers.get(1) != VERSION or not {2, 3} <= strings.keys():
            raise Malformed("not a safety number of this version")
        theirs, ours = _logical(strings[2]), _logical(strings[3])
        # Not short-circuited: both are compared whatever the first says.
        return compare_digest(theirs, self.remote) & compare_digest(ours, self.local)


def safety_number(account: bytes, account_key: bytes, peer: bytes, peer_key: bytes) -> SafetyNumber:
    """Compute the number of one's own account and a peer's; AccountIds and account keys."""
    return SafetyNumber(fingerprint(account, account_key), fingerprint(peer, peer_key))


def _logical(data: bytes) -> bytes:
    content = decode(data, 0, len(data), _LOGICAL).strings.get(1, b"")
    if len(content) != FINGERPRINT_BYTES:
        raise Malformed("not a fingerprint")
    return content


def _digits(value: bytes) -> str:
    """Return 30 digits: six groups of 5 bytes, big-endian, modulo 100,000."""
    groups = (value[i * _GROUP_BYTES : (i + 1) * _GROUP_BYTES] for i in range(_GROUPS))
    return "".join(f"{int.from_bytes(group, 'big') % _GROUP_VALUES:05}" for group in groups)
