"""Two sides of SPQR that keep their state as it would be stored, and a line between them."""

from dataclasses import dataclass, field
from random import Random
from typing import Final

import msgspec

from linnet.crypto.spqr import messages, state
from linnet.crypto.spqr.messages import Message
from linnet.crypto.spqr.state import State
from linnet.crypto.steps import Steps
from linnet.signing.keys import Rng

PQ_KEY: Final = bytes(range(32))
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(State)


@dataclass(frozen=True)
class Packet:
    """A message on its way, and the key it was encrypted with."""

    data: bytes
    key: bytes

    @property
    def message(self) -> Message:
        return messages.parse(self.data)


class Side:
    """One side; `stored` is all it knows."""

    def __init__(self, rng: Rng, *, initiator: bool) -> None:
        self._rng = rng
        self.stored = _ENCODER.encode(state.start(PQ_KEY, initiator=initiator))

    @property
    def state(self) -> State:
        return _DECODER.decode(self.stored)

    @property
    def epoch(self) -> int:
        return self.state.braid.epoch

    @property
    def place(self) -> str:
        """The name of the state of the braid."""
        return type(self.state.braid).__name__

    def send(self) -> Packet:
        after, data, key = state.send(self.state, self._rng)
        self.stored = _ENCODER.encode(after)
        return Packet(data, key)

    def receive(self, packet: Packet) -> bytes:
        after, key = state.key_of(self.state, packet.message, Steps())
        self.stored = _ENCODER.encode(state.receive(after, packet.message))
        return key


@dataclass
class Pair:
    """A opened the session. `turn` sends one message and delivers it."""

    seed: int | str = 0
    a: Side = field(init=False)
    b: Side = field(init=False)

    def __post_init__(self) -> None:
        rng = Random(self.seed).randbytes
        self.a = Side(rng, initiator=True)
        self.b = Side(rng, initiator=False)

    def turn(self, sender: Side) -> Message:
        packet = sender.send()
        receiver = self.b if sender is self.a else self.a
        assert receiver.receive(packet) == packet.key
        return packet.message

    def until(self, side: Side, place: str) -> None:
        """Take turns until `side` is in the state `place`."""
        for _ in range(300):
            if side.place == place:
                return
            self.turn(self.a)
            if side.place == place:
                return
            self.turn(self.b)
        raise AssertionError(f"never {place}")
