"""The two forms of version 2: they come back, split without a key, and refuse other bytes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.crypto.errors import Malformed
from linnet.crypto.sealed_sender_v2_messages import (
    MAX_BYTES,
    Device,
    Received,
    SealedRecipient,
    SentMessage,
    encode_received,
    encode_sent,
    parse_received,
    parse_sent,
    received_forms,
)

devices = st.lists(
    st.builds(Device, st.integers(1, 127), st.integers(0, 2**14 - 1)), min_size=1, max_size=4
)
accounts = st.binary(min_size=16, max_size=16)
seeds = st.binary(min_size=32, max_size=32)
recipients = st.builds(
    SealedRecipient, accounts, devices.map(tuple), seeds, st.binary(min_size=16, max_size=16)
) | st.builds(SealedRecipient, accounts, st.just(()))
many = st.lists(recipients, max_size=6).map(tuple) | st.builds(lambda one: (one,) * 200, recipients)
sent_messages = st.builds(SentMessage, many, seeds, st.binary(min_size=16, max_size=40))

ONE = SealedRecipient(b"a" * 16, (Device(1, 2),), b"s" * 32, b"t" * 16)
SENT = SentMessage((ONE,), b"e" * 32, b"m" * 20)


@given(sent_messages)
def test_a_sent_message_comes_back(sent: SentMessage) -> None:
    assert parse_sent(encode_sent(sent)) == sent


@given(sent_messages)
def test_every_device_gets_its_form(sent: SentMessage) -> None:
    forms = list(received_forms(sent))
    expected = [(each, device) for each in sent.recipients for device in each.devices]
    assert len(forms) == len(expected)
    for (account, device, data), (recipient, wanted) in zip(forms, expected, strict=True):
        assert (account, device) == (recipient.account, wanted)
        received = Received(recipient.sealed_seed, recipient.tag, sent.ephemeral, sent.message)
        assert parse_received(data) == received
        assert encode_received(received) == data


def test_the_older_version_has_shorter_recipients() -> None:
    data = encode_sent(SENT)
    older = b"\x22" + data[1:2] + data[3:]
    assert parse_sent(older) == SENT


def changed(place: int, value: int) -> bytes:
    data = bytearray(encode_sent(SENT))
    data[place] = value
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x23",
        changed(0, 0x24),
        changed(1, 2),
        changed(2, 1),
        changed(19, 128),
        changed(20, 0x40),
        changed(20, 0x80),
        b"\x23\xff\xff\x7f" + bytes(100),
        b"\x23\xff\xff\xff\xff\x0f" + bytes(100),
        encode_sent(SENT)[:60],
        encode_sent(SENT) + bytes(MAX_BYTES),
    ],
)
def test_a_broken_sent_message_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_sent(data)


@pytest.mark.parametrize(
    "data", [b"", bytes(97), b"\x23" + bytes(96), b"\x22" + bytes(95), b"\x22" + bytes(MAX_BYTES)]
)
def test_a_broken_received_form_is_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        parse_received(data)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: b"\x23" + tail))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert len(parse_sent(data).ephemeral) == 32
    with contextlib.suppress(Malformed):
        assert len(parse_received(data).ephemeral) == 32
