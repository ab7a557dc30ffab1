"""The story of a group: made, written to, joined, left, and written to under new keys."""

from typing import ClassVar

from tests.crashes.story import assert_healthy, read_until, texts
from tests.crashes.talking import Pair
from tests.scenarios.waiting import eventually

from linnet.client import Client, Message, State
from linnet.client.groups.groups import GroupInfo


class Singing(Pair):
    """Alice makes a group with Bob, adds Carol, removes her, and says something in between.

    Carol is there while she is a member: what she was never told of cannot be read afterwards.
    """

    others: ClassVar[tuple[str, ...]] = ("bob", "carol")

    async def begin(self) -> None:
        await super().begin()
        await self.register("carol")

    async def live(self) -> None:
        bob, carol = self.accounts["bob"], self.accounts["carol"]
        async with await self.open("alice") as alice:
            group = await self.group(alice)
            if group is None:
                await alice.groups.create([bob], title="Choir")
                group = await self.group(alice)
            assert group is not None
            await self.say(alice, group, "to Bob")
            if carol not in group.members and not await self.said(alice, group, "to both"):
                await alice.groups.add(group.group, [carol])
            await self.say(alice, group, "to both")
            group = await self.group(alice)
            assert group is not None
            if carol in group.members:
                async with await self.open("carol") as present:
                    await read_until(present, group.conversation, ["to both"])
                await alice.groups.remove(group.group, [carol])
            await self.say(alice, group, "to Bob again")

    async def end(self) -> None:
        words = ["to Bob", "to both", "to Bob again"]
        async with (
            await self.open("alice") as alice,
            await self.open("bob") as bob,
            await self.open("carol") as carol,
        ):
            [group] = await alice.groups.all()
            for each in (alice, bob):
                await read_until(each, group.conversation, words)
            await read_until(carol, group.conversation, ["to both"])

            async def titled() -> bool:
                return (await bob.groups.info(group.group)).title == "Choir"

            await eventually(titled)
            await bob.groups.send(group.group, "sung")
            await read_until(alice, group.conversation, [*words, "sung"])
            assert await texts(carol, group.conversation) == ["to both"]
            await assert_healthy(alice, bob, carol)

    async def group(self, alice: Client) -> GroupInfo | None:
        """The group, if it was begun. What was signed and not brought to the server goes first."""
        await alice._engine.parts.keeper.once()
        groups = await alice.groups.all()
        return groups[0] if groups else None

    async def said(self, alice: Client, group: GroupInfo, text: str) -> bool:
        return text in await texts(alice, group.conversation)

    async def say(self, alice: Client, group: GroupInfo, text: str) -> None:
        """Say it unless it was said, and stay until the server has it."""
        if not await self.said(alice, group, text):
            await alice.groups.send(group.group, text)

        async def sent() -> bool:
            shown = await alice.messages(group.conversation)
            mine = [e for e in shown if isinstance(e, Message) and e.text == text]
            return [e.state in (State.SENT, State.DELIVERED) for e in mine] == [True]

        await eventually(sent)
