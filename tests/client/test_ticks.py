"""✓✓ of what another own device sent, whichever of its row and the report comes first."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.client.town import Town, say

from linnet.client.events import Delivered, State
from linnet.wire.frames import Status
from linnet.wire.ids import direct_conversation


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    town = Town(tmp_path)
    yield town
    await town.close()


async def test_a_status_that_overtakes_the_row_of_another_own_device_still_ticks(
    town: Town,
) -> None:
    alice, bob = await town.account(), await town.account()
    laptop = await town.link(alice)
    phone = alice[1]
    await town.fetch(phone, bob.account)
    await town.fetch(phone, alice.account)
    id = await say(phone, bob, "hello")
    await town.send(phone)
    conversation = direct_conversation(alice.account, bob.account)
    await laptop.receive([Status(conversation, bob.account, [(1, 1)])])
    await town.sync(laptop)
    assert await laptop.state(id) is State.DELIVERED
    assert Delivered(conversation, id) in town.told[alice.account, 2]


async def test_that_own_devices_have_it_ticks_nothing(town: Town) -> None:
    alice, bob = await town.account(), await town.account()
    laptop = await town.link(alice)
    phone = alice[1]
    await town.fetch(phone, bob.account)
    await town.fetch(phone, alice.account)
    id = await say(phone, bob, "hello")
    await town.send(phone)
    conversation = direct_conversation(alice.account, bob.account)
    await laptop.receive([Status(conversation, alice.account, [(1, 1)])])
    await town.sync(laptop)
    assert await laptop.state(id) is State.SENT
