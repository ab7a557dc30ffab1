"""The MessagePack profile of signed bodies and of message content: one value, one encoding.

nil, bool, int, bin, str and array only; integers in their shortest form with |n| < 2^53; valid
UTF-8; arrays nested at most 8 deep; nothing after the value. No float, map or extension. This
module knows no formats: what an array means is for its reader.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import msgspec

from linnet.signing.errors import Malformed

Value: TypeAlias = bool | int | bytes | str | Sequence[Any] | None
"""What may be packed; the items of an array are values themselves."""

MAX_DEPTH: Final = 8
MAX_INT: Final = 2**53 - 1

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode


def pack(value: Value, max_depth: int = MAX_DEPTH) -> bytes:
    """Encode a value. Raises Malformed if it is outside the profile."""
    _check(value, max_depth)
    try:
        return _encode(value)
    except UnicodeEncodeError:
        raise Malformed("text is not valid Unicode") from None


def unpack(data: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Decode the one value in `data`; arrays come out as lists. An array alone has depth 1.

    Raises Malformed for anything that `pack` would not have written.
    """
    try:
        value = _decode(data)
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError):
        raise Malformed("not the MessagePack profile") from None
    _check(value, max_depth)
    if _encode(value) != data:
        raise Malformed("not the shortest form")
    return value


def _check(value: Any, depth_left: int) -> None:
    kind = type(value)
    if kind is list or kind is tuple:
        if depth_left == 0:
            raise Malformed("nested too deep")
        for item in value:
            _check(item, depth_left - 1)
    elif kind is int:
        if not -MAX_INT <= value <= MAX_INT:
            raise Malformed("integer too large")
    elif kind not in _SCALARS:
        raise Malformed("type outside the profile")


_SCALARS: Final = frozenset({type(None), bool, bytes, str})
