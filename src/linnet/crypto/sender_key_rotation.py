"""When a device must replace its sender key before it sends to the group again.

A restart or a new title is no reason; a joiner is none either, who gets the present iteration.
Superseded chains of others are erased by `SenderKeyRecord.without_superseded`.
"""

from collections.abc import Set
from typing import Final, NamedTuple

from linnet.crypto.sender_key_record import SenderKeyState

MAX_MESSAGES: Final = 1_000
MAX_AGE_MS: Final = 7 * 86_400_000


class Holder(NamedTuple):
    """A device that a sender key was given to, as the member it was then.

    A member is AccountId and account key (33 bytes): after a new registration it is another one.
    """

    account: bytes
    account_key: bytes
    device: int


def must_rotate(
    state: SenderKeyState, now_ms: int, holders: Set[Holder], entitled: Set[Holder]
) -> bool:
    """Tell whether `rotate` is due before the next message.

    After 1,000 messages, after 7 days, and when a device that holds the key is no longer entitled
    to it: its member or itself left, its account key changed, or its list expired so that only
    the primary is encrypted to. `holders` are the devices this chain was ever given to.
    """
    worn = state.iteration >= MAX_MESSAGES or now_ms - state.created_ms >= MAX_AGE_MS
    return worn or not holders <= entitled
