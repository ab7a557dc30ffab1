"""The state machine, state by state; what a side that breaks the protocol can do."""

from collections.abc import Callable
from hashlib import sha3_256
from random import Random

import msgspec
import pytest
from tests.crypto.spqr.pair import Packet, Pair, Side

from linnet.crypto.errors import BadKey, Malformed
from linnet.crypto.spqr import braid, kem, messages, state
from linnet.crypto.spqr.braid import Received
from linnet.crypto.spqr.erasure import Chunk
from linnet.crypto.spqr.messages import Kind, Message

ORDER_OF_KEY = ["KeysUnsampled", "KeysSampled", "HeaderSent", "Ct1Received", "KeySent"]
ORDER_OF_CIPHERTEXT = [
    "NoHeaderReceived",
    "HeaderReceived",
    "Ct1Sampled",
    "Ct1Acknowledged",
    "Ct2Sampled",
]


def places(pair: Pair, turns: int) -> tuple[list[str], list[str]]:
    """The states that both go through, each once."""
    seen: tuple[list[str], list[str]] = ([], [])
    for number in range(turns):
        for side, names in zip((pair.a, pair.b), seen, strict=True):
            if not names or names[-1] != side.place:
                names.append(side.place)
        pair.turn(pair.a if number % 2 == 0 else pair.b)
    return seen


def test_the_parts_change_with_each_epoch() -> None:
    of_a, of_b = places(Pair(), 300)
    assert of_a[:10] == ORDER_OF_KEY + ORDER_OF_CIPHERTEXT
    assert of_b[:10] == ORDER_OF_CIPHERTEXT + ORDER_OF_KEY


def test_a_balanced_chat_has_an_epoch_in_about_a_hundred_messages() -> None:
    pair = Pair()
    for _ in range(500):
        pair.turn(pair.a)
        pair.turn(pair.b)
    assert 10 <= pair.a.epoch <= 14


def test_both_agree_on_the_secrets_of_all_epochs() -> None:
    pair = Pair()
    for place in ORDER_OF_CIPHERTEXT[0], ORDER_OF_KEY[1], ORDER_OF_CIPHERTEXT[0]:
        pair.until(pair.a, place)
    assert pair.a.epoch == 4
    assert pair.a.state.chains.root == pair.b.state.chains.root
    assert pair.a.state.braid.auth == pair.b.state.braid.auth


def test_the_key_may_be_complete_before_ct1_is_acknowledged() -> None:
    pair = Pair()
    pair.until(pair.b, "Ct1Sampled")
    pair.turn(pair.b)
    while pair.b.place == "Ct1Sampled":  # nothing of ct1 arrives
        pair.turn(pair.a)
        pair.b.send()
    assert pair.b.place == "KeyReceived"
    for _ in range(30):
        pair.turn(pair.b)
    assert pair.a.place == "Ct1Received"
    pair.turn(pair.a)
    assert pair.b.place == "Ct2Sampled"
    pair.until(pair.a, "NoHeaderReceived")


def test_an_acknowledgement_without_a_chunk_will_do() -> None:
    pair = Pair()
    pair.until(pair.b, "Ct1Sampled")
    pair.turn(pair.b)
    while pair.b.place == "Ct1Sampled":
        pair.turn(pair.a)
    received = pair.b.state.braid.receive(Kind.ACK, None)
    assert isinstance(received.state, braid.Ct2Sampled)


def test_an_acknowledgement_alone_does_not_replace_the_key() -> None:
    pair = Pair()
    pair.until(pair.b, "Ct1Sampled")
    before = pair.b.state.braid
    assert before.receive(Kind.ACK, None) == Received(before)


CASES = [
    (which, place)
    for which, order in (("a", ORDER_OF_KEY), ("b", ORDER_OF_CIPHERTEXT))
    for place in order
]


