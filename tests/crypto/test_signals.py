"""Signals: of that device, in that conversation, and of now."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from tests.crypto.party import NOW_MS, seeded

from linnet.crypto.signals import (
    VALID_MS,
    BadSignal,
    Typing,
    new_signal_key,
    open_signal,
    seal_signal,
)
from linnet.signing.packing import Value, pack

KEY, CONVERSATION, ALICE = new_signal_key(seeded(1)), b"c" * 16, b"a" * 16
ABOUT = CONVERSATION + ALICE + b"\2"


def sealed(on: bool = True, ms: int = NOW_MS) -> bytes:
    return seal_signal(KEY, CONVERSATION, ALICE, 2, Typing(on), ms, seeded(2))


def opened(data: bytes, now_ms: int = NOW_MS) -> Typing | None:
    return open_signal(KEY, CONVERSATION, ALICE, 2, data, now_ms)


def of(value: Value) -> bytes:
    nonce = b"n" * 12
    return nonce + AESGCM(KEY).encrypt(nonce, pack(value), ABOUT)


@pytest.mark.parametrize("on", [True, False])
def test_typing_comes_and_goes(on: bool) -> None:
    assert opened(sealed(on)) == Typing(on)
    assert len(sealed(on)) == len(sealed(not on, ms=NOW_MS + 1))


def test_the_format_is_the_written_one() -> None:
    made = seal_signal(
        KEY, CONVERSATION, ALICE, 2, Typing(True), NOW_MS, lambda count: b"n" * count
    )
    assert made == of([1, NOW_MS, "typing", [True]])


@pytest.mark.parametrize("off_ms", [-VALID_MS, 0, VALID_MS])
def test_it_counts_for_ten_seconds_around_now(off_ms: int) -> None:
    assert opened(sealed(), NOW_MS + off_ms) == Typing(True)
    with pytest.raises(BadSignal, match="now"):
        opened(sealed(), NOW_MS + off_ms + (1 if off_ms > 0 else -1) * (VALID_MS + 1))


@pytest.mark.parametrize(
    ("key", "conversation", "account", "device"),
    [
        (bytes(32), CONVERSATION, ALICE, 2),
        (KEY, b"d" * 16, ALICE, 2),
        (KEY, CONVERSATION, b"b" * 16, 2),
        (KEY, CONVERSATION, ALICE, 1),
    ],
)
def test_it_opens_for_its_device_and_conversation_alone(
    key: bytes, conversation: bytes, account: bytes, device: int
) -> None:
    with pytest.raises(BadSignal):
        open_signal(key, conversation, account, device, sealed(), NOW_MS)


def test_a_signal_of_a_newer_client_is_none() -> None:
    assert opened(of([1, NOW_MS, "dancing", None])) is None
    assert opened(of([1, NOW_MS, "typing", [True, 1], 1])) == Typing(True)


@pytest.mark.parametrize(
    "value", [None, [2, NOW_MS, "typing", [True]], [1, NOW_MS, "typing", [1]], [1, NOW_MS]]
)
def test_another_format_is_refused(value: Value) -> None:
    with pytest.raises(BadSignal):
        opened(of(value))


@given(st.binary(max_size=60))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(BadSignal):
        opened(data)
