"""What goes wrong without a lie, through the real server: keys and rotation in an ordinary life."""

import pytest
from tests.hostile.choir import SUNG, Choir, gathered
from tests.hostile.middle import Middle
from tests.hostile.stage import Stage
from tests.scenarios.waiting import eventually

from linnet.client import Client, State, outbox
from linnet.client.groups import keys
from linnet.crypto.bodies import sender_key_body
from linnet.crypto.sender_keys import create, distribution_message
from linnet.wire.ids import GroupId

pytestmark = pytest.mark.slow


async def test_a_first_message_waits_for_who_never_connected(stage: Stage) -> None:
    dan = await Client.open(stage.home / "dan", world=Middle("", stage.tasks).environment())
    account = dan.account
    await dan.close()
    id = await stage.alice.client.send(account, "Welcome!")
    await stage.alice.reaches(id, State.SENT)
    await (await stage.person("dan")).shows(stage.alice, "Welcome!")


async def _chain(choir: Choir) -> int:
    """The chain that Alice sends under."""
    own = await choir.alice.client._store.read(lambda db: keys.own(db, choir.group))
    assert own is not None
    return own.chain_id


async def test_a_new_name_of_a_device_rotates_nothing(stage: Stage) -> None:
    choir = await gathered(stage)
    before = await _chain(choir)
    await stage.bob.client.devices.rename(1, "Bob's phone")
    await stage.alice.client.devices.rename(1, "Alice's phone")
    await choir.says(stage.alice, "the same as ever")
    await choir.all_show(*SUNG, "the same as ever")
    assert await _chain(choir) == before


async def test_a_restart_rotates_nothing(stage: Stage) -> None:
    choir = await gathered(stage)
    before = await _chain(choir)
    stage.alice = await stage.restarted(stage.alice, "alice")
    await choir.says(stage.alice, "back")
    await choir.all_show(*SUNG, "back")
    assert await _chain(choir) == before


async def test_a_member_who_leaves_takes_a_chain_along_that_is_used_no_more(stage: Stage) -> None:
    choir = await gathered(stage)
    before = await _chain(choir)
    await choir.carol.client.groups.leave(choir.group)
    await choir.at_version(stage.alice, 2)
    await choir.says(stage.alice, "without Carol")
    await stage.bob.shows_in(choir.group, *SUNG, "without Carol")
    assert await _chain(choir) != before


async def test_a_device_that_is_removed_takes_a_chain_along_that_is_used_no_more(
    stage: Stage,
) -> None:
    await stage.linked(stage.bob, "laptop")
    choir = await gathered(stage)
    before = await _chain(choir)
    await stage.bob.client.devices.revoke(2)
    await choir.says(stage.bob, "my laptop is gone")
    await choir.all_show(*SUNG, "my laptop is gone")
    await choir.says(stage.alice, "without it")
    await choir.all_show(*SUNG, "my laptop is gone", "without it")
    assert await _chain(choir) != before


async def test_a_hundred_key_messages_at_once_are_all_taken(stage: Stage) -> None:
    await stage.meet()
    rng = stage.bob.line.environment().rng
    groups = [GroupId(rng(16)) for _ in range(100)]
    now_ms = stage.bob.line.environment().now_ms()
    stage.alice.line.reachable = False
    stage.alice.line.cut()
    for group in groups:
        body = sender_key_body(group, distribution_message(create(now_ms, rng)))
        await stage.bob.client._store.write(
            lambda db, body=body: outbox.enqueue_control(  # type: ignore[misc]
                db,
                id=outbox.new_id(db, now_ms, rng),
                peer=stage.alice.client.account,
                devices=(1,),
                kind="sender_key",
                body=body,
                sent_ms=now_ms,
            )
        )
    id = await stage.bob.says(stage.alice, "that was all")
    assert await stage.bob.client.flush()
    assert await stage.bob.client.state(id) is State.SENT
    stage.alice.line.honest()
    await stage.alice.shows(stage.bob, "Hello, Bob!", "Hello, Alice!", "that was all")

    async def all_taken() -> bool:
        return await stage.alice.client._store.read(keys.strangers) == len(groups)

    await eventually(all_taken)
