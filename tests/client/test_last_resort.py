"""One-time keys run out: the last resort opens sessions, and remembers each first message."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import msgspec
import pytest
from tests.client.post_office import Clockwork, Device, PostOffice, two_devices

from linnet.client import keys
from linnet.client.events import Message, Undecryptable
from linnet.client.keys import StoredPreKeys
from linnet.client.sql import every, number
from linnet.crypto.prekeys import LastResortUse
from linnet.wire import rest
from linnet.wire.frames import Deliver

DAY_MS = 86_400_000
Pair = tuple[Device, Device, PostOffice]


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    """Alice and Bob; the server has no one-time key of Bob's left."""
    alice, bob = await two_devices(tmp_path, clock := Clockwork())
    ordinary = Device.bundle

    async def exhausted(device: Device) -> rest.Bundle:
        bundle = await ordinary(device)
        [(id, public, signature)] = await device.store.read(
            lambda db: every(
                db,
                "SELECT id, public, signature FROM kem_pre_keys"
                " WHERE last_resort = 1 AND replaced_ms IS NULL",
            )
        )
        last = rest.KemPreKey(id=id, key=public, sig=signature)
        return msgspec.structs.replace(bundle, one_time=None, kem=last, kem_last_resort=True)

    monkeypatch.setattr(Device, "bundle", exhausted)
    yield alice, bob, PostOffice(clock)
    await alice.store.close()
    await bob.store.close()


async def first_message(pair: Pair) -> Deliver:
    alice, bob, office = pair
    await alice.write_text(bob, "hello")
    await office.collect(alice, {bob.account: bob})
    [row] = [row for row in office.rows(bob.account, 0) if isinstance(row, Deliver)]
    return row


async def kinds(bob: Device, alice: Device) -> list[type]:
    return [type(entry) for entry in await bob.shown(alice)]


async def uses(bob: Device) -> int:
    return await bob.store.read(lambda db: number(db, "SELECT count(*) FROM last_resort_uses"))


async def test_the_last_resort_opens_a_session_and_stays(pair: Pair) -> None:
    alice, bob, _ = pair
    await bob.receive([await first_message(pair)])
    assert await kinds(bob, alice) == [Message]
    left = await bob.store.read(
        lambda db: (
            number(db, "SELECT count(*) FROM one_time_pre_keys"),
            number(db, "SELECT count(*) FROM kem_pre_keys WHERE last_resort = 1"),
        )
    )
    assert left == (100, 1)
    assert await uses(bob) == 1


async def test_a_first_message_to_the_last_resort_is_read_once_also_after_a_restart(
    pair: Pair,
) -> None:
    alice, bob, _ = pair
    row = await first_message(pair)
    await bob.receive([row])
    bob = await bob.reopened()
    await bob.store.write(lambda db: db.execute("DELETE FROM sessions").close())
    again = msgspec.structs.replace(row, id=bytes(16), position=row.position + 1)
    await bob.receive([msgspec.structs.replace(again, prev=row.position)])
    assert await kinds(bob, alice) == [Message, Undecryptable]
    assert (await bob.shown(alice))[-1].reason == "replayed"
    assert await uses(bob) == 1
    await bob.store.close()


async def test_a_message_that_was_refused_is_no_use_of_the_last_resort(pair: Pair) -> None:
    _, bob, _ = pair
    row = await first_message(pair)
    broken = bytearray(row.ciphertext)
    broken[-1] ^= 1
    await bob.receive([msgspec.structs.replace(row, id=bytes(16), ciphertext=bytes(broken))])
    assert await uses(bob) == 0


async def test_uses_are_remembered_as_long_as_the_key_is_kept(pair: Pair) -> None:
    _, bob, _ = pair
    rng, began_ms = bob.sessions.rng, bob.clock.now_ms
    await bob.receive([await first_message(pair)])

    def remembered(db: apsw.Connection, day: int) -> bool:
        if keys.rotation_due(db, began_ms + day * DAY_MS):
            keys.rotate(db, began_ms + day * DAY_MS, rng)
        return number(db, "SELECT count(*) FROM last_resort_uses") == 1

    seen = {
        day: await bob.store.write(lambda db, d=day: remembered(db, d))  # type: ignore[misc]
        for day in range(7, 57, 7)
    }
    assert [day for day, kept in seen.items() if kept] == [7, 14, 21, 28, 35, 42]


async def test_a_first_message_to_keys_that_were_replaced_weeks_ago_is_read(pair: Pair) -> None:
    alice, bob, _ = pair
    row = await first_message(pair)
    for day in (7, 14, 21, 28, 35, 42):
        await bob.store.write(
            lambda db, d=day: keys.rotate(db, bob.clock.now_ms + d * DAY_MS, bob.sessions.rng)  # type: ignore[misc]
        )
    await bob.receive([row])
    assert await kinds(bob, alice) == [Message]


async def test_a_used_last_resort_is_seen_only_under_the_same_three_keys(pair: Pair) -> None:
    _, bob, _ = pair
    await bob.receive([await first_message(pair)])

    def look(db: apsw.Connection) -> list[bool]:
        [(kem, signed, base)] = every(
            db, "SELECT kem_id, signed_id, base_key FROM last_resort_uses"
        )
        looked = [
            (kem, signed, base),
            (kem + 1, signed, base),
            (kem, signed + 1, base),
            (kem, signed, bytes(33)),
        ]
        return [StoredPreKeys(db).seen(LastResortUse(*use)) for use in looked]

    assert await bob.store.read(look) == [True, False, False, False]


async def test_running_low_is_noticed_by_what_is_left_here(pair: Pair) -> None:
    _, bob, _ = pair

    def left(db: apsw.Connection, one_time: int, kem: int) -> bool:
        for table, count, only in (
            ("one_time_pre_keys", one_time, ""),
            ("kem_pre_keys", kem, " AND last_resort = 0"),
        ):
            db.execute(
                f"DELETE FROM {table} WHERE id NOT IN (SELECT id FROM {table}"
                f" WHERE uploaded = 1{only} LIMIT {count})"
                + (" AND last_resort = 0" if only else "")
            )
        return keys.running_low(db)

    for one_time, kem, low in ((100, 20, False), (25, 5, False), (24, 5, True), (24, 4, True)):
        assert (
            await bob.store.write(
                lambda db, o=one_time, k=kem: left(db, o, k)  # type: ignore[misc]
            )
            is low
        )
