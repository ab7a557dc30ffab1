"""Every member knows the distribution ids of all others: using one first takes nothing away."""

import apsw
import msgspec
import pytest
from tests.client.groups.choir import Choir, Singer

from linnet.client import outbox
from linnet.client.groups import keys
from linnet.client.sql import first
from linnet.crypto.bodies import sender_key_body
from linnet.crypto.sender_keys import distribution_message
from linnet.wire.ids import GroupId

pytestmark = pytest.mark.slow


async def gives(thief: Singer, to: Singer, group: GroupId, owner: Singer) -> None:
    """Give a key of one's own, under the distribution id of somebody else."""

    def enqueue(db: apsw.Connection) -> None:
        row = first(db, "SELECT distribution FROM sender_keys WHERE account = ?", (owner.account,))
        own = keys.own(db, group)
        assert row is not None
        assert own is not None
        stolen = msgspec.structs.replace(own, distribution_id=row[0])
        outbox.enqueue_control(
            db,
            id=outbox.new_id(db, thief.device.clock.now_ms, thief.device.sessions.rng),
            peer=to.account,
            devices=None,
            kind="sender_key",
            body=sender_key_body(group, distribution_message(stolen)),
            sent_ms=thief.device.clock.now_ms,
        )

    await thief.device.store.write(enqueue)


async def test_a_member_who_gives_a_key_under_anothers_distribution_id_silences_nobody(
    choir: Choir,
) -> None:
    ada, ben = await choir.people(2)
    group = await ada.groups.create([ben.account])
    await choir.connect(ada, ben)
    for singer in (ada, ben):
        await singer.text(group, "hello")
    await choir.gather(ada, ben)
    dan = await choir.singer()
    await choir.fetch(ben.device, dan.account)
    await gives(ben, dan, group, ada)
    await choir.gather(ben, dan)
    await ada.groups.add(group, [dan.account])
    await choir.connect(ada, ben, dan)
    await ada.text(group, "welcome")
    await choir.gather(ada, ben, dan)
    assert await dan.read(group) == ["welcome"]
    await ben.text(group, "indeed")
    await choir.gather(ada, ben, dan)
    assert await dan.read(group) == ["welcome", "indeed"]
