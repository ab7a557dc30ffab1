"""The written stories of sender keys, replayed without libsignal."""

import json
from pathlib import Path

import pytest
from tests.crypto.sender_key_story import FOLDER, Replay, ours


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_story_goes_the_same_way_again(path: Path) -> None:
    story = json.loads(path.read_text())
    replay = Replay()
    for step in story["steps"]:
        replay.step(step)
    errors = {step.get("error") for step in story["steps"]}
    assert {None, "Duplicate", "BadSignature", "NoSenderKey"} == errors


def test_our_story_is_the_one_our_code_tells() -> None:
    """`python -m tests.crypto.sender_key_story` writes it again."""
    assert json.loads((FOLDER / "we-send.json").read_text())["steps"] == ours()