@pytest.mark.parametrize(("which", "place"), CASES)
def test_what_a_state_does_not_wait_for_changes_nothing(which: str, place: str) -> None:
    pair = Pair()
    side: Side = getattr(pair, which)
    pair.until(side, place)
    before = side.state.braid
    awaited = {
        "KeysSampled": [Kind.CT1],
        "HeaderSent": [Kind.CT1],
        "Ct1Received": [Kind.CT2],
        "KeySent": [Kind.CT2],
        "NoHeaderReceived": [Kind.HEADER],
        "Ct1Sampled": [Kind.KEY, Kind.KEY_AND_ACK],
        "Ct1Acknowledged": [Kind.KEY, Kind.KEY_AND_ACK],
    }.get(place, [])
    for kind in Kind:
        chunk = None if kind in (Kind.NONE, Kind.ACK) else Chunk(60_000, b"x" * 32)
        changed = before.receive(kind, chunk) != Received(before)
        assert changed == (kind in awaited)
        assert before.receive(kind, None) == Received(before)


def test_messages_of_earlier_epochs_change_nothing() -> None:
    pair = Pair()
    pair.until(pair.a, "NoHeaderReceived")
    before = pair.a.state.braid
    assert braid.receive(before, Message(1, 9, Kind.CT2, Chunk(1, b"x" * 32))) == Received(before)


@pytest.mark.parametrize(("which", "place"), CASES)
def test_messages_of_epochs_to_come_are_refused(which: str, place: str) -> None:
    pair = Pair()
    side: Side = getattr(pair, which)
    pair.until(side, place)
    before = side.state.braid
    for ahead in (1, 2, 2**40):
        message = Message(before.epoch + ahead, 1, Kind.NONE, None)
        if ahead == 1 and place == "Ct2Sampled":
            assert isinstance(braid.receive(before, message).state, braid.KeysUnsampled)
        else:
            with pytest.raises(Malformed):
                braid.receive(before, message)


@pytest.mark.parametrize("kind", [Kind.HEADER, Kind.KEY, Kind.CT1, Kind.CT2])
def test_a_false_header_key_or_ciphertext_is_noticed(kind: Kind) -> None:
    pair = Pair()
    sender, receiver = pair.a, pair.b
    if kind in (Kind.CT1, Kind.CT2):
        sender, receiver = receiver, sender
    for _ in range(200):
        packet = changed(sender.send(), kind)
        stored = receiver.stored
        try:
            receiver.receive(packet)
        except Malformed:
            assert receiver.stored == stored
            return
        sender.receive(receiver.send())
    raise AssertionError("never noticed")


def changed(packet: Packet, kind: Kind) -> Packet:
    """The packet, with another chunk if it carries one of this kind."""
    message = packet.message
    if message.kind != kind or message.chunk is None:
        return packet
    data = bytes((message.chunk.data[0] ^ 1,)) + message.chunk.data[1:]
    chunk = Chunk(message.chunk.number, data)
    return Packet(messages.encode(msgspec.structs.replace(message, chunk=chunk)), packet.key)


def test_a_key_that_is_not_reduced_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair()

    def overflowing(make: Callable[[bytes], kem.PublicParts]) -> Callable[[bytes], kem.PublicParts]:
        def parts(seed: bytes) -> kem.PublicParts:
            honest = make(seed)
            vector, rho = b"\xff" * kem.VECTOR_BYTES, honest.header[:32]
            return kem.PublicParts(rho + sha3_256(vector + rho).digest(), vector)

        return parts

    monkeypatch.setattr(kem, "public_parts", overflowing(kem.public_parts))
    pair.until(pair.b, "Ct1Acknowledged")
    with pytest.raises(BadKey):
        pair.until(pair.b, "Ct2Sampled")


def test_a_key_that_an_outsider_puts_in_the_way_has_no_mac() -> None:
    """Who reads every message, and could forge them, still lacks the secrets before."""
    pair, outsider = Pair(), Side(Random(1).randbytes, initiator=True)
    outsider.stored = msgspec.msgpack.encode(state.start(b"o" * 32, initiator=True))
    ours = pair.b.state.braid
    first, second, last = (outsider.send().message for _ in range(3))
    for message in (first, second):
        ours = ours.receive(message.kind, message.chunk).state
    with pytest.raises(Malformed, match="header"):
        ours.receive(last.kind, last.chunk)


def test_states_show_nothing() -> None:
    pair = Pair()
    pair.until(pair.b, "Ct1Sampled")
    assert repr(pair.a.state) == "State(…)"
    assert repr(pair.a.state.braid) == "HeaderSent(…)"
    assert repr(pair.b.state.braid) == "Ct1Sampled(…)"
