"""Identifiers: fixed encodings, checked against values worked out by hand and by properties."""

from __future__ import annotations

import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linnet.wire.ids import (
    AccountId,
    GroupId,
    direct_conversation,
    is_message_id,
    message_id,
    message_time_ms,
    parse,
    show,
    to_account,
    to_group,
)

accounts = st.binary(min_size=16, max_size=16).map(AccountId)
times = st.integers(0, (1 << 48) - 1)
noise = st.binary(min_size=10, max_size=10)


@given(times, noise)
def test_a_message_id_is_a_uuid_of_version_7_that_keeps_its_time(now: int, random: bytes) -> None:
    made = message_id(now, random)
    assert is_message_id(made)
    assert message_time_ms(made) == now
    assert uuid.UUID(bytes=made).version == 7
    assert uuid.UUID(bytes=made).variant == uuid.RFC_4122


@given(times, noise, noise)
def test_message_ids_keep_74_random_bits(now: int, one: bytes, other: bytes) -> None:
    mask = (1 << 74) - 1
    same = int.from_bytes(one, "big") & mask == int.from_bytes(other, "big") & mask
    assert (message_id(now, one) == message_id(now, other)) is same


@given(times, times, noise, noise)
def test_message_ids_sort_by_time(one: int, other: int, first: bytes, second: bytes) -> None:
    if one < other:
        assert message_id(one, first) < message_id(other, second)


def test_a_message_id_matches_the_example_of_rfc_9562() -> None:
    # Appendix A.6: rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F
    random = (0xCC3 << 62 | 0x18C4DC0C0C07398F).to_bytes(10, "big")
    assert show(message_id(0x017F22E279B0, random)) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@pytest.mark.parametrize(
    "other", [b"", b"\x00" * 15, b"\x00" * 17, b"\x00" * 16, uuid.UUID(int=1 << 76).bytes]
)
def test_other_bytes_are_not_a_message_id(other: bytes) -> None:
    assert not is_message_id(other)


def test_a_random_uuid_is_not_a_message_id() -> None:
    assert not is_message_id(uuid.UUID("919108f7-52d1-4320-9bac-f847db4148a8").bytes)


@given(accounts, accounts)
def test_a_direct_conversation_is_the_same_from_either_side(
    one: AccountId, other: AccountId
) -> None:
    assert direct_conversation(one, other) == direct_conversation(other, one)
    assert len(direct_conversation(one, other)) == 16


def test_a_direct_conversation_hashes_label_and_ordered_ids() -> None:
    low, high = AccountId(b"\x01" * 16), AccountId(b"\xf0" * 16)
    expected = hashlib.sha256(b"linnet/direct/1\x00" + low + high).digest()[:16]
    assert direct_conversation(high, low) == expected


@given(accounts, accounts, accounts)
def test_different_pairs_have_different_conversations(
    one: AccountId, other: AccountId, third: AccountId
) -> None:
    if other != third:
        assert direct_conversation(one, other) != direct_conversation(one, third)


def test_an_address_names_its_kind_first() -> None:
    assert to_account(AccountId(b"a" * 16)) == b"\x01" + b"a" * 16


def test_the_address_of_a_group_is_no_address_of_an_account() -> None:
    assert to_group(GroupId(bytes(16))) == b"\x02" + bytes(16)


@given(st.binary(min_size=16, max_size=16))
def test_what_is_shown_can_be_read_back(identifier: bytes) -> None:
    assert parse(show(identifier)) == identifier


def test_a_shown_id_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="badly formed"):
        parse("nobody")
