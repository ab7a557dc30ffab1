"""What the body of each kind of numbered message holds; docs/protocol/content.md has the tables.

The structs of control messages are in `bodies_control`, of what own devices tell each other in
`bodies_sync`; each is written by `body.body_of` and read by `body.read_body`. Functions are here
for the bodies that are plain enough without one.
"""

from typing import Any

from linnet.crypto.bodies_control import GroupSecret, GroupSecretRequest, SenderKey
from linnet.crypto.body import Body, Id16, Key32, Natural, Positive, body_of, read_body
from linnet.signing.packing import Value


class Text(Body, frozen=True, array_like=True):
    """`text`."""

    text: str


class Read(Body, frozen=True, array_like=True):
    """`read`: everything of this conversation up to here was read.

    `up_to` is a conv_seq. Sealed messages have none: there it is 0, and `sealed` is the
    server_timestamp and id of the last message read.
    """

    up_to: Natural
    sealed: tuple[Natural, Id16] | None = None


class Timer(Body, frozen=True, array_like=True):
    """`timer`: messages of this conversation disappear after so many seconds; None: never."""

    seconds: Positive | None


class Sealed(Body, frozen=True, array_like=True):
    """`sealed`: from here on all messages of this conversation are sealed, or are not.

    `number` rises with every switch; of two with one number, the one that switches on holds.
    """

    on: bool
    number: Positive


class GroupNotice(Body, frozen=True, array_like=True):
    """`group_notice`: the log has an entry of this version and hash. For display alone."""

    version: Positive
    hash: Key32


def text_body(text: str) -> Value:
    """Return the body of a `text`: [text]."""
    return body_of(Text(text))


def read_text(body: Any) -> str:
    """Return the text of a `text` body. Raises Damaged."""
    return read_body(Text, body).text


def sender_key_body(group: bytes, distribution: bytes) -> Value:
    """Return the body of a `sender_key`: [GroupId, distribution message]."""
    return body_of(SenderKey(group, distribution))


def read_sender_key(body: Any) -> tuple[bytes, bytes]:
    """Return the group and the distribution message. Raises Damaged."""
    read = read_body(SenderKey, body)
    return read.group, read.distribution


def group_secret_body(group: bytes, number: int, secret: bytes) -> Value:
    """Return the body of a `group_secret`: [GroupId, number, secret]."""
    return body_of(GroupSecret(group, number, secret))


def read_group_secret(body: Any) -> tuple[bytes, int, bytes]:
    """Return the group, the secret's number and the secret. Raises Damaged."""
    read = read_body(GroupSecret, body)
    return read.group, read.number, read.secret


def group_secret_request_body(group: bytes, number: int) -> Value:
    """Return the body of a `group_secret_request`: [GroupId, number]."""
    return body_of(GroupSecretRequest(group, number))


def read_group_secret_request(body: Any) -> tuple[bytes, int]:
    """Return the group and the number of the secret asked for. Raises Damaged."""
    read = read_body(GroupSecretRequest, body)
    return read.group, read.number
