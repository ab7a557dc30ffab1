"""The array inside Z: what one message says, field by field.

Sizes and ranges are checked here, in both directions; padding and franking are in
`linnet.crypto.content`, and which kind may come from whom in `linnet.crypto.kinds`.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from linnet.signing.errors import Malformed
from linnet.signing.objects import SignedObject
from linnet.signing.packing import MAX_INT, Value, pack, unpack

MAX_ATTACHED: Final = 8

_FORMAT: Final = 1
_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")

Ref: TypeAlias = tuple[int, bytes]
"""(version, hash): a device list, or the head of a group's log; the hash has 32 bytes."""


class Reference(msgspec.Struct, frozen=True):
    """A message of this conversation: its author, the author's account key (33 bytes), its id."""

    account: bytes
    account_key: bytes
    id: bytes


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What one message says. Its text and body never appear in `repr`.

    `to` is 0x01 ‖ AccountId or 0x02 ‖ GroupId; `counter` counts what this device sent here, from
    1, or is 0 where nothing is numbered; `timer` is in seconds; `own_list` and `peer_list` name
    the device lists the sender goes by, `head` the group's log; `attached` are those objects.
    """

    id: bytes
    to: bytes
    sender: bytes
    device: int
    counter: int
    sent_ms: int
    own_list: Ref
    peer_list: Ref | None = None
    head: Ref | None = None
    reply: Reference | None = None
    timer: int | None = None
    kind: str
    body: Value
    attached: tuple[SignedObject, ...] | None = None

    def __repr__(self) -> str:
        return f"Content(kind={self.kind!r})"


def pack_content(content: Content) -> bytes:
    """Encode the array. Raises Malformed for content that `unpack_content` would refuse."""
    row = [_FORMAT, *msgspec.structs.astuple(content)]
    if content.reply is not None:
        row[_REPLY] = msgspec.structs.astuple(content.reply)
    if content.attached is not None:
        row[_ATTACHED] = [obj.as_pair() for obj in content.attached]
    packed = pack(row)
    unpack_content(packed)
    return packed


def unpack_content(packed: bytes) -> Content:
    """Decode the array. Raises Malformed."""
    row = unpack(packed)
    _require(type(row) is list and len(row) == 1 + len(_READERS))
    _require(type(row[0]) is int and row[0] == _FORMAT)
    fields = zip(_READERS.items(), row[1:], strict=True)
    return Content(**{name: read(value) for (name, read), value in fields})


def _bytes(size: int) -> "Reader":
    def read(value: Any) -> bytes:
        _require(type(value) is bytes and len(value) == size)
        return value  # type: ignore[no-any-return]

    return read


def _int(low: int, high: int = MAX_INT) -> "Reader":
    def read(value: Any) -> int:
        _require(type(value) is int and low <= value <= high)
        return value  # type: ignore[no-any-return]

    return read


def _optional(reader: "Reader") -> "Reader":
    return lambda value: None if value is None else reader(value)


def _address(value: Any) -> bytes:
    _require(type(value) is bytes and len(value) == 17 and value[0] in (1, 2))
    return value  # type: ignore[no-any-return]


def _ref(value: Any) -> Ref:
    _require(type(value) is list and len(value) == 2)
    return _int(1)(value[0]), _bytes(32)(value[1])


def _reference(value: Any) -> Reference:
    _require(type(value) is list and len(value) == 3)
    return Reference(_bytes(16)(value[0]), _bytes(33)(value[1]), _bytes(16)(value[2]))


def _kind(value: Any) -> str:
    _require(type(value) is str and _KIND.fullmatch(value) is not None)
    return value  # type: ignore[no-any-return]


def _attached(value: Any) -> tuple[SignedObject, ...]:
    _require(type(value) is list and 1 <= len(value) <= MAX_ATTACHED)
    return tuple(SignedObject.from_pair(pair) for pair in value)


def _require(condition: bool) -> None:
    if not condition:
        raise Malformed("not the array of content")


Reader: TypeAlias = Callable[[Any], Any]

_READERS: Final[dict[str, Reader]] = {
    "id": _bytes(16),
    "to": _address,
    "sender": _bytes(16),
    "device": _int(1, 127),
    "counter": _int(0),
    "sent_ms": _int(0),
    "own_list": _ref,
    "peer_list": _optional(_ref),
    "head": _optional(_ref),
    "reply": _optional(_reference),
    "timer": _optional(_int(1)),
    "kind": _kind,
    "body": lambda value: value,
    "attached": _optional(_attached),
}
_REPLY: Final = 1 + list(_READERS).index("reply")
_ATTACHED: Final = 1 + list(_READERS).index("attached")
