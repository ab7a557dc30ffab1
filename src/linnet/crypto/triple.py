"""The Triple Ratchet (Double Ratchet r4, section 6): the Double Ratchet and SPQR as one.

Each message takes a key from both: SPQR's is the salt under which the Double Ratchet's message keys
are derived, so an attacker has to break both. States are immutable. What a forgery may cost is
chain steps, bounded by `Steps`, and one agreement: the braid is looked at after the MAC held.
"""

from dataclasses import dataclass

from linnet.crypto import ratchet
from linnet.crypto.errors import Malformed
from linnet.crypto.kdf import NO_SALT, Agreement
from linnet.crypto.messages import SignalMessage
from linnet.crypto.ratchet import Parties, Ratchet
from linnet.crypto.secret import SecretStruct
from linnet.crypto.spqr import messages
from linnet.crypto.spqr import state as spqr
from linnet.crypto.spqr.messages import Message
from linnet.crypto.steps import Steps
from linnet.signing.keys import KeyPair, Rng


class TripleRatchet(SecretStruct, frozen=True, array_like=True):
    """One side of a session."""

    double: Ratchet
    post_quantum: spqr.State


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that came, with its field for SPQR parsed."""

    message: SignalMessage
    post_quantum: Message


def start_as_initiator(agreed: Agreement, signed_pre_key: bytes, rng: Rng) -> TripleRatchet:
    """The state of the side that sends first."""
    double = ratchet.start_as_initiator(agreed, signed_pre_key, rng)
    return TripleRatchet(double, spqr.start(agreed.pq_key, initiator=True))


def start_as_responder(agreed: Agreement, signed_pre_key: KeyPair) -> TripleRatchet:
    """The state of the side whose signed pre-key was used."""
    double = ratchet.start_as_responder(agreed, signed_pre_key)
    return TripleRatchet(double, spqr.start(agreed.pq_key, initiator=False))


def read(message: SignalMessage, *, first: bool) -> Incoming:
    """Parse the field for SPQR. `first` tells that a pre-key message was around `message`.

    Raises Malformed if it is absent, of another version, or, but for first messages, if it says
    that it has no key: a peer must not be able to talk us out of it.
    """
    post_quantum = messages.parse(message.pq_ratchet)
    if post_quantum.index == 0 and (post_quantum.epoch != 1 or not first):
        raise Malformed("a message without a post-quantum key")
    return Incoming(message, post_quantum)


def encrypt(
    state: TripleRatchet, parties: Parties, plaintext: bytes, addresses: bytes, rng: Rng
) -> tuple[TripleRatchet, bytes]:
    """Return (next state, SignalMessage with its MAC). Takes what `spqr.send` does of `rng`, then
    what the Double Ratchet does.

    The next state must be durable before the message leaves, or a key is used twice.
    """
    post_quantum, field, salt = spqr.send(state.post_quantum, rng)
    double, message = ratchet.encrypt(
        state.double, parties, plaintext, addresses, rng, pq_ratchet=field, salt=salt
    )
    return TripleRatchet(double, post_quantum), message


def decrypt(
    state: TripleRatchet, parties: Parties, incoming: Incoming, steps: Steps
) -> tuple[TripleRatchet, bytes]:
    """Return (next state, plaintext).

    Raises BadMac, Duplicate, TooFarAhead, BadKey, or Malformed if an authentic message has bad
    padding or breaks the braid.
    """
    field = incoming.post_quantum
    post_quantum, salt = state.post_quantum, NO_SALT
    if field.index > 0:
        post_quantum, salt = spqr.key_of(post_quantum, field, steps)
    double, plaintext = ratchet.decrypt(state.double, parties, incoming.message, steps, salt=salt)
    return TripleRatchet(double, spqr.receive(post_quantum, field)), plaintext
