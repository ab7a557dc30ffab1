"""Every step of every story: the process dies there, or its network fails; the story ends well.

By itself every 29th step is taken, others for each way to fail; `LINNET_CRASH_EVERY=1` takes them
all, which lasts most of an hour.
"""

import itertools
import os
from pathlib import Path

import pytest
from tests.crashes import choirs, devices, keeping_up, quietly, talking
from tests.crashes.fate import WAYS, At, How
from tests.crashes.place import place
from tests.crashes.story import fate, tell

STORIES = [
    talking.Registering,
    talking.WritingFirst,
    talking.Writing,
    talking.Reading,
    talking.HealingAsAsked,
    talking.HealingAsAsking,
    keeping_up.Refilling,
    keeping_up.Renewing,
    devices.LinkingAsNew,
    devices.LinkingAsMain,
    devices.Recovering,
    choirs.Singing,
    quietly.SealedWriting,
    quietly.SealedReading,
]


EVERY = int(os.environ.get("LINNET_CRASH_EVERY", "29"))


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("at", "how"), WAYS, ids=[f"{at}-{how.name}" for at, how in WAYS])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
async def test_a_story_ends_as_if_nothing_had_happened(
    story: type[talking.Pair], at: At, how: How, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place(tmp_path, monkeypatch) as here:
        undisturbed = fate(at, how, 0)
        await tell(story(here, monkeypatch, 0), undisturbed)
        # How many steps there are differs a little each time: begin well inside.
        first = 1 + 2 * WAYS.index((at, how)) % min(EVERY, undisturbed.met // 2 or 1)
        for step in itertools.count(first, EVERY):
            told = fate(at, how, step)
            try:
                await tell(story(here, monkeypatch, step), told)
            except BaseException as error:
                error.add_note(f"{at}, {how.name}, step {step}: {told.steps[step - 1 : step]}")
                raise
            if not told.struck:
                break
        assert step > first, "no step was met"
