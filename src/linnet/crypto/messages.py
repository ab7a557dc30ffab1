"""Signal's two message formats, byte for byte: parse what came, encode what goes.

    SignalMessage        version ‖ protobuf ‖ first 8 bytes of an HMAC over both
    PreKeySignalMessage  version ‖ protobuf, with a SignalMessage inside

Encodes in the order of field numbers, as the deployed encoder does. Parsing keeps the received
bytes, because the MAC is over those, never over an encoding of our own. No keys are used here.
"""

from dataclasses import dataclass
from typing import Final

from linnet.crypto.errors import Malformed, WrongAddress
from linnet.crypto.kem import CIPHERTEXT_BYTES
from linnet.crypto.protobuf import STRING, VARINT, decode, encode
from linnet.signing.keys import PUBLIC_BYTES

WHISPER: Final = 2
PREKEY: Final = 3
VERSION: Final = b"\x44"  # session version 4 in the high half, the newest we know in the low one
MAC_BYTES: Final = 8
MAX_BYTES: Final = 2**18

_ACCOUNT_KIND: Final = b"\x00"
_SIGNAL: Final = {1: STRING, 2: VARINT, 3: VARINT, 4: STRING, 5: STRING, 6: STRING}
_PREKEY: Final = {
    1: VARINT,
    2: STRING,
    3: STRING,
    4: STRING,
    5: VARINT,
    6: VARINT,
    7: VARINT,
    8: STRING,
}


@dataclass(frozen=True, slots=True)
class Address:
    """A device: the 16 bytes of its AccountId, and its number (1 to 127)."""

    account: bytes
    device: int

    def __post_init__(self) -> None:
        if len(self.account) != 16 or not 1 <= self.device <= 127:
            raise ValueError("not an address of a device")


@dataclass(frozen=True, slots=True)
class SignalMessage:
    """One parsed message. `covered` is what the MAC is over, as received."""

    ratchet_key: bytes
    counter: int
    previous_counter: int
    ciphertext: bytes
    pq_ratchet: bytes
    addresses: bytes | None
    covered: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class PreKeySignalMessage:
    """A parsed first message: what the receiver needs to open the same session."""

    registration_id: int
    pre_key_id: int | None
    signed_pre_key_id: int
    kem_pre_key_id: int
    kem_ciphertext: bytes
    base_key: bytes
    identity_key: bytes
    message: SignalMessage


def address_field(sender: Address, receiver: Address) -> bytes:
    """The 36 bytes of field 6: a service id (0x00 ‖ account) and a device byte for each."""
    return b"".join(
        _ACCOUNT_KIND + who.account + bytes((who.device,)) for who in (sender, receiver)
    )


def check_addresses(
    message: SignalMessage, sender: Address, receiver: Address, *, required: bool
) -> None:
    """Raise WrongAddress if the message names other devices, or none although `required`."""
    if message.addresses is None:
        if required:
            raise WrongAddress("the message names no addresses")
    elif message.addresses != address_field(sender, receiver):
        raise WrongAddress("the message is for or from another device")


def encode_signal(
    ratchet_key: bytes,
    counter: int,
    previous_counter: int,
    ciphertext: bytes,
    pq_ratchet: bytes,
    addresses: bytes | None,
) -> bytes:
    """Encode a SignalMessage up to its MAC: these bytes are what the MAC covers."""
    return VERSION + encode(
        (
            (1, ratchet_key),
            (2, counter),
            (3, previous_counter),
            (4, ciphertext),
            (5, pq_ratchet),
            (6, addresses),
        )
    )


def parse_signal(data: bytes) -> SignalMessage:
    """Parse a SignalMessage. Raises Malformed; nothing in it is authentic yet."""
    covered_size = len(data) - MAC_BYTES
    _check_frame(data, covered_size)
    numbers, strings = decode(data, 1, covered_size, _SIGNAL)
    try:
        message = SignalMessage(
            ratchet_key=strings[1],
            counter=numbers[2],
            previous_counter=numbers.get(3, 0),
            ciphertext=strings[4],
            pq_ratchet=strings[5],
            addresses=strings.get(6),
            covered=data[:covered_size],
            mac=data[covered_size:],
        )
    except KeyError:
        raise Malformed("a field is missing") from None
    if len(message.ratchet_key) != PUBLIC_BYTES:
        raise Malformed("not a ratchet key")
    return message


def encode_prekey(
    registration_id: int,
    pre_key_id: int | None,
    signed_pre_key_id: int,
    kem_pre_key_id: int,
    kem_ciphertext: bytes,
    base_key: bytes,
    identity_key: bytes,
    message: bytes,
) -> bytes:
    """Encode a PreKeySignalMessage around the bytes of a SignalMessage with its MAC."""
    return VERSION + encode(
        (
            (1, pre_key_id),
            (2, base_key),
            (3, identity_key),
            (4, message),
            (5, registration_id),
            (6, signed_pre_key_id),
            (7, kem_pre_key_id),
            (8, kem_ciphertext),
        )
    )


def parse_prekey(data: bytes) -> PreKeySignalMessage:
    """Parse a PreKeySignalMessage and what is inside. Raises Malformed."""
    _check_frame(data, len(data))
    numbers, strings = decode(data, 1, len(data), _PREKEY)
    try:
        message = PreKeySignalMessage(
            registration_id=numbers.get(5, 0),
            pre_key_id=numbers.get(1),
            signed_pre_key_id=numbers[6],
            kem_pre_key_id=numbers[7],
            kem_ciphertext=strings[8],
            base_key=strings[2],
            identity_key=strings[3],
            message=parse_signal(strings[4]),
        )
    except KeyError:
        raise Malformed("a field is missing") from None
    if len(message.base_key) != PUBLIC_BYTES or len(message.identity_key) != PUBLIC_BYTES:
        raise Malformed("not a public key")
    if len(message.kem_ciphertext) != CIPHERTEXT_BYTES:
        raise Malformed("not a KEM ciphertext")
    return message


def _check_frame(data: bytes, covered_size: int) -> None:
    if covered_size < 1 or len(data) > MAX_BYTES:
        raise Malformed("too short or too long")
    if data[:1] != VERSION:
        raise Malformed("another version")
