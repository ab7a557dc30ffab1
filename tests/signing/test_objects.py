"""Signed objects: two forms on the wire, one signature, one hash."""

import os
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.signing import keys, xeddsa
from linnet.signing.errors import Malformed, SignatureInvalid
from linnet.signing.objects import (
    MAX_BODY_BYTES,
    SignedObject,
    label,
    sign_object,
    verify_object,
)

PAIR = keys.generate(os.urandom)
OBJECT = sign_object("device-list", PAIR.private, b"the body", os.urandom)


def test_a_label_is_ascii_and_ends_in_a_zero_byte() -> None:
    assert label("device-list") == b"linnet/device-list/1\x00"


def test_a_label_the_protocol_has_not_is_an_error() -> None:
    with pytest.raises(KeyError):
        label("device-lists")


def test_the_signature_covers_label_and_body() -> None:
    assert xeddsa.verify(PAIR.public, b"linnet/device-list/1\x00the body", OBJECT.sig)
    verify_object("device-list", PAIR.public, OBJECT)


@pytest.mark.parametrize(
    ("name", "public", "obj"),
    [
        ("device", PAIR.public, OBJECT),
        ("device-list", keys.public_key(bytes(32)), OBJECT),
        ("device-list", PAIR.public, SignedObject(b"the bodY", OBJECT.sig)),
        ("device-list", PAIR.public, SignedObject(OBJECT.body, bytes(64))),
    ],
    ids=["another label", "another key", "another body", "another signature"],
)
def test_anything_else_is_invalid(name: str, public: bytes, obj: SignedObject) -> None:
    with pytest.raises(SignatureInvalid):
        verify_object(name, public, obj)


def test_the_hash_is_over_the_body_alone() -> None:
    again = sign_object("device-list", PAIR.private, b"the body", os.urandom)
    assert again.sig != OBJECT.sig
    assert again.hash == OBJECT.hash == sha256(b"the body").digest()


def test_json_is_an_object_with_base64() -> None:
    text = msgspec.json.encode(OBJECT)
    assert set(msgspec.json.decode(text)) == {"body", "sig"}
    assert SignedObject.from_json(text) == OBJECT


def test_msgpack_is_an_array_of_two() -> None:
    data = OBJECT.to_msgpack()
    assert msgspec.msgpack.decode(data) == [OBJECT.body, OBJECT.sig] == OBJECT.as_pair()
    assert SignedObject.from_msgpack(data) == OBJECT


def test_an_object_survives_both_forms_in_turn() -> None:
    once = SignedObject.from_json(
        msgspec.json.encode(SignedObject.from_msgpack(OBJECT.to_msgpack()))
    )
    verify_object("device-list", PAIR.public, once)


@pytest.mark.parametrize(
    "pair",
    [
        None,
        [],
        [b"x"],
        [b"x", bytes(64), b""],
        ["x", bytes(64)],
        [b"x", bytes(63)],
        [b"x", bytes(65)],
        [bytes(MAX_BODY_BYTES + 1), bytes(64)],
    ],
)
def test_no_other_pair_is_an_object(pair: object) -> None:
    with pytest.raises(Malformed):
        SignedObject.from_pair(pair)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"body": ""}',
        '{"body": "AA==", "sig": "AA=="}',
        '{"body": "AA==", "sig": "?"}',
        '{"body": 1, "sig": ""}',
        b"\xff",
        "[" * 100_000,
    ],
)
def test_no_other_json_is_an_object(text: str | bytes) -> None:
    with pytest.raises(Malformed):
        SignedObject.from_json(text)


@given(data=st.binary(max_size=100))
def test_noise_is_malformed_or_an_object(data: bytes) -> None:
    for read in (SignedObject.from_msgpack, SignedObject.from_json):
        try:
            obj = read(data)
        except Malformed:
            continue
        assert len(obj.sig) == 64
