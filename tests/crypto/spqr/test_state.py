"""Two sides over any network: whatever is lost, late or repeated, they agree on every key."""

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.crypto.spqr.pair import Packet, Pair, Side

from linnet.crypto.errors import Duplicate


class BadNetwork(RuleBasedStateMachine):
    """Bursts in either direction, of which any part arrives, in any order, some of it twice.

    A packet waits for one delivery at most, so that none is of an epoch given up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair("machine")
        self.delivered: list[tuple[Side, Packet]] = []

    def burst(self, sender: Side, count: int, order: Random, arrives: float) -> None:
        packets = [sender.send() for _ in range(count)]
        order.shuffle(packets)
        receiver = self.pair.b if sender is self.pair.a else self.pair.a
        for packet in packets:
            if order.random() < arrives:
                assert receiver.receive(packet) == packet.key
                self.delivered.append((receiver, packet))

    @rule(
        from_a=st.booleans(),
        count=st.integers(1, 40),
        order=st.randoms(use_true_random=False),
        arrives=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
    )
    def one_way(self, from_a: bool, count: int, order: Random, arrives: float) -> None:
        self.burst(self.pair.a if from_a else self.pair.b, count, order, arrives)

    @rule(
        rounds=st.integers(1, 60),
        order=st.randoms(use_true_random=False),
        arrives=st.sampled_from([0.5, 0.9, 1.0]),
    )
    def chat(self, rounds: int, order: Random, arrives: float) -> None:
        for _ in range(rounds):
            self.burst(self.pair.a, order.randrange(1, 4), order, arrives)
            self.burst(self.pair.b, order.randrange(1, 4), order, arrives)

    @rule(place=st.integers(0, 1000))
    def repeated(self, place: int) -> None:
        if self.delivered:
            receiver, packet = self.delivered[place % len(self.delivered)]
            stored = receiver.stored
            with pytest.raises(Duplicate):
                receiver.receive(packet)
            assert receiver.stored == stored

    @invariant()
    def neither_is_far_ahead(self) -> None:
        assert abs(self.pair.a.epoch - self.pair.b.epoch) <= 1

    @invariant()
    def what_is_kept_is_bounded(self) -> None:
        for side in (self.pair.a, self.pair.b):
            assert len(side.state.chains.sending) <= 2
            assert len(side.state.chains.receiving) <= 3


TestBadNetwork = BadNetwork.TestCase
TestBadNetwork.settings = settings(
    max_examples=settings().max_examples // 4,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.parametrize("seed", range(4))
def test_several_epochs_pass_although_a_third_is_lost(seed: int) -> None:
    pair, chance = Pair(seed), Random(seed)
    for _ in range(900):
        sender, receiver = (pair.a, pair.b) if chance.random() < 0.5 else (pair.b, pair.a)
        packet = sender.send()
        if chance.random() < 0.7:
            assert receiver.receive(packet) == packet.key
    assert pair.a.epoch >= 4


def test_a_long_monologue_is_read_and_the_chat_goes_on() -> None:
    pair = Pair()
    pair.until(pair.a, "HeaderSent")
    packets = [pair.a.send() for _ in range(300)]
    for packet in packets[::-1]:
        assert pair.b.receive(packet) == packet.key
    pair.until(pair.a, "NoHeaderReceived")
    assert pair.a.epoch == 2


def test_a_copy_of_a_state_that_went_on_is_not_followed() -> None:
    """A state restored from a copy uses keys again: the peer has seen them."""
    pair = Pair()
    pair.turn(pair.a)
    copied = pair.a.stored
    pair.turn(pair.a)
    pair.a.stored = copied
    again = pair.a.send()
    with pytest.raises(Duplicate):
        pair.b.receive(again)
