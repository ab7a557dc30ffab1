"""SPQR, one side of a session: state in, state out, and a key for each message.

    send     what goes into a message, and the key it is encrypted with
    key_of   the key of a message that came; may be asked for forgeries, costs chain steps alone
    receive  take in what an authentic message carried

The key of a message never depends on what the message carries: that is why a message can be
authenticated before its part of the braid, which may cost milliseconds, is looked at.
"""

from linnet.crypto.secret import SecretStruct
from linnet.crypto.spqr import braid, messages
from linnet.crypto.spqr.braid import Braid
from linnet.crypto.spqr.chains import Chains, first_chains
from linnet.crypto.spqr.messages import Message
from linnet.crypto.steps import Steps
from linnet.signing.keys import Rng


class State(SecretStruct, frozen=True, array_like=True):
    """Where the braid is, and the chains it has fed."""

    braid: Braid
    chains: Chains


def start(pq_key: bytes, *, initiator: bool) -> State:
    """The first state, from what PQXDH agreed on (32 bytes)."""
    return State(
        braid.first_state(pq_key, initiator=initiator), first_chains(pq_key, initiator=initiator)
    )


def send(state: State, rng: Rng) -> tuple[State, bytes, bytes]:
    """Return (next state, the field `pq_ratchet`, the key of this message).

    Takes 64 bytes of `rng` where a key of ours begins, 32 where we encapsulate, else none.
    """
    sent = state.braid.send(rng)
    epoch = state.braid.epoch
    chains = state.chains if sent.secret is None else state.chains.with_epoch(epoch, sent.secret)
    chains, index, key = chains.next_key(epoch - 1)
    message = messages.encode(Message(epoch, index, sent.kind, sent.chunk))
    return State(sent.state, chains), message, key


def key_of(state: State, message: Message, steps: Steps) -> tuple[State, bytes]:
    """Return (state without that key, key). Nothing else of the message is taken in.

    Raises Duplicate, TooFarAhead or BadMac.
    """
    chains, key = state.chains.key_of(message.epoch - 1, message.index, steps)
    return State(state.braid, chains), key


def receive(state: State, message: Message) -> State:
    """Take in an authentic message, after `key_of`. Raises Malformed or BadKey."""
    received = braid.receive(state.braid, message)
    chains = state.chains
    if received.secret is not None:
        chains = chains.with_epoch(message.epoch, received.secret)
    return State(received.state, chains)
