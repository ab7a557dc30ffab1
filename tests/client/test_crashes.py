"""The process dies before or after any store write; opened again, nothing is lost or doubled.

The sample of `make quick`: all steps of a whole client are in `tests/crashes`.
"""

from pathlib import Path

import pytest
from tests.client.post_office import Clockwork, Device, Killed, PostOffice, two_devices

from linnet.client import keys
from linnet.client.events import Message, State

TEXTS = ["one", "two", "three"]


@pytest.fixture(autouse=True)
def few_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a hundred keys for each death takes longer than the rest."""
    monkeypatch.setattr(keys, "ONE_TIME_KEYS", 4)
    monkeypatch.setattr(keys, "KEM_KEYS", 2)


async def send_all(alice: Device, bob: Device, office: PostOffice) -> None:
    """What an application and its client do, from wherever they stopped."""
    written = [entry.text for entry in await alice.shown(bob) if isinstance(entry, Message)]
    for text in TEXTS[len(written) :]:
        await alice.write_text(bob, text)
    await office.collect(alice, {bob.account: bob})
    await alice.receive(office.rows(alice.account, await alice.cursor()))


async def receive_all(bob: Device, office: PostOffice) -> None:
    """One row a transaction, as a slow line would bring them."""
    for row in office.rows(bob.account, await bob.cursor()):
        await bob.receive([row])


async def count_writes(tmp_path: Path) -> tuple[int, int]:
    alice, bob = await two_devices(tmp_path / "dry", clock := Clockwork())
    office = PostOffice(clock)
    alice.store.writes = bob.store.writes = 0
    await send_all(alice, bob, office)
    await receive_all(bob, office)
    writes = alice.store.writes, bob.store.writes
    await alice.store.close()
    await bob.store.close()
    return writes


async def shown_texts(device: Device, other: Device) -> list[str | None]:
    return [entry.text for entry in await device.shown(other) if isinstance(entry, Message)]


@pytest.mark.parametrize("after_commit", [False, True], ids=["before", "after"])
async def test_a_sender_killed_at_any_write_loses_and_doubles_nothing(
    tmp_path: Path, after_commit: bool
) -> None:
    writes, _ = await count_writes(tmp_path)
    assert writes >= 3 * len(TEXTS)
    for dies_at in range(1 + after_commit, writes + 1, 3):
        alice, bob = await two_devices(tmp_path / str(dies_at), clock := Clockwork())
        office = PostOffice(clock)
        alice.store.writes, alice.store.dies_at = 0, dies_at
        alice.store.after_commit = after_commit
        with pytest.raises(Killed):
            await send_all(alice, bob, office)
        alice = await alice.reopened()
        await send_all(alice, bob, office)
        await receive_all(bob, office)
        assert await shown_texts(bob, alice) == TEXTS
        assert await shown_texts(alice, bob) == TEXTS
        states = [entry.state for entry in await alice.shown(bob)]
        assert states == [State.SENT] * len(TEXTS)
        await alice.store.close()
        await bob.store.close()


@pytest.mark.parametrize("after_commit", [False, True], ids=["before", "after"])
async def test_a_receiver_killed_at_any_write_loses_and_doubles_nothing(
    tmp_path: Path, after_commit: bool
) -> None:
    _, writes = await count_writes(tmp_path)
    assert writes == len(TEXTS)
    for dies_at in range(1, writes + 1):
        alice, bob = await two_devices(tmp_path / str(dies_at), clock := Clockwork())
        office = PostOffice(clock)
        await send_all(alice, bob, office)
        bob.store.writes, bob.store.dies_at = 0, dies_at
        bob.store.after_commit = after_commit
        with pytest.raises(Killed):
            await receive_all(bob, office)
        bob = await bob.reopened()
        # The server may have missed the ack and sends everything again.
        await bob.receive(office.rows(bob.account, 0))
        assert await shown_texts(bob, alice) == TEXTS
        assert await bob.cursor() == office.mailboxes[bob.account][-1].position  # type: ignore[union-attr]
        await alice.store.close()
        await bob.store.close()


async def test_a_used_one_time_key_is_gone_with_the_message_that_used_it(tmp_path: Path) -> None:
    alice, bob = await two_devices(tmp_path, clock := Clockwork())
    office = PostOffice(clock)

    async def keys_left() -> list[tuple[object, ...]]:
        return await bob.store.read(
            lambda db: db.execute(
                "SELECT (SELECT count(*) FROM one_time_pre_keys),"
                " (SELECT count(*) FROM kem_pre_keys WHERE last_resort = 0)"
            ).fetchall()
        )

    await send_all(alice, bob, office)
    assert await keys_left() == [(4, 2)]
    await receive_all(bob, office)
    assert await keys_left() == [(3, 1)]
    await alice.store.close()
    await bob.store.close()
