"""What a sealed message holds: it comes back, and other bytes are refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.crypto.errors import Malformed
from linnet.crypto.messages import PREKEY, WHISPER
from linnet.crypto.protobuf import encode
from linnet.crypto.unidentified import (
    SENDER_KEY,
    Hint,
    UnidentifiedContent,
    encode_unidentified,
    parse_unidentified,
)

some = st.binary(min_size=1, max_size=60)


@given(
    st.sampled_from((PREKEY, WHISPER, SENDER_KEY)),
    some,
    some,
    st.sampled_from(Hint),
    some | st.none(),
)
def test_content_comes_back(
    type: int, certificate: bytes, message: bytes, hint: Hint, group: bytes | None
) -> None:
    content = UnidentifiedContent(type, certificate, message, hint, group)
    assert parse_unidentified(encode_unidentified(content)) == content


def test_an_unknown_hint_is_none_and_an_empty_group_too() -> None:
    data = encode(((1, 2), (2, b"c"), (3, b"m"), (4, 9), (5, b"")))
    assert parse_unidentified(data) == UnidentifiedContent(WHISPER, b"c", b"m")


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_what_lacks_a_field_is_malformed(missing: int) -> None:
    fields: list[tuple[int, int | bytes]] = [(1, 2), (2, b"c"), (3, b"m")]
    with pytest.raises(Malformed):
        parse_unidentified(encode(field for field in fields if field[0] != missing))


def test_an_unknown_type_of_message_is_malformed() -> None:
    with pytest.raises(Malformed):
        parse_unidentified(encode(((1, 3), (2, b"c"), (3, b"m"))))


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert parse_unidentified(data).type in (PREKEY, WHISPER, SENDER_KEY)


def test_nothing_of_it_shows() -> None:
    assert repr(UnidentifiedContent(WHISPER, b"c", b"m", 1, b"g")) == (
        "UnidentifiedContent(type=2, hint=1)"
    )
