"""Everything lost: by code the account goes on; without it the number has a new account."""

import asyncio
import shutil
from collections.abc import Sequence

import pytest
from tests.hostile.middle import Middle, changed
from tests.scenarios.conftest import Town
from tests.scenarios.linking import linked
from tests.scenarios.waiting import eventually, wait_for

from linnet.client import (
    Client,
    DeviceAdded,
    DeviceRemoved,
    LoggedOut,
    Message,
    NumberChanged,
    NumberMoved,
    RecoveryFailed,
    State,
    healing,
)
from linnet.client.recovering import FoundDevice
from linnet.wire import rest

pytestmark = pytest.mark.slow

ALICE, BOB = "+15550100001", "+15550100002"


async def recovered(town: Town, name: str, number: str, recovery_code: str) -> Client:
    async def code() -> str:
        return town.codes.sent[number]

    return await Client.recover(town.url, town.home / name, number, code, recovery_code)


async def test_a_main_device_that_is_lost_is_replaced_by_code(served: Town) -> None:
    async with await served.register("bob", BOB) as bob:
        heard = bob.events()
        phone = await served.register("phone", ALICE)
        code = phone.recovery_code
        assert code is not None
        async with phone:
            await phone.send(BOB, "from the old phone")
            assert (await wait_for(heard, Message)).text == "from the old phone"
            laptop = await linked(phone, served.url, served.home / "laptop")
        await phone.close()
        async with laptop, await recovered(served, "new phone", ALICE, code) as again:
            assert again.account == phone.account
            assert again.device == 3
            assert await again.messages(again.conversation_with(bob.account)) == []
            alerts = laptop.events()
            assert (await wait_for(alerts, DeviceRemoved)).device == 1
            assert (await wait_for(alerts, DeviceAdded)).device == 3
            await bob.send(ALICE, "are you there?")
            for events in (alerts, again.events()):
                message = await wait_for(events, Message)
                assert (message.text, message.state) == ("are you there?", State.RECEIVED)
            await again.send(BOB, "I am")
            assert (await wait_for(heard, Message)).text == "I am"
            shown = await again.devices.all()
            assert [(d.id, d.main, d.here) for d in shown] == [(2, False, False), (3, True, True)]
            async with await linked(again, served.url, served.home / "tablet") as tablet:
                assert tablet.device == 4


async def test_a_backup_older_than_a_revocation_brings_no_revoked_device_back(
    served: Town,
) -> None:
    """The recovery code and its backup are of the first minute; the list is the newest."""
    async with await served.register("bob", BOB) as bob:
        phone = await served.register("phone", ALICE)
        code = phone.recovery_code
        assert code is not None
        async with phone:
            laptop = await linked(phone, served.url, served.home / "laptop")
            await phone.devices.revoke(laptop.device)
            await laptop.close()
        async with await recovered(served, "new phone", ALICE, code) as again:
            assert [(d.id, d.main) for d in await again.devices.all()] == [(3, True)]
            heard = again.events()
            await bob.send(again.account, "not for the laptop")
            assert (await wait_for(heard, Message)).text == "not for the laptop"
            async with await served.open("laptop") as revoked:
                with pytest.raises(LoggedOut):
                    await revoked.find(BOB)
                assert await revoked.messages(revoked.conversation_with(bob.account)) == []


