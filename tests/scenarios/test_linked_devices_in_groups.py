"""Groups whose members have several devices: all of them read, write and agree; one revoked reads
nothing new."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.linking import linked
from tests.scenarios.waiting import eventually

from linnet.client import Client, Message
from linnet.client.groups import keys
from linnet.wire.ids import ConversationId, GroupId

pytestmark = pytest.mark.slow

ALICE, BOB = "+15550100001", "+15550100002"
Devices = dict[str, Client]


async def texts(device: Client, group: GroupId) -> list[str | None]:
    shown = await device.messages(ConversationId(group))
    return [entry.text for entry in shown if isinstance(entry, Message)]


async def all_show(devices: list[Client], group: GroupId, *expected: str) -> None:
    async def same() -> bool:
        return [await texts(device, group) for device in devices] == [list(expected)] * len(devices)

    await eventually(same)


async def chain(device: Client, group: GroupId) -> bytes:
    """Which chain this device's messages to the group are under: its public signing key."""
    state = await device._store.read(lambda db: keys.own(db, group))
    assert state is not None
    return state.signing_key


@pytest.fixture
async def home(served: Town) -> AsyncIterator[Devices]:
    """Alice with three devices, Bob with two."""
    async with AsyncExitStack() as stack:
        devices: Devices = {}
        for name, number in (("alice", ALICE), ("bob", BOB)):
            main = await stack.enter_async_context(await served.register(name, number))
            devices[name] = main
            for also in {"alice": ("laptop", "tablet"), "bob": ("desktop",)}[name]:
                joined = await linked(main, served.url, served.home / also, also)
                devices[also] = await stack.enter_async_context(joined)
        yield devices


async def test_every_message_to_a_group_reaches_all_devices_and_any_device_writes(
    home: Devices,
) -> None:
    group = await home["alice"].groups.create([BOB], title="Choir")
    said: list[str] = []
    for name in ("alice", "desktop", "laptop", "bob", "tablet"):
        writer = home[name]

        async def knows(writer: Client = writer) -> bool:
            return group in [info.group for info in await writer.groups.all()]

        await eventually(knows)
        await writer.groups.send(group, f"from {name}")
        said.append(f"from {name}")
        await all_show(list(home.values()), group, *said)


async def test_a_revoked_device_reads_nothing_new_of_a_group_and_all_sender_keys_rotate(
    home: Devices,
) -> None:
    group = await home["alice"].groups.create([BOB])
    await home["alice"].groups.send(group, "to all five")
    await all_show(list(home.values()), group, "to all five")
    await home["desktop"].groups.send(group, "heard")
    await all_show(list(home.values()), group, "to all five", "heard")
    before = {name: await chain(home[name], group) for name in ("alice", "desktop")}

    await home["alice"].devices.revoke(home["laptop"].device)
    rest = [device for name, device in home.items() if name != "laptop"]
    await home["alice"].groups.send(group, "without the laptop")
    await all_show(rest, group, "to all five", "heard", "without the laptop")
    await home["desktop"].groups.send(group, "by nobody it knows")
    await all_show(rest, group, "to all five", "heard", "without the laptop", "by nobody it knows")

    assert await texts(home["laptop"], group) == ["to all five", "heard"]
    for name, held in before.items():
        assert await chain(home[name], group) != held
        holders = await home[name]._store.read(lambda db: keys.holders(db, group))
        gone = (home["laptop"].account, home["laptop"].device)
        assert gone not in {(it.account, it.device) for it in holders}
