"""The Double Ratchet (revision 4) of one session: state in, state out.

States are immutable. `decrypt` returns a new one only after the MAC and the padding held, so a
forged message cannot change anything; what it can cost is bounded by `Steps`. Message keys take
`salt`, the key of the post-quantum ratchet: `triple` brings the two together.

Receiving chains stay open until five newer ones exist, as deployed peers have it: a message
that comes late on an old chain derives what it skips at that time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hmac import compare_digest, digest
from typing import Final

from linnet.crypto.cbc import decrypt_cbc, encrypt_cbc
from linnet.crypto.curve import agree
from linnet.crypto.errors import BadMac, Duplicate
from linnet.crypto.kdf import (
    Agreement,
    MessageKeys,
    message_keys,
    message_seed,
    next_chain_key,
    root_step,
)
from linnet.crypto.messages import MAC_BYTES, SignalMessage, encode_signal
from linnet.crypto.secret import SecretStruct
from linnet.crypto.steps import Steps
from linnet.signing.keys import KeyPair, Rng, generate

MAX_SKIPPED: Final = 2000
MAX_CHAINS: Final = 5


class SendingChain(SecretStruct, frozen=True, array_like=True):
    """Our ratchet key pair, and the chain that goes with it."""

    private: bytes
    public: bytes
    chain_key: bytes
    counter: int


class ReceivingChain(SecretStruct, frozen=True, array_like=True):
    """One of the peer's ratchet keys; `skipped` holds the seeds of messages still to come."""

    ratchet_key: bytes
    chain_key: bytes
    counter: int
    skipped: dict[int, bytes]  # never changed in place: states share it


class Ratchet(SecretStruct, frozen=True, array_like=True):
    """One side of a session. `previous_counter` is of our last message on the chain before.

    `sending` is None from the moment the peer turns until we answer: the key pair of the chain
    before is forgotten at once, the next is made when it is needed (section 8.5).
    """

    root_key: bytes
    sending: SendingChain | None
    previous_counter: int
    receiving: tuple[ReceivingChain, ...]  # newest first

    def knows(self, ratchet_key: bytes) -> bool:
        """Tell whether a receiving chain of this key is open."""
        return any(chain.ratchet_key == ratchet_key for chain in self.receiving)


@dataclass(frozen=True, slots=True)
class Parties:
    """The identity keys that every MAC covers (33 bytes each)."""

    local: bytes
    remote: bytes


def start_as_initiator(agreed: Agreement, signed_pre_key: bytes, rng: Rng) -> Ratchet:
    """The state of the side that sends first. The peer's first ratchet key is its pre-key."""
    peer = ReceivingChain(signed_pre_key, agreed.chain_key, 0, {})
    state = Ratchet(agreed.root_key, None, 0, (peer,))
    return _with_sending(state, *_turned(state, rng))


def start_as_responder(agreed: Agreement, signed_pre_key: KeyPair) -> Ratchet:
    """The state of the side whose signed pre-key was used. It can send at once."""
    sending = SendingChain(signed_pre_key.private, signed_pre_key.public, agreed.chain_key, 0)
    return Ratchet(agreed.root_key, sending, 0, ())


def encrypt(
    state: Ratchet,
    parties: Parties,
    plaintext: bytes,
    addresses: bytes | None,
    rng: Rng,
    *,
    pq_ratchet: bytes,
    salt: bytes,
) -> tuple[Ratchet, bytes]:
    """Return (next state, SignalMessage with its MAC). Takes 32 bytes of `rng` if a turn is due.

    The next state must be durable before the message leaves, or a key is used twice.
    """
    root_key, chain = state.root_key, state.sending
    if chain is None:
        root_key, chain = _turned(state, rng)
    keys = message_keys(message_seed(chain.chain_key), salt)
    covered = encode_signal(
        chain.public,
        chain.counter,
        state.previous_counter,
        encrypt_cbc(keys.cipher_key, keys.iv, plaintext),
        pq_ratchet,
        addresses,
    )
    sending = SendingChain(
        chain.private, chain.public, next_chain_key(chain.chain_key), chain.counter + 1
    )
    moved = _with_sending(state, root_key, sending)
    return moved, covered + _mac(keys, parties.local, parties.remote, covered)


