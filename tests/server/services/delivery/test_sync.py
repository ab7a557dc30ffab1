"""A mailbox over HTTP: the same rows and the same push rule as on a socket."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence

import pytest
from tests.backends.people import first_device
from tests.server.services.delivery.records import (
    ALICE,
    BOB,
    DAY_MS,
    NOW_MS,
    fresh_id,
    mailbox_of,
    send,
)
from tests.server.services.delivery.world import Faulty, World, running

from linnet.server.backends.memory.accounts import MemoryAccounts
from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.config import Delivery as DeliveryConfig
from linnet.server.ports.accounts import Account
from linnet.server.ports.timeline import Entry
from linnet.server.services.delivery.sync import Sync
from linnet.server.services.tokens import Identity
from linnet.wire.errors import RequestRefused
from linnet.wire.limits import SYNC_ROWS
from linnet.wire.rest import SyncPage

PHONE, LAPTOP = Identity(BOB, 1, NOW_MS), Identity(BOB, 2, NOW_MS)


async def sync_of(world: World) -> Sync:
    """The service over the world's timeline, with Alice and Bob registered."""
    accounts = MemoryAccounts(MemoryDevices())
    for n, account in enumerate((ALICE, BOB)):
        await accounts.register(
            Account(account, mailbox_of(account), b"k" * 33, None, b"", NOW_MS), first_device(n)
        )
    return Sync(world.timeline, accounts, DeliveryConfig(page_bytes=1000))


async def test_pages_lead_through_the_whole_mailbox() -> None:
    async with running() as world:
        sync = await sync_of(world)
        assert await sync.sync(PHONE, 0, 10) == SyncPage([], 0, more=False)
        for n in range(5):
            await world.sent(send(fresh_id(n)))
        held = await world.rows(BOB)
        head, since, pages = held[-1].position, 0, []
        for _ in range(3):
            page = await sync.sync(PHONE, since, 2)
            pages.append(page)
            since = page.rows[-1]["position"]
        assert [[row["conv_seq"] for row in page.rows] for page in pages] == [[1, 2], [3, 4], [5]]
        assert [(page.head, page.more, page.resync) for page in pages] == [
            (head, True, None),
            (head, True, None),
            (head, False, None),
        ]
        assert await sync.sync(PHONE, since, 2) == SyncPage([], head, more=False)


async def test_each_device_is_shown_its_own_view_in_the_json_forms() -> None:
    async with running() as world:
        sync = await sync_of(world)
        await world.sent(send(fresh_id(1)))
        (message,) = (await sync.sync(PHONE, 0, 9)).rows
        assert (message["type"], message["position"], message["prev"]) == ("message", 1, 0)
        assert b64decode(str(message["ciphertext"])) == b"for 1"
        assert b64decode(str(message["from"])) == ALICE
        (row,) = (await sync.sync(LAPTOP, 0, 9)).rows
        assert set(row) == {"type", "position", "prev", "conversation", "conv_seq"}
        assert row["type"] == "row"
        (own,) = (await sync.sync(Identity(ALICE, 1, NOW_MS), 0, 9)).rows
        assert (own["type"], own["conv_seq"], own["sets"]) == ("own", 1, [1, 1])


@pytest.mark.parametrize("limit", [0, 1, SYNC_ROWS, SYNC_ROWS * 10])
async def test_a_page_is_bounded_in_rows_and_bytes_and_never_empty(limit: int) -> None:
    async with running() as world:
        sync = await sync_of(world)
        for n in range(2 * SYNC_ROWS // 100):
            await world.sent(send(fresh_id(n)))
        page = await sync.sync(PHONE, 0, limit)
        assert 1 <= len(page.rows) <= max(limit, 1)
        assert page.more is (len(page.rows) < 2 * SYNC_ROWS // 100)


async def test_a_cursor_above_the_head_is_refused() -> None:
    async with running() as world:
        sync = await sync_of(world)
        await world.sent(send(fresh_id(1)))
        with pytest.raises(RequestRefused) as refused:
            await sync.sync(PHONE, 2, 9)
        assert refused.value.code == "malformed"


async def test_a_caller_without_an_account_is_refused() -> None:
    async with running() as world:
        sync = await sync_of(world)
        with pytest.raises(RequestRefused) as refused:
            await sync.sync(Identity(b"?" * 16, 1, NOW_MS), 0, 9)
        assert refused.value.code == "unauthorized"


async def test_after_31_days_of_silence_the_client_goes_on_from_the_head() -> None:
    async with running() as world:
        sync = await sync_of(world)
        for n in range(3):
            await world.sent(send(fresh_id(n)))
        head = (await world.rows(BOB))[-1].position
        for day in range(1, 32):
            await world.timeline.retain(NOW_MS + day * DAY_MS, 30 * DAY_MS)
        assert await sync.sync(PHONE, 1, 9) == SyncPage([], head, more=False, resync=head)
        assert await sync.sync(PHONE, head, 9) == SyncPage([], head, more=False)


async def test_rows_expired_below_the_cursor_are_resynced_up_to_what_is_left() -> None:
    async with running() as world:
        sync = await sync_of(world)
        for n in range(3):
            await world.sent(send(fresh_id(n)))
        lost = (await world.rows(BOB))[-1].position
        for day in range(1, 32):
            world.pass_ms(DAY_MS)
            await world.timeline.retain(NOW_MS + day * DAY_MS, 30 * DAY_MS)
        await world.sent(send(fresh_id(4, NOW_MS + 31 * DAY_MS)))
        (left,) = await world.rows(BOB)
        page = await sync.sync(PHONE, 1, 9)
        assert page == SyncPage([], left.position, more=True, resync=lost)
        (row,) = (await sync.sync(PHONE, lost, 9)).rows
        assert row["prev"] == lost


class Holes(Faulty):
    """A store that leaves out a row, now and then."""

    def __init__(self, timeline: Faulty, left_out: dict[int, int]) -> None:
        super().__init__(timeline)
        self.left_out = left_out

    async def page(
        self, mailbox: bytes, since: int, most_rows: int, most_bytes: int
    ) -> Sequence[Entry]:
        rows = await super().page(mailbox, since, most_rows, most_bytes)
        kept = [row for row in rows if not self.left_out.get(row.accepted.conv_seq)]
        for number in self.left_out:
            self.left_out[number] = max(self.left_out[number] - 1, 0)
        return kept


async def test_a_row_missing_once_is_read_again_and_a_page_ends_before_a_hole() -> None:
    async with running() as world:
        for n in range(4):
            await world.sent(send(fresh_id(n)))
        first = (await world.rows(BOB))[0].position
        holes = Holes(world.timeline, {})
        world.timeline = holes
        sync = await sync_of(world)
        for left_out, expected in (({1: 1}, [1, 2, 3, 4]), ({3: 1}, [1, 2]), ({2: 9}, [1])):
            holes.left_out = left_out
            page = await sync.sync(PHONE, 0, 9)
            assert [row["conv_seq"] for row in page.rows] == expected
            assert page.more is (len(expected) < 4)
        holes.left_out = {1: 9}
        page = await sync.sync(PHONE, 0, 9)
        assert (page.rows, page.more, page.resync) == ([], True, first)
