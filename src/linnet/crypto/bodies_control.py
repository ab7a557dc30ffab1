"""What the body of each kind of control message holds; docs/protocol/content.md has the tables.

They go pairwise to some devices of one account and change state; none is shown. What each may
change, and who may ask for what, is the client's.
"""

from typing import Annotated, Final

from msgspec import Meta

from linnet.crypto.body import Body, Id16, Key32, Natural, Positive

MAX_IDS: Final = 200
MAX_DISTRIBUTION_BYTES: Final = 512
MAX_LISTS: Final = 8
MIN_Z_BYTES: Final = 160
MAX_Z_BYTES: Final = 65_536

Ids = Annotated[tuple[Id16, ...], Meta(min_length=1, max_length=MAX_IDS)]
Pair = tuple[
    Annotated[bytes, Meta(max_length=65_536)], Annotated[bytes, Meta(min_length=64, max_length=64)]
]


class SenderKey(Body, frozen=True, array_like=True):
    """`sender_key`: a distribution message of this device's sender key in a group."""

    group: Id16
    distribution: Annotated[bytes, Meta(min_length=1, max_length=MAX_DISTRIBUTION_BYTES)]


class SignalKey(Body, frozen=True, array_like=True):
    """`signal_key`: the key of this device's signals in a conversation."""

    conversation: Id16
    key: Key32


class ProfileKey(Body, frozen=True, array_like=True):
    """`profile_key`: the sender's profile key."""

    key: Key32


class DeviceLists(Body, frozen=True, array_like=True):
    """`device_list`: signed device lists as pairs (body, signature); each proves itself."""

    lists: Annotated[tuple[Pair, ...], Meta(min_length=1, max_length=MAX_LISTS)]


class GroupSecret(Body, frozen=True, array_like=True):
    """`group_secret`: a secret, to be compared with the hash in the entry of its number."""

    group: Id16
    number: Positive
    secret: Key32


class GroupSecretRequest(Body, frozen=True, array_like=True):
    """`group_secret_request`: the sender, a member, lacks the secret of this number."""

    group: Id16
    number: Positive


class Resend(Body, frozen=True, array_like=True):
    """`resend`: the exact Z of a message that was lost; `conv_seq` is 0 if it was sealed."""

    id: Id16
    conv_seq: Natural
    z: Annotated[bytes, Meta(min_length=MIN_Z_BYTES, max_length=MAX_Z_BYTES)]


class ResendRequest(Body, frozen=True, array_like=True):
    """`resend_request`: messages of the device asked, which could not be read here."""

    ids: Ids


class Receipt(Body, frozen=True, array_like=True):
    """`receipt`: these messages are stored on the sender's device since `ms`, by its clock."""

    ids: Ids
    ms: Natural
