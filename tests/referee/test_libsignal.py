"""Our protocol against the official implementation, in two versions and every role.

LINNET_REFEREE_MESSAGES lengthens each conversation (`make referee`: 10,000), LINNET_REFEREE_SEED
is added to every seed. A failure names the seed that the schedule came from.
"""

import os
from dataclasses import replace
from hashlib import sha256
from random import Random

import pytest
from tests.crypto.party import Party, seeded
from tests.referee.libsignal import CURRENT, Libsignal, Refused, Stranger
from tests.referee.schedule import Correspondent, converse

from linnet.crypto.errors import Duplicate
from linnet.crypto.kdf import NO_SALT
from linnet.crypto.messages import (
    PREKEY,
    WHISPER,
    PreKeySignalMessage,
    encode_prekey,
    encode_signal,
    parse_prekey,
    parse_signal,
)
from linnet.crypto.session import Ciphertext
from linnet.crypto.spqr import state as spqr
from linnet.crypto.spqr.messages import Message, parse
from linnet.crypto.steps import MAX_JUMP
from linnet.signing import xeddsa
from linnet.signing.keys import generate

pytestmark = pytest.mark.referee
MESSAGES = int(os.environ.get("LINNET_REFEREE_MESSAGES", "600"))
SEED = int(os.environ.get("LINNET_REFEREE_SEED", "0"))


class Pair:
    """One device of ours and one of theirs."""

    def __init__(self, libsignal: Libsignal, name: str) -> None:
        self.ours = Party("ours", seeded(name), require_addresses=False)
        self.theirs = Stranger(libsignal, name)

    def opened(self, by_us: bool, *, one_time: bool = True) -> "Pair":
        """The same pair, with a session that neither has used."""
        if by_us:
            self.ours.open(self.theirs.address, self.theirs.bundle(one_time=one_time))
        else:
            self.theirs.open(self.ours.address, self.ours.bundle(one_time=one_time))
        return self

    @property
    def epoch(self) -> int:
        """Of the post-quantum ratchet, as our side sees it."""
        session = self.ours.records[self.theirs.address].current
        return session.ratchet.post_quantum.braid.epoch

    def from_opener(self, by_us: bool) -> tuple[Correspondent, Correspondent]:
        return (self.ours, self.theirs) if by_us else (self.theirs, self.ours)

    def to_us(self, text: bytes) -> None:
        ciphertext = self.theirs.send(self.ours.address, text)
        assert self.ours.receive(self.theirs.address, ciphertext) == text

    def to_them(self, text: bytes) -> None:
        ciphertext = self.ours.send(self.theirs.address, text)
        assert self.theirs.receive(self.ours.address, ciphertext) == text


@pytest.fixture
def pair(libsignal: Libsignal, request: pytest.FixtureRequest) -> Pair:
    return Pair(libsignal, sha256(request.node.name.encode()).hexdigest()[:16])


