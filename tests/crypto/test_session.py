"""Sessions between two devices: opening, archiving, promoting, refusing."""

from dataclasses import replace
from random import Random

import pytest
from tests.crypto.party import NOW_MS, Party, acquainted, encoded, seeded, with_pre_key

from linnet.crypto.errors import (
    BadKey,
    BadMac,
    Duplicate,
    Malformed,
    NoSession,
    Replayed,
    StaleSession,
    UnknownPreKey,
    Untrusted,
    WrongAddress,
)
from linnet.crypto.messages import (
    PREKEY,
    WHISPER,
    parse_prekey,
)
from linnet.crypto.record import MAX_ARCHIVED, SessionRecord
from linnet.crypto.session import MAX_UNANSWERED_MS, Ciphertext, sender_identity


@pytest.fixture
def alice() -> Party:
    return Party("alice", seeded("alice"))


@pytest.fixture
def bob() -> Party:
    return Party("bob", seeded("bob"))


@pytest.mark.parametrize("one_time", [True, False])
@pytest.mark.parametrize("last_resort", [True, False])
def test_a_session_opens_with_the_first_message(
    alice: Party, bob: Party, one_time: bool, last_resort: bool
) -> None:
    alice.open(bob.address, bob.bundle(one_time=one_time, last_resort=last_resort))
    first = alice.send(bob.address, b"hello")
    assert first.type == PREKEY
    assert sender_identity(first.data) == alice.local.key.public
    result = bob.try_to_receive(alice.address, first)
    assert result.plaintext == b"hello"
    assert result.identity_key == alice.local.key.public
    assert result.used_pre_key == (1 if one_time else None)
    assert result.used_kem == (None if last_resort else 1)
    assert (result.last_resort_use is None) != last_resort


def test_first_messages_repeat_the_keys_until_the_answer(alice: Party, bob: Party) -> None:
    alice.open(bob.address, bob.bundle())
    sent = [alice.send(bob.address, b"%d" % number) for number in range(3)]
    assert [ciphertext.type for ciphertext in sent] == [PREKEY] * 3
    for number in (2, 0, 1):
        assert bob.receive(alice.address, sent[number]) == b"%d" % number
    alice.receive(bob.address, bob.send(alice.address, b"answer"))
    assert alice.send(bob.address, b"short").type == WHISPER
    assert not bob.prekeys.one_time_keys
    assert not bob.prekeys.kem_keys


def test_a_conversation_with_loss_and_disorder_is_read() -> None:
    for seed in range(10):
        alice, bob = acquainted(seed)
        chance = Random(seed)
        waiting: dict[str, list[tuple[bytes, Ciphertext]]] = {"a": [], "b": []}
        for number in range(120):
            text = b"%d" % number
            if chance.random() < 0.5:
                waiting["b"].append((text, alice.send(bob.address, text)))
            else:
                waiting["a"].append((text, bob.send(alice.address, text)))
            who, peer = (bob, alice) if chance.random() < 0.5 else (alice, bob)
            queue = waiting["b" if who is bob else "a"]
            while queue and chance.random() < 0.6:
                expected, ciphertext = queue.pop(chance.randrange(len(queue)))
                if chance.random() < 0.1:
                    continue  # lost
                assert who.receive(peer.address, ciphertext) == expected, f"seed {seed}"
                with pytest.raises(Duplicate):
                    who.receive(peer.address, ciphertext)


def test_records_survive_the_store(alice: Party, bob: Party) -> None:
    for number in range(4):
        alice.open(bob.address, bob.bundle())
        bob.receive(alice.address, alice.send(bob.address, b"%d" % number))
    lost = alice.send(bob.address, b"lost")
    bob.receive(alice.address, alice.send(bob.address, b"not lost"))
    for party in (alice, bob):
        for peer, record in party.records.items():
            party.records[peer] = SessionRecord.from_bytes(record.to_bytes())
            assert party.records[peer].to_bytes() == record.to_bytes()
            assert party.records[peer] == record
    assert bob.receive(alice.address, lost) == b"lost"
    assert alice.receive(bob.address, bob.send(alice.address, b"answer")) == b"answer"


@pytest.mark.parametrize("data", [b"", b"\x93\x01\x02\x03", b"\xc0", b"\x93\x02"])
def test_what_is_no_record_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        SessionRecord.from_bytes(data)


