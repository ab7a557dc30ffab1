"""Somebody loses everything and registers the number again; or a number gets a new owner."""

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.linking import linked
from tests.scenarios.waiting import eventually, wait_for

from linnet.client import Client, Environment, Message, NumberChanged, NumberMoved, State
from linnet.client.environment import wall_ms
from linnet.client.safety import to_text
from linnet.wire.ids import AccountId, MessageId

pytestmark = pytest.mark.slow

ALICE, BOB = "+15550100001", "+15550100002"
NEXT_DAY = Environment(now_ms=lambda: wall_ms() + 25 * 3_600_000)


async def texts(person: Client, other: AccountId) -> list[str | None]:
    shown = await person.messages(person.conversation_with(other))
    return [entry.text for entry in shown if isinstance(entry, Message)]


async def is_sent(person: Client, id: MessageId) -> bool:
    return await person.state(id) is State.SENT


async def test_who_loses_everything_and_registers_again_is_met_anew(served: Town) -> None:
    phone = await served.register("phone", ALICE)
    async with await served.register("bob", BOB) as bob, phone:
        await bob.send(ALICE, "before")
        assert (await wait_for(phone.events(), Message)).text == "before"
        await phone.send(BOB, "I am here")
        assert (await wait_for(bob.events(), Message)).text == "I am here"
        assert await bob.safety.verify(
            phone.account, to_text(await phone.safety.number(bob.account))
        )

    # Bob is offline: what he writes waits. Meanwhile Alice loses her phone, and has no code.
    away = await served.open("bob")
    queued = await away.send(phone.account, "written earlier")
    await away.close()
    async with await served.register("new phone", ALICE) as again:
        assert again.account != phone.account
        async with await Client.open(served.home / "bob", world=NEXT_DAY) as bob:
            # He is told without asking, and nothing goes to the new account by itself.
            moved = await wait_for(bob.events(), NumberMoved)
            assert (moved.number, moved.before, moved.now) == (ALICE, phone.account, again.account)
            await eventually(lambda: is_sent(bob, queued))
            with pytest.raises(NumberChanged) as changed:
                await bob.send(ALICE, "too early")
            assert changed.value.now == again.account
            assert not await bob.safety.verified(again.account)
            assert await texts(again, bob.account) == []

            assert await bob.accept_number_change(ALICE) == again.account
            await bob.send(ALICE, "is it you?")
            assert (await wait_for(again.events(), Message)).text == "is it you?"
            await again.send(BOB, "it is")
            assert (await wait_for(bob.events(), Message)).text == "it is"
            assert await texts(again, bob.account) == ["is it you?", "it is"]
            # The conversation with the account of before stays, and stays apart.
            assert await texts(bob, phone.account) == ["before", "I am here", "written earlier"]
            numbers = [(it.account, it.number) for it in await bob.contacts.all() if it.number]
            assert numbers == [(again.account, ALICE)]

    # The former account lives on without a number, for whoever has one of its devices.
    async with await served.open("phone") as found:

        async def all_of_it() -> bool:
            return await texts(found, bob.account) == ["before", "I am here", "written earlier"]

        await eventually(all_of_it)


async def test_a_recycled_number_is_somebody_else_on_all_devices_until_one_accepts(
    served: Town,
) -> None:
    async with (
        await served.register("bob", BOB) as bob,
        await linked(bob, served.url, served.home / "laptop") as laptop,
    ):
        former = await served.register("former owner", ALICE)
        await former.close()
        assert await bob.find(ALICE) == former.account

        async def laptop_knows() -> bool:
            return (await laptop.contacts.get(former.account)).number == ALICE

        await eventually(laptop_knows)
        owner = await served.register("new owner", ALICE)
        await owner.close()
        # The laptop never looked it up; whose the number was it has from the other device.
        with pytest.raises(NumberChanged):
            await laptop.send(ALICE, "for the former owner's eyes")
        bob._engine.numbers._fresh.clear()  # ten minutes later
        with pytest.raises(NumberChanged):
            await bob.find(ALICE)
        assert await laptop.accept_number_change(ALICE) == owner.account

        async def both_do() -> bool:
            try:
                return await bob.find(ALICE) == owner.account
            except NumberChanged:
                return False

        await eventually(both_do)
        assert await bob.accept_number_change(ALICE) is None


async def test_nobody_is_told_of_a_number_that_stays_where_it_is(served: Town) -> None:
    phone = await served.register("phone", ALICE)
    await phone.close()
    async with await served.register("bob", BOB) as bob:
        assert await bob.find(ALICE) == phone.account
    async with await Client.open(served.home / "bob", world=NEXT_DAY) as bob:
        await bob._engine.numbers.check()
        bob._engine.numbers._fresh.clear()
        assert await bob.find(ALICE) == phone.account
        assert await bob.accept_number_change(ALICE) is None
