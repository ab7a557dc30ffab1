"""What all bodies share: their base, the types of their fields, signed objects, refusals."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Key33 = Annotated[bytes, Meta(min_length=33, max_length=33)]
KemKey = Annotated[bytes, Meta(min_length=1569, max_length=1569)]
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]
KeyId = Annotated[int, Meta(ge=0, lt=1 << 24)]
Number = Annotated[str, Meta(min_length=3, max_length=24)]
ClientId = Annotated[bytes, Meta(min_length=16, max_length=16)]


class Body(msgspec.Struct, kw_only=True):
    """Base of every body. `repr` names the type alone: bodies hold numbers, tokens and tickets."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"


class Signed(Body):
    """A signed object as it travels: receivers verify these bytes and never re-encode them."""

    body: Annotated[bytes, Meta(max_length=64 * 1024)]
    sig: Signature


class Problem(Body):
    """RFC 9457 problem document; `code` is a row of `linnet.wire.errors.ERRORS`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
