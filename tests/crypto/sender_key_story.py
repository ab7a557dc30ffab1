"""Stories of a sender key, written down so that any implementation can replay them.

Steps of the sending device carry the randomness it took; steps of the listening device carry
what came. docs/protocol/sender-keys.md says what each step means. `python -m
tests.crypto.sender_key_story` writes ours again; `tests/referee/record_vectors.py` records
libsignal's.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, Protocol

from tests.crypto.group import ALICE, Listener, Speaker
from tests.crypto.party import NOW_MS, seeded

from linnet.crypto.errors import CryptoError

FOLDER: Final = Path(__file__).parents[1] / "vectors" / "sender_keys"
Step = dict[str, Any]


class AnySpeaker(Protocol):
    """Ours, or one that runs libsignal."""

    def distribution(self) -> bytes: ...

    def send(self, text: bytes) -> bytes: ...

    def rotate(self) -> None: ...


@dataclass
class RecordingSpeaker:
    """Sends with our code, and writes down every step with its randomness."""

    steps: list[Step]
    random: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._source = seeded("a story")
        self._speaker = Speaker(self._take)
        self._write("create", now_ms=NOW_MS, distribution=self.distribution().hex())

    def distribution(self) -> bytes:
        return self._speaker.distribution()

    def send(self, text: bytes) -> bytes:
        data = self._speaker.send(text)
        self._write("send", text=text.hex(), data=data.hex())
        return data

    def rotate(self) -> None:
        self._speaker.rotate()
        self._write("rotate", now_ms=NOW_MS, distribution=self.distribution().hex())

    def _take(self, count: int) -> bytes:
        taken = self._source(count)
        self.random += taken
        return taken

    def _write(self, do: str, **what: object) -> None:
        self.steps.append({"do": do, "random": self.random.hex(), **what})
        self.random.clear()


def tell(speaker: AnySpeaker, steps: list[Step]) -> None:
    """Have a listener of ours hear six rotations, out of order, with losses and repeats."""
    chance, listener = Random("a story"), Listener()
    waiting: list[bytes] = []
    for number in range(40):
        if number % 6 == 0:
            if number:
                speaker.rotate()
            distribution, early = speaker.distribution(), speaker.send(b"early")
            hear(listener, steps, "receive", early)
            hear(listener, steps, "take", distribution)
            hear(listener, steps, "receive", early)
        waiting.append(speaker.send(b"%d " % number * chance.choice((0, 1, 4, 30))))
        if chance.random() < 0.4:
            chance.shuffle(waiting)
            for data in waiting[1:]:
                hear(listener, steps, "receive", data)
                if chance.random() < 0.2:
                    hear(listener, steps, "receive", data)
                forged = data[:-1] + bytes((data[-1] ^ 1,))
                if chance.random() < 0.2:
                    hear(listener, steps, "receive", forged)
            del waiting[1:]
    for data in waiting:
        hear(listener, steps, "receive", data)
    hear(listener, steps, "take", distribution)


def hear(listener: Listener, steps: list[Step], do: str, data: bytes) -> None:
    """Take what came, and write down the outcome."""
    steps.append({"do": do, "data": data.hex(), **outcome(listener, do, data)})


def outcome(listener: Listener, do: str, data: bytes) -> dict[str, str]:
    """What reading gives: a text, nothing for a distribution, or the name of an error."""
    try:
        if do == "receive":
            return {"text": listener.read(data).hex()}
        listener.take(data)
    except CryptoError as error:
        return {"error": type(error).__name__}
    return {}


def save(name: str, about: str, steps: list[Step]) -> None:
    """Write a story, one step a line."""
    head = {
        "about": about,
        "group": ALICE.group.hex(),
        "account": ALICE.account.hex(),
        "device": ALICE.device,
    }
    lines = ",\n".join("  " + json.dumps(step) for step in steps)
    text = json.dumps(head, indent=1, ensure_ascii=False)[:-2]
    (FOLDER / name).write_text(f'{text},\n "steps": [\n{lines}\n ]\n}}\n')


def ours() -> list[Step]:
    """The steps of the story in which our code sends."""
    steps: list[Step] = []
    tell(RecordingSpeaker(steps), steps)
    return steps


@dataclass
class Replay:
    """Goes through the steps of a story, comparing."""

    speaker: Speaker | None = None
    listener: Listener = field(default_factory=Listener)

    def step(self, step: Step) -> None:
        """Do one step again. Raises AssertionError where the outcome is another one."""
        random = bytes.fromhex(step.get("random", ""))
        rng = _giving(random)
        match step["do"]:
            case "create":
                self.speaker = Speaker(rng)
                assert self.speaker.distribution().hex() == step["distribution"]
            case "rotate":
                assert self.speaker is not None
                self.speaker.rng = rng
                self.speaker.rotate()
                assert self.speaker.distribution().hex() == step["distribution"]
            case "send":
                assert self.speaker is not None
                self.speaker.rng = rng
                assert self.speaker.send(bytes.fromhex(step["text"])).hex() == step["data"]
            case do:
                before = self.listener.state()
                came = outcome(self.listener, do, bytes.fromhex(step["data"]))
                assert came == {name: step[name] for name in ("text", "error") if name in step}
                assert "error" not in came or self.listener.state() == before


def _giving(random: bytes) -> Callable[[int], bytes]:
    left = bytearray(random)

    def rng(count: int) -> bytes:
        taken = bytes(left[:count])
        del left[:count]
        assert len(taken) == count
        return taken

    return rng


if __name__ == "__main__":
    save("we-send.json", "Our sender keys; see docs/protocol/sender-keys.md.", ours())
