"""The tables of codes: one meaning each, and ranges that newer codes will keep."""

from __future__ import annotations

import pytest

from linnet.wire.errors import (
    CLOSE_RANGES,
    CLOSES,
    ERRORS,
    Reconnect,
    RemoteError,
    RequestRefused,
    is_code,
    reconnect_after,
)


def test_every_error_is_filed_under_its_own_name() -> None:
    assert all(name == error.code for name, error in ERRORS.items())
    assert all(400 <= error.status < 600 for error in ERRORS.values())


def test_close_codes_are_private_ones_and_used_once() -> None:
    codes = [close.code for close in CLOSES.values()]
    assert len(set(codes)) == len(codes)
    assert all(4000 <= code < 5000 for code in codes)


@pytest.mark.parametrize("name", CLOSES)
def test_a_close_codes_range_says_what_its_row_says(name: str) -> None:
    close = CLOSES[name]
    assert CLOSE_RANGES[close.code // 100] is close.reconnect
    assert reconnect_after(close.code) is close.reconnect


@pytest.mark.parametrize(
    ("code", "then"),
    [
        (1000, Reconnect.NOW),
        (1001, Reconnect.NOW),
        (1006, Reconnect.NOW),
        (1002, Reconnect.LATER),
        (1009, Reconnect.LATER),
        (1012, Reconnect.LATER),
        (1013, Reconnect.LATER),
        (3000, Reconnect.LATER),
        (4099, Reconnect.LATER),
        (4199, Reconnect.TOKEN),
        (4299, Reconnect.NEVER),
        (4399, Reconnect.NOW),
        (4999, Reconnect.LATER),
    ],
)
def test_codes_that_are_not_in_the_table_have_a_meaning_too(code: int, then: Reconnect) -> None:
    assert reconnect_after(code) is then


def test_a_remote_error_names_the_close_to_end_the_socket_with() -> None:
    error = RemoteError("malformed", "ack: no position")
    assert error.close is CLOSES["malformed"]
    assert str(error) == "malformed: ack: no position"


def test_a_refusal_carries_its_row_and_when_to_come_back() -> None:
    refusal = RequestRefused("rate_limited", retry_after_s=7)
    assert refusal.error is ERRORS["rate_limited"]
    assert refusal.code == "rate_limited"
    assert refusal.retry_after_s == 7
    assert str(refusal) == ERRORS["rate_limited"].text
    assert str(RequestRefused("conflict", "Version 3 is newer.")) == "Version 3 is newer."


def test_a_code_a_newer_server_invented_is_kept_and_read_as_internal() -> None:
    refusal = RequestRefused("brand_new")
    assert refusal.code == "brand_new"
    assert refusal.error is ERRORS["internal"]


def test_a_text_that_is_no_code_is_told_from_codes() -> None:
    assert all(is_code(code) for code in (*ERRORS, *CLOSES, "brand_new", "x" * 32))
    assert not any(is_code(text) for text in ("", "x" * 33, "Not found", "\x1b[2j", "9", "a\n"))
