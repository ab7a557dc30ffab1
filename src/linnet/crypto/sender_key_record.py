"""What a device keeps of sender keys: its own for each group, and those of every other device.

A received record is bound to the group, account and device that its first distribution came
from: a distribution id proves nothing by itself. Immutable; nothing here encrypts or decrypts.
"""

from typing import Final, Literal, TypeVar

import msgspec

from linnet.crypto.errors import Malformed
from linnet.crypto.secret import SecretStruct

MAX_STATES: Final = 5


class SenderKeyState(SecretStruct, frozen=True, array_like=True):
    """Our own sender key in one group: the chain, and the key pair that signs for it.

    `iteration` is also how many messages this chain has encrypted.
    """

    distribution_id: bytes
    chain_id: int
    iteration: int
    chain_key: bytes
    signing_private: bytes
    signing_key: bytes
    created_ms: int

    def to_bytes(self) -> bytes:
        """Encode for the local store. Contains a private key."""
        return _ENCODER.encode((1, self))

    @staticmethod
    def from_bytes(data: bytes) -> "SenderKeyState":
        """Decode what `to_bytes` made. Raises Malformed."""
        return _decoded(_STATE_DECODER, data)


class SenderKeyBinding(SecretStruct, frozen=True, array_like=True):
    """Whose key it is, and for what: GroupId (16), AccountId (16), device id (1 to 127)."""

    group: bytes
    account: bytes
    device: int


class SenderChain(SecretStruct, frozen=True, array_like=True):
    """One received chain; `skipped` holds the seeds of messages still to come."""

    chain_id: int
    iteration: int
    chain_key: bytes
    signing_key: bytes
    skipped: dict[int, bytes]  # never changed in place: states share it


class SenderKeyRecord(SecretStruct, frozen=True, array_like=True):
    """What was received under one distribution id. Never empty; at most 5 chains."""

    distribution_id: bytes
    binding: SenderKeyBinding
    chains: tuple[SenderChain, ...]  # newest first

    def to_bytes(self) -> bytes:
        """Encode for the local store. Contains chain keys."""
        return _ENCODER.encode((1, self))

    @staticmethod
    def from_bytes(data: bytes) -> "SenderKeyRecord":
        """Decode what `to_bytes` made. Raises Malformed."""
        return _decoded(_RECORD_DECODER, data)

    def with_newest(self, chain: SenderChain) -> "SenderKeyRecord":
        """Put a chain first, instead of any with its chain id; the oldest falls out."""
        others = tuple(each for each in self.chains if each.chain_id != chain.chain_id)
        chains = (chain, *others)[:MAX_STATES]
        return SenderKeyRecord(self.distribution_id, self.binding, chains)

    def with_moved(self, chain: SenderChain) -> "SenderKeyRecord":
        """Put a chain in the place of the one with its chain id."""
        chains = tuple(chain if each.chain_id == chain.chain_id else each for each in self.chains)
        return SenderKeyRecord(self.distribution_id, self.binding, chains)

    def without_superseded(self) -> "SenderKeyRecord":
        """Keep the newest chain alone: due 24 h after a removal made its sender rotate."""
        return SenderKeyRecord(self.distribution_id, self.binding, self.chains[:1])


T = TypeVar("T")


def _decoded(decoder: "msgspec.msgpack.Decoder[tuple[Literal[1], T]]", data: bytes) -> T:
    try:
        return decoder.decode(data)[1]
    except msgspec.MsgspecError:
        raise Malformed("not a record of sender keys") from None


_ENCODER: Final = msgspec.msgpack.Encoder()
_STATE_DECODER: Final = msgspec.msgpack.Decoder(tuple[Literal[1], SenderKeyState])
_RECORD_DECODER: Final = msgspec.msgpack.Decoder(tuple[Literal[1], SenderKeyRecord])
