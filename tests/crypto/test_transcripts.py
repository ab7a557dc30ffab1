"""Recorded conversations with the official library, replayed byte for byte without it."""

from pathlib import Path

import pytest
from tests.crypto.transcript import FOLDER, replay

from linnet.crypto import kem

TRANSCRIPTS = sorted(FOLDER.glob("*.json"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=[path.stem for path in TRANSCRIPTS])
def test_a_recorded_conversation_goes_the_same_way_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = replay(path, lambda stand_in: monkeypatch.setattr(kem, "encapsulate", stand_in))
    assert steps > 50


def test_all_four_transcripts_are_there() -> None:
    assert len(TRANSCRIPTS) == 4
