"""A message to a group leaves after the sender keys that are needed to read it."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from tests.client.post_office import Clockwork, Device

from linnet.client import outbox
from linnet.client.outbox import KEYS_FIRST_MS, Item, Try, Way
from linnet.crypto.bodies import sender_key_body

GROUP, OTHER = b"g" * 16, b"o" * 16


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    device = await Device.make(tmp_path, 1, Clockwork())
    yield device
    await device.store.close()


async def due(device: Device, later_ms: int = 0) -> list[bytes]:
    now_ms = device.clock.now_ms + later_ms
    return [it.id for it in await device.store.read(lambda db: outbox.due(db, now_ms))]


async def test_it_waits_for_its_keys_and_for_no_others(device: Device) -> None:
    message, key, another = (bytes([n]) * 16 for n in (1, 2, 3))
    now_ms = device.clock.now_ms

    def write(db: apsw.Connection) -> None:
        item = Item(
            id=message,
            conversation=GROUP,
            peer=GROUP,
            kind="text",
            body=["hello"],
            sent_ms=now_ms,
            way=Way.GROUP,
        )
        outbox.enqueue(db, item, device.account, 1, device.own_key)

    def seal(db: apsw.Connection) -> None:
        made = Try(commitment=bytes(32), z=bytes(160), addressees=(), own_version=1, frame=b"frame")
        outbox.add_try(db, message, made)
        for id, group in ((key, GROUP), (another, OTHER)):
            outbox.enqueue_control(
                db,
                id=id,
                peer=bytes(16) if group == GROUP else bytes([9]) * 16,
                devices=(1,),
                kind="sender_key",
                body=sender_key_body(group, b"distribution"),
                sent_ms=now_ms,
            )

    await device.store.write(write)
    assert await due(device) == [message]
    await device.store.write(seal)
    assert await due(device) == [key, another]
    assert await due(device, KEYS_FIRST_MS) == [message, key, another]
    await device.store.write(lambda db: outbox.forget(db, key))
    assert await due(device) == [message, another]
