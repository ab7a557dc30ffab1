"""docs/protocol/healing.md names tests that exist, and the limits of the code."""

import re
from pathlib import Path

from linnet.client import (
    accepted,
    claims,
    healing,
    keys,
    lost,
    parking,
    resends,
)

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "protocol" / "healing.md").read_text()
DAY_MS, HOUR_MS, MINUTE_S = 86_400_000, 3_600_000, 60


def test_every_test_that_the_page_names_exists() -> None:
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 60
    assert [name for name in sorted(named) if f"def {name}(" not in written] == []


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    assert (keys.ONE_TIME_KEYS, keys.KEM_KEYS, keys.REFILL_BELOW) == (100, 20, 0.25)
    assert keys.ROTATE_AFTER_MS == 7 * DAY_MS
    assert keys.KEEP_REPLACED_MS == 37 * DAY_MS
    assert (parking.PARK_MESSAGES, parking.PARK_BYTES) == (200, 4 * 2**20)
    assert parking.PARK_MS == lost.KEEP_MS == resends.BACK_MS == 14 * DAY_MS
    assert accepted.KEEP_MS == resends.WITHHELD_BACK_MS == 35 * DAY_MS
    assert (lost.MOST, lost.ASKS, lost.ASK_AGAIN_MS) == (1000, 3, HOUR_MS)
    assert (resends.REQUEST_IDS, resends.TIMES) == (200, 3)
    assert healing.ONLINE_S == healing.LOOK_AGAIN_S == MINUTE_S
    assert (claims.PAUSE_MS, claims.ASK_AGAIN_MS) == (HOUR_MS, 10 * 60_000)
