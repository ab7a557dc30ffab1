"""What is sealed leaves over HTTP, arrives with its sender, and is repeated to the byte."""

import contextlib

import apsw
import msgspec
import pytest
from tests.client.post_office import Killed
from tests.client.sealed.quiet import Party, give, open_send, settle, two
from tests.client.town import Town, health, say, shown, texts

from linnet.client import history, outbox
from linnet.client.errors import Refused
from linnet.client.events import Delivered, NotSent, Sent, State
from linnet.client.outbox import Way
from linnet.client.own_channel import OwnChannel
from linnet.client.sealed import profile
from linnet.client.sealed.own_profile import Profile
from linnet.crypto.profile_key import delivery_key
from linnet.wire import rest
from linnet.wire.ids import MessageId


def ids(party: Party) -> list[bytes]:
    sent = [msgspec.json.decode(r.body, type=rest.SealedSend) for r in party.office.requests]
    return [message.id for message in sent]


async def state(party: Party, id: MessageId) -> State | None:
    return await party.device.state(id)


async def test_a_sealed_message_arrives_with_its_sender_and_is_ticked(town: Town) -> None:
    a, b, alice, bob = await two(town)
    id = await say(a.device, bob, "nobody sees who says this")
    await settle(a, b)
    (message,) = await shown(b.device, alice)
    assert (message.sender, message.id, message.conv_seq) == (alice.account, id, None)
    assert await texts(b.device, alice) == await texts(a.device, bob)
    assert [type(event) for event in a.told] == [Sent, Delivered]
    assert await state(a, id) is State.DELIVERED
    assert town.left == []  # nothing of it went over a link


async def test_a_lost_answer_repeats_the_same_bytes_and_stores_once(town: Town) -> None:
    a, b, alice, bob = await two(town)
    a.office.lose = 2
    id = await say(a.device, bob, "once")
    for _ in range(4):
        await a.send()
        town.later(ms=outbox.LONGEST_HOLD_MS)
    bodies = [request.body for request in a.office.requests]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert await state(a, id) is State.SENT
    await settle(a, b)
    assert await texts(b.device, alice) == ["once"]


@pytest.mark.slow
@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("write", [1, 2, 3, 4])
async def test_killed_at_any_write_no_key_is_used_twice(
    town: Town, write: int, after_commit: bool
) -> None:
    a, b, alice, bob = await two(town)
    await say(a.device, bob, "first")
    await settle(a, b)
    id = await say(a.device, bob, "second")
    store = a.device.store
    store.writes, store.dies_at, store.after_commit = 0, write, after_commit
    with contextlib.suppress(BaseExceptionGroup, Killed):
        await a.send()
    a.device = alice.devices[1] = await a.device.reopened()
    again = Party(a.device, a.office)
    town.later(ms=outbox.LONGEST_HOLD_MS)
    await settle(again, b)
    assert await texts(b.device, alice) == ["first", "second"]
    assert await state(again, id) is State.DELIVERED
    assert (await health(b.device)).undecryptable == 0
    of_it = {request.body for request in a.office.requests if id in ids_of(request.body)}
    assert len(of_it) == 1


def ids_of(body: bytes) -> list[bytes]:
    return [msgspec.json.decode(body, type=rest.SealedSend).id]


@pytest.mark.slow
async def test_a_new_device_of_the_recipient_is_found_without_a_token(town: Town) -> None:
    a, b, alice, bob = await two(town)
    await say(a.device, bob, "to the phone")
    await settle(a, b)
    laptop = await town.link(bob)
    linked = await Party.made(laptop, a.office, beside=b)
    await town.fetch(laptop, alice.account)
    asked = len(town.asked)
    id = await say(a.device, bob, "to both")
    await a.send()
    assert await state(a, id) is State.SENT
    assert ids(a).count(id) == 2
    assert bob.account not in town.asked[asked:]
    await linked.receive()
    await b.receive()
    assert (await texts(laptop, alice))[-1] == "to both"
    assert (await texts(b.device, alice))[-1] == "to both"


@pytest.mark.parametrize("code", ["unavailable", "rate_limited"])
async def test_what_may_be_tried_again_waits_with_the_same_bytes(town: Town, code: str) -> None:
    a, _b, _alice, bob = await two(town)
    a.office.refuse = [code]
    id = await say(a.device, bob, "later")
    await a.send()
    assert await state(a, id) is State.SENDING
    town.later(ms=outbox.LONGEST_HOLD_MS)
    await a.send()
    assert await state(a, id) is State.SENT
    assert len({request.body for request in a.office.requests}) == 1


