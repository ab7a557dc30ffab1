"""Group states as stored: what the fold made of a log, so that an entry folds onto it alone."""

from __future__ import annotations

from typing import Final

import msgspec

from linnet.signing.group_state import GroupState

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(GroupState)


def write_state(state: GroupState) -> bytes:
    """The bytes to store."""
    return _encoder.encode(state)


def read_state(data: bytes) -> GroupState:
    """The state in bytes that `write_state` made."""
    return _decoder.decode(data)