async def test_what_the_lost_phone_never_read_comes_to_the_new_one(
    served: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(healing, "ONLINE_S", 0.2)
    monkeypatch.setattr(healing, "LOOK_AGAIN_S", 0.2)
    async with await served.register("bob", BOB) as bob:
        phone = await served.register("phone", ALICE)
        code = phone.recovery_code
        assert code is not None
        await phone.close()
        first = await bob.send(ALICE, "to the phone in the river")
        await eventually(lambda: _is(bob, first, State.SENT))
        async with await recovered(served, "new phone", ALICE, code) as again:
            await bob.send(again.account, "to the new one")
            conversation = again.conversation_with(bob.account)

            async def both() -> bool:
                return len(await again.messages(conversation)) == 2

            await eventually(both)
            shown = await again.messages(conversation)
            assert [(e.text, e.note) for e in shown if isinstance(e, Message)] == [
                ("to the phone in the river", "resent"),
                ("to the new one", ""),
            ]
            assert (await bob.health()).resends_answered == 1
            assert (await again.health()).undecryptable == 0


async def test_a_wrong_code_recovers_nothing(served: Town) -> None:
    await (await served.register("phone", ALICE)).close()
    stranger = await served.register("stranger", BOB)
    await stranger.close()
    assert stranger.recovery_code is not None
    with pytest.raises(RecoveryFailed) as failed:
        await recovered(served, "thief", ALICE, stranger.recovery_code)
    assert failed.value.reason == "wrong_code"
    with pytest.raises(RecoveryFailed) as failed:
        await recovered(served, "thief", ALICE, "not a code")
    assert failed.value.reason == "bad_code"


async def test_the_person_may_look_at_the_devices_and_stop(served: Town) -> None:
    phone = await served.register("phone", ALICE)
    await phone.close()
    assert phone.recovery_code is not None
    seen: list[FoundDevice] = []

    async def look(devices: Sequence[FoundDevice]) -> bool:
        seen.extend(devices)
        return False

    async def code() -> str:
        return served.codes.sent[ALICE]

    with pytest.raises(RecoveryFailed) as failed:
        await Client.recover(
            served.url, served.home / "new", ALICE, code, phone.recovery_code, show=look
        )
    assert failed.value.reason == "declined"
    assert [(device.id, device.main) for device in seen] == [(1, True)]
    async with await served.open("phone") as still:
        assert (await still.devices.all())[0].here


async def test_without_the_code_the_number_is_somebody_else_until_a_tap(served: Town) -> None:
    async with await served.register("bob", BOB) as bob:
        async with await served.register("phone", ALICE) as phone:
            await bob.send(ALICE, "before")
            await wait_for(phone.events(), Message)
        waiting = await bob.send(phone.account, "written earlier")
        await eventually(lambda: _is(bob, waiting, State.SENT))
        async with await served.register("thief", ALICE) as thief:
            assert thief.account != phone.account
            bob._engine.numbers._fresh.clear()  # ten minutes later
            with pytest.raises(NumberChanged):
                await bob.send(ALICE, "for Alice")
            moved = await wait_for(bob.events(), NumberMoved)
            assert (moved.before, moved.now) == (phone.account, thief.account)
            with pytest.raises(NumberChanged):
                await bob.send(ALICE, "for Alice")
            assert await bob.accept_number_change(ALICE) == thief.account
            await bob.send(ALICE, "hello, whoever you are")
            assert (await wait_for(thief.events(), Message)).text == "hello, whoever you are"
            assert len(await thief.messages(thief.conversation_with(bob.account))) == 1


async def _is(person: Client, id: bytes, state: State) -> bool:
    return await person.state(id) is state  # type: ignore[arg-type]


async def test_a_browser_primary_that_is_lost_is_recovered_by_code(served: Town) -> None:
    """Its store is wiped, as browsers do, and it was the only device."""
    async with await served.register("bob", BOB) as bob:
        browser = await served.register("browser", ALICE)
        code = browser.recovery_code
        assert code is not None
        async with browser:
            await bob.send(ALICE, "before")
            await wait_for(browser.events(), Message)
            assert await bob.safety.verify(
                browser.account, (await browser.safety.number(bob.account)).scannable
            )
        shutil.rmtree(served.home / "browser")
        await bob.send(ALICE, "while nothing could read it")
        async with await recovered(served, "browser", ALICE, code) as again:
            assert (again.account, again.device) == (browser.account, 2)
            await bob.send(ALICE, "now")

            async def now_is_read() -> bool:
                shown = await again.messages(again.conversation_with(bob.account))
                texts = [entry.text for entry in shown if isinstance(entry, Message)]
                return texts[-1:] == ["now"] and "before" not in texts

            await eventually(now_is_read)
            # The same account key: nobody has to compare anything again.
            assert await bob.safety.verified(again.account)
            assert not (await bob.safety.standing(again.account)).changed
            async with await linked(again, served.url, served.home / "laptop") as laptop:
                assert laptop.device == 3


async def test_a_server_that_shows_the_list_of_before_a_revocation_restores_nothing_on_it(
    served: Town,
) -> None:
    phone = await served.register("phone", ALICE)
    assert phone.recovery_code is not None
    async with phone:
        laptop = await linked(phone, served.url, served.home / "laptop")
        await laptop.close()
        old = (await phone._engine.devices._own_list.held()).obj
        await phone.devices.revoke(laptop.device)

    def as_before(accepted: rest.CodeAccepted) -> rest.CodeAccepted:
        assert accepted.previous is not None
        shown = changed(accepted.previous, list=rest.Signed(body=old.body, sig=old.sig))
        return changed(accepted, previous=shown)

    async with asyncio.TaskGroup() as tasks:
        line = Middle(served.url, tasks)
        line.swap("POST", r"/code$", rest.CodeAccepted, as_before)

        async def code() -> str:
            return served.codes.sent[ALICE]

        seen: list[FoundDevice] = []

        async def look(devices: Sequence[FoundDevice]) -> bool:
            seen.extend(devices)
            return True

        with pytest.raises(RecoveryFailed) as failed:
            await Client.recover(
                served.url,
                served.home / "new",
                ALICE,
                code,
                phone.recovery_code,
                show=look,
                world=line.environment(),
            )
    # The person saw the revoked device among the others; and whoever keeps the real list, as the
    # server does here and every contact elsewhere, takes no second list of that version.
    assert [device.id for device in seen] == [1, 2]
    assert failed.value.reason == "conflict"
    async with await served.open("phone") as still:
        assert [device.id for device in await still.devices.all()] == [1]