def decrypt(
    state: Ratchet,
    parties: Parties,
    message: SignalMessage,
    steps: Steps,
    *,
    salt: bytes,
) -> tuple[Ratchet, bytes]:
    """Return (next state, plaintext).

    Raises BadMac, Duplicate, TooFarAhead, BadKey, or Malformed if an authentic message has bad
    padding.
    """
    for place, chain in enumerate(state.receiving):
        if chain.ratchet_key == message.ratchet_key:
            moved, seed = _advance(chain, message.counter, steps)
            plaintext = _open(message_keys(seed, salt), parties, message)
            receiving = _replaced(state.receiving, place, moved)
            return _with_receiving(state, receiving), plaintext
    if state.sending is None:
        raise BadMac("the peer cannot turn twice before we answer")
    secret = agree(state.sending.private, message.ratchet_key)
    root_key, chain_key = root_step(state.root_key, secret)
    fresh = ReceivingChain(message.ratchet_key, chain_key, 0, {})
    moved, seed = _advance(fresh, message.counter, steps)
    plaintext = _open(message_keys(seed, salt), parties, message)
    previous_counter = max(state.sending.counter - 1, 0)
    receiving = (moved, *state.receiving[: MAX_CHAINS - 1])
    return Ratchet(root_key, None, previous_counter, receiving), plaintext


def _turned(state: Ratchet, rng: Rng) -> tuple[bytes, SendingChain]:
    """Return (root key, chain) that answer the newest ratchet key of the peer."""
    pair = generate(rng)
    secret = agree(pair.private, state.receiving[0].ratchet_key)
    root_key, chain_key = root_step(state.root_key, secret)
    return root_key, SendingChain(pair.private, pair.public, chain_key, 0)


def _advance(chain: ReceivingChain, counter: int, steps: Steps) -> tuple[ReceivingChain, bytes]:
    """Return the chain after the message `counter`, and that message's seed."""
    if counter < chain.counter:
        return _take_skipped(chain, counter)
    steps.take(counter - chain.counter)
    chain_key = chain.chain_key
    skipped = chain.skipped
    if counter > chain.counter:
        skipped = dict(skipped)
        for number in range(chain.counter, counter):
            skipped[number] = message_seed(chain_key)
            chain_key = next_chain_key(chain_key)
        for number in list(skipped)[: max(len(skipped) - MAX_SKIPPED, 0)]:
            del skipped[number]
    seed = message_seed(chain_key)
    moved = ReceivingChain(chain.ratchet_key, next_chain_key(chain_key), counter + 1, skipped)
    return moved, seed


def _take_skipped(chain: ReceivingChain, counter: int) -> tuple[ReceivingChain, bytes]:
    if counter not in chain.skipped:
        raise Duplicate("this message was read before, or given up")
    skipped = dict(chain.skipped)
    seed = skipped.pop(counter)
    return ReceivingChain(chain.ratchet_key, chain.chain_key, chain.counter, skipped), seed


def _with_sending(state: Ratchet, root_key: bytes, sending: SendingChain) -> Ratchet:
    return Ratchet(root_key, sending, state.previous_counter, state.receiving)


def _with_receiving(state: Ratchet, receiving: tuple[ReceivingChain, ...]) -> Ratchet:
    return Ratchet(state.root_key, state.sending, state.previous_counter, receiving)


def _replaced(
    chains: Sequence[ReceivingChain], place: int, chain: ReceivingChain
) -> tuple[ReceivingChain, ...]:
    return (*chains[:place], chain, *chains[place + 1 :])


def _open(keys: MessageKeys, parties: Parties, message: SignalMessage) -> bytes:
    """Check the MAC, then decrypt and unpad."""
    mac = _mac(keys, parties.remote, parties.local, message.covered)
    if not compare_digest(mac, message.mac):
        raise BadMac("the message is not authentic")
    return decrypt_cbc(keys.cipher_key, keys.iv, message.ciphertext)


def _mac(keys: MessageKeys, sender: bytes, receiver: bytes, covered: bytes) -> bytes:
    return digest(keys.mac_key, sender + receiver + covered, "sha256")[:MAC_BYTES]
