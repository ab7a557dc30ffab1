"""Frames survive both subprotocols; unknown ones are events; broken ones are the peer's fault."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wire.strategies import CLIENT_FRAMES, SERVER_FRAMES, frames

from linnet.wire.codec import CODECS, JSON, MSGPACK, Codec, Unknown
from linnet.wire.errors import RemoteError
from linnet.wire.frames import Ack, Deliver, Error, Frame, Hello, Part, Ping, Send, Sent, Welcome
from linnet.wire.limits import SessionLimits

any_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)


@any_codec
@pytest.mark.parametrize("kind", CLIENT_FRAMES)
def test_every_client_frame_survives_a_round_trip(codec: Codec, kind: type[Frame]) -> None:
    @given(frames(kind))
    def survives(frame: Any) -> None:
        again = codec.client_frame(codec.encode(frame))
        assert type(again) is kind
        assert again == frame

    survives()


@any_codec
@pytest.mark.parametrize("kind", SERVER_FRAMES)
def test_every_server_frame_survives_a_round_trip(codec: Codec, kind: type[Frame]) -> None:
    @given(frames(kind))
    def survives(frame: Any) -> None:
        again = codec.server_frame(memoryview(codec.encode(frame)))
        assert type(again) is kind
        assert again == frame

    survives()


@given(st.sampled_from(SERVER_FRAMES).flatmap(frames))
def test_both_subprotocols_say_the_same(frame: Any) -> None:
    one = CODECS[MSGPACK].server_frame(CODECS[MSGPACK].encode(frame))
    other = CODECS[JSON].server_frame(CODECS[JSON].encode(frame))
    assert one == other


def test_messagepack_is_preferred_and_only_json_is_text() -> None:
    assert list(CODECS) == [MSGPACK, JSON]
    assert [codec.text for codec in CODECS.values()] == [False, True]


def test_messagepack_frames_are_arrays_that_begin_with_the_type() -> None:
    frame = Hello(token="t", device=3, resume=9)
    assert msgspec.msgpack.decode(CODECS[MSGPACK].encode(frame)) == ["hello", "t", 3, 9, b"", 0]


def test_json_frames_are_objects_with_base64_bytes_and_the_documented_names() -> None:
    frame = Deliver(
        position=7,
        prev=5,
        conversation=b"c" * 16,
        conv_seq=2,
        id=b"i" * 16,
        sender=b"a" * 16,
        device=1,
        mode=0,
        kind=2,
        ciphertext=b"\xff\xfe",
        commitment=b"h" * 32,
        timestamp=1,
        server_timestamp=2,
        sets=(3, 4),
    )
    said = msgspec.json.decode(CODECS[JSON].encode(frame))
    assert said["type"] == "message"
    assert said["from"] == base64.b64encode(b"a" * 16).decode()
    assert said["ciphertext"] == "//4="
    assert said["sets"] == [3, 4]
    assert "sender" not in said


def test_parts_are_objects_in_json_and_arrays_in_messagepack() -> None:
    frame = Send(
        id=b"i" * 16,
        to=b"\x01" + b"a" * 16,
        mode=0,
        commitment=b"h" * 32,
        timestamp=1,
        parts=[Part(device=1, kind=3, ciphertext=b"x")],
    )
    assert msgspec.json.decode(CODECS[JSON].encode(frame))["parts"] == [
        {"device": 1, "kind": 3, "ciphertext": "eA=="}
    ]
    assert msgspec.msgpack.decode(CODECS[MSGPACK].encode(frame))[7] == [[1, 3, b"x"]]


def test_later_fields_may_be_absent() -> None:
    short = msgspec.msgpack.encode(["hello", "t", 1])
    assert CODECS[MSGPACK].client_frame(short) == Hello(token="t", device=1)
    assert CODECS[JSON].client_frame(b'{"type":"hello","token":"t","device":1}') == Hello(
        token="t", device=1
    )


def test_limits_a_newer_server_added_are_passed_over() -> None:
    items = ["welcome", 9, b"p", 1, [5, 30, 256, 1024, 4096, "new"], 3, "newer"]
    limits = SessionLimits(window_bytes=1024, frame_bytes=4096)
    assert CODECS[MSGPACK].server_frame(msgspec.msgpack.encode(items)) == Welcome(
        head=9, proof=b"p", server_time=1, limits=limits, set=3
    )
    text = b'{"type":"welcome","head":9,"proof":"cA==","server_time":1,"limits":{"new":1},"x":[]}'
    assert CODECS[JSON].server_frame(text) == Welcome(
        head=9, proof=b"p", server_time=1, limits=SessionLimits()
    )


@pytest.mark.parametrize(
    ("codec", "said"),
    [
        (CODECS[MSGPACK], msgspec.msgpack.encode(["wave", 1, {"deep": [1]}])),
        (CODECS[JSON], b'{"type":"wave","hand":{"deep":[1]}}'),
    ],
    ids=CODECS,
)
def test_a_frame_of_an_unknown_type_is_an_event(codec: Codec, said: bytes) -> None:
    assert codec.client_frame(said) == Unknown("wave")
    assert codec.server_frame(said) == Unknown("wave")


@any_codec
def test_what_only_the_other_end_may_say_is_unknown(codec: Codec) -> None:
    sent = Sent(id=b"i" * 16, conv_seq=1, server_timestamp=1, commitment=b"h" * 32)
    assert codec.client_frame(codec.encode(sent)) == Unknown("sent")
    assert codec.server_frame(codec.encode(Ack(position=1))) == Unknown("ack")


@any_codec
def test_an_unknown_type_is_shortened(codec: Codec) -> None:
    tag = "w" * 5000
    said = msgspec.msgpack.encode([tag]) if codec.name == MSGPACK else b'{"type":"%s"}' % b"w" * 1
    if codec.name == JSON:
        said = msgspec.json.encode({"type": tag})
    assert codec.server_frame(said) == Unknown("w" * 64)


MALFORMED = {
    "nothing": (b"", b""),
    "not a frame": (b"\xc0", b"null"),
    "no type": (b"\x90", b"{}"),
    "a type that is a number": (b"\x91\x05", b'{"type":5}'),
    "a type that is no text": (b"\x91\xa3\xff\xfe\xfd", b'{"type":"\xff\xfe"}'),
    "half a surrogate": (b"\x91\xa3\xed\xa0\x80", b'{"type":"\\ud800"}'),
    "a field of the wrong type": (b"\x92\xa3ack\xa1x", b'{"type":"ack","position":"x"}'),
    "a missing field": (b"\x91\xa3ack", b'{"type":"ack"}'),
    "a position of 2^53": (
        b"\x92\xa3ack\xcf\x00\x20\x00\x00\x00\x00\x00\x00",
        b'{"type":"ack","position":9007199254740992}',
    ),
    "a negative position": (b"\x92\xa3ack\xff", b'{"type":"ack","position":-1}'),
    "a position that is true": (b"\x92\xa3ack\xc3", b'{"type":"ack","position":true}'),
    "a position of 64 bits": (
        b"\x92\xa3ack\xcf" + b"\xff" * 8,
        b'{"type":"ack","position":18446744073709551615}',
    ),
    "a position of 5,000 digits": (
        b"\x92\xa3ack\xc7\xff",
        b'{"type":"ack","position":1' + b"0" * 5000 + b"}",
    ),
    "a token that is no text": (
        b"\x93\xa5hello\xa2\xff\xff\x01",
        b'{"type":"hello","token":"\xff\xff","device":1}',
    ),
    "bytes after the frame": (b"\x91\xa4ping\x00", b'{"type":"ping"} 0'),
    "an array said to hold 2^32 items": (b"\xdd\xff\xff\xff\xff\xa4ping", b"[" * 40),
    "bytes said to be 2^32 long": (b"\x92\xa4ping\xc6\xff\xff\xff\xff", b'{"type":"ping'),
    "arrays in arrays": (b"\x92\xa4ping" + b"\x91" * 100_000, b'{"type":"ping","x":' + b"[" * 9999),
    "the type twice": (b"\x92\xa4ping\xc1", b'{"type":"ack","type":"ping","position":1}'),
}


@pytest.mark.parametrize("case", MALFORMED)
@any_codec
def test_malformed_bytes_are_the_peers_fault(codec: Codec, case: str) -> None:
    with pytest.raises(RemoteError) as raised:
        codec.client_frame(MALFORMED[case][list(CODECS).index(codec.name)])
    assert raised.value.close.name == "malformed"


@pytest.mark.parametrize(
    "said",
    [
        msgspec.msgpack.encode(["hello", "secret-token", "secret-device"]),
        b"\x93\xa5hello\xadsecret-token\xff\x01",
        b'{"type":"hello","token":"secret-token","device":"secret-device"}',
        b'{"type":"hello","token":"secret-token\xff","device":1}',
    ],
)
def test_what_was_said_stays_out_of_the_error(said: bytes) -> None:
    codec = CODECS[JSON if said[:1] == b"{" else MSGPACK]
    with pytest.raises(RemoteError) as raised:
        codec.client_frame(said)
    assert "secret" not in str(raised.value)
    assert "0xff" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


@any_codec
def test_a_frame_without_fields_is_its_type(codec: Codec) -> None:
    assert codec.client_frame(codec.encode(Ping())) == Ping()


@any_codec
def test_text_outside_ascii_survives(codec: Codec) -> None:
    frame = Error(code="internal", text="Überraschung ✓", retryable=False)
    assert codec.server_frame(codec.encode(frame)) == frame
