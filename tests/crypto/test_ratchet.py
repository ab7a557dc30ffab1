"""One ratchet against another: order, loss, limits, and what a forgery may not do."""

from dataclasses import replace

import pytest
from tests.crypto.party import seeded

from linnet.crypto import ratchet
from linnet.crypto.cbc import encrypt_cbc
from linnet.crypto.errors import BadMac, Duplicate, Malformed, TooFarAhead
from linnet.crypto.kdf import Agreement
from linnet.crypto.messages import parse_signal
from linnet.crypto.ratchet import MAX_CHAINS, MAX_SKIPPED, Parties, Ratchet
from linnet.crypto.steps import MAX_JUMP, Steps
from linnet.signing.keys import generate

RNG = seeded("ratchet")
ALICE, BOB = generate(RNG), generate(RNG)
PAIR = generate(RNG)
SALT = b"s" * 32
AGREED = Agreement(b"r" * 32, b"c" * 32, b"p" * 32)


class Side:
    """A ratchet that keeps its state."""

    def __init__(self, state: Ratchet, parties: Parties) -> None:
        self.state = state
        self.parties = parties

    def send(self, text: bytes, *, salt: bytes = SALT) -> bytes:
        self.state, message = ratchet.encrypt(
            self.state, self.parties, text, None, RNG, pq_ratchet=b"field", salt=salt
        )
        return message

    def receive(self, message: bytes, steps: Steps | None = None, *, salt: bytes = SALT) -> bytes:
        self.state, text = ratchet.decrypt(
            self.state, self.parties, parse_signal(message), steps or Steps(), salt=salt
        )
        return text


@pytest.fixture
def alice() -> Side:
    return Side(
        ratchet.start_as_initiator(AGREED, PAIR.public, RNG), Parties(ALICE.public, BOB.public)
    )


@pytest.fixture
def bob() -> Side:
    return Side(ratchet.start_as_responder(AGREED, PAIR), Parties(BOB.public, ALICE.public))


def test_messages_of_any_length_arrive(alice: Side, bob: Side) -> None:
    for size in (0, 1, 15, 16, 17, 1000):
        assert bob.receive(alice.send(b"x" * size)) == b"x" * size


def test_every_answer_turns_the_ratchet(alice: Side, bob: Side) -> None:
    seen = set()
    for number in range(20):
        sender, receiver = (alice, bob) if number % 2 == 0 else (bob, alice)
        message = sender.send(b"%d" % number)
        assert receiver.receive(message) == b"%d" % number
        seen.add(parse_signal(message).ratchet_key)
    assert len(seen) == 20


def test_our_half_of_a_turn_is_made_with_the_answer(alice: Side, bob: Side) -> None:
    bob.receive(alice.send(b"turn"))
    assert bob.state.sending is None
    once, again = bob.send(b"one"), bob.send(b"two")
    assert parse_signal(once).ratchet_key == parse_signal(again).ratchet_key
    assert (alice.receive(once), alice.receive(again)) == (b"one", b"two")


def test_a_peer_cannot_turn_twice_before_we_answer(alice: Side, bob: Side) -> None:
    other = Side(ratchet.start_as_initiator(AGREED, PAIR.public, RNG), alice.parties)
    bob.receive(alice.send(b"turn"))
    before = bob.state
    with pytest.raises(BadMac):
        bob.receive(other.send(b"turn"))
    assert bob.state is before
    assert alice.receive(bob.send(b"answer")) == b"answer"


def test_both_may_speak_first(alice: Side, bob: Side) -> None:
    from_alice, from_bob = alice.send(b"one"), bob.send(b"two")
    assert alice.receive(from_bob) == b"two"
    assert bob.receive(from_alice) == b"one"
    assert bob.receive(alice.send(b"three")) == b"three"


def test_late_messages_are_read_in_any_order(alice: Side, bob: Side) -> None:
    messages = [alice.send(b"%d" % number) for number in range(5)]
    for number in (3, 1, 4, 0, 2):
        assert bob.receive(messages[number]) == b"%d" % number


def test_a_message_of_an_older_chain_is_read(alice: Side, bob: Side) -> None:
    bob.receive(alice.send(b"first"))
    late = alice.send(b"late")
    for _ in range(MAX_CHAINS - 1):
        alice.receive(bob.send(b"turn"))
        bob.receive(alice.send(b"turn"))
    assert bob.receive(late) == b"late"


def test_a_message_of_a_closed_chain_is_not(alice: Side, bob: Side) -> None:
    bob.receive(alice.send(b"first"))
    late = alice.send(b"late")
    for _ in range(MAX_CHAINS):
        alice.receive(bob.send(b"turn"))
        bob.receive(alice.send(b"turn"))
    with pytest.raises(BadMac):
        bob.receive(late)
    assert len(bob.state.receiving) == MAX_CHAINS


