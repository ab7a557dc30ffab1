"""Group messages in every timeline: one body, a row a mailbox, found again by place and number."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from tests.backends.shelves import MemoryShelf, Shelf, SqliteShelf, rows
from tests.backends.timelines import ACCOUNTS, CONVERSATIONS, DAY_MS, MAILBOXES, Writer

from linnet.server.ports.timeline import Entry, Wanted
from linnet.wire.frames import SENDER_KEY

GROUP = CONVERSATIONS[2]


@pytest.fixture(params=["memory", "sqlite"])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shelf]:
    made = MemoryShelf() if request.param == "memory" else SqliteShelf(tmp_path)
    await made.open()
    yield made
    await made.close()


async def test_rows_come_back_as_they_were_spread(shelf: Shelf) -> None:
    writer = Writer()
    made = writer.spread(size=5)
    await shelf.timeline.commit(writer.take())
    for restart in (False, True):
        if restart:
            await shelf.restart(crash=True)
        for n in range(3):
            assert await rows(shelf.timeline, n) == [made.entry(n)]
    (row,) = await rows(shelf.timeline, 1)
    assert [(it.device, it.kind, it.ciphertext) for it in row.parts] == [
        (device, SENDER_KEY, b"yyyyy") for device in (1, 2)
    ]


async def test_entries_and_spreads_of_one_batch_keep_their_order(shelf: Shelf) -> None:
    writer, expected = Writer(), list[tuple[int, int]]()
    for n in range(8):
        if n % 3:
            made = writer.spread()
            expected.append((made.first, made.accepted.conv_seq))
        else:
            writer.message(to=(0,))
            expected.append((writer.last, writer.conv_seq[CONVERSATIONS[0]]))
    await shelf.timeline.commit(writer.take())
    found = await rows(shelf.timeline, 0)
    assert [(row.position, row.accepted.conv_seq) for row in found] == expected
    assert [row.prev for row in found] == [0, *(row.position for row in found[:-1])]
    loaded = await shelf.timeline.load(writer.everything())
    assert loaded.mailboxes == writer.prev
    assert loaded.heads[GROUP].conv_seq == 5


async def test_an_id_is_found_once_whatever_the_number_of_rows(shelf: Shelf) -> None:
    writer = Writer()
    made = [writer.spread().accepted for _ in range(3)]
    await shelf.timeline.commit(writer.take())
    await shelf.restart(crash=True)
    loaded = await shelf.timeline.load(Wanted(ids={it.id for it in made}))
    assert loaded.outcomes == {it.id: [it] for it in made}


async def test_numbers_are_found_over_segments_within_their_bounds(shelf: Shelf) -> None:
    writer = Writer()
    made = []
    for _ in range(9):  # three rows each: over several segments
        made.append(writer.spread(size=10))
        await shelf.timeline.commit(writer.take())
    numbered = shelf.timeline.numbered
    assert await numbered(GROUP, 3, 7, 100, 1000) == [(it.accepted, it.body) for it in made[2:7]]
    assert [it[0].conv_seq for it in await numbered(GROUP, 2, 9, 3, 1000)] == [2, 3, 4]
    assert [it[0].conv_seq for it in await numbered(GROUP, 2, 9, 100, 25)] == [2, 3]
    assert [it[0].conv_seq for it in await numbered(GROUP, 2, 9, 100, 1)] == [2]
    assert await numbered(GROUP, 10, 99, 100, 1000) == []
    assert await numbered(CONVERSATIONS[0], 1, 9, 100, 1000) == []


async def test_bodies_are_dropped_with_their_rows(shelf: Shelf) -> None:
    writer = Writer()
    for _ in range(4):
        writer.spread()
        writer.spread()
        await shelf.timeline.commit(writer.take())
        writer.now_ms += DAY_MS
        await shelf.timeline.retain(writer.now_ms, 40 * DAY_MS)
    retained = await shelf.timeline.retain(writer.now_ms, 2 * DAY_MS)
    assert retained.dropped_rows == 12
    kept = await shelf.timeline.numbered(GROUP, 1, 99, 100, 1000)
    assert [it[0].conv_seq for it in kept] == [5, 6, 7, 8]
    assert [row.accepted.conv_seq for row in await rows(shelf.timeline, 2)] == [5, 6, 7, 8]
    assert (await shelf.timeline.load(writer.everything())).heads[GROUP].conv_seq == 8


async def test_a_gathering_is_kept_and_its_number_is_in_the_head(shelf: Shelf) -> None:
    writer = Writer()
    writer.gather(2, 4, (0, 1))
    await shelf.timeline.commit(writer.take())
    newer = writer.gather(2, 5, (1, 2))
    writer.spread(to=(1, 2))
    await shelf.timeline.commit(writer.take())
    for restart in (False, True):
        if restart:
            await shelf.restart(crash=True)
        loaded = await shelf.timeline.load(Wanted(heads={GROUP}, gatherings={GROUP, b"x" * 16}))
        assert loaded.gatherings == {GROUP: newer}
        head = loaded.heads[GROUP]
        assert (head.roster, head.conv_seq, head.members) == (5, 1, {})
        # Whoever loads a roster is about to number rows in its mailboxes.
        assert loaded.mailboxes == {MAILBOXES[n]: writer.prev[MAILBOXES[n]] for n in (1, 2)}


async def test_marks_of_many_accounts_are_found_as_those_of_one(shelf: Shelf) -> None:
    writer = Writer()
    for account in range(3):
        writer.spread()
        writer.mark(2, account, 1, account + 1)
    await shelf.timeline.commit(writer.take())
    await shelf.restart()
    strangers = [bytes([n]) * 16 for n in range(20)]
    keys = {(GROUP, account) for account in (*ACCOUNTS, *strangers)}
    found = (await shelf.timeline.load(Wanted(marks=keys))).marks
    assert {key[1]: it[0].intervals for key, it in found.items() if it} == {
        ACCOUNTS[n]: ((1, n + 1),) for n in range(3)
    }


async def test_a_page_counts_the_body_that_each_row_points_to(shelf: Shelf) -> None:
    writer = Writer()
    for _ in range(6):
        writer.spread(size=1000)
    await shelf.timeline.commit(writer.take())
    page = await shelf.timeline.page(MAILBOXES[0], 0, 100, 3500)
    assert len(page) == 3
    assert all(isinstance(it, Entry) for it in page)


async def test_a_store_from_before_groups_takes_them(tmp_path: Path) -> None:
    shelf = SqliteShelf(tmp_path, rows_most=4)
    await shelf.open()
    writer = Writer()
    for _ in range(3):
        writer.message()
        await shelf.timeline.commit(writer.take())

    def forget(connection: apsw.Connection) -> None:
        for (number,) in list(connection.execute("SELECT number FROM segment")):
            connection.execute(f"DROP TABLE body_{number}")

    await shelf.database.write(forget)
    await shelf.restart(crash=True)
    writer.spread()
    await shelf.timeline.commit(writer.take())
    assert len(await shelf.timeline.numbered(GROUP, 1, 9, 9, 999)) == 1
    await shelf.timeline.retain(writer.now_ms + DAY_MS, DAY_MS // 2)
    await shelf.close()


async def test_one_body_is_stored_and_rows_hold_a_few_bytes(tmp_path: Path) -> None:
    shelf = SqliteShelf(tmp_path)
    await shelf.open()
    writer = Writer()
    writer.spread(size=50_000)
    await shelf.timeline.commit(writer.take())
    sizes = await shelf.database.read(
        lambda c: [size for (size,) in c.execute("SELECT length(body) FROM entry_1")]
    )
    assert sizes == [8, 8, 8]
    assert await shelf.database.read(lambda c: c.execute("SELECT count(*) FROM body_1").get) == 1
    await shelf.close()