@pytest.mark.parametrize("seed", range(SEED, SEED + 3))
@pytest.mark.parametrize("one_time", [True, False], ids=["one-time", "no one-time"])
@pytest.mark.parametrize("by_us", [True, False], ids=["we open", "they open"])
def test_hundreds_of_messages_over_a_bad_network(
    pair: Pair, by_us: bool, one_time: bool, seed: int
) -> None:
    pair.opened(by_us, one_time=one_time)
    opener, other = pair.from_opener(by_us)
    try:
        outcome = converse(opener, other, seed, MESSAGES)
    except Exception as error:
        raise AssertionError(f"seed {seed}") from error
    assert outcome.sent >= MESSAGES
    assert outcome.read > MESSAGES * 0.75
    assert min(outcome.lost, outcome.repeated, outcome.late) > 10
    assert pair.epoch >= max(3, MESSAGES // 200), f"seed {seed}"


@pytest.mark.parametrize("by_us", [True, False], ids=["we open", "they open"])
def test_long_monologues_with_little_of_them_arriving(pair: Pair, by_us: bool) -> None:
    """More chunks than the data has: both sides make and use those that the code adds."""
    pair.opened(by_us)
    opener, other = pair.from_opener(by_us)
    chance = Random(SEED)
    try:
        for _ in range(10):
            for sender, receiver in ((opener, other), (other, opener)):
                sent = [
                    (bytes((number,)), sender.send(receiver.address, bytes((number,))))
                    for number in range(chance.randrange(40, 110))
                ]
                chance.shuffle(sent)
                for text, ciphertext in sent[: len(sent) * 2 // 3]:
                    assert receiver.receive(sender.address, ciphertext) == text
    except Exception as error:
        raise AssertionError(f"seed {SEED}") from error
    assert pair.epoch >= 4, f"seed {SEED}"


@pytest.mark.parametrize("libsignal", [CURRENT], indirect=True)
@pytest.mark.parametrize("by_us", [True, False], ids=["we open", "they open"])
def test_we_send_chunk_for_chunk_what_they_send(pair: Pair, by_us: bool) -> None:
    """In step, our braid and theirs are in the same states: two of ours say the same."""
    pair.opened(by_us)
    alice, bob = Party("alice", seeded(1)), Party("bob", seeded(2))
    alice.open(bob.address, bob.bundle())
    opener, other = pair.from_opener(by_us)
    for _ in range(130):
        for (sender, receiver), (mine, yours) in zip(
            ((opener, other), (other, opener)), ((alice, bob), (bob, alice)), strict=True
        ):
            spoken = field_of(mixed := sender.send(receiver.address, b"text"))
            receiver.receive(sender.address, mixed)
            expected = field_of(own := mine.send(yours.address, b"text"))
            yours.receive(mine.address, own)
            assert shape(spoken) == shape(expected)
    assert pair.epoch >= 3


def field_of(ciphertext: Ciphertext) -> Message:
    if ciphertext.type == PREKEY:
        return parse(parse_prekey(ciphertext.data).message.pq_ratchet)
    return parse(parse_signal(ciphertext.data).pq_ratchet)


def shape(field: Message) -> tuple[int, int, int, int | None]:
    """All but what is random."""
    number = None if field.chunk is None else field.chunk.number
    return field.epoch, field.index, field.kind, number


def test_signatures_verify_both_ways(libsignal: Libsignal) -> None:
    rng = seeded("xeddsa")
    for number in range(25):
        key, message = generate(rng), rng(number * 7)
        signed = libsignal.ask("sign", private_key=key.private.hex(), message=message.hex())
        theirs = bytes.fromhex(signed["signature"])
        assert xeddsa.verify(key.public, message, theirs)
        assert not xeddsa.verify(key.public, message + b"x", theirs)
        question = {"public_key": key.public.hex(), "message": message.hex()}
        ours = xeddsa.sign(key.private, message, rng)
        assert libsignal.ask("verify", **question, signature=ours.hex())["valid"]
        forged = bytes((ours[0] ^ 1,)) + ours[1:]
        assert not libsignal.ask("verify", **question, signature=forged.hex())["valid"]


@pytest.mark.parametrize("by_us", [True, False], ids=["we open", "they open"])
def test_our_encoding_of_their_messages_is_their_encoding(pair: Pair, by_us: bool) -> None:
    pair.opened(by_us)
    if by_us:
        pair.to_them(b"hello")
    for _ in range(3):
        ciphertext = pair.theirs.send(pair.ours.address, b"text")
        inner = ciphertext.data
        if ciphertext.type == PREKEY:
            first = parse_prekey(ciphertext.data)
            inner = first.message.covered + first.message.mac
            fields = {name: getattr(first, name) for name in PreKeySignalMessage.__slots__}
            assert encode_prekey(**{**fields, "message": inner}) == ciphertext.data
        message = parse_signal(inner)
        encoded = encode_signal(
            message.ratchet_key,
            message.counter,
            message.previous_counter,
            message.ciphertext,
            message.pq_ratchet,
            message.addresses,
        )
        assert encoded + message.mac == inner


@pytest.mark.parametrize("libsignal", [CURRENT], indirect=True)
def test_their_first_messages_name_both_addresses_and_so_do_all_of_ours(pair: Pair) -> None:
    pair.opened(by_us=False)
    pair.ours.require_addresses = True
    pair.to_us(b"addressed")
    pair.to_them(b"addressed")
    elsewhere = replace(pair.ours.address, device=2)
    pair.ours.address, here = elsewhere, pair.ours.address
    astray = pair.ours.send(pair.theirs.address, b"from another device")
    pair.ours.address = here
    with pytest.raises(Refused):
        pair.theirs.receive(pair.ours.address, astray)


@pytest.mark.parametrize("libsignal", ["0.90.0"], indirect=True)
def test_an_old_peer_has_no_key_in_its_first_messages_and_one_in_all_others(pair: Pair) -> None:
    pair.opened(by_us=False)
    for _ in range(3):
        first = pair.theirs.send(pair.ours.address, b"hello")
        assert (field_of(first).epoch, field_of(first).index) == (1, 0)
        pair.ours.receive(pair.theirs.address, first)
    pair.to_them(b"hello yourself")
    later = pair.theirs.send(pair.ours.address, b"with a key")
    assert field_of(later).index >= 1
    assert pair.ours.receive(pair.theirs.address, later) == b"with a key"


@pytest.mark.parametrize("libsignal", [CURRENT], indirect=True)
def test_they_too_refuse_a_peer_without_the_post_quantum_ratchet(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.opened(by_us=True)
    pair.to_them(b"hello")
    pair.to_us(b"hello")
    monkeypatch.setattr(spqr, "send", lambda state, rng: (state, b"", NO_SALT))
    stripped = pair.ours.send(pair.theirs.address, b"stripped")
    with pytest.raises(Refused):
        pair.theirs.receive(pair.ours.address, stripped)


def test_both_opening_at_once_end_up_in_one_session(pair: Pair) -> None:
    pair.opened(by_us=True)
    pair.opened(by_us=False)
    ours = pair.ours.send(pair.theirs.address, b"from us")
    theirs = pair.theirs.send(pair.ours.address, b"from them")
    assert (ours.type, theirs.type) == (PREKEY, PREKEY)
    assert pair.theirs.receive(pair.ours.address, ours) == b"from us"
    assert pair.ours.receive(pair.theirs.address, theirs) == b"from them"
    for number in range(10):
        pair.to_us(b"%d" % number)
        pair.to_them(b"%d" % number)
    assert pair.ours.send(pair.theirs.address, b"").type == WHISPER
    assert pair.theirs.send(pair.ours.address, b"").type == WHISPER


@pytest.mark.parametrize("by_us", [True, False], ids=["we open again", "they open again"])
def test_what_was_in_flight_on_an_archived_session_is_read(pair: Pair, by_us: bool) -> None:
    pair.opened(by_us=True)
    pair.to_them(b"hello")
    pair.to_us(b"hello")
    from_us = pair.ours.send(pair.theirs.address, b"in flight to them")
    from_them = pair.theirs.send(pair.ours.address, b"in flight to us")
    pair.opened(by_us)
    if by_us:
        pair.to_them(b"a new session")
    else:
        pair.to_us(b"a new session")
    assert pair.ours.receive(pair.theirs.address, from_them) == b"in flight to us"
    assert pair.theirs.receive(pair.ours.address, from_us) == b"in flight to them"
    for number in range(4):
        pair.to_us(b"%d" % number)
        pair.to_them(b"%d" % number)


def test_a_forgery_is_refused_by_both_and_hurts_neither(pair: Pair) -> None:
    pair.opened(by_us=True)
    pair.to_them(b"hello")
    pair.to_us(b"hello")
    honest = pair.ours.send(pair.theirs.address, b"honest")
    forged = Ciphertext(honest.type, honest.data[:-1] + bytes((honest.data[-1] ^ 1,)))
    with pytest.raises(Refused):
        pair.theirs.receive(pair.ours.address, forged)
    assert pair.theirs.receive(pair.ours.address, honest) == b"honest"
    pair.to_us(b"still here")


def test_as_many_lost_messages_as_one_may_skip(pair: Pair) -> None:
    pair.opened(by_us=True)
    pair.to_them(b"hello")
    for _ in range(MAX_JUMP):
        last = pair.theirs.send(pair.ours.address, b"late")
    pair.to_us(b"read")
    assert pair.ours.receive(pair.theirs.address, last) == b"late"
    with pytest.raises(Duplicate):
        pair.ours.receive(pair.theirs.address, last)


def test_they_refuse_a_bundle_that_is_not_signed(pair: Pair) -> None:
    bundle = pair.ours.bundle()
    other = Party("other", seeded("other")).bundle()
    swapped = {name: getattr(bundle, name) for name in bundle.__slots__}
    with pytest.raises(Refused):
        pair.theirs.open(
            pair.ours.address, type(bundle)(**{**swapped, "kem_pre_key": other.kem_pre_key})
        )
