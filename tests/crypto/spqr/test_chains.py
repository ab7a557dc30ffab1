"""The chains of one side against those of the other."""

import pytest

from linnet.crypto.errors import BadMac, Duplicate, Malformed, TooFarAhead
from linnet.crypto.spqr.chains import MAX_SKIPPED, OLD_EPOCHS, Chains, first_chains
from linnet.crypto.steps import MAX_JUMP, Steps

PQ_KEY = b"p" * 32


class Side:
    """Chains that keep their state."""

    def __init__(self, *, initiator: bool) -> None:
        self.chains = first_chains(PQ_KEY, initiator=initiator)

    def send(self, epoch: int = 0) -> tuple[int, bytes]:
        self.chains, index, key = self.chains.next_key(epoch)
        return index, key

    def receive(self, index: int, epoch: int = 0, steps: Steps | None = None) -> bytes:
        self.chains, key = self.chains.key_of(epoch, index, steps or Steps())
        return key

    def begin(self, epoch: int) -> None:
        self.chains = self.chains.with_epoch(epoch, bytes((epoch,)) * 32)


@pytest.fixture
def alice() -> Side:
    return Side(initiator=True)


@pytest.fixture
def bob() -> Side:
    return Side(initiator=False)


def test_both_have_the_same_keys_in_each_direction(alice: Side, bob: Side) -> None:
    for epoch in range(4):
        for sender, receiver in ((alice, bob), (bob, alice)):
            for number in range(1, 4):
                index, key = sender.send(epoch)
                assert index == number
                assert receiver.receive(index, epoch) == key
        alice.begin(epoch + 1)
        bob.begin(epoch + 1)


def test_keys_are_taken_in_any_order_and_once(alice: Side, bob: Side) -> None:
    keys = dict(alice.send() for _ in range(6))
    for index in (4, 2, 6, 1, 5, 3):
        assert bob.receive(index) == keys[index]
    for index in keys:
        with pytest.raises(Duplicate):
            bob.receive(index)


def test_index_0_is_no_key(bob: Side) -> None:
    with pytest.raises(Duplicate):
        bob.receive(0)


def test_one_message_skips_no_more_than_the_cap(alice: Side, bob: Side) -> None:
    keys = dict(alice.send() for _ in range(MAX_JUMP + 2))
    before = bob.chains
    steps = Steps()
    with pytest.raises(TooFarAhead):
        bob.receive(MAX_JUMP + 2, steps=steps)
    assert bob.chains is before
    assert steps == Steps()
    assert bob.receive(MAX_JUMP + 1, steps=steps) == keys[MAX_JUMP + 1]
    assert steps.left == Steps().left - MAX_JUMP
    assert bob.receive(1) == keys[1]


def test_the_oldest_skipped_keys_give_way(alice: Side, bob: Side) -> None:
    keys = dict(alice.send() for _ in range(MAX_SKIPPED + 5))
    bob.receive(4)
    bob.receive(MAX_SKIPPED + 4)
    assert len(bob.chains.receiving[0].skipped) == MAX_SKIPPED
    for index in (1, 2):
        with pytest.raises(Duplicate):
            bob.receive(index)
    assert bob.receive(3) == keys[3]
    assert bob.receive(MAX_SKIPPED + 5) == keys[MAX_SKIPPED + 5]


def test_keys_of_an_older_epoch_last_as_long_as_its_chain_is_kept(alice: Side, bob: Side) -> None:
    late = [alice.send() for _ in range(2)]
    for epoch in range(1, OLD_EPOCHS + 1):
        alice.begin(epoch)
        bob.begin(epoch)
        bob.send(epoch)
    assert bob.receive(late[0][0]) == late[0][1]
    bob.begin(OLD_EPOCHS + 1)
    bob.send(OLD_EPOCHS + 1)
    assert len(bob.chains.receiving) == OLD_EPOCHS + 1
    with pytest.raises(Duplicate):
        bob.receive(late[1][0])


def test_a_new_epoch_is_not_used_for_sending_before_its_time(alice: Side, bob: Side) -> None:
    alice.begin(1)
    assert alice.send(0)[0] == 1
    assert alice.send(1)[0] == 1
    assert [chain.epoch for chain in alice.chains.sending] == [1]
    with pytest.raises(Malformed):
        alice.send(0)


def test_a_message_of_an_epoch_to_come_is_nobodys(bob: Side) -> None:
    with pytest.raises(BadMac):
        bob.receive(1, 1)


def test_states_do_not_share_what_changes(alice: Side, bob: Side) -> None:
    keys = dict(alice.send() for _ in range(6))
    bob.receive(4)
    before: Chains = bob.chains
    copied = dict(before.receiving[0].skipped)
    bob.receive(2)
    bob.receive(6)
    assert before.receiving[0].skipped == copied
    bob.chains = before
    assert bob.receive(2) == keys[2]
