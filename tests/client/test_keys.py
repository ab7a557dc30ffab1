"""Pre-keys: enough of them, new ones weekly, the same bytes until they are published."""

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from tests.client.post_office import START_MS, Clockwork, Device

from linnet.client import facts, keys
from linnet.client.facts import Keys
from linnet.client.sql import number
from linnet.wire.rest import KeyCount, KeyUpload

DAY_MS = 86_400_000
FULL = KeyCount(one_time=100, kem=20)


@pytest.fixture
async def device(tmp_path: Path) -> AsyncIterator[Device]:
    made = await Device.make(tmp_path, 1, Clockwork())
    yield made
    await made.store.close()


async def fill(device: Device, on_server: KeyCount, now_ms: int = START_MS) -> KeyUpload | None:
    def work(db: apsw.Connection) -> KeyUpload | None:
        keys.fill(db, on_server, now_ms, device.sessions.rng)
        return keys.unpublished(db)

    return await device.store.write(work)


async def test_nothing_is_made_while_the_server_has_enough(device: Device) -> None:
    assert await fill(device, KeyCount(one_time=25, kem=5)) is None


async def test_what_runs_low_is_filled_up_with_new_ids(device: Device) -> None:
    upload = await fill(device, KeyCount(one_time=24, kem=4))
    assert upload is not None
    assert (len(upload.one_time), len(upload.kem)) == (76, 16)
    assert (upload.signed, upload.last_resort) == (None, None)
    ids = [*(key.id for key in upload.one_time), *(key.id for key in upload.kem)]
    assert len(set(ids)) == len(ids)
    assert min(ids) > 122  # those of the registration were lower


async def test_an_upload_that_was_cut_off_is_repeated_as_it_was(device: Device) -> None:
    first = await fill(device, KeyCount(one_time=0, kem=0))
    assert first is not None
    assert await fill(device, KeyCount(one_time=0, kem=0)) == first
    await device.store.write(lambda db: keys.published(db, first))
    assert await fill(device, FULL) is None


async def test_signed_keys_are_replaced_weekly_and_kept_37_days_from_then(
    device: Device,
) -> None:
    def kept(db: apsw.Connection) -> tuple[int, int]:
        signed = number(db, "SELECT count(*) FROM signed_pre_keys")
        last = number(db, "SELECT count(*) FROM kem_pre_keys WHERE last_resort = 1")
        return signed, last

    def rotate(db: apsw.Connection, now_ms: int) -> tuple[bool, tuple[int, int]]:
        due = keys.rotation_due(db, now_ms)
        if due:
            keys.rotate(db, now_ms, device.sessions.rng)
        return due, kept(db)

    seen = {}
    for day in range(0, 57, 1):
        due, counts = await device.store.write(
            lambda db, now=START_MS + day * DAY_MS: rotate(db, now)  # type: ignore[misc]
        )
        if due:
            seen[day] = counts
    assert list(seen) == [7, 14, 21, 28, 35, 42, 49, 56]
    # On day 49 the key replaced on day 7 is 42 days old: gone. Day 14's goes on day 56.
    assert seen[42] == (7, 7)
    assert seen[49] == (7, 7)
    assert seen[56] == (7, 7)


async def test_rotated_keys_are_published_together(device: Device) -> None:
    await device.store.write(lambda db: keys.rotate(db, START_MS + 8 * DAY_MS, device.sessions.rng))
    upload = await fill(device, FULL)
    assert upload is not None
    assert upload.signed is not None
    assert upload.last_resort is not None
    assert (upload.one_time, upload.kem) == ([], [])


async def test_no_private_key_is_in_a_repr(device: Device) -> None:
    own = await device.store.read(lambda db: facts.get(db, Keys))
    assert own is not None
    assert own.device_private.hex() not in repr(own)
    assert repr(own) == "Keys(…)"
