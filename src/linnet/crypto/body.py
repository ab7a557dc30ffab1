"""Bodies as structs: a struct's fields are the elements of the body's array, in order.

Encoding and decoding check the same sizes and ranges. Decoding ignores elements after those it
knows, which later versions may add, and takes defaults for those that earlier versions lack.
"""

from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from linnet.crypto.content import Damaged
from linnet.crypto.secret import SecretStruct
from linnet.signing.packing import MAX_INT, Value

Id16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
"""An AccountId, GroupId, ConversationId or MessageId."""
Key32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
Key33 = Annotated[bytes, Meta(min_length=33, max_length=33)]
Natural = Annotated[int, Meta(ge=0, le=MAX_INT)]
Positive = Annotated[int, Meta(ge=1, le=MAX_INT)]

_PLAIN: Final = (bytes,)
T = TypeVar("T", bound="Body")


class Body(SecretStruct, frozen=True, array_like=True):
    """What a kind of content holds. Shows nothing of it."""


def body_of(body: Body) -> Value:
    """Return the array. Raises ValueError for fields outside their sizes and ranges."""
    value: Value = msgspec.to_builtins(body, builtin_types=_PLAIN)
    msgspec.convert(value, type(body), builtin_types=_PLAIN)
    return value


def read_body(kind: type[T], value: Any) -> T:
    """Read an array as a body. Raises Damaged if it is none of this class."""
    try:
        return msgspec.convert(value, kind, builtin_types=_PLAIN)
    except msgspec.ValidationError:
        raise Damaged("not the body of this kind") from None
