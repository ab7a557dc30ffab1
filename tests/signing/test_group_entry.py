"""Entries of a group's log: the bytes, and nothing else is one."""

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.signing.people import Person, begun, create, entry, sealed_title, stream

from linnet.signing import keys
from linnet.signing.group_changes import (
    MAX_MEMBERS,
    MAX_TITLE_BYTES,
    SEALED_MAX,
    SEALED_MIN,
    Add,
    Change,
    Confirm,
    Create,
    Demote,
    Leave,
    Pair,
    Promote,
    Rekey,
    Remove,
    Retitle,
    SealedTitle,
)
from linnet.signing.group_entry import (
    FIRST_PREV,
    NO_GROUP,
    Entry,
    decode_entry,
    encode_entry,
    group_id,
    sign_entry,
)
from linnet.signing.group_errors import EntryReason, EntryRefused
from linnet.signing.group_fold import found
from linnet.signing.objects import MAX_BODY_BYTES
from linnet.signing.packing import pack, unpack

ANN, BOB = Person.named("ann"), Person.named("bob")
GROUP, HASH = b"g" * 16, b"h" * 32
KEY = keys.generate(stream("key")).public
LOW, HIGH = bytes(16), b"\xff" * 16
TITLE = sealed_title(3, b"secret")

CHANGES: list[tuple[Change, list[Any]]] = [
    (Add((Pair(LOW, KEY), Pair(HIGH, KEY))), [2, [[LOW, KEY], [HIGH, KEY]]]),
    (Remove((LOW, HIGH)), [3, [LOW, HIGH]]),
    (Leave(), [4]),
    (Promote(LOW), [5, LOW]),
    (Demote(LOW), [6, LOW]),
    (Rekey(LOW, KEY), [7, LOW, KEY]),
    (Retitle(TITLE), [8, 3, sha256(b"secret").digest(), TITLE.sealed]),
    (Confirm(), [9]),
]


def row(change: list[Any]) -> list[Any]:
    return [1, GROUP, 5, HASH, change, LOW, 2, HASH]


def first_row(change: list[Any]) -> list[Any]:
    return [1, NO_GROUP, 1, FIRST_PREV, change, LOW, 2, HASH]


def creation(*, nonce: Any = HASH, key: Any = KEY, members: Any = (), title: Any = None) -> Any:
    return [1, nonce, key, list(members), title, None]


@pytest.mark.parametrize(("change", "array"), CHANGES, ids=lambda value: type(value).__name__)
def test_the_body_is_the_array_of_the_specification(change: Change, array: list[Any]) -> None:
    body = pack(row(array))
    decoded = decode_entry(body)
    assert decoded == Entry(GROUP, 5, HASH, change, LOW, 2, HASH)
    assert encode_entry(decoded) == body


@pytest.mark.parametrize("title", [None, SealedTitle(1, HASH, bytes(SEALED_MIN))])
def test_the_first_entry_has_no_group_and_no_predecessor(title: SealedTitle | None) -> None:
    sealed = title and [title.secret_hash, title.sealed]
    body = pack(first_row(creation(members=[[HIGH, KEY]], title=sealed)))
    made = Create(HASH, KEY, (Pair(HIGH, KEY),), title)
    assert decode_entry(body) == Entry(NO_GROUP, 1, FIRST_PREV, made, LOW, 2, HASH)
    assert encode_entry(decode_entry(body)) == body


def test_the_id_of_a_group_is_the_start_of_the_hash_of_its_first_body() -> None:
    genesis = create(ANN, BOB)
    assert group_id(genesis) == sha256(genesis.body).digest()[:16]
    assert found(genesis, ANN.proven()).group == group_id(genesis)


def test_two_groups_of_the_same_people_have_two_ids() -> None:
    assert group_id(create(ANN, BOB)) != group_id(create(ANN, BOB))


def test_the_fullest_group_fits_into_one_entry() -> None:
    members = [[number.to_bytes(16, "big"), KEY] for number in range(MAX_MEMBERS - 1)]
    body = pack(first_row(creation(members=members, title=[HASH, bytes(SEALED_MAX)])))
    assert len(body) <= MAX_BODY_BYTES
    assert encode_entry(decode_entry(body)) == body


def test_a_title_may_have_512_bytes() -> None:
    assert SEALED_MAX - SEALED_MIN == MAX_TITLE_BYTES == 512


GOOD = row([5, LOW])


def with_item(index: int, value: Any, base: list[Any] = GOOD) -> list[Any]:
    return [*base[:index], value, *base[index + 1 :]]


