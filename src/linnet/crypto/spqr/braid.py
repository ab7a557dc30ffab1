"""ML-KEM Braid (revision 1): the state machine that agrees on one secret an epoch.

One side of an epoch sends a key (the states of its part come first below), the other answers with a
ciphertext; then they change parts. Each state is a type, says what to send, and turns a message
into the next state. Immutable, and without effect until the caller keeps what comes back: `receive`
is given authentic messages only. No chains here, and no message keys.
"""

from typing import NamedTuple, TypeAlias

from linnet.crypto.errors import Malformed
from linnet.crypto.secret import SecretStruct
from linnet.crypto.spqr import kdf, kem
from linnet.crypto.spqr.authenticator import Authenticator, first_authenticator
from linnet.crypto.spqr.erasure import Chunk, Decoder, Encoder
from linnet.crypto.spqr.messages import Kind, Message
from linnet.signing.keys import Rng


class Sent(NamedTuple):
    """What sending gives. `secret` is that of the present epoch, if this message made it."""

    state: "Braid"
    kind: Kind
    chunk: Chunk | None = None
    secret: bytes | None = None


class Received(NamedTuple):
    """What receiving gives. `secret` is that of the epoch before, if this message made it."""

    state: "Braid"
    secret: bytes | None = None


class _State(SecretStruct, frozen=True, array_like=True):
    """An epoch, counted from 1, and the authenticator of the secrets before it."""

    epoch: int
    auth: Authenticator


class KeysUnsampled(_State, frozen=True, array_like=True, tag=0):
    """Ours is the key, to be made with the next message."""

    def send(self, rng: Rng) -> Sent:
        seed = rng(kem.SEED_BYTES)
        header, vector = kem.public_parts(seed)
        encoder = Encoder(self.auth.with_mac(self.epoch, header))
        return KeysSampled(self.epoch, self.auth, seed, vector, encoder).send(rng)

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        return Received(self)


class KeysSampled(_State, frozen=True, array_like=True, tag=1):
    """Sending the header."""

    seed: bytes
    vector: bytes
    header: Encoder

    def send(self, rng: Rng) -> Sent:
        header, chunk = self.header.next()
        state = KeysSampled(self.epoch, self.auth, self.seed, self.vector, header)
        return Sent(state, Kind.HEADER, chunk)

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        if kind != Kind.CT1 or chunk is None:
            return Received(self)
        ct1 = Decoder(kem.CT1_BYTES).with_chunk(chunk)
        return Received(HeaderSent(self.epoch, self.auth, self.seed, Encoder(self.vector), ct1))


class HeaderSent(_State, frozen=True, array_like=True, tag=2):
    """Sending the key while ct1 comes in."""

    seed: bytes
    vector: Encoder
    ct1: Decoder

    def send(self, rng: Rng) -> Sent:
        vector, chunk = self.vector.next()
        state = HeaderSent(self.epoch, self.auth, self.seed, vector, self.ct1)
        return Sent(state, Kind.KEY, chunk)

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        if kind != Kind.CT1 or chunk is None:
            return Received(self)
        decoder = self.ct1.with_chunk(chunk)
        ct1 = decoder.decoded()
        if ct1 is None:
            return Received(HeaderSent(self.epoch, self.auth, self.seed, self.vector, decoder))
        return Received(Ct1Received(self.epoch, self.auth, self.seed, self.vector, ct1))


class Ct1Received(_State, frozen=True, array_like=True, tag=3):
    """Sending the key still, and that ct1 is complete."""

    seed: bytes
    vector: Encoder
    ct1: bytes

    def send(self, rng: Rng) -> Sent:
        vector, chunk = self.vector.next()
        state = Ct1Received(self.epoch, self.auth, self.seed, vector, self.ct1)
        return Sent(state, Kind.KEY_AND_ACK, chunk)

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        if kind != Kind.CT2 or chunk is None:
            return Received(self)
        ct2 = Decoder(kem.CT2_BYTES + kdf.MAC_BYTES).with_chunk(chunk)
        return Received(KeySent(self.epoch, self.auth, self.seed, self.ct1, ct2))


class KeySent(_State, frozen=True, array_like=True, tag=4):
    """The peer has the key; ct2 comes in."""

    seed: bytes
    ct1: bytes
    ct2: Decoder

    def send(self, rng: Rng) -> Sent:
        return Sent(self, Kind.ACK)

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        if kind != Kind.CT2 or chunk is None:
            return Received(self)
        decoder = self.ct2.with_chunk(chunk)
        data = decoder.decoded()
        if data is None:
            return Received(KeySent(self.epoch, self.auth, self.seed, self.ct1, decoder))
        shared = kem.decapsulate(self.seed, self.ct1, data[: kem.CT2_BYTES])
        secret = kdf.epoch_secret(shared, self.epoch)
        auth = self.auth.after(self.epoch, secret)
        auth.check_ct2(self.epoch, self.ct1, data)
        return Received(waiting_for_header(self.epoch + 1, auth), secret)


class NoHeaderReceived(_State, frozen=True, array_like=True, tag=5):
    """Theirs is the key; its header comes in."""

    header: Decoder

    def send(self, rng: Rng) -> Sent:
        return Sent(self, Kind.NONE)

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        if kind != Kind.HEADER or chunk is None:
            return Received(self)
        decoder = self.header.with_chunk(chunk)
        data = decoder.decoded()
        if data is None:
            return Received(NoHeaderReceived(self.epoch, self.auth, decoder))
        header = self.auth.opened(self.epoch, data)
        return Received(HeaderReceived(self.epoch, self.auth, header))


