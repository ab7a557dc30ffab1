"""Three devices on one side and two on the other, in person and in a group: all of them read, write
and agree; one revoked reads nothing new."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.linking import linked
from tests.scenarios.waiting import eventually

from linnet.client import Client, Message, State
from linnet.client.groups import keys
from linnet.wire.ids import ConversationId, GroupId, MessageId

pytestmark = pytest.mark.slow

ALICE, BOB = "+15550100001", "+15550100002"
Devices = dict[str, Client]


async def texts(device: Client, where: GroupId | ConversationId) -> list[str | None]:
    shown = await device.messages(ConversationId(where))
    return [entry.text for entry in shown if isinstance(entry, Message)]


async def all_show(devices: list[Client], where: GroupId | ConversationId, *expected: str) -> None:
    async def same() -> bool:
        return [await texts(device, where) for device in devices] == [list(expected)] * len(devices)

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


async def test_every_message_in_person_reaches_all_devices_of_both_sides_whoever_writes(
    home: Devices,
) -> None:
    alice, bob = home["alice"].account, home["bob"].account
    of_alice = [home[name] for name in ("alice", "laptop", "tablet")]
    of_bob = [home[name] for name in ("bob", "desktop")]
    said: list[str] = []
    last: list[MessageId] = []
    for name in ("tablet", "desktop", "alice", "bob", "laptop"):
        to = bob if home[name] in of_alice else alice
        last = [await home[name].send(to, f"from {name}")]
        said.append(f"from {name}")
        here = home["bob"].conversation_with(alice)
        await all_show(list(home.values()), here, *said)

    # Ticks and what was read are the same on every device of a side.
    async def ticked() -> bool:
        return {await device.state(last[0]) for device in of_alice} == {State.DELIVERED}

    await eventually(ticked)
    here = home["bob"].conversation_with(alice)
    newest = (await home["desktop"].messages(here))[-1].conv_seq
    assert newest is not None
    await home["desktop"].mark_read(here, newest)

    async def read_everywhere() -> bool:
        marks = {await device.read_up_to(here, bob) for device in home.values()}
        return marks == {newest}

    await eventually(read_everywhere)
    await home["laptop"].settings.set("theme", "dark")

    async def in_step() -> bool:
        themes = {await device.settings.get("theme", "") for device in of_alice}
        return themes == {"dark"} and not await of_bob[0].settings.get("theme", "")

    await eventually(in_step)


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