def test_a_damaged_archived_session_is_refused() -> None:
    alice, bob = acquainted()
    record = alice.records[bob.address]
    alice.records[bob.address] = SessionRecord(record.current, (b"\xc0",))
    bob.open(alice.address, alice.bundle())
    with pytest.raises(Malformed):
        alice.receive(bob.address, replace(bob.send(alice.address, b"x"), type=WHISPER))
    broken = SessionRecord(record.current, (b"\xc0",))
    with pytest.raises(Malformed):
        list(broken.sessions())


def test_a_record_shows_nothing(alice: Party, bob: Party) -> None:
    alice.open(bob.address, bob.bundle())
    assert repr(alice.records[bob.address]) == "SessionRecord(…)"
    bob_side = bob.try_to_receive(alice.address, alice.send(bob.address, b"plain text"))
    assert "plain text" not in repr(bob_side)


def test_both_opening_at_once_end_up_in_one_session(alice: Party, bob: Party) -> None:
    alice.open(bob.address, bob.bundle())
    bob.open(alice.address, alice.bundle())
    from_alice = alice.send(bob.address, b"from alice")
    from_bob = bob.send(alice.address, b"from bob")
    assert bob.receive(alice.address, from_alice) == b"from alice"
    assert alice.receive(bob.address, from_bob) == b"from bob"
    for number in range(6):
        sender, receiver = (alice, bob) if number % 2 == 0 else (bob, alice)
        ciphertext = sender.send(receiver.address, b"%d" % number)
        assert receiver.receive(sender.address, ciphertext) == b"%d" % number
    assert alice.send(bob.address, b"").type == WHISPER
    assert bob.send(alice.address, b"").type == WHISPER
    ours, theirs = alice.records[bob.address].current, bob.records[alice.address].current
    assert ours.base_key == theirs.base_key


def test_a_session_that_is_used_becomes_current_again() -> None:
    alice, bob = acquainted()
    old = alice.records[bob.address].current.base_key
    in_flight = bob.send(alice.address, b"in flight")
    alice.open(bob.address, bob.bundle())
    assert alice.records[bob.address].current.base_key != old
    assert alice.receive(bob.address, in_flight) == b"in flight"
    assert alice.records[bob.address].current.base_key == old
    assert len(alice.records[bob.address].archived) == 1
    assert bob.receive(alice.address, alice.send(bob.address, b"back")) == b"back"


def test_an_archived_session_can_turn_its_ratchet() -> None:
    alice, bob = acquainted()
    bob.receive(alice.address, alice.send(bob.address, b"turn"))
    turned = bob.send(alice.address, b"a new ratchet key")
    for _ in range(3):
        alice.open(bob.address, bob.bundle())
    assert alice.receive(bob.address, turned) == b"a new ratchet key"
    assert len(alice.records[bob.address].archived) == 3


def test_a_first_message_that_comes_late_finds_its_archived_session(
    alice: Party, bob: Party
) -> None:
    alice.open(bob.address, bob.bundle())
    bob.receive(alice.address, alice.send(bob.address, b"first"))
    late = alice.send(bob.address, b"late")
    alice.open(bob.address, bob.bundle())
    bob.receive(alice.address, alice.send(bob.address, b"second session"))
    before = bob.records[alice.address].current.base_key
    assert late.type == PREKEY
    assert bob.receive(alice.address, late) == b"late"
    assert bob.records[alice.address].current.base_key != before
    assert len(bob.records[alice.address].archived) == 1


def test_no_more_than_forty_sessions_are_archived(alice: Party, bob: Party) -> None:
    bundle = bob.bundle(one_time=False, last_resort=True)
    for _ in range(MAX_ARCHIVED + 3):
        alice.open(bob.address, bundle)
        bob.receive(alice.address, alice.send(bob.address, b"hello"))
    assert len(alice.records[bob.address].archived) == MAX_ARCHIVED
    assert len(bob.records[alice.address].archived) == MAX_ARCHIVED


def test_a_message_without_a_session_is_refused(alice: Party, bob: Party) -> None:
    with pytest.raises(NoSession):
        bob.receive(alice.address, acquainted()[0].send(bob.address, b"to another bob"))


