"""The two forms of a version 2 sealed message: what is sent for all, and what each device gets.

    sent      version ‖ count ‖ each recipient and its devices ‖ ephemeral key ‖ content
    received  0x22 ‖ sealed seed ‖ tag ‖ ephemeral key ‖ content

Splitting a sent message needs no key. No keys are used here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from linnet.crypto.errors import Malformed

UUID_VERSION: Final = 0x22
"""Recipients are 16 bytes; also the version of every received form."""
SERVICE_ID_VERSION: Final = 0x23
"""Recipients are 17 bytes, the first of them a kind; 0 is an account."""
MAX_RECIPIENTS: Final = 4_096
MAX_BYTES: Final = 2**20
SEED_BYTES: Final = 32
TAG_BYTES: Final = 16
EPHEMERAL_BYTES: Final = 32

_MORE: Final = 0x8000
_REGISTRATION_MASK: Final = 0x3FFF
_RECEIVED_HEAD: Final = 1 + SEED_BYTES + TAG_BYTES + EPHEMERAL_BYTES
_AUTH_BYTES: Final = 16


class Device(NamedTuple):
    """A device id (1 to 127) and its registration id (14 bits)."""

    id: int
    registration_id: int


@dataclass(frozen=True, slots=True)
class SealedRecipient:
    """The seed of the content's key, sealed to one identity key; for some devices of an account.

    Without devices the account is excluded, and has neither seed nor tag.
    """

    account: bytes
    devices: tuple[Device, ...]
    sealed_seed: bytes = b""
    tag: bytes = b""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """What the sender uploads. `ephemeral` is a key without its type byte."""

    recipients: tuple[SealedRecipient, ...]
    ephemeral: bytes
    message: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Received:
    """What one device gets."""

    sealed_seed: bytes
    tag: bytes
    ephemeral: bytes
    message: bytes = field(repr=False)


def encode_sent(sent: SentMessage) -> bytes:
    """Encode the message to upload, version 0x23."""
    out = bytearray((SERVICE_ID_VERSION,))
    out += _varint(len(sent.recipients))
    for recipient in sent.recipients:
        out += b"\0" + recipient.account
        out += _devices(recipient.devices) + recipient.sealed_seed + recipient.tag
    return bytes(out) + sent.ephemeral + sent.message


def parse_sent(data: bytes) -> SentMessage:
    """Parse an uploaded message of either version. Raises Malformed."""
    reader = _Reader(data)
    version = reader.byte()
    if version not in (UUID_VERSION, SERVICE_ID_VERSION) or len(data) > MAX_BYTES:
        raise Malformed("another version, or too long")
    count = reader.varint()
    if count > MAX_RECIPIENTS:
        raise Malformed("too many recipients")
    recipients = tuple(_recipient(reader, version) for _ in range(count))
    return SentMessage(recipients, reader.take(EPHEMERAL_BYTES), reader.rest())


def received_forms(sent: SentMessage) -> Iterator[tuple[bytes, Device, bytes]]:
    """Yield (account, device, the bytes that this device gets), in the order of the message."""
    for recipient in sent.recipients:
        received = Received(recipient.sealed_seed, recipient.tag, sent.ephemeral, sent.message)
        data = encode_received(received) if recipient.devices else b""
        for device in recipient.devices:
            yield recipient.account, device, data


def encode_received(received: Received) -> bytes:
    """Encode what one device gets."""
    head = bytes((UUID_VERSION,)) + received.sealed_seed + received.tag
    return head + received.ephemeral + received.message


def parse_received(data: bytes) -> Received:
    """Parse what one device gets. Raises Malformed."""
    if not _RECEIVED_HEAD + _AUTH_BYTES <= len(data) <= MAX_BYTES:
        raise Malformed("too short or too long")
    reader = _Reader(data)
    if reader.byte() != UUID_VERSION:
        raise Malformed("another version")
    return Received(
        reader.take(SEED_BYTES), reader.take(TAG_BYTES), reader.take(EPHEMERAL_BYTES), reader.rest()
    )


def _recipient(reader: "_Reader", version: int) -> SealedRecipient:
    if version == SERVICE_ID_VERSION and reader.byte() != 0:
        raise Malformed("a recipient that is no account")
    account = reader.take(16)
    devices = tuple(_read_devices(reader))
    if not devices:
        return SealedRecipient(account, ())
    return SealedRecipient(account, devices, reader.take(SEED_BYTES), reader.take(TAG_BYTES))


def _read_devices(reader: "_Reader") -> Iterator[Device]:
    """Read devices to the last; a first id of 0 means that there are none."""
    first = True
    while True:
        id = reader.byte()
        if id == 0 and first:
            return
        if not 1 <= id <= 127:
            raise Malformed("not a device")
        number = int.from_bytes(reader.take(2), "big")
        if number & ~(_MORE | _REGISTRATION_MASK):
            raise Malformed("a reserved bit")
        yield Device(id, number & _REGISTRATION_MASK)
        if not number & _MORE:
            return
        first = False


def _devices(devices: tuple[Device, ...]) -> bytes:
    if not devices:
        return b"\0"
    out = bytearray()
    for place, device in enumerate(devices, start=1):
        more = _MORE if place < len(devices) else 0
        out += bytes((device.id,)) + (device.registration_id | more).to_bytes(2, "big")
    return bytes(out)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes((value,))


class _Reader:
    """Takes bytes from the front. Raises Malformed where there are too few."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise Malformed("too short")
        self._at += size
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def varint(self) -> int:
        value = 0
        for shift in range(0, 28, 7):
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise Malformed("a number is too large")

    def rest(self) -> bytes:
        return self.take(len(self._data) - self._at)
