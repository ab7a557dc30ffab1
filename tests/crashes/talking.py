"""Stories of two people who talk: register, write first, read, answer, heal."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from tests.client.town import broken
from tests.crashes.place import Place
from tests.crashes.process import FatedLink
from tests.crashes.story import assert_healthy, read_until, say_the_rest, texts
from tests.scenarios.waiting import eventually

from linnet.client import AlreadyRegistered, Client, healing
from linnet.wire.codec import Unknown
from linnet.wire.frames import FULL, Deliver, ServerFrame
from linnet.wire.ids import AccountId

WORDS = ["one", "two", "three"]


Receive = Callable[[FatedLink], Awaitable[ServerFrame | Unknown]]


@dataclass
class Line:
    """What messages come over; they come broken while it `breaks`."""

    breaks: bool = False

    def breaking(self, receive: Receive) -> Receive:
        async def receive_broken(link: FatedLink) -> ServerFrame | Unknown:
            frame = await receive(link)
            if self.breaks and isinstance(frame, Deliver) and frame.mode == FULL:
                return broken(frame)
            return frame

        return receive_broken


@dataclass
class Pair:
    """Alice and Bob, newly registered."""

    here: Place
    patch: pytest.MonkeyPatch
    tale: int
    who: ClassVar[str] = "alice"
    accounts: dict[str, AccountId] = field(default_factory=dict)
    numbers: dict[str, str] = field(default_factory=dict)

    @property
    def mortal(self) -> str:
        return self.name(self.who)

    def name(self, person: str) -> str:
        return f"{person} {self.tale}"

    async def begin(self) -> None:
        for person in ("alice", "bob"):
            await self.register(person)

    async def live(self) -> None:
        raise NotImplementedError

    async def end(self) -> None:
        raise NotImplementedError

    async def register(self, person: str) -> None:
        self.numbers[person] = self.here.number()
        made = await self.here.made(self.name(person), self.numbers[person])
        self.accounts[person] = made.account

    async def open(self, person: str) -> Client:
        return await self.here.open(self.name(person))

    async def both_read(self, words: list[str]) -> None:
        """Alice said these; both show them, and can go on talking."""
        async with await self.open("bob") as bob, await self.open("alice") as alice:
            with_bob = alice.conversation_with(bob.account)
            await read_until(bob, with_bob, words)
            await read_until(alice, with_bob, words)
            await bob.send(alice.account, "and now?")
            await read_until(alice, with_bob, [*words, "and now?"])
            await assert_healthy(alice, bob)


class Registering(Pair):
    """Somebody registers; there is one account, and it works."""

    async def begin(self) -> None:
        await self.register("bob")
        self.numbers["alice"] = self.here.number()

    async def live(self) -> None:
        try:
            client = await self.here.register(self.mortal, self.numbers["alice"])
            assert client.recovery_code
        except AlreadyRegistered:
            client = await self.open("alice")
        self.accounts["alice"] = client.account
        await client.close()

    async def end(self) -> None:
        async with await self.open("alice") as alice, await self.open("bob") as bob:
            assert await bob.find(self.numbers["alice"]) == alice.account
            await bob.send(alice.account, "hello")
            await read_until(alice, alice.conversation_with(bob.account), ["hello"])
            await assert_healthy(alice)


class WritingFirst(Pair):
    """Alice writes to somebody she never met: list, bundle, session, first message."""

    async def live(self) -> None:
        async with await self.open("alice") as alice:
            await say_the_rest(alice, self.accounts["bob"], ["hello"])

    async def end(self) -> None:
        await self.both_read(["hello"])


class Writing(Pair):
    """Alice writes to somebody who answered before."""

    async def begin(self) -> None:
        await super().begin()
        async with await self.open("alice") as alice, await self.open("bob") as bob:
            with_bob = alice.conversation_with(bob.account)
            await say_the_rest(alice, bob.account, ["hi"])
            await read_until(bob, with_bob, ["hi"])

    async def live(self) -> None:
        async with await self.open("alice") as alice:
            await say_the_rest(alice, self.accounts["bob"], ["hi", *WORDS])

    async def end(self) -> None:
        await self.both_read(["hi", *WORDS])


class Reading(Pair):
    """Bob reads what waits, and answers."""

    who: ClassVar[str] = "bob"

    async def begin(self) -> None:
        await super().begin()
        async with await self.open("alice") as alice:
            await say_the_rest(alice, self.accounts["bob"], WORDS)

    async def live(self) -> None:
        async with await self.open("bob") as bob:
            alice = self.accounts["alice"]

            async def read() -> bool:
                return len(await texts(bob, bob.conversation_with(alice))) >= len(WORDS)

            await eventually(read)
            await say_the_rest(bob, alice, ["thanks"])

    async def end(self) -> None:
        await self.both_read([*WORDS, "thanks"])


class Healing(Pair):
    """What Bob could not read is asked for and sent again, while one of them dies."""

    async def begin(self) -> None:
        await super().begin()
        with self.patch.context() as patch:
            patch.setattr(healing, "ONLINE_S", 1_000_000.0)
            line = Line()
            patch.setattr(FatedLink, "receive", line.breaking(FatedLink.receive))
            async with await self.open("alice") as alice, await self.open("bob") as bob:
                with_bob = alice.conversation_with(bob.account)
                await say_the_rest(alice, bob.account, ["hi"])
                await read_until(bob, with_bob, ["hi"])
                await say_the_rest(bob, alice.account, ["hello"])
                await read_until(alice, with_bob, ["hi", "hello"])
                line.breaks = True
                await say_the_rest(alice, bob.account, ["hi", "lost"])
                await read_until(bob, with_bob, ["hi", "hello", "Undecryptable"])

    async def live(self) -> None:
        other = "alice" if self.who == "bob" else "bob"
        async with await self.open(other) as them, await self.open(self.who) as me:
            bob = me if self.who == "bob" else them

            async def healed() -> bool:
                conversation = bob.conversation_with(self.accounts["alice"])
                return "Undecryptable" not in await texts(bob, conversation)

            await eventually(healed)

    async def end(self) -> None:
        words = ["hi", "hello", "lost", "and more"]
        async with await self.open("alice") as alice, await self.open("bob") as bob:
            with_bob = alice.conversation_with(bob.account)
            await alice.send(bob.account, "and more")
            await read_until(bob, with_bob, words)
            await read_until(alice, with_bob, words)
            health = await bob.health()
            assert (health.undecryptable, health.healed) == (1, 1)
            await assert_healthy(alice)


class HealingAsAsked(Healing):
    """The same, and the one who was asked dies."""


class HealingAsAsking(Healing):
    """The same, and the one who asks dies."""

    who: ClassVar[str] = "bob"
