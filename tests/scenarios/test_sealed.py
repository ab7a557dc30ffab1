"""Two people who seal what they say, through the real server."""

from uuid import UUID

import msgspec
import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.linking import linked
from tests.scenarios.observed import Observed
from tests.scenarios.waiting import eventually, wait_for
from tests.server.test_linkage import Seen

from linnet.client import Client, Delivered, Message, Sent, State
from linnet.client.sealed.events import SealedChanged
from linnet.wire.ids import AccountId, show

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


async def test_a_laptop_has_what_the_phone_sealed_and_the_other_way_round(served: Town) -> None:
    async with (
        await served.register("phone", ALICE) as phone,
        await served.register("bob", BOB) as bob,
    ):
        await met(phone, bob)
        async with await linked(phone, served.url, served.home / "laptop") as laptop:
            await phone.sealed.turn(bob.account, True)

            async def told() -> bool:
                return await laptop.sealed.on(bob.account) and await bob.sealed.on(phone.account)

            await eventually(told)
            await bob.send(phone.account, "to both")
            here = laptop.events()
            assert (await wait_for(here, Message)).text == "to both"
            id = await laptop.send(bob.account, "from the laptop")
            await phone.send(bob.account, "from the phone")

            async def same() -> bool:
                everything = await texts(bob, phone)
                alike = await texts(phone, bob) == everything
                return alike and await texts(laptop, bob) == everything[2:] and len(everything) == 5

            await eventually(same)
            assert await phone.state(id) is State.DELIVERED


async def test_nothing_a_client_says_with_a_token_stands_in_what_it_says_without_one(
    served: Town,
) -> None:
    alices, laptops = Observed(), Observed()
    async with (
        await served.register("alice", ALICE, alices.world()) as alice,
        await served.register("bob", BOB) as bob,
        await linked(alice, served.url, served.home / "laptop", world=laptops.world()) as laptop,
    ):
        await met(alice, bob)
        heard = bob.events()
        await alice.sealed.turn(bob.account, True)
        for text in ("sealed", "and again"):
            await alice.send(bob.account, text)
        await laptop.send(bob.account, "from the laptop")
        for _ in range(3):
            message = await wait_for(heard, Message)
        await bob.mark_read(message.conversation, message.id)
        last = await bob.send(alice.account, "an answer")

        async def everywhere() -> bool:
            alike = await texts(bob, alice)
            both = await texts(alice, bob) == alike == await texts(laptop, bob)
            return both and len(alike) == 6 and await bob.state(last) is State.DELIVERED

        await eventually(everywhere)
        names = [alice.account, bob.account, alice.conversation_with(bob.account)]
    public = set().union(*(forms(account) for account in (alice.account, bob.account)))
    for observed in (alices, laptops):
        assert len(observed.sealed) >= 2
        assert observed.known.values
        assert observed.known.values & observed.nobody.values <= public
        assert bytes(names[2]) not in observed.nobody.values
    # The one device says without a token nothing that the other says with one.
    assert alices.known.values & laptops.nobody.values <= public
    assert laptops.known.values & alices.nobody.values <= public
    # What goes to Bob names Alice nowhere; her own id stands only where her copies go.
    to_bob = [line for line in alices.sealed if str(UUID(bytes=bob.account)) in line]
    assert to_bob
    assert not any(str(UUID(bytes=alice.account)) in line for line in to_bob)


def forms(account: AccountId) -> set[bytes]:
    """An account id, as the values that a scan finds."""
    seen = Seen()
    seen.note(show(account))
    return seen.values


async def test_the_scan_finds_an_id_that_is_used_in_both(served: Town) -> None:
    observed, id = Observed(), b"0123456789abcdef"
    observed.nobody.note(msgspec.json.encode({"id": id}))
    observed.frame(msgspec.msgpack.encode(["message", id, b"\x01" + bytes(16)]))
    assert observed.known.values & observed.nobody.values == {id}
