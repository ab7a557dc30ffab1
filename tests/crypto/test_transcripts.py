"""Recorded conversations with the official library, replayed byte for byte without it."""

import json
from pathlib import Path

import pytest
from tests.crypto.transcript import FOLDER, replay

from linnet.crypto import kem
from linnet.crypto.messages import PREKEY, parse_prekey, parse_signal
from linnet.crypto.spqr.messages import parse

TRANSCRIPTS = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=[path.stem for path in TRANSCRIPTS])
def test_a_recorded_conversation_goes_the_same_way_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = replay(path, lambda stand_in: monkeypatch.setattr(kem, "encapsulate", stand_in))
    assert steps > 50


def test_all_four_transcripts_are_there() -> None:
    assert len(TRANSCRIPTS) == 4


@pytest.mark.parametrize("opener", ["we", "they"])
def test_a_long_one_goes_through_three_epochs_of_the_post_quantum_ratchet(opener: str) -> None:
    path = FOLDER / f"{opener}-open-with-one-time-key.json"
    sent = [step for step in json.loads(path.read_text())["steps"] if step["do"] != "open"]
    assert max(epoch_of(step["type"], bytes.fromhex(step["data"])) for step in sent) >= 3


def epoch_of(kind: int, data: bytes) -> int:
    message = parse_prekey(data).message if kind == PREKEY else parse_signal(data)
    return parse(message.pq_ratchet).epoch
