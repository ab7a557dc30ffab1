"""What comes sealed: who may have sent it, where it stands, and what is said back."""

import apsw
import pytest
from tests.client.sealed.quiet import DAY_MS, Party, settle, two
from tests.client.town import Town, broken, health, say, shown, texts

from linnet.client import history
from linnet.client.device_events import Read
from linnet.client.events import Healed, State
from linnet.client.reads import Reads
from linnet.client.sealed import profile, state
from linnet.crypto.bodies import Sealed
from linnet.server.services.certificates import issuer
from linnet.wire.ids import direct_conversation

OTHER = issuer(b"another server's secret", lambda n: bytes(n))


async def test_a_certificate_of_another_root_is_dropped_and_counted(town: Town) -> None:
    a, b, alice, bob = await two(town)
    await a.certify(OTHER)
    await say(a.device, bob, "trust me")
    await settle(a, b)
    assert await texts(b.device, alice) == []
    assert (await health(b.device)).dropped == {"sealed_badcertificate": 1}


@pytest.mark.parametrize(("expired", "expected"), [(True, []), (False, ["waited"])])
async def test_a_certificate_is_judged_by_when_the_server_took_the_message(
    town: Town, expired: bool, expected: list[str]
) -> None:
    a, b, alice, bob = await two(town)
    now_ms = town.clock.now_ms
    await a.certify(expires_ms=now_ms - 1 if expired else now_ms + DAY_MS)
    await say(a.device, bob, "waited")
    await a.send()
    town.later(days=5)
    await b.receive()
    assert await texts(b.device, alice) == expected


async def test_what_was_changed_on_its_way_is_dropped_and_blocks_nothing(town: Town) -> None:
    a, b, alice, bob = await two(town)
    town.tamper = lambda device, row: broken(row)
    await say(a.device, bob, "broken")
    await a.send()
    await b.receive()
    town.tamper = lambda device, row: row
    await say(a.device, bob, "whole")
    await settle(a, b)
    assert await texts(b.device, alice) == ["whole"]
    assert (await health(b.device)).dropped == {"sealed_badmac": 1}


@pytest.mark.slow
async def test_of_a_device_that_is_not_listed_nobody_is_asked_with_a_token(town: Town) -> None:
    a, b, alice, bob = await two(town)
    laptop = await Party.made(await town.link(alice), a.office, beside=a)
    await town.fetch(laptop.device, bob.account)
    await laptop.know(b)
    await laptop.switch(b)
    asked = len(town.asked)
    await say(laptop.device, bob, "from the laptop")
    await laptop.send()
    await b.receive()
    assert await texts(b.device, alice) == []
    assert town.asked[asked:] == []
    assert (await health(b.device)).parked == 1
    await town.fetch(b.device, alice.account)  # however it comes
    now_ms = town.clock.now_ms
    await b.device.store.write(lambda db: b.device.inbox.unpark(db, alice.account, now_ms))
    (message,) = await shown(b.device, alice)
    assert message.device == 2


async def test_an_own_copy_comes_later_under_another_id_and_brings_its_tick(town: Town) -> None:
    a, b, alice, bob = await two(town)
    laptop = await Party.made(await town.link(alice), a.office, beside=a)
    await town.fetch(a.device, alice.account)
    await town.fetch(laptop.device, bob.account)
    await town.fetch(b.device, alice.account)
    await laptop.know(b)
    await laptop.switch(b)
    id = await say(a.device, bob, "to all")
    await settle(a, b, laptop)
    assert await texts(b.device, alice) == ["to all"]
    assert await texts(laptop.device, bob) == []
    at_first = len(a.office.requests)
    town.later(ms=10_000)
    await settle(a, b, laptop)
    (message,) = await shown(laptop.device, bob)
    assert (message.id, message.sender, message.device) == (id, alice.account, 1)
    # The receipt was there before the message was known.
    assert message.state is State.DELIVERED
    copies = [r for r in a.office.requests[at_first:] if r.account == alice.account]
    assert len(copies) == 1
    assert bytes(id) not in copies[0].body


async def test_what_came_sealed_has_its_tick_also_when_nothing_is_sealed_any_more(
    town: Town,
) -> None:
    a, b, _, bob = await two(town)
    await say(a.device, bob, "the last one sealed")
    await a.send()
    await b.switch(a, on=False)
    await b.receive()
    await settle(a, b)
    (message,) = await shown(a.device, bob)
    assert message.state is State.DELIVERED
    assert town.left == []  # nobody said it openly


async def test_reading_is_told_sealed_by_the_message_that_was_read(town: Town) -> None:
    a, b, alice, bob = await two(town)
    id = await say(a.device, bob, "read me")
    await settle(a, b)
    conversation = direct_conversation(alice.account, bob.account)
    reads = Reads(b.device.store, b.world, b.channel, lambda: None)
    await reads.mark(conversation, id)
    await reads.tell()
    await settle(b, a)
    assert [event for event in a.told if isinstance(event, Read)] == [
        Read(conversation, bob.account, 0, id)
    ]
    assert town.left == []
    await reads.mark(conversation, id)
    await reads.tell()
    assert await b.waiting() == 0  # told once


async def test_what_no_session_opens_is_asked_for_and_healed_sealed(town: Town) -> None:
    a, b, alice, bob = await two(town)
    await say(a.device, bob, "opens the session")
    await settle(a, b)
    await b.device.store.write(lambda db: db.execute("DELETE FROM sessions"))
    id = await say(a.device, bob, "lost")
    await settle(a, b)
    assert (await shown(b.device, alice))[-1].state is State.UNDECRYPTABLE
    town.later(hours=2)
    assert await town.heal(b.device) == 1
    await settle(b, a)
    last = (await shown(b.device, alice))[-1]
    assert (last.id, last.state, last.note) == (id, State.RECEIVED, "resent")
    assert any(isinstance(event, Healed) for event in b.told)
    assert town.left == []  # all of it was sealed


async def test_nothing_that_a_blocked_account_says_is_shown(town: Town) -> None:
    a, b, alice, bob = await two(town)
    await say(a.device, bob, "before")
    await settle(a, b)
    await say(a.device, bob, "on its way")
    await a.send()

    def block(db: apsw.Connection) -> None:
        profile.shut_out(db, b.channel, alice.account, blocked=True)

    await b.device.store.write(block)
    await b.receive()
    assert await texts(b.device, alice) == ["before"]
    assert (await health(b.device)).dropped == {"blocked": 1}


async def test_of_two_switches_with_one_number_the_one_that_switches_on_holds(town: Town) -> None:
    a, _b, _alice, bob = await two(town)

    def switch(db: apsw.Connection) -> list[bool]:
        found = []
        for on, number in ((False, 2), (True, 2), (False, 2), (False, 1), (False, 3)):
            state.switch(db, bob.account, Sealed(on, number))
            found.append(state.on(db, bob.account))
        return found

    assert await a.device.store.write(switch) == [False, True, True, True, False]


@pytest.mark.slow
async def test_pages_go_back_from_a_message_that_has_no_number(town: Town) -> None:
    a, b, alice, bob = await two(town)
    for number in range(4):
        await say(a.device, bob, str(number))
        await settle(a, b, rounds=2)
        town.later(ms=10)
    ids = [entry.id for entry in await shown(b.device, alice)]
    conversation = direct_conversation(alice.account, bob.account)
    page = await b.device.store.read(lambda db: history.page(db, conversation, ids[3], 2))
    assert [entry.id for entry in page] == ids[1:3]
