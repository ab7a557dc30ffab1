"""Conversations with the official library, written down so that they can be replayed without it.

A transcript is one side's story: its keys, and every step with the randomness it took and the
bytes that came out. `tests/referee/record.py` writes them; any implementation can replay them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from tests.crypto.party import Party, seeded

from linnet.crypto import kem
from linnet.crypto.errors import CryptoError
from linnet.crypto.messages import Address
from linnet.crypto.prekeys import KemPreKey, OneTimePreKey, PreKeyBundle, SignedPreKey
from linnet.crypto.session import Ciphertext

FOLDER: Final = Path(__file__).parents[1] / "vectors" / "transcripts"
T = TypeVar("T")
Step = dict[str, Any]
Patch = Callable[[Callable[[bytes], tuple[bytes, bytes]]], None]


class RecordedParty(Party):
    """A device that writes down what it does, if it succeeds or not."""

    def __init__(self, name: str, seed: int, *, one_time: bool) -> None:
        self._random = bytearray()
        self._source = seeded(seed)
        super().__init__(name, self._take, require_addresses=False)
        self.steps: list[Step] = []
        self.published = self.bundle(one_time=one_time)
        self._taken()

    def open(self, peer: Address, bundle: PreKeyBundle) -> None:
        made: list[tuple[bytes, bytes]] = []
        encapsulate = kem.encapsulate

        def remember(public: bytes) -> tuple[bytes, bytes]:
            made.append(encapsulate(public))
            return made[-1]

        kem.encapsulate = remember
        try:
            super().open(peer, bundle)
        finally:
            kem.encapsulate = encapsulate
        [(kem_ciphertext, kem_secret)] = made
        self._write(
            "open",
            bundle=to_json(bundle),
            kem_ciphertext=kem_ciphertext.hex(),
            kem_secret=kem_secret.hex(),
        )

    def send(self, peer: Address, text: bytes) -> Ciphertext:
        ciphertext = super().send(peer, text)
        self._write("send", text=text.hex(), type=ciphertext.type, data=ciphertext.data.hex())
        return ciphertext

    def receive(self, peer: Address, ciphertext: Ciphertext) -> bytes:
        came = {"type": ciphertext.type, "data": ciphertext.data.hex()}
        try:
            text = super().receive(peer, ciphertext)
        except CryptoError as error:
            self._write("receive", **came, error=type(error).__name__)
            raise
        self._write("receive", **came, text=text.hex())
        return text

    def save(self, path: Path, about: str, peer: Address) -> None:
        """Write the transcript, one step a line."""
        keys = self.prekeys
        head = {
            "about": about,
            "identity_private": self.local.key.private.hex(),
            "registration_id": self.local.registration_id,
            "account": self.address.account.hex(),
            "device": self.address.device,
            "peer_account": peer.account.hex(),
            "peer_device": peer.device,
            "signed_pre_keys": [to_json(key) for key in keys.signed_keys.values()],
            "one_time_pre_keys": [to_json(key) for key in self._initial_one_time],
            "kem_pre_keys": [to_json(key) for key in self._initial_kem],
        }
        lines = ",\n".join(json.dumps(step) for step in self.steps)
        path.write_text(f'{json.dumps(head, indent=1)[:-2]},\n "steps": [\n{lines}\n]}}\n')

    def bundle(self, *, one_time: bool = True, last_resort: bool = False) -> PreKeyBundle:
        bundle = super().bundle(one_time=one_time, last_resort=last_resort)
        self._initial_one_time = list(self.prekeys.one_time_keys.values())
        self._initial_kem = list(self.prekeys.kem_keys.values())
        return bundle

    def _write(self, do: str, **values: Any) -> None:
        self.steps.append({"do": do, **values, "random": self._taken().hex()})

    def _take(self, size: int) -> bytes:
        taken = self._source(size)
        self._random += taken
        return taken

    def _taken(self) -> bytes:
        taken = bytes(self._random)
        self._random.clear()
        return taken


def replay(path: Path, set_encapsulate: Patch) -> int:
    """Replay a transcript against our code; return how many steps there were.

    `set_encapsulate` puts a stand-in for `kem.encapsulate` in place: its coins cannot be given.
    """
    story = json.loads(path.read_text())
    random = bytearray()

    def rng(size: int) -> bytes:
        taken = bytes(random[:size])
        assert len(taken) == size, "more randomness than was recorded"
        del random[:size]
        return taken

    party = _party(story, rng)
    peer = Address(bytes.fromhex(story["peer_account"]), story["peer_device"])
    for step in story["steps"]:
        random += bytes.fromhex(step["random"])
        if step["do"] == "open":
            made = bytes.fromhex(step["kem_ciphertext"]), bytes.fromhex(step["kem_secret"])
            set_encapsulate(lambda public, made=made: made)  # type: ignore[misc]
            party.open(peer, from_json(PreKeyBundle, step["bundle"]))
        elif step["do"] == "send":
            sent = party.send(peer, bytes.fromhex(step["text"]))
            assert (sent.type, sent.data.hex()) == (step["type"], step["data"])
        else:
            _receive(party, peer, step)
        assert not random, "less randomness than was recorded"
    return len(story["steps"])


def _receive(party: Party, peer: Address, step: Step) -> None:
    ciphertext = Ciphertext(step["type"], bytes.fromhex(step["data"]))
    try:
        outcome = {"text": party.receive(peer, ciphertext).hex()}
    except CryptoError as error:
        outcome = {"error": type(error).__name__}
    assert outcome == {name: step[name] for name in ("text", "error") if name in step}


def _party(story: dict[str, Any], rng: Callable[[int], bytes]) -> Party:
    identity = bytes.fromhex(story["identity_private"])
    return Party.restored(
        identity_private=identity,
        registration_id=story["registration_id"],
        address=Address(bytes.fromhex(story["account"]), story["device"]),
        signed=[from_json(SignedPreKey, each) for each in story["signed_pre_keys"]],
        one_time=[from_json(OneTimePreKey, each) for each in story["one_time_pre_keys"]],
        kem=[from_json(KemPreKey, each) for each in story["kem_pre_keys"]],
        rng=rng,
    )


def to_json(value: object) -> dict[str, Any]:
    """A dataclass of bytes, numbers and None, its bytes as hex."""
    names: tuple[str, ...] = type(value).__slots__  # type: ignore[attr-defined]
    values = {name: getattr(value, name) for name in names}
    return {name: each.hex() if isinstance(each, bytes) else each for name, each in values.items()}


def from_json(kind: type[T], values: dict[str, Any]) -> T:
    """The reverse of `to_json`."""
    return kind(
        **{
            name: bytes.fromhex(each) if isinstance(each, str) else each
            for name, each in values.items()
        }
    )