class HeaderReceived(_State, frozen=True, array_like=True, tag=6):
    """The next message encapsulates to the header: the secret of this epoch is made."""

    header: bytes

    def send(self, rng: Rng) -> Sent:
        first = kem.encapsulate_1(self.header, rng(kem.COINS_BYTES))
        secret = kdf.epoch_secret(first.secret, self.epoch)
        auth = self.auth.after(self.epoch, secret)
        ct1, chunk = Encoder(first.ct1).next()
        vector = Decoder(kem.VECTOR_BYTES)
        state = Ct1Sampled(self.epoch, auth, self.header, first.kept, ct1, vector)
        return Sent(state, Kind.CT1, chunk, secret)

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        return Received(self)


class Ct1Sampled(_State, frozen=True, array_like=True, tag=7):
    """Sending ct1 while the key comes in."""

    header: bytes
    kept: bytes
    ct1: Encoder
    vector: Decoder

    def send(self, rng: Rng) -> Sent:
        ct1, chunk = self.ct1.next()
        state = Ct1Sampled(self.epoch, self.auth, self.header, self.kept, ct1, self.vector)
        return Sent(state, Kind.CT1, chunk)

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        if kind not in (Kind.KEY, Kind.KEY_AND_ACK) or chunk is None:
            return Received(self)
        decoder = self.vector.with_chunk(chunk)
        vector = _checked(self.header, decoder.decoded())
        if kind == Kind.KEY_AND_ACK:
            return _acknowledged(self, decoder, vector)
        if vector is None:
            return Received(
                Ct1Sampled(self.epoch, self.auth, self.header, self.kept, self.ct1, decoder)
            )
        return Received(KeyReceived(self.epoch, self.auth, self.kept, self.ct1, vector))


class KeyReceived(_State, frozen=True, array_like=True, tag=8):
    """Sending ct1; the key is complete."""

    kept: bytes
    ct1: Encoder
    vector: bytes

    def send(self, rng: Rng) -> Sent:
        ct1, chunk = self.ct1.next()
        return Sent(
            KeyReceived(self.epoch, self.auth, self.kept, ct1, self.vector), Kind.CT1, chunk
        )

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        if kind not in (Kind.KEY_AND_ACK, Kind.ACK):
            return Received(self)
        return Received(_answering(self, self.kept, self.ct1.data, self.vector))


class Ct1Acknowledged(_State, frozen=True, array_like=True, tag=9):
    """The peer has ct1; the key still comes in."""

    header: bytes
    kept: bytes
    ct1: bytes
    vector: Decoder

    def send(self, rng: Rng) -> Sent:
        return Sent(self, Kind.NONE)

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        if kind not in (Kind.KEY, Kind.KEY_AND_ACK) or chunk is None:
            return Received(self)
        decoder = self.vector.with_chunk(chunk)
        return _acknowledged(self, decoder, _checked(self.header, decoder.decoded()))


class Ct2Sampled(_State, frozen=True, array_like=True, tag=10):
    """Sending ct2, until the peer shows that it is in the next epoch."""

    ct2: Encoder

    def send(self, rng: Rng) -> Sent:
        ct2, chunk = self.ct2.next()
        return Sent(Ct2Sampled(self.epoch, self.auth, ct2), Kind.CT2, chunk)

    def receive(self, kind: Kind, chunk: Chunk | None) -> Received:
        return Received(self)


Braid: TypeAlias = (
    KeysUnsampled
    | KeysSampled
    | HeaderSent
    | Ct1Received
    | KeySent
    | NoHeaderReceived
    | HeaderReceived
    | Ct1Sampled
    | KeyReceived
    | Ct1Acknowledged
    | Ct2Sampled
)


def first_state(pq_key: bytes, *, initiator: bool) -> Braid:
    """The state at the start of a session. Who opened it sends the first key."""
    auth = first_authenticator(pq_key)
    return KeysUnsampled(1, auth) if initiator else waiting_for_header(1, auth)


def receive(state: Braid, message: Message) -> Received:
    """Take in an authentic message.

    Raises Malformed or BadKey for one that breaks the protocol; the peer is then at fault, or
    one of the two was restored from a copy.
    """
    if message.epoch == state.epoch:
        return state.receive(message.kind, message.chunk)
    if message.epoch < state.epoch:
        return Received(state)
    if message.epoch == state.epoch + 1 and isinstance(state, Ct2Sampled):
        return Received(KeysUnsampled(message.epoch, state.auth))
    raise Malformed("an authentic message of an epoch that has not begun")


def waiting_for_header(epoch: int, auth: Authenticator) -> NoHeaderReceived:
    """The state of the side that does not send the key of `epoch`."""
    return NoHeaderReceived(epoch, auth, Decoder(kem.HEADER_BYTES + kdf.MAC_BYTES))


def _checked(header: bytes, vector: bytes | None) -> bytes | None:
    if vector is not None and not kem.matches(header, vector):
        raise Malformed("a key that is not the one of its header")
    return vector


def _acknowledged(
    state: Ct1Sampled | Ct1Acknowledged, decoder: Decoder, vector: bytes | None
) -> Received:
    """What follows when the peer has ct1."""
    ct1 = state.ct1.data if isinstance(state.ct1, Encoder) else state.ct1
    if vector is None:
        return Received(
            Ct1Acknowledged(state.epoch, state.auth, state.header, state.kept, ct1, decoder)
        )
    return Received(_answering(state, state.kept, ct1, vector))


def _answering(state: _State, kept: bytes, ct1: bytes, vector: bytes) -> Ct2Sampled:
    """Finish encapsulating."""
    ct2 = kem.encapsulate_2(kept, vector)
    return Ct2Sampled(
        state.epoch, state.auth, Encoder(state.auth.ct2_with_mac(state.epoch, ct1, ct2))
    )
