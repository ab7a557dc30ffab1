"""A story: what is told again and again, each time with a death or a failure one step later.

`begin` makes what is there before; `live` is what one process does, written as an application is:
started again it looks at what is done already, and goes on. `end` says what must be true then.
"""

import asyncio
from typing import Protocol

from tests.crashes.fate import At, Fate, How, long_life
from tests.crashes.place import Place
from tests.crashes.process import until_death
from tests.scenarios.waiting import eventually

from linnet.client import Client, Health, Message, State
from linnet.wire.ids import AccountId, ConversationId

PATIENCE_S = 30.0


class Story(Protocol):
    """One told in a place."""

    here: Place

    @property
    def mortal(self) -> str:
        """The directory of the one who may die."""

    async def begin(self) -> None:
        """Before."""

    async def live(self) -> None:
        """What the mortal does, from wherever it is."""

    async def end(self) -> None:
        """Nothing is lost, nothing is doubled."""


async def tell(story: Story, fate: Fate) -> None:
    """Tell it with this fate for the one who may die, who then lives on in a new process."""
    async with asyncio.timeout(PATIENCE_S):
        await story.begin()
        story.here.fates[story.mortal] = fate
        await until_death(story.live(), fate)
        if fate.struck:
            story.here.fates[story.mortal] = again = long_life()
            await until_death(story.live(), again)
        story.here.fates[story.mortal] = long_life()
        await story.end()
    story.here.watcher.check()


async def texts(person: Client, conversation: ConversationId) -> list[str | None]:
    """What a person reads; what cannot be read is in it by its name."""
    shown = await person.messages(conversation, limit=1000)
    return [e.text if isinstance(e, Message) else type(e).__name__ for e in shown]


async def say_the_rest(me: Client, to: AccountId, words: list[str]) -> None:
    """Say what was not said yet, and stay until the server has it all."""
    conversation = me.conversation_with(to)
    shown = await me.messages(conversation, limit=1000)
    said = [e for e in shown if isinstance(e, Message) and e.sender == me.account]
    for text in words[len(said) :]:
        await me.send(to, text)
    await eventually(lambda: _all_sent(me, conversation))


async def read_until(me: Client, conversation: ConversationId, words: list[str]) -> None:
    """Stay until there is as much to read, and it is this."""

    async def enough() -> bool:
        return len(await texts(me, conversation)) >= len(words)

    await eventually(enough)
    assert await texts(me, conversation) == words


async def assert_healthy(*people: Client) -> None:
    """Nobody met a message that could not be read."""
    for person in people:
        health: Health = await person.health()
        assert (health.undecryptable, health.unverified, health.damaged) == (0, 0, 0)
        assert health.reader_failed == 0
        assert health.dropped == {}


async def _all_sent(me: Client, conversation: ConversationId) -> bool:
    shown = await me.messages(conversation, limit=1000)
    mine = [e for e in shown if e.sender == me.account]
    return all(e.state in (State.SENT, State.DELIVERED) for e in mine)


def fate(at: At, how: How, step: int) -> Fate:
    """A fate that strikes at this step, counted from 1."""
    return Fate(at, how, step)
