"""Identifiers: what each names, how it is made, and how it is written.

Every id is raw bytes (or a small int) behind a NewType, so one cannot be passed for another.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import NewType

AccountId = NewType("AccountId", bytes)
"""16 random bytes, shown as a UUID. The only name of a person inside a frame."""
DeviceId = NewType("DeviceId", int)
"""1..127, never reused in its account."""
MessageId = NewType("MessageId", bytes)
"""UUIDv7, made by the sending device at first transmission: the idempotency key."""
ConversationId = NewType("ConversationId", bytes)
"""16 bytes: a GroupId, or `direct_conversation` of two accounts."""
GroupId = NewType("GroupId", bytes)
"""First 16 bytes of SHA-256 over the group's genesis body."""
MailboxId = NewType("MailboxId", bytes)
"""16 random bytes; only the accounts store knows whose mailbox it is."""
Address = NewType("Address", bytes)
"""17 bytes: 0x01 ‖ AccountId or 0x02 ‖ GroupId."""
Position = NewType("Position", int)
"""A row's number in a mailbox: increasing, with holes, below 2^53."""

TO_ACCOUNT = 0x01
TO_GROUP = 0x02

_RANDOM_MASK = (1 << 74) - 1


def to_account(account: AccountId) -> Address:
    """The address of an account."""
    return Address(bytes((TO_ACCOUNT,)) + account)


def to_group(group: GroupId) -> Address:
    """The address of a group."""
    return Address(bytes((TO_GROUP,)) + group)


def direct_conversation(one: AccountId, other: AccountId) -> ConversationId:
    """The conversation of two accounts, the same from either side; equal ids are notes to self."""
    lower, higher = sorted((one, other))
    return ConversationId(hashlib.sha256(b"linnet/direct/1\x00" + lower + higher).digest()[:16])


def message_id(now_ms: int, random10: bytes) -> MessageId:
    """A UUIDv7 (RFC 9562 §5.7) of `now_ms` and 74 of the 80 bits in `random10`."""
    noise = int.from_bytes(random10, "big") & _RANDOM_MASK
    high, low = noise >> 62, noise & ((1 << 62) - 1)
    number = (now_ms & ((1 << 48) - 1)) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    return MessageId(number.to_bytes(16, "big"))


def message_time_ms(message: bytes) -> int:
    """Milliseconds since the epoch inside a UUIDv7."""
    return int.from_bytes(message[:6], "big")


def is_message_id(message: bytes) -> bool:
    """Whether these are 16 bytes with UUIDv7's version and variant."""
    return len(message) == 16 and message[6] >> 4 == 7 and message[8] >> 6 == 0b10


def show(identifier: bytes) -> str:
    """The form people see: a UUID."""
    return str(uuid.UUID(bytes=identifier))


def parse(text: str) -> bytes:
    """The 16 bytes of a shown id. Raises ValueError."""
    return uuid.UUID(text).bytes
