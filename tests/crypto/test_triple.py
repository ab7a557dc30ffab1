"""Both ratchets as one: a message needs a key of each, and a forgery reaches neither's state."""

import msgspec
import pytest
from tests.crypto.party import seeded

from linnet.crypto import triple
from linnet.crypto.errors import BadMac, Duplicate, Malformed, TooFarAhead
from linnet.crypto.kdf import Agreement
from linnet.crypto.messages import encode_signal, parse_signal
from linnet.crypto.ratchet import Parties
from linnet.crypto.spqr import braid, messages
from linnet.crypto.spqr.erasure import Chunk
from linnet.crypto.spqr.messages import Kind
from linnet.crypto.steps import MAX_JUMP, Steps
from linnet.crypto.triple import TripleRatchet
from linnet.signing.keys import generate

RNG = seeded("triple")
ALICE, BOB = generate(RNG), generate(RNG)
PAIR = generate(RNG)
AGREED = Agreement(b"r" * 32, b"c" * 32, b"p" * 32)


class Side:
    """A Triple Ratchet that keeps its state."""

    def __init__(self, state: TripleRatchet, parties: Parties) -> None:
        self.state = state
        self.parties = parties

    def send(self, text: bytes) -> bytes:
        self.state, message = triple.encrypt(self.state, self.parties, text, b"", RNG)
        return message

    def receive(self, message: bytes) -> bytes:
        incoming = triple.read(parse_signal(message), first=False)
        self.state, text = triple.decrypt(self.state, self.parties, incoming, Steps())
        return text


def sides(theirs: Agreement = AGREED) -> tuple[Side, Side]:
    """Alice, who sends first, and Bob, who agreed on `theirs`."""
    alice = triple.start_as_initiator(AGREED, PAIR.public, RNG)
    bob = triple.start_as_responder(theirs, PAIR)
    return (
        Side(alice, Parties(ALICE.public, BOB.public)),
        Side(bob, Parties(BOB.public, ALICE.public)),
    )


def forged(message: bytes, **changes: object) -> bytes:
    """The message with another field for SPQR, and its old MAC."""
    parsed = parse_signal(message)
    field = msgspec.structs.replace(messages.parse(parsed.pq_ratchet), **changes)
    covered = encode_signal(
        parsed.ratchet_key,
        parsed.counter,
        parsed.previous_counter,
        parsed.ciphertext,
        messages.encode(field),
        parsed.addresses,
    )
    return covered + parsed.mac


def test_a_long_conversation_goes_through_several_epochs() -> None:
    alice, bob = sides()
    for number in range(400):
        sender, receiver = (alice, bob) if number % 2 == 0 else (bob, alice)
        assert receiver.receive(sender.send(b"%d" % number)) == b"%d" % number
    assert alice.state.post_quantum.braid.epoch >= 4


@pytest.mark.parametrize(
    "wrong",
    [AGREED._replace(pq_key=b"x" * 32), AGREED._replace(root_key=b"x" * 32)],
    ids=["the post-quantum half", "the other half"],
)
def test_a_message_needs_the_keys_of_both_ratchets(wrong: Agreement) -> None:
    alice, bob = sides(wrong)
    before = bob.state
    with pytest.raises(BadMac):
        bob.receive(alice.send(b"text"))
    assert bob.state is before


def test_what_a_forgery_carries_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    alice, bob = sides()
    bob.receive(alice.send(b"one chunk of the header"))
    bob.receive(alice.send(b"two chunks of it"))
    message = forged(alice.send(b"the last"), kind=Kind.HEADER, chunk=Chunk(9, b"f" * 32))
    looked_at: list[object] = []
    monkeypatch.setattr(braid, "receive", lambda state, field: looked_at.append(field))
    before = bob.state
    with pytest.raises(BadMac):
        bob.receive(message)
    assert bob.state is before
    assert looked_at == []


def test_a_peer_that_breaks_the_braid_is_refused_and_changes_nothing() -> None:
    alice, bob = sides()
    for _ in range(2):
        bob.receive(alice.send(b"chunk"))
    state = alice.state.post_quantum
    assert isinstance(state.braid, braid.KeysSampled)
    spoilt = msgspec.structs.replace(
        state.braid, header=msgspec.structs.replace(state.braid.header, data=bytes(96))
    )
    alice.state = TripleRatchet(alice.state.double, msgspec.structs.replace(state, braid=spoilt))
    before = bob.state
    with pytest.raises(Malformed):
        bob.receive(alice.send(b"a header without a MAC"))
    assert bob.state is before


@pytest.mark.parametrize("index", [0, 1])
def test_a_key_is_used_once_in_both_chains(index: int) -> None:
    alice, bob = sides()
    for _ in range(2):
        bob.receive(alice.send(b"text"))
    again = forged(alice.send(b"text"), index=1 + index)
    with pytest.raises(Duplicate):
        bob.receive(again)


def test_the_post_quantum_chain_has_the_cap_of_the_other() -> None:
    alice, bob = sides()
    bob.receive(alice.send(b"text"))
    message = alice.send(b"text")
    with pytest.raises(BadMac):
        bob.receive(forged(message, index=2 + MAX_JUMP))
    with pytest.raises(TooFarAhead):
        bob.receive(forged(message, index=3 + MAX_JUMP))
    assert bob.receive(message) == b"text"


def test_a_state_stays_small() -> None:
    alice, bob = sides()
    largest = 0
    for number in range(300):
        sender, receiver = (alice, bob) if number % 2 == 0 else (bob, alice)
        receiver.receive(sender.send(b""))
        largest = max(largest, len(msgspec.msgpack.encode(receiver.state)))
    assert 2_000 < largest < 4_000


def test_keys_are_not_shown() -> None:
    alice, bob = sides()
    assert repr(alice.state) == "TripleRatchet(…)"
    assert repr(bob.state.post_quantum.chains) == "Chains(…)"
