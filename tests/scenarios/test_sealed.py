"""Two people who seal what they say, through the real server."""

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.waiting import eventually, wait_for

from linnet.client import Client, Delivered, Message, Sent, State
from linnet.client.sealed.events import SealedChanged

pytestmark = pytest.mark.slow

ALICE, BOB = "+15550100001", "+15550100002"


async def met(one: Client, other: Client) -> None:
    """Both have written to each other, and know each other's key."""
    await one.send(other.account, "Hello?")
    await other.send(one.account, "Hello!")

    async def possible() -> bool:
        return await one.sealed.possible(other.account) and await other.sealed.possible(one.account)

    await eventually(possible)


async def texts(person: Client, other: Client) -> list[str | None]:
    shown = await person.messages(person.conversation_with(other.account))
    return [entry.text for entry in shown if isinstance(entry, Message)]


async def test_what_is_sealed_is_sent_received_and_ticked(served: Town) -> None:
    async with (
        await served.register("alice", ALICE) as alice,
        await served.register("bob", BOB) as bob,
    ):
        await met(alice, bob)
        heard, said = bob.events(), alice.events()
        await alice.sealed.turn(bob.account, True)
        assert (await wait_for(heard, SealedChanged)).on
        id = await alice.send(bob.account, "Nobody sees who says this.")
        while (message := await wait_for(heard, Message)).id != id:
            pass
        assert (message.sender, message.conv_seq) == (alice.account, None)
        while (sent := await wait_for(said, Sent)).id != id:
            pass
        assert sent.conv_seq == 0
        while (await wait_for(said, Delivered)).id != id:
            pass
        assert await alice.state(id) is State.DELIVERED
        await bob.send(alice.account, "Nor this.")

        async def same() -> bool:
            return await texts(alice, bob) == await texts(bob, alice) and (
                len(await texts(alice, bob)) == 4
            )

        await eventually(same)