def test_previous_counter_is_that_of_the_last_message_before_the_turn(
    alice: Side, bob: Side
) -> None:
    assert parse_signal(alice.send(b"")).previous_counter == 0
    alice.send(b"")
    bob.receive(alice.send(b""))
    alice.receive(bob.send(b""))
    assert parse_signal(alice.send(b"")).previous_counter == 2


def test_a_message_is_read_once(alice: Side, bob: Side) -> None:
    messages = [alice.send(b"%d" % number) for number in range(3)]
    for message in reversed(messages):
        bob.receive(message)
    for message in messages:
        with pytest.raises(Duplicate):
            bob.receive(message)


def test_one_message_skips_no_more_than_the_cap(alice: Side, bob: Side) -> None:
    bob.receive(alice.send(b"first"))
    for _ in range(MAX_JUMP):
        last = alice.send(b"lost")
    at_the_cap = alice.send(b"at the cap")
    beyond = alice.send(b"beyond")
    before = bob.state
    with pytest.raises(TooFarAhead):
        bob.receive(beyond)
    assert bob.state is before
    assert bob.receive(at_the_cap) == b"at the cap"
    assert bob.receive(last) == b"lost"


def test_one_message_takes_no_more_steps_than_are_left(alice: Side, bob: Side) -> None:
    steps = Steps(left=5)
    alice.send(b"lost")
    bob.receive(alice.send(b"read"), steps)
    assert steps.left == 4
    for _ in range(5):
        last = alice.send(b"lost")
    with pytest.raises(TooFarAhead):
        bob.receive(alice.send(b"too far"), steps)
    assert bob.receive(last, steps) == b"lost"


def test_the_oldest_skipped_keys_give_way(alice: Side, bob: Side) -> None:
    first = [alice.send(b"%d" % number) for number in range(3)]
    bob.receive(alice.send(b"three skipped"))
    for _ in range(MAX_SKIPPED - 2):
        last = alice.send(b"lost")
    bob.receive(alice.send(b"and as many as a chain may keep, but two"))
    assert len(bob.state.receiving[0].skipped) == MAX_SKIPPED
    with pytest.raises(Duplicate):
        bob.receive(first[0])
    assert bob.receive(first[1]) == b"1"
    assert bob.receive(last) == b"lost"


def test_states_do_not_share_what_changes(alice: Side, bob: Side) -> None:
    messages = [alice.send(b"%d" % number) for number in range(6)]
    bob.receive(messages[3])
    before = bob.state
    copied = dict(before.receiving[0].skipped)
    bob.receive(messages[1])
    bob.receive(messages[5])
    assert before.receiving[0].skipped == copied
    bob.state = before
    assert bob.receive(messages[1]) == b"1"


def test_the_mac_covers_the_bytes_received(alice: Side, bob: Side) -> None:
    data = alice.send(b"text")
    unknown_field = b"\x78\x01"
    for changed in (
        data[:-8] + unknown_field + data[-8:],
        data[:-1] + bytes((data[-1] ^ 1,)),
        data[:40] + bytes((data[40] ^ 1,)) + data[41:],
    ):
        with pytest.raises((BadMac, Malformed)):
            bob.receive(changed)
    assert bob.receive(data) == b"text"


def test_the_mac_covers_both_identities(alice: Side, bob: Side) -> None:
    data = alice.send(b"text")
    right = bob.parties
    for wrong in (replace(right, local=ALICE.public), replace(right, remote=BOB.public)):
        bob.parties = wrong
        with pytest.raises(BadMac):
            bob.receive(data)
    bob.parties = right
    assert bob.receive(data) == b"text"


def unpadded(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    return encrypt_cbc(key, iv, plaintext)[: len(plaintext)]


@pytest.mark.parametrize("tail", [b"\x00", b"\x11", b"\x02\x03\x03"], ids=["0", "17", "uneven"])
def test_bad_padding_under_a_good_mac_is_refused(
    alice: Side, bob: Side, tail: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bob.state
    with monkeypatch.context() as patch:
        patch.setattr(ratchet, "encrypt_cbc", unpadded)
        data = alice.send(b"x" * (32 - len(tail)) + tail)
    with pytest.raises(Malformed, match="padding"):
        bob.receive(data)
    assert bob.state is before


def test_the_post_quantum_key_goes_into_the_message_keys(alice: Side, bob: Side) -> None:
    salt = b"q" * 32
    data = alice.send(b"text", salt=salt)
    assert parse_signal(data).pq_ratchet == b"field"
    with pytest.raises(BadMac):
        bob.receive(data)
    assert bob.receive(data, salt=salt) == b"text"


def test_keys_are_not_shown(alice: Side) -> None:
    assert repr(alice.state) == "Ratchet(…)"
    assert repr(alice.state.sending) == "SendingChain(…)"
    assert list(alice.state.__rich_repr__()) == []
