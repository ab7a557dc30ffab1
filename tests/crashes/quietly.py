"""Stories of people who seal what they say: written and read, while either side dies."""

from typing import ClassVar

from tests.crashes.story import read_until, say_the_rest, texts
from tests.crashes.talking import WORDS, Pair
from tests.scenarios.waiting import eventually

from linnet.client import Client

MET = ["hi", "hello"]


class SealedWriting(Pair):
    """Alice seals three messages."""

    async def begin(self) -> None:
        await super().begin()
        async with await self.open("alice") as alice, await self.open("bob") as bob:
            with_bob = alice.conversation_with(bob.account)
            await say_the_rest(alice, bob.account, ["hi"])
            await read_until(bob, with_bob, ["hi"])
            await say_the_rest(bob, alice.account, ["hello"])
            await read_until(alice, with_bob, MET)
            await eventually(lambda: alice.sealed.possible(bob.account))
            await alice.sealed.turn(bob.account, True)
            await eventually(lambda: bob.sealed.on(alice.account))
            await eventually(lambda: _has_sent_all(alice))

    async def live(self) -> None:
        async with await self.open("alice") as alice:
            await say_the_rest(alice, self.accounts["bob"], ["hi", *WORDS])

    async def end(self) -> None:
        await self.both_read([*MET, *WORDS])


class SealedReading(SealedWriting):
    """Bob reads what was sealed for him, and answers."""

    who: ClassVar[str] = "bob"

    async def begin(self) -> None:
        await super().begin()
        async with await self.open("alice") as alice:
            await say_the_rest(alice, self.accounts["bob"], ["hi", *WORDS])

    async def live(self) -> None:
        async with await self.open("bob") as bob:
            alice = self.accounts["alice"]

            async def read() -> bool:
                return len(await texts(bob, bob.conversation_with(alice))) >= 2 + len(WORDS)

            await eventually(read)
            await say_the_rest(bob, alice, ["hello", "thanks"])

    async def end(self) -> None:
        await self.both_read([*MET, *WORDS, "thanks"])


async def _has_sent_all(person: Client) -> bool:
    return await person.flush(0.0)
