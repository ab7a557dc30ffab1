"""Outbox and inbox of two devices, with a post office between them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.client.post_office import Clockwork, Device, PostOffice, two_devices

from linnet.client.events import Delivered, Message, NotSent, Sent, State
from linnet.wire.frames import Status
from linnet.wire.ids import direct_conversation


@pytest.fixture
async def devices(tmp_path: Path) -> AsyncIterator[tuple[Device, Device, PostOffice]]:
    clock = Clockwork()
    alice, bob = await two_devices(tmp_path, clock)
    yield alice, bob, PostOffice(clock)
    await alice.store.close()
    await bob.store.close()


async def exchange(office: PostOffice, *devices: Device) -> None:
    """Everything goes once: outboxes to the office, answers and mailboxes back."""
    everyone = {device.account: device for device in devices}
    for device in devices:
        await office.collect(device, everyone)
    for device in devices:
        await device.receive(office.rows(device.account, await device.cursor()))


def texts(shown: list[object]) -> list[str | None]:
    return [entry.text for entry in shown if isinstance(entry, Message)]


async def test_a_conversation_reads_the_same_on_both_sides(
    devices: tuple[Device, Device, PostOffice],
) -> None:
    alice, bob, office = devices
    for number in range(5):
        await alice.write_text(bob, f"ping {number}")
        await exchange(office, alice, bob)
        await bob.write_text(alice, f"pong {number}")
        await exchange(office, alice, bob)
    expected = [f"{word} {number}" for number in range(5) for word in ("ping", "pong")]
    assert texts([*await alice.shown(bob)]) == expected
    assert texts([*await bob.shown(alice)]) == expected
    assert [entry.conv_seq for entry in await bob.shown(alice)] == list(range(1, 11))


async def test_sent_and_delivered_follow_each_other(
    devices: tuple[Device, Device, PostOffice],
) -> None:
    alice, bob, office = devices
    id = await alice.write_text(bob, "hello")
    assert await alice.state(id) is State.SENDING
    [frame] = await alice.frames({bob.account: bob})
    answer = office.post(alice, frame)
    sent = await alice.receive([answer])
    conversation = direct_conversation(alice.account, bob.account)
    assert sent.events == [Sent(conversation, id, 1)]
    assert await alice.state(id) is State.SENT
    told = await alice.receive([Status(conversation, bob.account, [(1, 1)])])
    assert told.events == [Delivered(conversation, id)]
    assert await alice.state(id) is State.DELIVERED
    assert (await alice.receive([Status(conversation, bob.account, [(1, 1)])])).events == []


async def test_a_status_that_overtakes_sent_still_ticks(
    devices: tuple[Device, Device, PostOffice],
) -> None:
    alice, bob, office = devices
    id = await alice.write_text(bob, "hello")
    [frame] = await alice.frames({bob.account: bob})
    answer = office.post(alice, frame)
    conversation = direct_conversation(alice.account, bob.account)
    await alice.receive([Status(conversation, bob.account, [(1, 1)])])
    effects = await alice.receive([answer])
    assert effects.events == [Sent(conversation, id, 1), Delivered(conversation, id)]


async def test_a_plain_retry_sends_identical_bytes(
    devices: tuple[Device, Device, PostOffice],
) -> None:
    alice, bob, office = devices
    await alice.write_text(bob, "hello")
    [first] = await alice.frames({bob.account: bob})
    alice = await alice.reopened()
    [again] = await alice.frames({bob.account: bob})
    assert again == first
    office.post(alice, first)
    await alice.receive([office.post(alice, again)])
    await bob.receive(office.rows(bob.account, 0))
    assert texts([*await bob.shown(alice)]) == ["hello"]
    await alice.store.close()


async def test_devices_changed_resends_the_same_id_and_the_first_accepted_try_counts(
    devices: tuple[Device, Device, PostOffice],
) -> None:
    alice, bob, office = devices
    id = await alice.write_text(bob, "hello")
    [first] = await alice.frames({bob.account: bob})
    office.refusals.append(("devices_changed", True))
    refused = await alice.receive([office.post(alice, first)])
    assert refused.answered == [id]
    [second] = await alice.frames({bob.account: bob})
    assert second != first
    # The first try, thought refused, was accepted after all: only its content counts.
    await alice.receive([office.post(alice, first)])
    assert await alice.state(id) is State.SENT
    await bob.receive(office.rows(bob.account, 0))
    assert texts([*await bob.shown(alice)]) == ["hello"]
    kept = await alice.store.read(lambda db: db.execute("SELECT count(*) FROM tries").fetchall())
    assert kept == [(0,)]


async def test_a_final_refusal_fails_the_message(
    devices: tuple[Device, Device, PostOffice],
) -> None:
    alice, bob, office = devices
    id = await alice.write_text(bob, "hello")
    [frame] = await alice.frames({bob.account: bob})
    office.refusals.append(("id_time", False))
    effects = await alice.receive([office.post(alice, frame)], unanswered=False)
    conversation = direct_conversation(alice.account, bob.account)
    assert effects.events == [NotSent(conversation, id, State.FAILED, "id_time")]
    assert await alice.frames({bob.account: bob}) == []


async def test_id_time_after_an_unanswered_try_is_unknown_until_the_own_row_comes(
    devices: tuple[Device, Device, PostOffice],
) -> None:
    alice, bob, office = devices
    id = await alice.write_text(bob, "hello")
    [frame] = await alice.frames({bob.account: bob})
    office.refusals.append(("id_time", False))
    await alice.receive([office.post(alice, frame)], unanswered=True)
    assert await alice.state(id) is State.UNKNOWN
    assert await alice.frames({bob.account: bob}) == []
    office.post(alice, frame)  # a try that was on its way all the time
    await alice.receive(office.rows(alice.account, 0))
    assert await alice.state(id) is State.SENT


async def test_a_retryable_refusal_keeps_the_bytes_and_waits(
    devices: tuple[Device, Device, PostOffice],
) -> None:
    alice, bob, office = devices
    id = await alice.write_text(bob, "hello")
    [frame] = await alice.frames({bob.account: bob})
    office.refusals.append(("unavailable", True))
    await alice.receive([office.post(alice, frame)])
    assert await alice.state(id) is State.SENDING
    assert await alice.frames({bob.account: bob}) == [frame]
