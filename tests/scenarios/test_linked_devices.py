"""A phone, a laptop linked to it, and a peer, through the real server."""

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.linking import linked
from tests.scenarios.waiting import eventually, wait_for

from linnet.client import Client, Message, State

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
