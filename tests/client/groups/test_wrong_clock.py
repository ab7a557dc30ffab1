"""Nothing is said to a group by a device whose clock is weeks off: it asks about the clock."""

import pytest
from tests.client.groups.choir import Choir, Singer
from tests.client.post_office import Clockwork

from linnet.client.events import ClockWrong
from linnet.wire.ids import GroupId

pytestmark = pytest.mark.slow
DAY_MS = 86_400_000


async def met(choir: Choir) -> tuple[list[Singer], GroupId]:
    singers = await choir.people(3)
    group = await singers[0].groups.create([it.account for it in singers[1:]])
    await choir.connect(*singers)
    await singers[0].text(group, "hello")
    await choir.gather(*singers)
    return singers, group


@pytest.mark.parametrize("days", [40, -40])
async def test_a_clock_40_days_off_asks_about_the_clock_and_stops(choir: Choir, days: int) -> None:
    (ada, ben, cleo), group = await met(choir)
    ada.device.clock = Clockwork(choir.clock.now_ms + days * DAY_MS)
    await ada.text(group, "anybody?")
    await choir.gather(ada, ben, cleo)
    assert "anybody?" not in await ben.read(group)
    assert choir.events(ada, ClockWrong) == [ClockWrong()]
    ada.device.clock = choir.clock
    choir.later(ms=60_000)
    await choir.gather(ada, ben, cleo)
    assert "anybody?" in await ben.read(group)


async def test_one_expired_list_among_good_ones_is_that_members_trouble(choir: Choir) -> None:
    (ada, ben, cleo), group = await met(choir)
    choir.later(days=37)
    for singer in (ada, ben):
        choir.relist(choir.houses[singer.account])
    await ada.text(group, "anybody?")
    await choir.gather(ada, ben, cleo)
    assert "anybody?" in await ben.read(group)
    assert choir.events(ada, ClockWrong) == []
