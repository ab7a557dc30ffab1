"""Hypothesis strategies for frames, built from the frames' own annotations."""

from __future__ import annotations

import types
import typing
from typing import Any

import msgspec
from hypothesis import strategies as st

from linnet.wire.frames import ClientFrame, ServerFrame

Strategy = st.SearchStrategy[Any]
CLIENT_FRAMES: tuple[type[msgspec.Struct], ...] = typing.get_args(ClientFrame)
SERVER_FRAMES: tuple[type[msgspec.Struct], ...] = typing.get_args(ServerFrame)
SIZE_MOST = 40


def frames(kind: type[msgspec.Struct]) -> Strategy:
    """Every value a frame may have, as its constraints allow."""
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {info.name: values(hints[info.name]) for info in msgspec.structs.fields(kind)}
    return st.builds(kind, **fields)


def values(hint: Any, meta: msgspec.Meta | None = None) -> Strategy:
    """Every value an annotation allows; sizes without a bound stay small."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return values(args[0], args[1])
    if origin is types.UnionType:
        return st.one_of(*(values(arg) for arg in args))
    if origin is tuple:
        return st.tuples(*(values(arg) for arg in args))
    if origin is list:
        return st.lists(values(args[0]), max_size=_most(meta))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return frames(hint)
    return _plain(hint, meta)


def _plain(hint: Any, meta: msgspec.Meta | None) -> Strategy:
    if hint is type(None):
        return st.none()
    if hint is bool:
        return st.booleans()
    if hint is bytes:
        return st.binary(min_size=_least(meta), max_size=max(_most(meta), _least(meta)))
    if hint is str:
        return st.text(st.characters(codec="utf-8"), min_size=_least(meta), max_size=SIZE_MOST)
    assert hint is int
    if meta is None:
        return st.integers(-(1 << 63), (1 << 63) - 1)
    most = meta.le if meta.le is not None else typing.cast("int", meta.lt) - 1
    return st.integers(typing.cast("int", meta.ge), typing.cast("int", most))


def _least(meta: msgspec.Meta | None) -> int:
    return (meta.min_length or 0) if meta else 0


def _most(meta: msgspec.Meta | None) -> int:
    return min(meta.max_length or SIZE_MOST, SIZE_MOST) if meta else SIZE_MOST
