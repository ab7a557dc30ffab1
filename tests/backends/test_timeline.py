"""One contract for every timeline; then SQLite against memory, step by step."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.backends.shelves import ROWS_MOST, MemoryShelf, Shelf, SqliteShelf, rows, there
from tests.backends.timelines import (
    ACCOUNTS,
    CONVERSATIONS,
    DAY_MS,
    MAILBOXES,
    NOON_MS,
    Writer,
)

from linnet.server.backends.sqlite.database import Database
from linnet.server.ports import Unavailable
from linnet.server.ports.timeline import (
    Batch,
    Entry,
    Head,
    Loaded,
    Opened,
    Outcome,
    Wanted,
    outcomes_in_scope,
)
from linnet.wire.frames import CONTROL, FULL
from linnet.wire.ids import message_time_ms

KEEP_MS = 30 * DAY_MS


@pytest.fixture(params=["memory", "sqlite"])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shelf]:
    made = MemoryShelf() if request.param == "memory" else SqliteShelf(tmp_path)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteShelf]:
    made = SqliteShelf(tmp_path)
    await made.open()
    yield made
    await made.close()


# ---- the contract


async def test_a_new_store_numbers_from_one_and_knows_nothing(shelf: Shelf) -> None:
    opened = await shelf.restart()
    assert opened == Opened(0, 0, [], 0)
    assert await rows(shelf.timeline, 0) == []
    assert there(await shelf.timeline.load(Writer().everything())) == there(Loaded())


async def test_rows_come_back_in_order_as_they_were_written(shelf: Shelf) -> None:
    writer = Writer()
    entries: list[Entry] = []
    for _ in range(3):
        for _ in range(3):
            writer.message()
        entries += writer.batch.entries
        await shelf.timeline.commit(writer.take())
    for mailbox in (0, 1):
        mine = [entry for entry in entries if entry.mailbox == MAILBOXES[mailbox]]
        assert await rows(shelf.timeline, mailbox) == mine
        assert await rows(shelf.timeline, mailbox, mine[4].position) == mine[5:]
        assert await rows(shelf.timeline, mailbox, mine[4].position - 1) == mine[4:]
    assert await rows(shelf.timeline, 2) == []


async def test_a_page_is_bounded_in_rows_and_bytes_but_never_empty(shelf: Shelf) -> None:
    writer = Writer()
    for _ in range(9):
        writer.message(size=1000)
    await shelf.timeline.commit(writer.take())
    held, timeline = await rows(shelf.timeline, 1), shelf.timeline
    assert await timeline.page(MAILBOXES[1], 0, 4, 1 << 30) == held[:4]
    assert await timeline.page(MAILBOXES[1], held[3].position, 99, 1 << 30) == held[4:]
    assert await timeline.page(MAILBOXES[1], 0, 99, 3600) == held[:3]
    assert await timeline.page(MAILBOXES[1], 0, 99, 1) == held[:1]


async def test_state_is_loaded_as_of_the_last_commit(shelf: Shelf) -> None:
    writer = Writer()
    change = writer.change_set(0, 2)
    accepted = writer.message()
    writer.join(0, {0: {1: 1}, 1: {1: 1}})
    mark, cursor = writer.mark(0, 1, 1, 1), writer.cursor(1, 1)
    await shelf.timeline.commit(writer.take())
    writer.now_ms += 10
    later = writer.message()
    other = writer.mark(0, 1, 2, 2)
    await shelf.timeline.commit(writer.take())
    loaded = await shelf.timeline.load(writer.everything())
    head = loaded.heads[CONVERSATIONS[0]]
    assert (head.conv_seq, head.clock) == (2, NOON_MS + 10)
    assert head.members[ACCOUNTS[1]].starts == {1: 1}
    assert loaded.mailboxes == {MAILBOXES[0]: 4, MAILBOXES[1]: 3}
    assert loaded.sets == {ACCOUNTS[0]: change}
    assert there(loaded)["marks"] == {(CONVERSATIONS[0], ACCOUNTS[1]): [mark, other]}
    assert loaded.cursors == {(ACCOUNTS[1], 1): cursor}
    assert loaded.outcomes == {accepted.id: [accepted], later.id: [later]}


async def test_a_control_message_advances_the_clock_and_no_number(shelf: Shelf) -> None:
    writer = Writer()
    writer.message(mode=CONTROL)
    await shelf.timeline.commit(writer.take())
    await shelf.restart(crash=True)
    loaded = await shelf.timeline.load(writer.everything())
    assert loaded.heads == {CONVERSATIONS[0]: Head(CONVERSATIONS[0], 0, NOON_MS)}


async def test_one_id_has_an_outcome_for_each_of_its_scopes(shelf: Shelf) -> None:
    writer = Writer()
    first = writer.message(sender=0)
    await shelf.timeline.commit(writer.take())
    second = writer.message(sender=1, id=first.id)
    third = writer.refusal(sender=2, id=first.id)
    await shelf.timeline.commit(writer.take())
    for crash in (False, True):
        outcomes = (await shelf.timeline.load(Wanted(ids={first.id}))).outcomes[first.id]
        assert len(outcomes) == 3
        for sender, expected in ((0, first), (1, second), (2, third)):
            found = outcomes_in_scope(outcomes, CONVERSATIONS[0], ACCOUNTS[sender], 1)
            assert found == expected
        assert outcomes_in_scope(outcomes, CONVERSATIONS[0], ACCOUNTS[0], 2) is None
        await shelf.restart(crash=crash)


async def test_a_restart_goes_on_where_the_last_commit_ended(shelf: Shelf) -> None:
    writer = Writer()
    for crash in (True, False, True):
        writer.message()
        writer.mark(0, 1, 1, writer.conv_seq[CONVERSATIONS[0]])
        writer.cursor(1, 1)
        writer.refusal()
        await shelf.timeline.commit(writer.take())
        before = there(await shelf.timeline.load(writer.everything()))
        opened = await shelf.restart(crash=crash)
        assert opened.last_position == writer.last
        assert there(await shelf.timeline.load(writer.everything())) == before


async def test_a_refusal_numbered_between_rows_hides_none_of_them(sqlite: SqliteShelf) -> None:
    writer = Writer()
    for _ in range(2):
        writer.message()
    writer.refusal()
    refused_at = writer.last
    for _ in range(2):
        writer.message()
    writer.batch.refusals.append((refused_at, writer.batch.refusals.pop()[1]))
    last = writer.last
    await sqlite.timeline.commit(writer.take())
    writer.message()  # the segment is full by now
    await sqlite.timeline.commit(writer.take())
    assert [row.position for row in await rows(sqlite.timeline, 0, last - 1)] == [last, last + 2]


async def test_ids_not_recent_after_a_restart_are_all_below_the_time_told(shelf: Shelf) -> None:
    writer = Writer()
    for _ in range(15):
        writer.now_ms += 1000
        writer.message(to=(0,))
        await shelf.timeline.commit(writer.take())
    for most in (0, 1, 3, 100):
        opened = await shelf.restart(crash=True, recent_most=most)
        assert len(opened.recent) <= most
        assert opened.recent == writer.ids[len(writer.ids) - len(opened.recent) :]
        others = [message_time_ms(id) for id in writer.ids if id not in opened.recent]
        assert max(others, default=0) <= opened.older_ids_until_ms <= writer.now_ms


async def test_an_epoch_numbers_above_every_position_and_survives(shelf: Shelf) -> None:
    writer = Writer()
    writer.message()
    await shelf.timeline.commit(writer.take())
    assert await shelf.timeline.raise_epoch() == 1
    opened = await shelf.restart(crash=True)
    assert (opened.epoch, opened.last_position) == (1, 1 << 48)


async def test_epochs_end_before_positions_outgrow_javascript(shelf: Shelf) -> None:
    for epoch in range(1, 32):
        assert await shelf.timeline.raise_epoch() == epoch
    assert (31 << 48) + (1 << 47) < 1 << 53
    with pytest.raises(Unavailable):
        await shelf.timeline.raise_epoch()


# ---- retention


async def test_silence_of_31_days_drops_all_rows_and_no_number(shelf: Shelf) -> None:
    writer = Writer()
    for _ in range(4):
        writer.message()
        await shelf.timeline.commit(writer.take())
    for day in range(1, 33):
        await shelf.timeline.retain(NOON_MS + day * DAY_MS, KEEP_MS)
    assert await rows(shelf.timeline, 0) == []
    writer.now_ms = NOON_MS + 32 * DAY_MS
    for crash in (False, True):
        opened = await shelf.restart(crash=crash)
        assert opened.last_position == writer.last
    loaded = await shelf.timeline.load(writer.everything())
    assert loaded.outcomes == {}
    assert loaded.heads[CONVERSATIONS[0]].conv_seq == 4
    assert loaded.mailboxes == {MAILBOXES[0]: 8, MAILBOXES[1]: 7}
    writer.message()
    await shelf.timeline.commit(writer.take())
    (row,) = await rows(shelf.timeline, 0, 2)
    assert row.prev == 8


async def test_rows_are_dropped_only_from_the_front_and_only_when_old(shelf: Shelf) -> None:
    writer = Writer()
    for _ in range(40):
        writer.message()
        await shelf.timeline.commit(writer.take())
        writer.now_ms += DAY_MS
        await shelf.timeline.retain(writer.now_ms, KEEP_MS)
    held = await rows(shelf.timeline, 1)
    old = [row for row in held if row.accepted.server_timestamp < writer.now_ms - KEEP_MS]
    assert len(held) - len(old) == 30
    assert len(old) <= ROWS_MOST
    assert [row.prev for row in held[1:]] == [row.position for row in held[:-1]]
    assert held[0].prev > 0


async def test_an_outcome_outlives_its_id_being_taken_for_new(shelf: Shelf) -> None:
    writer = Writer()
    ahead = writer.message(id=writer.fresh_id(NOON_MS + 5 * 60_000))
    await shelf.timeline.commit(writer.take())
    for hours in range(24, 24 * 30 + 1, 24):
        await shelf.timeline.retain(NOON_MS + hours * 3_600_000, KEEP_MS)
    await shelf.timeline.retain(NOON_MS + KEEP_MS + 5 * 60_000, KEEP_MS)
    wanted = Wanted(ids={ahead.id})
    assert (await shelf.timeline.load(wanted)).outcomes == {ahead.id: [ahead]}
    await shelf.timeline.retain(NOON_MS + KEEP_MS + 5 * 60_000 + 1, KEEP_MS)
    assert not any((await shelf.timeline.load(wanted)).outcomes.values())


async def test_a_refusal_lasts_as_long_as_a_message(shelf: Shelf) -> None:
    writer = Writer()
    refusal = writer.refusal()
    await shelf.timeline.commit(writer.take())
    for day in range(1, 31):
        await shelf.timeline.retain(NOON_MS + day * DAY_MS, KEEP_MS)
    loaded = await shelf.timeline.load(Wanted(ids={refusal.id}))
    assert loaded.outcomes == {refusal.id: [refusal]}
    await shelf.timeline.retain(NOON_MS + 31 * DAY_MS, KEEP_MS)
    assert not any((await shelf.timeline.load(Wanted(ids={refusal.id}))).outcomes.values())


async def test_a_clock_40_days_ahead_for_a_second_drops_nothing(shelf: Shelf) -> None:
    writer = Writer()
    writer.message()
    await shelf.timeline.commit(writer.take())
    ahead = NOON_MS + 40 * DAY_MS
    writer.message()
    jumped = writer.take()
    jumped.clock_ms = ahead
    await shelf.timeline.commit(jumped)
    assert (await shelf.timeline.retain(ahead, KEEP_MS)).waiting
    assert len(await rows(shelf.timeline, 0)) == 2
    assert not (await shelf.timeline.retain(NOON_MS + 1000, KEEP_MS)).waiting
    assert len(await rows(shelf.timeline, 0)) == 2


@pytest.mark.parametrize("step_ms", [2 * DAY_MS + 1, -3_600_001])
async def test_after_a_clock_step_retention_waits_for_the_operator(
    shelf: Shelf, step_ms: int
) -> None:
    writer = Writer()
    writer.message()
    await shelf.timeline.commit(writer.take())
    now = NOON_MS + step_ms
    for crash in (False, True):
        writer.now_ms = now
        writer.message()
        await shelf.timeline.commit(writer.take())
        retained = await shelf.timeline.retain(now, KEEP_MS)
        assert retained.waiting
        assert retained.dropped_rows == 0
        await shelf.timeline.retain(NOON_MS, KEEP_MS)  # known to the store, crash or not
        await shelf.restart(crash=crash)
    assert not (await shelf.timeline.retain(now, KEEP_MS, trust_clock=True)).waiting
    assert not (await shelf.timeline.retain(now + 1, KEEP_MS)).waiting


# ---- SQLite alone


async def test_a_full_disk_stores_nothing_of_a_batch_and_passes(sqlite: SqliteShelf) -> None:
    writer = Writer()
    writer.message()
    await sqlite.timeline.commit(writer.take())
    before = there(await sqlite.timeline.load(writer.everything()))
    last, prev, conv_seq = writer.last, dict(writer.prev), dict(writer.conv_seq)
    await _limit_pages(sqlite.database, spare=3)
    writer.message(size=100_000)
    writer.mark(0, 1, 1, 2)
    with pytest.raises(Unavailable):
        await sqlite.timeline.commit(writer.take())
    assert there(await sqlite.timeline.load(writer.everything())) == before
    assert [row.position for row in await rows(sqlite.timeline, 0)] == [2]
    await _limit_pages(sqlite.database, spare=1_000_000)
    writer.last, writer.prev, writer.conv_seq = last, prev, conv_seq
    writer.message()
    await sqlite.timeline.commit(writer.take())
    assert (await sqlite.restart(crash=True)).last_position == 4
    assert [(row.position, row.prev) for row in await rows(sqlite.timeline, 0)] == [(2, 0), (4, 2)]


async def test_a_batch_is_acknowledged_even_if_it_can_not_be_folded(
    sqlite: SqliteShelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(connection: apsw.Connection, position: int, clock_ms: int) -> None:
        raise apsw.FullError

    writer = Writer()
    for _ in range(6):
        writer.message()
    monkeypatch.setattr(sqlite.timeline._unfolded, "write", full)
    await sqlite.timeline.commit(writer.take())
    monkeypatch.undo()
    before = there(await sqlite.timeline.load(writer.everything()))
    writer.message()
    await sqlite.timeline.commit(writer.take())
    await sqlite.restart(crash=True)
    loaded = there(await sqlite.timeline.load(writer.everything()))
    assert before["heads"][CONVERSATIONS[0]].conv_seq == 6
    assert loaded["heads"][CONVERSATIONS[0]].conv_seq == 7


async def test_a_segment_that_can_not_be_opened_refuses_the_batch(sqlite: SqliteShelf) -> None:
    writer = Writer()
    for _ in range(3):
        writer.message()
    await sqlite.timeline.commit(writer.take())
    await _limit_pages(sqlite.database, spare=0)
    writer.message()
    batch = writer.take()
    with pytest.raises(Unavailable):
        await sqlite.timeline.commit(batch)
    await _limit_pages(sqlite.database, spare=1_000_000)
    await sqlite.timeline.commit(batch)
    assert len(await rows(sqlite.timeline, 0)) == 4


async def test_retention_and_reading_may_run_beside_commits(tmp_path: Path) -> None:
    shelf = SqliteShelf(tmp_path, rows_most=4, fold_after=3)
    await shelf.open()
    writer, timeline = Writer(), shelf.timeline

    async def retain() -> None:
        for _ in range(30):
            await timeline.retain(writer.now_ms, DAY_MS)

    async def read() -> None:
        for _ in range(60):
            page = await rows(timeline, 0)
            assert [row.prev for row in page[1:]] == [row.position for row in page[:-1]]
            await timeline.load(writer.everything())

    async def commit() -> None:
        for _ in range(60):
            writer.message()
            writer.cursor(0, 1)
            writer.now_ms += DAY_MS // 4
            await timeline.commit(writer.take())

    async with asyncio.TaskGroup() as tasks:
        for work in (retain, read, commit):
            tasks.create_task(work())
    assert [row.accepted.id for row in await rows(timeline, 0)][-4:] == writer.ids[-4:]
    before = there(await timeline.load(writer.everything()))
    assert before["heads"][CONVERSATIONS[0]].conv_seq == 60
    await shelf.restart(crash=True)
    assert there(await shelf.timeline.load(writer.everything())) == before
    await shelf.close()


async def test_a_segment_dropped_under_a_reader_is_read_as_expired(sqlite: SqliteShelf) -> None:
    writer, timeline = Writer(), sqlite.timeline
    writer.message()
    await timeline.commit(writer.take())
    free = threading.Event()
    busy = asyncio.ensure_future(  # noqa: TID251
        sqlite.database.read(lambda connection: free.wait(10))
    )
    page = asyncio.ensure_future(rows(timeline, 0))  # noqa: TID251
    older = asyncio.ensure_future(rows(timeline, 0))  # noqa: TID251
    outcomes = asyncio.ensure_future(timeline.load(writer.everything()))  # noqa: TID251
    await asyncio.sleep(0)
    retained = await timeline.retain(NOON_MS + 2 * DAY_MS, DAY_MS)
    again = asyncio.ensure_future(rows(timeline, 0))  # noqa: TID251
    free.set()
    assert retained.dropped_rows == 2
    assert (await busy, await page, await older, await again) == (True, [], [], [])
    assert not any((await outcomes).outcomes.values())


async def test_a_closed_segment_dropped_under_a_reader_is_read_as_expired(
    sqlite: SqliteShelf,
) -> None:
    writer, timeline = Writer(), sqlite.timeline
    for _ in range(2):
        for _ in range(3):
            writer.message()
        await timeline.commit(writer.take())
        writer.now_ms += 3 * DAY_MS // 2
    free = threading.Event()
    busy = asyncio.ensure_future(  # noqa: TID251
        sqlite.database.read(lambda connection: free.wait(10))
    )
    page = asyncio.ensure_future(rows(timeline, 0))  # noqa: TID251
    await asyncio.sleep(0)
    await timeline.retain(writer.now_ms, 2 * DAY_MS)
    free.set()
    await busy
    assert [row.accepted.conv_seq for row in await page] == [4, 5, 6]


@pytest.mark.parametrize("jump_ms", [40 * DAY_MS, -40 * DAY_MS])
@pytest.mark.parametrize("refused", [False, True])
async def test_a_clock_that_jumped_rolls_a_segment_once_not_at_every_commit(
    sqlite: SqliteShelf, refused: bool, jump_ms: int
) -> None:
    writer = Writer()
    for n in range(5):
        if refused:
            writer.refusal()
        else:
            writer.message(to=(0,))
        batch = writer.take()
        batch.clock_ms = NOON_MS + (jump_ms if n else 0)
        await sqlite.timeline.commit(batch)
    names = await sqlite.database.read(
        lambda c: [row[0] for row in c.execute("SELECT number FROM segment ORDER BY 1")]
    )
    assert names == [1, 2]


async def test_integrity_holds_after_crashes_rolls_and_retention(sqlite: SqliteShelf) -> None:
    writer = Writer()
    for _ in range(20):
        writer.message()
        writer.now_ms += DAY_MS
        await sqlite.timeline.commit(writer.take())
        await sqlite.timeline.retain(writer.now_ms, 5 * DAY_MS)
        await sqlite.restart(crash=True)
    check = await sqlite.database.read(lambda c: c.execute("PRAGMA integrity_check").get)
    assert check == "ok"


async def _limit_pages(database: Database, spare: int) -> None:
    """Let the file grow by `spare` pages and then be a full disk. Set outside a transaction."""

    def limit(connection: apsw.Connection) -> None:
        count = connection.execute("PRAGMA page_count").get
        connection.execute(f"PRAGMA max_page_count = {count + spare}")

    await database.write(limit)


# ---- SQLite against memory, step by step

_SMALL = st.integers(0, 2)
_MESSAGES = st.lists(
    st.tuples(
        _SMALL,
        _SMALL,
        st.sampled_from([(0,), (1, 0), (2, 1), (0, 2)]),
        st.sampled_from([FULL, FULL, CONTROL]),
        st.booleans(),
    ),
    max_size=4,
)


class TimelineMachine(RuleBasedStateMachine):
    """Whatever is committed, folded, rolled, dropped and reopened, both tell the same."""

    @initialize()
    def start(self) -> None:
        self.runner = asyncio.Runner()
        self.directory = Path(tempfile.mkdtemp(dir=_memory_disk()))
        self.writer = Writer()
        self.memory = MemoryShelf()
        self.sqlite = SqliteShelf(self.directory)
        self.expired_before_ms = 0
        self.clock_seen = False
        self.runner.run(self.sqlite.open())

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.run(self.sqlite.close())
            self.runner.close()
            shutil.rmtree(self.directory)

    @rule(
        messages=_MESSAGES,
        spreads=st.lists(st.tuples(st.sampled_from([(0,), (1, 2), (2, 0, 1)]), st.booleans())),
        refusals=st.integers(0, 2),
        ticks=st.booleans(),
        hours=_SMALL,
    )
    def commit(
        self,
        messages: list[tuple[int, int, tuple[int, ...], int, bool]],
        spreads: list[tuple[tuple[int, ...], bool]],
        refusals: int,
        ticks: bool,
        hours: int,
    ) -> None:
        writer = self.writer
        writer.now_ms += hours * 8 * 3_600_000
        for conversation, sender, to, mode, joins in messages:
            if spreads:
                seats, moves = spreads.pop()
                writer.spread(2, sender, seats)
                if moves:
                    writer.gather(2, 1 + writer.rosters.get(CONVERSATIONS[2], 0), seats)
            writer.message(conversation, sender, to, mode=mode)
            if joins and mode != CONTROL:
                writer.join(conversation, {sender: {1: 1, 2: writer.last}})
        for _ in range(refusals):
            writer.refusal()
        if ticks:
            writer.mark(0, 1, 1 + len(messages) % 2, 1 + len(messages))
            writer.cursor(1, 1 + refusals % 2, gap=hours)
            writer.change_set(hours, 1 + len(messages))
        self._both_commit(writer.take())

    @rule(sender=_SMALL, pick=st.integers(0, 1 << 16))
    def use_an_id_again_in_another_scope(self, sender: int, pick: int) -> None:
        if self.writer.ids:
            id = self.writer.ids[pick % len(self.writer.ids)]
            self.writer.message(0, sender, (sender,), id=id)
            self._both_commit(self.writer.take())

    def _both_commit(self, batch: Batch) -> None:
        self.clock_seen |= bool(batch.entries or batch.spreads)
        self.runner.run(self.memory.timeline.commit(batch))
        self.runner.run(self.sqlite.timeline.commit(batch))

    @rule(crash=st.booleans(), recent_most=st.sampled_from([0, 2, 1000]))
    def restart(self, crash: bool, recent_most: int) -> None:
        told = self.runner.run(self.sqlite.restart(crash, recent_most))
        expected = self.runner.run(self.memory.open(recent_most))
        assert told.epoch == expected.epoch
        assert told.last_position == expected.last_position == self.writer.last
        assert len(told.recent) <= recent_most
        held = set(self.runner.run(self.memory.timeline.load(self.writer.everything())).outcomes)
        for id in held - set(told.recent):
            assert message_time_ms(id) <= told.older_ids_until_ms

    @rule(days=st.integers(0, 1), keep=st.integers(1, 3))
    def retain(self, days: int, keep: int) -> None:
        self.writer.now_ms += days * DAY_MS
        now, keep_ms = self.writer.now_ms, keep * DAY_MS
        expected = self.runner.run(self.memory.timeline.retain(now, keep_ms))
        told = self.runner.run(self.sqlite.timeline.retain(now, keep_ms))
        # After a crash SQLite knows the clock of the last message, not of the last commit.
        assert told.waiting or not expected.waiting
        self.clock_seen = True
        if not expected.waiting:
            self.expired_before_ms = max(self.expired_before_ms, now - keep_ms)

    @precondition(lambda self: self.clock_seen)
    @rule(days=st.integers(3, 50))
    def step_the_clock_for_one_pass(self, days: int) -> None:
        for timeline in (self.memory.timeline, self.sqlite.timeline):
            retained = self.runner.run(timeline.retain(self.writer.now_ms + days * DAY_MS, 1))
            assert retained.waiting

    @rule()
    def raise_epoch(self) -> None:
        if self.writer.last >> 48 < 30:
            told = [
                self.runner.run(timeline.raise_epoch())
                for timeline in (self.memory.timeline, self.sqlite.timeline)
            ]
            assert told[0] == told[1]
            self.writer.last = max(self.writer.last, told[0] << 48)

    @rule(first=st.integers(1, 9), count=st.integers(0, 9), most=st.integers(1, 5))
    def find_by_number(self, first: int, count: int, most: int) -> None:
        group, last = CONVERSATIONS[2], first + count
        told, expected = (
            self.runner.run(it.timeline.numbered(group, first, last, most, 1 << 30))
            for it in (self.sqlite, self.memory)
        )
        kept = [it for it in told if it[0].server_timestamp >= self.expired_before_ms]
        assert kept == [it for it in expected if it in kept]
        assert len(told) >= len(expected) or len(told) == most
        assert [it[0].conv_seq for it in told] == sorted(it[0].conv_seq for it in told)

    @rule(mailbox=_SMALL, pick=st.integers(0, 1 << 16), most=st.integers(1, 5))
    def page(self, mailbox: int, pick: int, most: int) -> None:
        full = self.runner.run(rows(self.sqlite.timeline, mailbox))
        cursors = [0, *(row.position for row in full)]
        since = cursors[pick % len(cursors)] + pick % 2
        page = self.runner.run(self.sqlite.timeline.page(MAILBOXES[mailbox], since, most, 1 << 30))
        assert page == [row for row in full if row.position > since][:most]

    @invariant()
    def rows_are_the_same(self) -> None:
        if not hasattr(self, "runner"):
            return
        for mailbox in range(3):
            expected = self.runner.run(rows(self.memory.timeline, mailbox))
            told = self.runner.run(rows(self.sqlite.timeline, mailbox))
            late = told[: len(told) - len(expected)]
            assert told[len(late) :] == expected
            assert all(row.accepted.server_timestamp < self.expired_before_ms for row in late)

    @invariant()
    def state_is_the_same(self) -> None:
        if not hasattr(self, "runner"):
            return
        wanted = self.writer.everything()
        expected = there(self.runner.run(self.memory.timeline.load(wanted)))
        told = there(self.runner.run(self.sqlite.timeline.load(wanted)))
        for id in wanted.ids:
            kept: list[Outcome] = told["outcomes"].pop(id, [])
            for outcome in expected["outcomes"].pop(id, []):
                kept.remove(outcome)
            assert not kept or message_time_ms(id) < self.expired_before_ms
        assert told == expected


def _memory_disk() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


TestSqliteAgainstMemory = TimelineMachine.TestCase
TestSqliteAgainstMemory.settings = settings(
    max_examples=settings().max_examples // 3,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
