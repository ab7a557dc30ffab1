"""The chains of SPQR: for each epoch one in each direction, a key for each message.

Immutable. Chains of epochs that no message needs any more are dropped (Double Ratchet r4, 8.10):
for sending all before the present one, for receiving all but the present one and `OLD_EPOCHS`.
"""

from typing import Final

from linnet.crypto.errors import BadMac, Duplicate, Malformed
from linnet.crypto.secret import SecretStruct
from linnet.crypto.spqr import kdf
from linnet.crypto.steps import Steps

MAX_SKIPPED: Final = 2000
OLD_EPOCHS: Final = 1


class SendingChain(SecretStruct, frozen=True, array_like=True):
    """Our chain of one epoch. `counter` is that of the last message."""

    epoch: int
    key: bytes
    counter: int = 0


class ReceivingChain(SecretStruct, frozen=True, array_like=True):
    """The peer's chain of one epoch; `skipped` holds the keys of messages still to come."""

    epoch: int
    key: bytes
    counter: int
    skipped: dict[int, bytes]  # never changed in place: states share it


class Chains(SecretStruct, frozen=True, array_like=True):
    """All chains that may still be used, newest first."""

    initiator: bool
    root: bytes
    sending: tuple[SendingChain, ...]
    receiving: tuple[ReceivingChain, ...]

    def with_epoch(self, epoch: int, secret: bytes) -> "Chains":
        """Add the chains of the epoch after the newest."""
        return _added(self, epoch, kdf.more_chains(self.root, secret))

    def next_key(self, epoch: int) -> tuple["Chains", int, bytes]:
        """Return (chains after it, index, key) to encrypt with. `epoch` never falls.

        Raises Malformed for a stored state that is damaged.
        """
        for chain in self.sending:
            if chain.epoch == epoch:
                counter = chain.counter + 1
                chain_key, key = kdf.next_key(chain.key, counter)
                moved = SendingChain(epoch, chain_key, counter)
                newer = tuple(each for each in self.sending if each.epoch > epoch)
                receiving = self.receiving
                if receiving[-1].epoch < epoch - OLD_EPOCHS:
                    receiving = tuple(
                        each for each in receiving if each.epoch >= epoch - OLD_EPOCHS
                    )
                return Chains(self.initiator, self.root, (*newer, moved), receiving), counter, key
        raise Malformed("no chain to send with")

    def key_of(self, epoch: int, index: int, steps: Steps) -> tuple["Chains", bytes]:
        """Return (chains after it, key) of a message that came.

        Raises Duplicate if the key was used or given up, TooFarAhead if the message skips too
        much, BadMac if nobody could have sent it yet.
        """
        for place, chain in enumerate(self.receiving):
            if chain.epoch == epoch:
                moved, key = _advanced(chain, index, steps)
                receiving = (*self.receiving[:place], moved, *self.receiving[place + 1 :])
                return Chains(self.initiator, self.root, self.sending, receiving), key
        if epoch > self.receiving[0].epoch:
            raise BadMac("a message of an epoch that has not begun")
        raise Duplicate("the keys of this epoch are given up")


def first_chains(pq_key: bytes, *, initiator: bool) -> Chains:
    """The chains of epoch 0."""
    return _added(Chains(initiator, b"", (), ()), 0, kdf.first_chains(pq_key))


def _added(chains: Chains, epoch: int, keys: kdf.EpochKeys) -> Chains:
    ours, theirs = keys.a_to_b, keys.b_to_a
    if not chains.initiator:
        ours, theirs = theirs, ours
    return Chains(
        chains.initiator,
        keys.root,
        (SendingChain(epoch, ours), *chains.sending),
        (ReceivingChain(epoch, theirs, 0, {}), *chains.receiving),
    )


def _advanced(chain: ReceivingChain, index: int, steps: Steps) -> tuple[ReceivingChain, bytes]:
    """Return the chain after message `index`, and that message's key."""
    if index <= chain.counter:
        return _take_skipped(chain, index)
    steps.take(index - chain.counter - 1)
    chain_key, key = kdf.next_key(chain.key, chain.counter + 1)
    skipped = chain.skipped
    if index > chain.counter + 1:
        skipped = dict(skipped)
        for number in range(chain.counter + 1, index):
            skipped[number] = key
            chain_key, key = kdf.next_key(chain_key, number + 1)
        for number in list(skipped)[: max(len(skipped) - MAX_SKIPPED, 0)]:
            del skipped[number]
    return ReceivingChain(chain.epoch, chain_key, index, skipped), key


def _take_skipped(chain: ReceivingChain, index: int) -> tuple[ReceivingChain, bytes]:
    if index not in chain.skipped:
        raise Duplicate("this message was read before, or given up")
    skipped = dict(chain.skipped)
    key = skipped.pop(index)
    return ReceivingChain(chain.epoch, chain.key, chain.counter, skipped), key
