"""A phone, a laptop linked to it, and a peer, through the real server."""

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.linking import linked
from tests.scenarios.waiting import eventually, wait_for

from linnet.client import (
    Client,
    ConnectionState,
    DeviceAdded,
    DeviceRemoved,
    LoggedOut,
    Message,
    NotMainDevice,
    Read,
    State,
)
from linnet.client import Connection as Online
from linnet.wire.ids import GroupId

pytestmark = pytest.mark.slow

ALICE, BOB = "+15550100001", "+15550100002"


async def texts(person: Client, other: Client) -> list[tuple[int | None, str | None]]:
    shown = await person.messages(person.conversation_with(other.account))
    return [(e.conv_seq, e.text) for e in shown if isinstance(e, Message)]


async def test_every_message_reaches_all_devices_of_both_sides(served: Town) -> None:
    async with (
        await served.register("phone", ALICE) as phone,
        await served.register("bob", BOB) as bob,
    ):
        await phone.send(BOB, "before the laptop")
        assert (await wait_for(bob.events(), Message)).text == "before the laptop"
        async with await linked(phone, served.url, served.home / "laptop") as laptop:
            assert (laptop.account, laptop.device) == (phone.account, 2)
            await bob.send(phone.account, "to both")
            await laptop.send(BOB, "from the laptop")
            await phone.send(bob.account, "from the phone")

            async def same() -> bool:
                said = [await texts(phone, bob), await texts(bob, phone)]
                return said[0] == said[1] and len(said[0]) == 4

            await eventually(same)
            everything = await texts(bob, phone)

            async def laptop_has_all_but_the_first() -> bool:
                return await texts(laptop, bob) == everything[1:]

            await eventually(laptop_has_all_but_the_first)
            last = (await phone.messages(phone.conversation_with(bob.account)))[-1].id

            async def ticked() -> bool:
                return [await one.state(last) for one in (phone, laptop)] == [State.DELIVERED] * 2

            await eventually(ticked)


async def test_a_revoked_device_reads_nothing_new_and_says_why(served: Town) -> None:
    async with (
        await served.register("phone", ALICE) as phone,
        await served.register("bob", BOB) as bob,
    ):
        alerts = phone.events()
        laptop = await linked(phone, served.url, served.home / "laptop")
        tablet = await linked(phone, served.url, served.home / "tablet", name="tablet")
        added = [await wait_for(alerts, DeviceAdded) for _ in range(2)]
        assert [(one.device, one.name) for one in added] == [(2, "laptop"), (3, "tablet")]
        async with laptop, tablet:
            heard = {2: laptop.events(), 3: tablet.events()}
            assert (await wait_for(heard[2], DeviceAdded)).device == 3
            await bob.send(ALICE, "for all three")
            for events in heard.values():
                assert (await wait_for(events, Message)).text == "for all three"
            with pytest.raises(NotMainDevice):
                await laptop.devices.revoke(3)
            with pytest.raises(NotMainDevice):
                await phone.devices.revoke(1)

            await phone.devices.revoke(2)
            assert (await wait_for(heard[3], DeviceRemoved)).device == 2
            while (await wait_for(heard[2], ConnectionState)).state is not Online.STOPPED:
                pass
            await bob.send(phone.account, "for two")
            assert (await wait_for(heard[3], Message)).text == "for two"
            with pytest.raises(LoggedOut, match=r"taken off the account.*Link"):
                await laptop.send(bob.account, "into the void")
            with pytest.raises(LoggedOut):
                await laptop.groups.send(GroupId(bytes(32)), "into the void")
            with pytest.raises(LoggedOut, match=r"taken off the account.*Link"):
                await laptop.find("+15550100077")
            assert [text for _, text in await texts(laptop, bob)] == ["for all three"]
            assert [text for _, text in await texts(tablet, bob)] == ["for all three", "for two"]
            assert [device.name for device in await tablet.devices.all()] == ["phone", "tablet"]


async def test_what_own_devices_share_is_in_step(served: Town) -> None:
    async with (
        await served.register("phone", ALICE) as phone,
        await served.register("bob", BOB) as bob,
    ):
        await phone.send(BOB, "before")
        await phone.contacts.name(bob.account, "Robert")
        await phone.safety.mark_verified(bob.account)
        await phone.settings.set("theme", "dark")
        async with await linked(phone, served.url, served.home / "laptop") as laptop:

            async def told() -> bool:
                contact = await laptop.contacts.get(bob.account)
                known = (contact.number, contact.name) == (BOB, "Robert")
                return known and await laptop.settings.get("theme", "") == "dark"

            await eventually(told)
            assert await laptop.messages(laptop.conversation_with(bob.account)) == []
            await laptop.settings.set("theme", "light")
            await phone.devices.rename(2, "old laptop")

            async def changed() -> bool:
                names = [device.name for device in await laptop.devices.all()]
                return await phone.settings.get("theme", "") == "light" and "old laptop" in names

            await eventually(changed)
            # The pin came with the list; the mark is of that very key.
            await bob.send(ALICE, "hello both")
            assert (await wait_for(laptop.events(), Message)).text == "hello both"
            assert await laptop.safety.verified(bob.account)
            ours = await laptop.safety.number(bob.account)
            theirs = await bob.safety.number(phone.account)
            assert ours.digits == theirs.digits
            assert await bob.safety.verify(phone.account, ours.scannable)


async def test_what_is_read_on_one_device_is_read_on_all_and_the_other_side_sees_it(
    served: Town,
) -> None:
    async with (
        await served.register("phone", ALICE) as phone,
        await served.register("bob", BOB) as bob,
        await linked(phone, served.url, served.home / "laptop") as laptop,
    ):
        here, there, sender = laptop.events(), phone.events(), bob.events()
        await bob.send(ALICE, "read me")
        message = await wait_for(here, Message)
        await wait_for(there, Message)
        assert message.conv_seq is not None
        await laptop.mark_read(message.conversation, message.conv_seq)
        for events in (there, sender):
            read = await wait_for(events, Read)
            assert (read.conversation, read.by) == (message.conversation, phone.account)
            assert read.up_to == message.conv_seq
        assert await bob.read_up_to(message.conversation, phone.account) == message.conv_seq
        shown = await phone.messages(message.conversation)
        assert [type(entry) for entry in shown] == [Message]
