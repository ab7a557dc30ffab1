"""The code and the offer of a linking: one form each, and a hash between them."""

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.signing.people import stream

from linnet.signing import keys
from linnet.signing.errors import Malformed
from linnet.signing.linking import (
    CODE_BYTES,
    KEM_PUBLIC_BYTES,
    TEXT_CHARS,
    LinkCode,
    Offer,
    OfferSwapped,
    check_offer,
    decode_offer,
    encode_offer,
    transcript,
)
from linnet.signing.packing import pack

KEY = keys.generate(stream("device")).public
OFFER = Offer(KEY, b"k" * KEM_PUBLIC_BYTES, 2, b"sealed")
BYTES = encode_offer(OFFER)
CODE = LinkCode.of(b"x" * 32, b"i" * 16, b"q" * 32, BYTES)


def test_a_code_is_113_bytes_in_this_order() -> None:
    data = b"\x01" + b"x" * 32 + b"i" * 16 + b"q" * 32 + sha256(BYTES).digest()
    assert CODE.to_bytes() == data
    assert len(data) == CODE_BYTES == 113
    assert LinkCode.from_bytes(data) == CODE


def test_its_text_is_base64url_without_padding() -> None:
    text = CODE.to_text()
    assert len(text) == TEXT_CHARS == 151
    assert "=" not in text
    assert LinkCode.from_text(text) == CODE


def test_a_text_broken_into_lines_is_read() -> None:
    text = CODE.to_text()
    assert LinkCode.from_text(f"  {text[:70]}\n {text[70:]}\r\n") == CODE


@given(st.binary(min_size=CODE_BYTES - 1, max_size=CODE_BYTES - 1))
def test_any_code_comes_back_from_its_text(tail: bytes) -> None:
    code = LinkCode.from_bytes(b"\x01" + tail)
    assert LinkCode.from_text(code.to_text()) == code
    assert code.to_bytes() == b"\x01" + tail


TEXT = CODE.to_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:-1],
        TEXT + "A",
        TEXT + "=",
        "B" + TEXT[1:],
        TEXT[:20] + "!" + TEXT[21:],
        TEXT[:20] + "!" + TEXT[20:],
        TEXT[:20] + "é" + TEXT[21:],
        TEXT[:20] + "+" + TEXT[21:],
        TEXT[:-1] + chr(ord(TEXT[-1]) + 1),
    ],
    ids=[
        "nothing", "short", "long", "padded", "another format", "no letter of it", "one more",
        "not ASCII", "the other alphabet", "bits no byte needs",
    ],
)  # fmt: skip
def test_no_other_text_is_a_code(text: str) -> None:
    with pytest.raises(Malformed):
        LinkCode.from_text(text)


@given(st.text(max_size=160))
def test_noise_is_no_code(text: str) -> None:
    with pytest.raises(Malformed):
        LinkCode.from_text(text)


def test_what_the_server_never_learns_is_not_shown() -> None:
    assert (b"q" * 32).decode() not in repr(CODE)


def test_an_offer_is_the_array_of_the_specification() -> None:
    assert pack([1, KEY, OFFER.kem_key, 2, b"sealed"]) == BYTES
    assert check_offer(CODE, BYTES) == OFFER == decode_offer(BYTES)


def test_an_offer_with_another_kem_key_is_noticed() -> None:
    swapped = encode_offer(replace(OFFER, kem_key=b"s" * KEM_PUBLIC_BYTES))
    assert decode_offer(swapped)
    with pytest.raises(OfferSwapped):
        check_offer(CODE, swapped)


def test_an_offer_of_another_linking_is_noticed() -> None:
    with pytest.raises(OfferSwapped):
        check_offer(CODE, encode_offer(replace(OFFER, device_key=keys.public_key(bytes(32)))))


ROW: list[Any] = [1, KEY, OFFER.kem_key, 2, b""]


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, 2),
        (0, True),
        (1, KEY[1:]),
        (1, bytes(33)),
        (2, bytes(KEM_PUBLIC_BYTES + 1)),
        (3, -1),
        (3, 256),
        (3, None),
        (4, "name in the clear"),
        (4, bytes(257)),
    ],
)
def test_no_other_array_is_an_offer(index: int, value: Any) -> None:
    row = [*ROW[:index], value, *ROW[index + 1 :]]
    with pytest.raises(Malformed):
        decode_offer(pack(row))


@pytest.mark.parametrize("value", [None, [], ROW[:-1], [*ROW, None]])
def test_nor_is_anything_shorter_or_longer(value: Any) -> None:
    with pytest.raises(Malformed):
        decode_offer(pack(value))


@given(st.binary(max_size=100))
def test_noise_is_no_offer(data: bytes) -> None:
    with pytest.raises(Malformed):
        decode_offer(data)


def test_a_transcript_is_of_everything_that_was_seen() -> None:
    seen = sha256(CODE.to_bytes() + BYTES + b"e" * 32 + b"c" * 1_568).digest()
    assert transcript(CODE, BYTES, b"e" * 32, b"c" * 1_568) == seen