def test_a_session_unanswered_for_30_days_is_stale(alice: Party, bob: Party) -> None:
    alice.open(bob.address, bob.bundle())
    alice.now_ms = NOW_MS + MAX_UNANSWERED_MS
    ciphertext = alice.send(bob.address, b"still good")
    alice.now_ms += 1
    with pytest.raises(StaleSession):
        alice.send(bob.address, b"stale")
    bob.receive(alice.address, ciphertext)
    alice.receive(bob.address, bob.send(alice.address, b"answer"))
    assert alice.send(bob.address, b"answered").type == WHISPER


def test_another_identity_needs_another_record() -> None:
    alice, bob = acquainted()
    impostor = Party("bob", seeded("impostor"))
    with pytest.raises(Untrusted):
        alice.open(bob.address, impostor.bundle())
    impostor.open(alice.address, alice.bundle())
    with pytest.raises(Untrusted):
        alice.receive(bob.address, impostor.send(alice.address, b"it is me"))


def test_bundles_with_bad_keys_open_nothing(alice: Party, bob: Party) -> None:
    bundle = bob.bundle()
    zero = b"\x05" + bytes(32)
    for bad in (
        replace(bundle, identity_key=alice.local.key.public),
        with_pre_key(bundle, 1, zero),
    ):
        with pytest.raises(BadKey):
            alice.open(bob.address, bad)
    assert not alice.records


@pytest.mark.parametrize("gone", ["signed_keys", "one_time_keys", "kem_keys"])
def test_a_pre_key_that_is_gone_is_unknown(alice: Party, bob: Party, gone: str) -> None:
    alice.open(bob.address, bob.bundle())
    getattr(bob.prekeys, gone).clear()
    with pytest.raises(UnknownPreKey):
        bob.receive(alice.address, alice.send(bob.address, b"hello"))


def test_the_last_resort_key_takes_a_first_message_once(alice: Party, bob: Party) -> None:
    alice.open(bob.address, bob.bundle(one_time=False, last_resort=True))
    first = alice.send(bob.address, b"hello")
    assert bob.receive(alice.address, first) == b"hello"
    with pytest.raises(Duplicate):
        bob.receive(alice.address, first)
    del bob.records[alice.address]
    with pytest.raises(Replayed):
        bob.receive(alice.address, first)


def test_an_unknown_type_of_ciphertext_is_refused() -> None:
    alice, bob = acquainted()
    for kind in (0, 1, 4, 7):
        with pytest.raises(Malformed):
            bob.receive(alice.address, replace(alice.send(bob.address, b"x"), type=kind))


def test_a_message_for_another_device_is_refused() -> None:
    alice, bob = acquainted()
    ciphertext = alice.send(bob.address, b"to device 1")
    here = bob.address
    bob.address = replace(here, device=2)
    with pytest.raises(WrongAddress):
        bob.receive(alice.address, ciphertext)
    bob.address = here
    alice.open(bob.address, bob.bundle())
    first = alice.send(bob.address, b"to device 1")
    bob.address = replace(here, device=2)
    with pytest.raises(WrongAddress):
        bob.receive(alice.address, first)


@pytest.mark.parametrize("field", ["base_key", "identity_key"])
@pytest.mark.parametrize(
    "key", [b"\x05" + bytes(32), b"\x05" + b"\xff" * 32, b"\x06" + b"\x09" * 32]
)
def test_first_messages_with_bad_keys_are_refused(
    alice: Party, bob: Party, field: str, key: bytes
) -> None:
    alice.open(bob.address, bob.bundle())
    first = parse_prekey(alice.send(bob.address, b"hello").data)
    with pytest.raises(BadKey):
        bob.receive(alice.address, Ciphertext(PREKEY, encoded(first, **{field: key})))


def test_a_first_message_cannot_borrow_a_session_of_our_own_making() -> None:
    alice, bob = acquainted()
    own = alice.records[bob.address].current
    bob.open(alice.address, alice.bundle())
    first = parse_prekey(bob.send(alice.address, b"hello").data)
    before = alice.state()
    with pytest.raises(BadMac):
        alice.receive(bob.address, Ciphertext(PREKEY, encoded(first, base_key=own.base_key)))
    assert alice.state() == before
