"""Sender keys against the official implementation, in both roles, over a bad network.

LINNET_REFEREE_MESSAGES lengthens each of the 24 stories to a fifth of it, LINNET_REFEREE_SEED
moves their seeds.
"""

import os
from collections.abc import Callable
from random import Random

import pytest
from tests.crypto.group import ALICE, Listener, Speaker
from tests.crypto.party import seeded
from tests.referee.libsignal import Libsignal, Refused, Stranger

from linnet.crypto import sender_keys
from linnet.crypto.errors import CryptoError, Duplicate
from linnet.crypto.sender_key_messages import (
    encode_distribution,
    encode_message,
    parse_distribution,
    parse_message,
)

pytestmark = pytest.mark.referee
MESSAGES = max(120, int(os.environ.get("LINNET_REFEREE_MESSAGES", "0")) // 5)
SEED = int(os.environ.get("LINNET_REFEREE_SEED", "0"))
LOST, REPEATED, LATE = 0.1, 0.15, 0.2


class TheirSpeaker:
    """A device that sends to a group with libsignal."""

    def __init__(self, libsignal: Libsignal, name: str, *, party: str | None = None) -> None:
        self._libsignal = libsignal
        self._party = party or Stranger(libsignal, name).address.account.hex()
        self.distribution_id = sender_keys.create(0, seeded(name)).distribution_id.hex()

    def _ask(self, op: str, **arguments: object) -> bytes:
        answer = self._libsignal.ask(
            op, party=self._party, distribution=self.distribution_id, **arguments
        )
        return bytes.fromhex(answer.get("data", ""))

    def distribution(self) -> bytes:
        return self._ask("distribute")

    def send(self, text: bytes) -> bytes:
        return self._ask("group_encrypt", text=text.hex())

    def rotate(self) -> None:
        self._ask("forget_sender_key")
        self.distribution()


class TheirListener:
    """A device that reads a group with libsignal."""

    def __init__(self, libsignal: Libsignal, name: str) -> None:
        self._libsignal = libsignal
        self._party = Stranger(libsignal, name).address.account.hex()

    def _ask(self, op: str, data: bytes) -> dict[str, str]:
        return self._libsignal.ask(
            op,
            party=self._party,
            peer=ALICE.account.hex(),
            device=ALICE.device,
            data=data.hex(),
        )

    def take(self, distribution: bytes) -> None:
        self._ask("take_distribution", distribution)

    def read(self, data: bytes) -> bytes:
        return bytes.fromhex(self._ask("group_decrypt", data)["text"])


Role = Callable[[Libsignal, str], tuple[Speaker | TheirSpeaker, Listener | TheirListener]]


def we_send(libsignal: Libsignal, name: str) -> tuple[Speaker, TheirListener]:
    speaker = Speaker(seeded(name))
    speaker.distribution()
    return speaker, TheirListener(libsignal, name)


def they_send(libsignal: Libsignal, name: str) -> tuple[TheirSpeaker, Listener]:
    speaker = TheirSpeaker(libsignal, name)
    speaker.distribution()
    return speaker, Listener()


both_roles = pytest.mark.parametrize("role", [we_send, they_send])


@both_roles
@pytest.mark.parametrize("seed", range(SEED, SEED + 6))
def test_a_bad_network_and_rotations(libsignal: Libsignal, role: Role, seed: int) -> None:
    """Lost, repeated and late messages; a rotation now and then, whose key may come late."""
    chance = Random(seed)
    speaker, listener = role(libsignal, f"g{seed}{role.__name__}"[:16])
    listener.take(speaker.distribution())
    late: list[tuple[bytes, bytes]] = []
    read = repeated = rotations = 0
    try:
        for number in range(MESSAGES):
            if chance.random() < 0.02:
                speaker.rotate()
                listener.take(speaker.distribution())
                rotations += 1
            text = chance.randbytes(chance.choice((0, 1, 15, 16, 100, 700)))
            late.append((text, speaker.send(text)))
            if chance.random() < LATE and number < MESSAGES - 1:
                continue
            chance.shuffle(late)
            for text, message in late:
                if chance.random() < LOST:
                    continue
                assert listener.read(message) == text
                read += 1
                if chance.random() < REPEATED:
                    repeated += 1
                    with pytest.raises((CryptoError, Refused)):
                        listener.read(message)
            late = []
    except Exception as error:
        raise AssertionError(f"seed {seed}") from error
    assert read > MESSAGES * 0.75
    assert repeated > 5


@both_roles
def test_rotation_makes_a_new_chain_that_must_be_distributed(
    libsignal: Libsignal, role: Role
) -> None:
    speaker, listener = role(libsignal, f"rot{role.__name__}")
    listener.take(speaker.distribution())
    late = speaker.send(b"late")
    speaker.rotate()
    message = speaker.send(b"new")
    with pytest.raises((CryptoError, Refused)):
        listener.read(message)
    distribution = speaker.distribution()
    listener.take(distribution)
    assert listener.read(speaker.send(b"newer")) == b"newer"
    assert listener.read(late) == b"late"
    with pytest.raises((CryptoError, Refused)):
        listener.read(message)  # from before the distribution


@both_roles
def test_a_forgery_is_refused_and_hurts_nobody(libsignal: Libsignal, role: Role) -> None:
    speaker, listener = role(libsignal, f"forge{role.__name__}")
    listener.take(speaker.distribution())
    honest = speaker.send(b"honest")
    for place in (5, 30, len(honest) - 70, len(honest) - 1):
        forged = bytearray(honest)
        forged[place] ^= 1
        with pytest.raises((CryptoError, Refused)):
            listener.read(bytes(forged))
    assert listener.read(honest) == b"honest"


def test_five_of_their_chains_are_kept(libsignal: Libsignal) -> None:
    speaker, listener = they_send(libsignal, "five chains")
    late = []
    for _ in range(6):
        listener.take(speaker.distribution())
        late.append(speaker.send(b"late"))
        speaker.rotate()
    with pytest.raises(CryptoError):
        listener.read(late[0])
    assert [listener.read(message) for message in late[1:]] == [b"late"] * 5


def test_they_read_after_as_many_lost_messages_as_we_do(libsignal: Libsignal) -> None:
    speaker, listener = we_send(libsignal, "a jump")
    listener.take(speaker.distribution())
    for _ in range(2_000):
        speaker.send(b"")
    assert listener.read(speaker.send(b"far")) == b"far"


def test_our_encoding_of_theirs_is_theirs(libsignal: Libsignal) -> None:
    speaker, listener = they_send(libsignal, "encoding")
    distribution = speaker.distribution()
    assert encode_distribution(parse_distribution(distribution)) == distribution
    listener.take(distribution)
    for _ in range(3):
        data = speaker.send(b"text")
        message = parse_message(data)
        place = (message.distribution_id, message.chain_id, message.iteration)
        assert encode_message(*place, message.ciphertext) + message.signature == data
        assert listener.read(data) == b"text"
    with pytest.raises(Duplicate):
        listener.read(data)