async def test_a_final_refusal_fails_the_message_and_frees_the_next(town: Town) -> None:
    a, _b, _alice, bob = await two(town)
    a.office.refuse = ["id_time"]
    first = await say(a.device, bob, "too old")
    second = await say(a.device, bob, "goes")
    await a.send()
    assert [await state(a, id) for id in (first, second)] == [State.FAILED, State.SENT]
    assert [event.reason for event in a.told if isinstance(event, NotSent)] == ["id_time"]


async def test_an_unanswered_message_that_is_then_refused_for_its_time_is_unknown(
    town: Town,
) -> None:
    a, _b, _alice, bob = await two(town)
    a.office.lose = 1
    id = await say(a.device, bob, "perhaps")
    await a.send()
    town.later(ms=outbox.LONGEST_HOLD_MS)
    a.office.refuse = ["id_time"]
    await a.send()
    assert await state(a, id) is State.UNKNOWN
    assert await a.waiting() == 0


async def test_a_blocked_contact_with_the_old_delivery_key_is_refused(town: Town) -> None:
    a, b, alice, bob = await two(town)
    old = delivery_key((await b.profile()).key)
    await b.device.store.write(
        lambda db: profile.shut_out(db, b.channel, alice.account, blocked=True)
    )
    await give(b)
    with pytest.raises(Refused, match="unauthorized"):
        await a.office.device_list(old, bob.account)
    id = await say(a.device, bob, "let me in")
    await settle(a, b)
    town.later(days=1)
    await settle(a, b)
    assert await state(a, id) is State.SENDING
    assert await texts(b.device, alice) == []
    town.later(days=14)
    await a.certify()
    await settle(a, b)
    assert await state(a, id) is State.FAILED
    assert [e.reason for e in a.told if isinstance(e, NotSent)] == ["no_delivery_key"]


async def test_the_others_are_given_the_new_key_and_what_waited_goes(town: Town) -> None:
    a, b, alice, bob = await two(town)
    stranger = await town.account()
    await b.device.store.write(
        lambda db: profile.shut_out(db, b.channel, stranger.account, blocked=True)
    )
    b.office.register(bob.account, (await b.profile()).key)
    id = await say(a.device, bob, "wait for it")
    await a.send()
    assert await state(a, id) is State.SENDING
    await give(b)
    await settle(b, a)
    assert await state(a, id) is State.DELIVERED
    assert await texts(b.device, alice) == ["wait for it"]
    assert town.left == []  # the key came sealed as well


@pytest.mark.slow
async def test_two_who_replaced_their_keys_at_once_find_each_other_again(town: Town) -> None:
    a, b, alice, bob = await two(town)
    stranger = await town.account()
    for party in (a, b):
        channel = party.channel

        def shut_out(db: apsw.Connection, channel: OwnChannel = channel) -> None:
            profile.shut_out(db, channel, stranger.account, blocked=False)

        await party.device.store.write(shut_out)
        await give(party)
    first = await say(a.device, bob, "are you there")
    second = await say(b.device, alice, "I am")
    for _ in range(3):
        await settle(a, b)
        town.later(ms=outbox.LONGEST_HOLD_MS)
    assert [await state(a, first), await state(b, second)] == [State.DELIVERED] * 2
    # The keys went openly, as control messages, under ids that no sealed request showed.
    assert len(town.left) == 2
    assert {frame.mode for _, frame in town.left} == {2}
    assert not {frame.id for _, frame in town.left} & set(ids(a))


async def test_nobody_is_asked_with_a_token_about_conversations_that_are_sealed(
    town: Town,
) -> None:
    a, b, _alice, bob = await two(town)
    await say(a.device, bob, "sealed")
    await a.send()
    assert await a.device.store.read(history.unticked) == []
    await settle(a, b)
    assert await a.device.store.read(history.unticked) == []


async def test_switching_off_is_the_last_message_that_is_sealed(town: Town) -> None:
    a, b, alice, bob = await two(town)
    await say(a.device, bob, "sealed")
    await a.switch(b, False)
    await b.switch(a, False)
    await say(a.device, bob, "open")
    ways = [item.way for item in await a.device.due()]
    assert ways == [Way.SEALED]  # one lane: it keeps its order
    await settle(a, b)
    assert await texts(b.device, alice) == ["sealed", "open"]
    assert await texts(a.device, bob) == ["sealed", "open"]
    numbers = [entry.conv_seq for entry in await shown(b.device, alice)]
    assert numbers == [None, 1]


async def test_nobody_else_is_given_the_profile_key(town: Town) -> None:
    a, _b, _alice, _bob = await two(town)
    stranger = await town.account()
    await town.fetch(a.device, stranger.account)
    await give(a)
    held = await a.profile()
    assert isinstance(held, Profile)
    await open_send(a)
    assert [frame.to[1:] for _, frame in town.left if frame.to[1:] == stranger.account] == []
