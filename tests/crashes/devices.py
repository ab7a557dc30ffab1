"""Stories of devices: linked, with either side dying, and recovered by code."""

import asyncio
from typing import ClassVar

from tests.crashes.story import assert_healthy, read_until
from tests.crashes.talking import Pair
from tests.scenarios.linking import yes
from tests.scenarios.waiting import eventually

from linnet.client import AlreadyRegistered, Client, ClientError, LinkFailed
from linnet.client.linking import NewDevice
from linnet.signing.linking import LinkCode


class Linking(Pair):
    """Alice links a laptop. Then there are two devices, and both read everything."""

    device: ClassVar[NewDevice] = NewDevice(name="laptop", by_text=True)

    async def link_laptop(self, show: asyncio.Queue[LinkCode]) -> None:
        """The laptop's side: until it is linked, with as many codes as that takes."""

        async def shows(code: LinkCode, seconds: int) -> None:
            show.put_nowait(code)

        name = self.name("laptop")
        while True:
            try:
                laptop = await Client.link(
                    self.here.server,
                    self.here.home / name,
                    shows,
                    device=self.device,
                    world=self.here.world(name),
                )
            except AlreadyRegistered:
                return
            except (LinkFailed, ClientError):
                continue  # its person looks at it, and begins again
            await laptop.close()
            return

    async def approve_all(self, main: Client, shown: asyncio.Queue[LinkCode]) -> None:
        """The main device's side: approve what is shown."""
        while True:
            code = await shown.get()
            try:
                await main.approve_link(code.to_text(), yes)
            except ClientError:
                continue  # the laptop shows another

    async def end(self) -> None:
        async with (
            await self.open("alice") as alice,
            await self.open("laptop") as laptop,
            await self.open("bob") as bob,
        ):
            assert laptop.account == alice.account
            with_bob = alice.conversation_with(bob.account)

            async def two() -> bool:
                shown = [len(await each.devices.all()) for each in (alice, laptop)]
                return shown == [2, 2]

            await eventually(two)
            await bob.send(alice.account, "to both")
            await read_until(alice, with_bob, ["to both"])
            await read_until(laptop, with_bob, ["to both"])
            await laptop.send(bob.account, "from the laptop")
            for each in (alice, laptop, bob):
                await read_until(each, with_bob, ["to both", "from the laptop"])
            await assert_healthy(alice, bob, laptop)


class LinkingAsNew(Linking):
    """The laptop dies on the way."""

    who: ClassVar[str] = "laptop"

    async def live(self) -> None:
        shown: asyncio.Queue[LinkCode] = asyncio.Queue(100)
        async with await self.open("alice") as alice, asyncio.TaskGroup() as tasks:
            approving = tasks.create_task(self.approve_all(alice, shown))
            try:
                await self.link_laptop(shown)
            finally:
                await asyncio.sleep(0.05)  # an answer that is on its way to the main device
                approving.cancel()


class LinkingAsMain(Linking):
    """The main device dies on the way, and the laptop waits."""

    async def live(self) -> None:
        shown: asyncio.Queue[LinkCode] = asyncio.Queue(100)
        async with await self.open("alice") as alice, asyncio.TaskGroup() as tasks:
            approving = tasks.create_task(self.approve_all(alice, shown))
            await self.link_laptop(shown)
            approving.cancel()


class Recovering(Pair):
    """Alice lost her phone; by code her account goes on on a new one, which dies on the way."""

    who: ClassVar[str] = "new phone"
    code: str = ""

    async def begin(self) -> None:
        await self.register("bob")
        self.numbers["alice"] = self.here.number()
        phone = await self.here.made(self.name("alice"), self.numbers["alice"])
        assert phone.recovery_code
        self.accounts["alice"], self.code = phone.account, phone.recovery_code
        async with await self.open("bob") as bob:
            await bob._engine.parts.directory.refresh(phone.account)

    async def live(self) -> None:
        try:
            number = self.numbers["alice"]
            again = await Client.recover(
                self.here.server,
                self.here.home / self.mortal,
                number,
                self.here.code(number),
                self.code,
                world=self.here.world(self.mortal),
            )
        except AlreadyRegistered:
            again = await self.open("new phone")
        await again.close()

    async def end(self) -> None:
        async with await self.open("new phone") as phone, await self.open("bob") as bob:
            assert phone.account == self.accounts["alice"]
            assert [(d.main, d.here) for d in await phone.devices.all()] == [(True, True)]
            with_bob = phone.conversation_with(bob.account)
            await bob.send(phone.account, "are you there?")
            await read_until(phone, with_bob, ["are you there?"])
            await phone.send(bob.account, "I am")
            await read_until(bob, with_bob, ["are you there?", "I am"])
            assert await bob.list_proofs(phone.account) == []
            await assert_healthy(phone, bob)
