"""The frozen vectors of SPQR: made again they are the same, and a conversation is replayed."""

import json

import pytest
from tests.crypto.spqr.pair import PQ_KEY, Packet, Side
from tests.crypto.spqr.vectors import FOLDER, files

FILES = files()


@pytest.mark.parametrize("name", FILES)
def test_the_vectors_are_what_the_code_makes(name: str) -> None:
    assert (FOLDER / name).read_text() == FILES[name]


def test_no_other_vectors_are_there() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(FILES)


def test_the_conversation_is_replayed_from_its_file_alone() -> None:
    told = json.loads((FOLDER / "conversation.json").read_text())
    assert told["pq_key"] == PQ_KEY.hex()
    random = bytearray()

    def rng(size: int) -> bytes:
        taken = bytes(random[:size])
        assert len(taken) == size, "more randomness than was recorded"
        del random[:size]
        return taken

    sides = {"A": Side(rng, initiator=True), "B": Side(rng, initiator=False)}
    packets: list[Packet] = []
    for step in told["steps"]:
        if step["do"] == "send":
            random += bytes.fromhex(step["random"])
            packet = sides[step["by"]].send()
            assert not random, "less randomness than was recorded"
            assert (packet.data.hex(), packet.key.hex()) == (step["message"], step["key"])
            packets.append(packet)
        else:
            packet = packets[step["number"]]
            assert sides[step["by"]].receive(packet) == packet.key
    assert {name: side.epoch for name, side in sides.items()} == told["epochs"]
    assert min(told["epochs"].values()) >= 3
