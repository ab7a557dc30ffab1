"""Sender keys: who reads what, in which order, and that a forgery changes nothing."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.crypto.group import ALICE, Listener, Speaker
from tests.crypto.party import NOW_MS, seeded

from linnet.crypto import sender_keys
from linnet.crypto.errors import (
    BadSignature,
    CryptoError,
    Duplicate,
    Malformed,
    NoSenderKey,
    TooFarAhead,
    WrongSender,
)
from linnet.crypto.sender_key_record import MAX_STATES
from linnet.crypto.sender_keys import (
    MAX_JUMP,
    MAX_SKIPPED,
    SenderKeyBinding,
    SenderKeyRecord,
    SenderKeyState,
    parse_message,
)
from linnet.signing.keys import generate


def pair() -> tuple[Speaker, Listener]:
    alice, bob = Speaker(seeded("alice")), Listener()
    bob.take(alice.distribution())
    return alice, bob


def test_all_who_have_the_key_read_the_message() -> None:
    alice, listeners = Speaker(seeded(1)), [Listener() for _ in range(3)]
    for each in listeners:
        each.take(alice.distribution())
    message = alice.send(b"hello, all")
    assert [each.read(message) for each in listeners] == [b"hello, all"] * 3


@pytest.mark.parametrize("text", [b"", b"x" * 15, b"x" * 16, b"x" * 65_536])
def test_a_text_of_any_size_comes_back(text: bytes) -> None:
    alice, bob = pair()
    assert bob.read(alice.send(text)) == text


def test_a_joiner_reads_from_the_present_iteration_on() -> None:
    alice, _ = pair()
    before = alice.send(b"before")
    carol = Listener()
    carol.take(alice.distribution())
    assert carol.read(alice.send(b"after")) == b"after"
    with pytest.raises(Duplicate):
        carol.read(before)


@given(st.permutations(range(12)))
@settings(max_examples=25, deadline=None)
def test_in_any_order_each_is_read_once(order: list[int]) -> None:
    alice, bob = pair()
    sent = [alice.send(b"%d" % number) for number in range(12)]
    for number in order:
        assert bob.read(sent[number]) == b"%d" % number
        with pytest.raises(Duplicate):
            bob.read(sent[number])
    [record] = bob.records.values()
    assert record.chains[0].skipped == {}


def test_without_the_key_nothing_is_read() -> None:
    alice, _ = pair()
    with pytest.raises(NoSenderKey):
        Listener().read(alice.send(b"hello"))


def test_after_rotation_the_old_key_reads_nothing_new() -> None:
    alice, bob = pair()
    old = bob.records[alice.state.distribution_id].chains[0]
    late = alice.send(b"late")
    alice.rotate()
    message = alice.send(b"new")
    with pytest.raises(NoSenderKey):
        bob.read(message)
    assert (old.chain_key, old.signing_key) != (alice.state.chain_key, alice.state.signing_key)
    carol = Listener(records=dict(bob.records))
    alice.rotate()
    carol.take(alice.distribution())
    assert carol.read(late) == b"late"
    assert carol.read(alice.send(b"newer")) == b"newer"


def test_rotation_keeps_the_distribution_id_and_nothing_else() -> None:
    alice, _ = pair()
    alice.send(b"one")
    old = alice.state
    alice.rotate()
    same = [
        name for name in old.__struct_fields__ if getattr(old, name) == getattr(alice.state, name)
    ]
    assert same == ["distribution_id", "created_ms"]


def test_five_chains_are_kept() -> None:
    alice, bob = pair()
    late = []
    for _ in range(MAX_STATES + 1):
        bob.take(alice.distribution())
        late.append(alice.send(b"late"))
        alice.rotate()
    with pytest.raises(NoSenderKey):
        bob.read(late[0])
    assert [bob.read(message) for message in late[1:]] == [b"late"] * MAX_STATES


def test_superseded_chains_can_be_given_up() -> None:
    alice, bob = pair()
    late = alice.send(b"late")
    alice.rotate()
    bob.take(alice.distribution())
    id = alice.state.distribution_id
    bob.records[id] = bob.records[id].without_superseded()
    with pytest.raises(NoSenderKey):
        bob.read(late)
    assert bob.read(alice.send(b"new")) == b"new"


def test_a_distribution_that_comes_again_opens_nothing_again() -> None:
    alice, bob = pair()
    again = alice.distribution()
    message = alice.send(b"once")
    assert bob.read(message) == b"once"
    bob.take(again)
    with pytest.raises(Duplicate):
        bob.read(message)
    assert bob.read(alice.send(b"next")) == b"next"


def test_a_distribution_of_an_older_chain_makes_it_the_newest() -> None:
    alice, bob = pair()
    old = alice.distribution()
    alice.rotate()
    bob.take(alice.distribution())
    bob.take(old)
    [record] = bob.records.values()
    assert len(record.chains) == 2
    assert record.chains[1].signing_key == alice.state.signing_key


def test_as_many_may_be_skipped_as_deployed_and_no_more() -> None:
    alice, bob = pair()
    alice.state = msgspec.structs.replace(alice.state, iteration=MAX_JUMP + 1)
    before = bob.state()
    with pytest.raises(TooFarAhead):
        bob.read(alice.send(b"too far"))
    assert bob.state() == before


def test_the_oldest_of_too_many_skipped_keys_give_way() -> None:
    alice, bob = pair()
    sent = [alice.send(b"%d" % number) for number in range(MAX_SKIPPED + 3)]
    assert bob.read(sent[MAX_SKIPPED]) == b"%d" % MAX_SKIPPED
    assert bob.read(sent[-1]) == b"%d" % (MAX_SKIPPED + 2)
    [record] = bob.records.values()
    assert len(record.chains[0].skipped) == MAX_SKIPPED
    with pytest.raises(Duplicate):
        bob.read(sent[0])
    assert bob.read(sent[1]) == b"1"


def test_one_jump_over_more_than_is_kept_keeps_the_newest() -> None:
    alice, bob = pair()
    sent = [alice.send(b"%d" % number) for number in range(MAX_SKIPPED + 10)]
    bob.read(sent[-1])
    [record] = bob.records.values()
    assert sorted(record.chains[0].skipped) == list(range(9, MAX_SKIPPED + 9))
    assert bob.read(sent[9]) == b"9"


def test_a_forgery_leaves_the_record_byte_identical() -> None:
    alice, bob = pair()
    bob.read(alice.send(b"one"))
    alice.send(b"skipped")
    honest = alice.send(b"honest")
    before = bob.state()
    for place in range(len(honest)):
        forged = bytearray(honest)
        forged[place] ^= 1
        with pytest.raises(CryptoError):
            bob.read(bytes(forged))
        with pytest.raises(CryptoError):
            bob.read(honest[:place])
    assert bob.state() == before
    assert bob.read(honest) == b"honest"


def test_the_signature_is_verified_before_anything_is_derived() -> None:
    alice, bob = pair()
    forger = Speaker(seeded("forger"))
    forger.state = msgspec.structs.replace(
        forger.state,
        distribution_id=alice.state.distribution_id,
        chain_id=alice.state.chain_id,
        iteration=MAX_JUMP + 1,  # would be too far, had anyone looked
    )
    with pytest.raises(BadSignature):
        bob.read(forger.send(b"forged"))


def test_a_member_with_the_chain_key_cannot_speak_for_its_owner() -> None:
    alice, bob = pair()
    carol = Speaker(seeded("carol"))
    own = generate(seeded("carol's own"))
    carol.state = msgspec.structs.replace(
        alice.state, signing_private=own.private, signing_key=own.public
    )
    with pytest.raises(BadSignature):
        bob.read(carol.send(b"I am Alice"))


def test_an_authentic_message_with_broken_padding_changes_nothing() -> None:
    alice, bob = pair()
    broken = msgspec.structs.replace(alice.state, chain_key=bytes(32))
    _, message = sender_keys.encrypt(broken, b"under another chain key", seeded(1))
    before = bob.state()
    with pytest.raises(Malformed):
        bob.read(message)
    assert bob.state() == before


@pytest.mark.parametrize(
    "other",
    [
        SenderKeyBinding(b"h" * 16, ALICE.account, ALICE.device),
        SenderKeyBinding(ALICE.group, b"m" * 16, ALICE.device),
        SenderKeyBinding(ALICE.group, ALICE.account, 2),
    ],
    ids=["group", "account", "device"],
)
def test_a_distribution_is_bound_to_its_group_account_and_device(other: SenderKeyBinding) -> None:
    alice, bob = pair()
    mallory = Listener(other, bob.records)
    before = bob.state()
    with pytest.raises(WrongSender):
        mallory.take(alice.distribution())
    with pytest.raises(WrongSender):
        mallory.read(alice.send(b"in another's name"))
    assert bob.state() == before


def test_who_wrote_a_message_is_told_by_its_signature() -> None:
    alice, bob = pair()
    [record] = bob.records.values()
    message = parse_message(alice.send(b"hello"))
    assert sender_keys.is_signed(record, message)
    assert not sender_keys.is_signed(record, replace(message, signature=bytes(64)))
    other_chain = (message.chain_id + 1) % 2**31
    assert not sender_keys.is_signed(record, replace(message, chain_id=other_chain))


def test_a_message_is_not_read_with_the_record_of_another_distribution() -> None:
    _, bob = pair()
    other = Speaker(seeded("other"))
    [record] = bob.records.values()
    with pytest.raises(Malformed):
        sender_keys.decrypt(record, ALICE, parse_message(other.send(b"hello")))


def test_the_state_passed_in_is_not_changed() -> None:
    alice, bob = pair()
    record, state = bob.records[alice.state.distribution_id], alice.state
    kept = record.to_bytes(), state.to_bytes()
    alice.send(b"skipped")
    bob.read(alice.send(b"hello"))
    assert (record.to_bytes(), state.to_bytes()) == kept


def test_states_and_records_survive_the_store() -> None:
    alice, bob = pair()
    alice.send(b"skipped")
    bob.read(alice.send(b"hello"))
    [record] = bob.records.values()
    assert SenderKeyRecord.from_bytes(record.to_bytes()) == record
    assert SenderKeyState.from_bytes(alice.state.to_bytes()) == alice.state


@given(st.binary(max_size=200))
def test_what_is_no_record_is_malformed(data: bytes) -> None:
    for kind in (SenderKeyRecord, SenderKeyState):
        with pytest.raises(Malformed):
            kind.from_bytes(data)


def test_neither_shows_what_it_holds() -> None:
    alice, bob = pair()
    [record] = bob.records.values()
    assert repr(record) == "SenderKeyRecord(…)"
    assert repr(alice.state) == "SenderKeyState(…)"


def test_a_distribution_id_reads_as_a_random_uuid() -> None:
    for number in range(20):
        id = sender_keys.create(NOW_MS, seeded(number)).distribution_id
        assert (id[6] >> 4, id[8] >> 6) == (4, 2)
