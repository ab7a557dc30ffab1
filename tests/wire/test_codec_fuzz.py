"""Whatever the bytes, a decoder answers with a frame, `Unknown` or RemoteError, and stays small."""

from __future__ import annotations

import tracemalloc
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.wire.strategies import CLIENT_FRAMES, SERVER_FRAMES, frames

from linnet.wire.codec import CODECS, JSON, MSGPACK, Unknown
from linnet.wire.errors import RemoteError
from linnet.wire.frames import ClientFrame, ServerFrame
from linnet.wire.limits import FRAME_BYTES

MANY = 4 * settings().max_examples
any_frame = st.sampled_from(CLIENT_FRAMES + SERVER_FRAMES).flatmap(frames)


def decode(data: bytes) -> None:
    """Both decoders of both subprotocols; anything but their three answers is a failure."""
    for codec in CODECS.values():
        for read, known in (
            (codec.client_frame, (*typing.get_args(ClientFrame), Unknown)),
            (codec.server_frame, (*typing.get_args(ServerFrame), Unknown)),
        ):
            try:
                answer: object = read(data)
            except RemoteError as error:
                answer = error
            if isinstance(answer, RemoteError):
                assert answer.close.name == "malformed"
            else:
                assert isinstance(answer, known)


@settings(max_examples=MANY)
@given(st.binary(max_size=200))
@example(b"\x91\xa3\xff\xfe\xfd")
def test_random_bytes(data: bytes) -> None:
    decode(data)


@settings(max_examples=MANY)
@given(st.sampled_from(CLIENT_FRAMES + SERVER_FRAMES), st.binary(max_size=120))
def test_random_bytes_after_a_known_type(kind: type[msgspec.Struct], tail: bytes) -> None:
    tag = typing.cast("str", kind.__struct_config__.tag)
    for count in (0x91, 0x93, 0x9A):
        decode(bytes((count,)) + msgspec.msgpack.encode(tag) + tail)
    decode(b'{"type":"%s",' % tag.encode() + tail)


@settings(max_examples=MANY)
@given(any_frame, st.data())
def test_a_frame_with_bytes_changed_cut_or_put_in(frame: Any, data: st.DataObject) -> None:
    for codec in CODECS.values():
        said = codec.encode(frame)
        start = data.draw(st.integers(0, len(said)))
        end = data.draw(st.integers(start, min(len(said), start + 8)))
        decode(said[:start] + data.draw(st.binary(max_size=8)) + said[end:])


@given(any_frame)
def test_every_beginning_of_a_frame_is_malformed(frame: Any) -> None:
    for codec in CODECS.values():
        said = codec.encode(frame)
        for length in {0, 1, 2, len(said) // 2, len(said) - 1} - {len(said)}:
            for read in (codec.client_frame, codec.server_frame):
                with pytest.raises(RemoteError):
                    read(said[:length])


values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
    | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


@settings(max_examples=MANY)
@given(st.sampled_from(CLIENT_FRAMES + SERVER_FRAMES), st.lists(values, max_size=20))
def test_well_formed_values_in_the_wrong_places(
    kind: type[msgspec.Struct], items: list[Any]
) -> None:
    tag = kind.__struct_config__.tag
    decode(msgspec.msgpack.encode([tag, *items]))
    names = [info.encode_name for info in msgspec.structs.fields(kind)]
    decode(msgspec.json.encode({"type": tag, **dict(zip(names, items, strict=False))}))


def _claims() -> dict[str, bytes]:
    """Small or deep inputs that say they are huge."""
    ids = (b"\xc4\x10" + b"a" * 16) * 2
    return {
        "an array of 2^32": b"\xdd\xff\xff\xff\xff",
        "a frame of 2^28 items": b"\xdd\x0f\xff\xff\xff\xa4ping",
        "a map of 2^32": b"\x92\xa4ping\xdf\xff\xff\xff\xff",
        "2^28 conversations": b"\x92\xa7status?\xdd\x0f\xff\xff\xff",
        "2^28 intervals": b"\x94\xa6status" + ids + b"\xdd\x0f\xff\xff\xff",
        "a token of 4 GB": b"\x93\xa5hello\xdb\xff\xff\xff\xff",
        "a proof of 4 GB": b"\x95\xa7welcome\x01\xc6\xff\xff\xff\xff",
        "arrays as deep as a frame may be": b"\x92\xa4ping" + b"\x91" * (FRAME_BYTES - 8),
        "arrays alone": b"\x91" * FRAME_BYTES,
        "maps alone": b"\x81\xa0" * (FRAME_BYTES // 2),
        "JSON arrays": b'{"type":"ping","x":' + b"[" * (FRAME_BYTES - 20),
        "JSON objects": b'{"type":"ping","x":' + b'{"a":' * (FRAME_BYTES // 5 - 4),
        "a JSON number": b'{"type":"ack","position":' + b"9" * (FRAME_BYTES - 26) + b"}",
        "a JSON exponent": b'{"type":"ack","position":1e999999999}',
    }


@pytest.mark.parametrize("claim", _claims())
def test_a_claim_of_size_costs_no_memory(claim: str) -> None:
    data = _claims()[claim]
    decode(data)
    tracemalloc.start()
    try:
        decode(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * FRAME_BYTES


@pytest.mark.parametrize("name", [MSGPACK, JSON])
def test_a_frame_of_the_largest_size_is_read(name: str) -> None:
    codec = CODECS[name]
    filler = FRAME_BYTES - 200
    said = (
        msgspec.msgpack.encode(["ping", b"x" * filler])
        if name == MSGPACK
        else b'{"type":"ping","x":"%s"}' % (b"x" * filler)
    )
    assert type(codec.client_frame(said)).__name__ == "Ping"
