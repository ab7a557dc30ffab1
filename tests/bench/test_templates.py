"""linnet.bench.templates and sockets: frames made by hand are the codec's frames."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.bench.sockets import client_frame, server_frame, source_address
from linnet.bench.templates import PING, RANDOM_BYTES, MessageTemplate, ack
from linnet.wire.codec import CODECS, MSGPACK
from linnet.wire.frames import FULL, Ack, Ping, Send
from linnet.wire.ids import AccountId, is_message_id, message_time_ms, to_account
from linnet.wire.limits import POSITION_END

codec = CODECS[MSGPACK]


def payload_of(frame: bytes) -> bytes:
    """What RFC 6455 §5.2 says is in a frame, unmasked."""
    assert frame[0] == 0x82
    length, at = frame[1] & 0x7F, 2
    if length >= 126:
        size = 2 if length == 126 else 8
        length, at = int.from_bytes(frame[2 : 2 + size], "big"), 2 + size
    if frame[1] & 0x80:
        mask, at = frame[at : at + 4], at + 4
        body = bytes(byte ^ mask[index % 4] for index, byte in enumerate(frame[at:]))
    else:
        body = frame[at:]
    assert len(body) == length
    return body


@given(
    now=st.integers(1 << 40, (1 << 47) - 1),
    counter=st.integers(1, (1 << 32) - 1),
    pair=st.integers(0, (1 << 16) - 1),
)
def test_a_patched_message_is_a_message(now: int, counter: int, pair: int) -> None:
    recipient, noise = os.urandom(16), os.urandom(RANDOM_BYTES)
    template = MessageTemplate(recipient, noise, pair)
    id, frame = template.message(now, counter)
    said = codec.client_frame(payload_of(frame))
    assert isinstance(said, Send)
    assert (said.id, said.timestamp, said.mode) == (id, now, FULL)
    assert (said.to, said.sets) == (to_account(AccountId(recipient)), (1, 1))
    assert [(part.device, part.ciphertext) for part in said.parts] == [(1, noise[35:])]
    assert is_message_id(id)
    assert message_time_ms(id) == now


def test_ids_of_pairs_and_counters_differ() -> None:
    noise = os.urandom(RANDOM_BYTES)
    templates = [MessageTemplate(bytes(16), noise, pair) for pair in range(50)]
    ids = {template.message(1 << 41, counter)[0] for template in templates for counter in range(50)}
    assert len(ids) == 2500


@given(st.integers(0, POSITION_END - 1))
def test_a_patched_ack_is_an_ack(position: int) -> None:
    assert codec.client_frame(payload_of(ack(position))) == Ack(position)


def test_the_ping_is_a_ping() -> None:
    assert codec.client_frame(payload_of(PING)) == Ping()


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
def test_frames_of_every_length_form(size: int) -> None:
    payload = os.urandom(size)
    assert payload_of(server_frame(payload)) == payload
    assert payload_of(client_frame(payload)) == payload
    assert client_frame(payload)[1] & 0x80


def test_source_addresses_are_shared_by_fewer_than_a_servers_limit() -> None:
    addresses = [source_address(number) for number in range(10_000)]
    assert max(map(addresses.count, set(addresses))) <= 900
    assert addresses[0] == "127.0.0.2"