MANY = [[number.to_bytes(16, "big"), KEY] for number in range(MAX_MEMBERS)]
MALFORMED: dict[str, Any] = {
    "nil": None,
    "nothing": [],
    "too short": GOOD[:-1],
    "too long": [*GOOD, None],
    "another format": with_item(0, 2),
    "a bool for the format": with_item(0, True),
    "a short group": with_item(1, bytes(15)),
    "no group": with_item(1, NO_GROUP),
    "version 0": with_item(2, 0),
    "version 1": with_item(2, 1),
    "a short predecessor": with_item(3, bytes(31)),
    "no predecessor": with_item(3, FIRST_PREV),
    "no change": with_item(4, []),
    "change not an array": with_item(4, b""),
    "change without a code": with_item(4, [b""]),
    "change under a bool": with_item(4, [True, HASH, KEY, [], None, None]),
    "a long account": with_item(5, bytes(17)),
    "device 0": with_item(6, 0),
    "device 128": with_item(6, 128),
    "a short list hash": with_item(7, bytes(31)),
    "unknown change": row([14]),
    "change 0": row([0]),
    "create later": row(creation()),
    "add nobody": row([2, []]),
    "add without a key": row([2, [[LOW]]]),
    "add accounts alone": row([2, [LOW]]),
    "add descending": row([2, [[HIGH, KEY], [LOW, KEY]]]),
    "add one twice": row([2, [[LOW, KEY], [LOW, KEY]]]),
    "add a key without its type": row([2, [[LOW, bytes(33)]]]),
    "add a short key": row([2, [[LOW, KEY[:-1]]]]),
    "add 1,024": row([2, MANY]),
    "remove nobody": row([3, []]),
    "remove descending": row([3, [HIGH, LOW]]),
    "remove no account": row([3, [None]]),
    "remove 1,024": row([3, [account for account, _ in MANY]]),
    "leave with a word": row([4, "bye"]),
    "promote nobody": row([5]),
    "promote two": row([5, LOW, HIGH]),
    "demote a string": row([6, "0" * 16]),
    "rekey without a key": row([7, LOW]),
    "title number 0": row([8, 0, HASH, bytes(SEALED_MIN)]),
    "title number a bool": row([8, True, HASH, bytes(SEALED_MIN)]),
    "title of a short hash": row([8, 1, HASH[1:], bytes(SEALED_MIN)]),
    "title too short": row([8, 1, HASH, bytes(SEALED_MIN - 1)]),
    "title too long": row([8, 1, HASH, bytes(SEALED_MAX + 1)]),
    "title in the clear": row([8, 1, HASH, "a title of some twenty-eight letters"]),
    "confirm with a hash": row([9, HASH]),
    "first, of a short nonce": first_row(creation(nonce=HASH[1:])),
    "first, of no key": first_row(creation(key=None)),
    "first, members no array": first_row([1, HASH, KEY, None, None, None]),
    "first, a title of three": first_row(creation(title=[1, HASH, bytes(SEALED_MIN)])),
    "first, without the last place": first_row(creation()[:-1]),
    "first, of 1,024 others": first_row(creation(members=MANY)),
    "first, but no creation": first_row([4]),
    "nested too deep": row([2, [[[LOW], KEY]]]),
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
def test_no_other_array_is_an_entry(value: Any) -> None:
    with pytest.raises(EntryRefused) as refusal:
        decode_entry(pack(value))
    assert refusal.value.reason is EntryReason.MALFORMED


@pytest.mark.parametrize("code", [10, 11, 12, 13])
def test_changes_of_a_later_version_are_told_from_damage(code: int) -> None:
    with pytest.raises(EntryRefused) as refusal:
        decode_entry(pack(row([code, b"whatever it holds", [1, 2, 3]])))
    assert refusal.value.reason is EntryReason.UNSUPPORTED


def test_a_group_that_continues_another_is_of_a_later_version() -> None:
    change = [*creation()[:-1], [GROUP, 7, HASH]]
    with pytest.raises(EntryRefused) as refusal:
        decode_entry(pack(first_row(change)))
    assert refusal.value.reason is EntryReason.UNSUPPORTED


@pytest.mark.parametrize(
    "body",
    [
        Entry(GROUP, 5, HASH, Remove(()), LOW, 1, HASH),
        Entry(GROUP, 5, HASH, Leave(), LOW, 128, HASH),
        Entry(NO_GROUP, 1, FIRST_PREV, Create(HASH, KEY, (), TITLE), LOW, 1, HASH),
    ],
    ids=["removes nobody", "device 128", "a first title of number 3"],
)
def test_what_could_not_be_read_is_never_signed(body: Entry) -> None:
    with pytest.raises(EntryRefused):
        sign_entry(body, ANN.devices[1].private, ANN.rng)


@given(data=st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(EntryRefused):
        decode_entry(data)


STATE = begun(ANN, BOB)
BODIES = [
    create(ANN, BOB, title=sealed_title(1, b"x")).body,
    *(entry(STATE, ANN, change).body for change, _ in CHANGES),
]


@given(body=st.sampled_from(BODIES), position=st.integers(0), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_another_entry(body: bytes, position: int, byte: int) -> None:
    data = bytearray(body)
    position %= len(data)
    same = data[position] == byte
    data[position] = byte
    try:
        again = decode_entry(bytes(data))
    except EntryRefused:
        assert not same
        return
    assert encode_entry(again) == data
    assert (again == decode_entry(body)) is same


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-3, 200) | st.binary(max_size=40),
        lambda inner: st.lists(inner, max_size=4),
        max_leaves=12,
    )
)
def test_any_array_in_the_place_of_the_change_is_refused_or_comes_back(change: Any) -> None:
    body = pack(with_item(4, change), max_depth=40)
    try:
        decoded = decode_entry(body)
    except EntryRefused:
        return
    assert encode_entry(decoded) == body


def test_an_array_of_an_entry_is_four_deep_at_most() -> None:
    assert unpack(BODIES[0], max_depth=4)
