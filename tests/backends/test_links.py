"""Contract of port `links`, and of `recover` of port `accounts`: devices that join a list."""

import asyncio
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.backends.conftest import Stores
from tests.backends.people import account, blob, first_device

from linnet.server.backends.memory.accounts import MemoryAccounts
from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.backends.memory.keys import MemoryKeys
from linnet.server.backends.memory.links import MemoryLinks
from linnet.server.ports.devices import Admission, Device, StoredList
from linnet.server.ports.links import Link, Links
from linnet.wire.rest import DeviceKeys, KemPreKey, KeyUpload, LinkAnswer, LinkKeys, SignedKey

ME = account(1).id
NOW, LATER, END = 1_000, 1_500, 2_000


@pytest.fixture
async def registered(stores: Stores) -> Stores:
    await stores.accounts.register(account(1), first_device(1))
    return stores


async def test_a_link_is_kept_as_it_was_opened(stores: Stores) -> None:
    assert await stores.links.open(_link(1), NOW, 9) == _link(1)
    assert await stores.links.get(_link(1).id) == _link(1)
    assert await stores.links.get(_link(2).id) is None


async def test_the_first_offer_keeps_the_id(stores: Stores) -> None:
    await stores.links.open(_link(1), NOW, 9)
    other = replace(_link(1), offer=b"other", expires_ms=9_999)
    assert await stores.links.open(other, NOW, 9) == _link(1)
    assert await stores.links.get(_link(1).id) == _link(1)


async def test_an_expired_link_keeps_its_id_too(stores: Stores) -> None:
    await stores.links.open(_link(1), NOW, 9)
    again = replace(_link(1), expires_ms=9_999)
    assert await stores.links.open(again, END, 9) == _link(1)


async def test_only_so_many_are_live_at_once(stores: Stores) -> None:
    for number in (1, 2):
        assert await stores.links.open(_link(number), NOW, 2)
    assert await stores.links.open(_link(3), NOW, 2) is None
    assert await stores.links.get(_link(3).id) is None
    assert await stores.links.open(_link(1), NOW, 2) == _link(1)
    assert await stores.links.open(replace(_link(3), expires_ms=9_999), END, 2) is not None


async def test_the_first_answer_is_kept_and_gives_more_time(stores: Stores) -> None:
    await stores.links.open(_link(1), NOW, 9)
    await stores.links.answer(_link(1).id, ME, _answer(1), NOW, 3_000)
    await stores.links.answer(_link(1).id, b"other", _answer(2), NOW, 4_000)
    expected = replace(_link(1), account=ME, answer=_answer(1), expires_ms=3_000)
    assert await stores.links.get(_link(1).id) == expected


async def test_an_answer_never_takes_time_away(stores: Stores) -> None:
    await stores.links.open(_link(1), NOW, 9)
    await stores.links.answer(_link(1).id, ME, _answer(1), NOW, NOW + 1)
    held = await stores.links.get(_link(1).id)
    assert held is not None
    assert held.expires_ms == END


async def test_of_two_answers_at_once_one_is_kept(stores: Stores) -> None:
    await stores.links.open(_link(1), NOW, 9)
    await asyncio.gather(
        *(stores.links.answer(_link(1).id, ME, _answer(n), NOW, END) for n in (1, 2))
    )
    held = await stores.links.get(_link(1).id)
    assert held is not None
    assert held.answer in (_answer(1), _answer(2))


async def test_keys_need_an_answer_and_the_first_are_kept(stores: Stores) -> None:
    await stores.links.open(_link(1), NOW, 9)
    await stores.links.fill(_link(1).id, _keys(1), NOW)
    held = await stores.links.get(_link(1).id)
    assert held is not None
    assert held.keys is None
    await stores.links.answer(_link(1).id, ME, _answer(1), NOW, END)
    for number in (1, 2):
        await stores.links.fill(_link(1).id, _keys(number), NOW)
    held = await stores.links.get(_link(1).id)
    assert held is not None
    assert held.keys == _keys(1)


async def test_an_expired_or_unknown_link_takes_no_step(registered: Stores) -> None:
    links = registered.links
    await links.open(_link(1), NOW, 9)
    for id in (_link(1).id, _link(2).id):
        await links.answer(id, ME, _answer(1), END, 9_999)
        await links.fill(id, _keys(1), END)
        assert not await links.activate(id, _admission(), 100, END)
        await links.end(id, END + 1)
    assert await links.get(_link(1).id) == _link(1)
    assert await links.get(_link(2).id) is None
    assert await registered.devices.get(ME, 2) is None


async def test_activating_lists_the_device_with_its_keys_and_the_set_change(
    registered: Stores,
) -> None:
    await _filled(registered.links)
    assert await registered.links.activate(_link(1).id, _admission(), 100, NOW)
    held = await registered.links.get(_link(1).id)
    assert held is not None
    assert held.device == 2
    assert await registered.devices.newest(ME) == _admission().list
    assert await registered.devices.get(ME, 2) == Device(
        ME, 2, blob("identity", 2, 33), 7, ticket=b"t" * 32
    )
    first = await registered.devices.get(ME, 1)
    assert first is not None
    assert not first.revoked
    assert first.ticket is None
    change = (await registered.devices.changes(10))[-1]
    assert (change.account, change.mailbox) == (ME, account(1).mailbox)
    assert (change.set, change.devices) == (2, (1, 2))
    assert await registered.keys.take(ME, 2) is not None


async def test_activating_happens_once(registered: Stores) -> None:
    await _filled(registered.links)
    once = await asyncio.gather(
        *(registered.links.activate(_link(1).id, _admission(), 100, NOW) for _ in range(3))
    )
    assert sorted(once) == [False, False, True]
    assert len(await registered.devices.changes(10)) == 2


async def test_if_another_list_was_first_nothing_of_it_happens(registered: Stores) -> None:
    await _filled(registered.links)
    await registered.devices.replace(ME, 1, StoredList(b"other", bytes(64), 2, 1), [1])
    assert not await registered.links.activate(_link(1).id, _admission(), 100, NOW)
    assert await registered.devices.get(ME, 2) is None
    assert await registered.keys.take(ME, 2) is None
    assert len(await registered.devices.changes(10)) == 1
    held = await registered.links.get(_link(1).id)
    assert held is not None
    assert held.device == 0


async def test_an_active_link_neither_ends_nor_opens_again(registered: Stores) -> None:
    await _filled(registered.links)
    await registered.links.activate(_link(1).id, _admission(), 100, NOW)
    before = await registered.links.get(_link(1).id)
    await registered.links.end(_link(1).id, NOW)
    assert await registered.links.get(_link(1).id) == before
    assert await registered.links.open(_link(1), NOW, 9) == before


async def test_a_live_link_ends_when_told(stores: Stores) -> None:
    await stores.links.open(_link(1), NOW, 9)
    await stores.links.end(_link(1).id, LATER)
    assert await stores.links.get(_link(1).id) == replace(_link(1), expires_ms=LATER)


async def test_expired_links_are_cleared_first_and_dropped_later(registered: Stores) -> None:
    await _filled(registered.links)
    await registered.links.activate(_link(1).id, _admission(), 100, NOW)
    await registered.links.open(replace(_link(2), expires_ms=9_999), NOW, 9)
    assert await registered.links.forget(END - 1, 0) == 0
    held = await registered.links.get(_link(1).id)
    assert held is not None
    assert held.keys == _keys(1)
    assert await registered.links.forget(END, 0) == 0
    cleared = Link(_link(1).id, b"", END, account=ME, device=2)
    assert await registered.links.get(_link(1).id) == cleared
    assert await registered.links.forget(9_000, END) == 0
    assert await registered.links.forget(9_000, END + 1) == 1
    assert await registered.links.get(_link(1).id) is None
    assert await registered.links.get(_link(2).id) == replace(_link(2), expires_ms=9_999)


# ---- recovery


async def test_recovery_replaces_the_list_and_revokes_who_is_left_out(registered: Stores) -> None:
    alone = replace(_admission(), devices=(2,))
    assert await registered.accounts.recover(b"phone", alone, 100)
    assert await registered.devices.newest(ME) == alone.list
    first, second = [await registered.devices.get(ME, device) for device in (1, 2)]
    assert first is not None
    assert first.revoked
    assert second is not None
    assert (second.revoked, second.ticket) == (False, b"t" * 32)
    change = (await registered.devices.changes(10))[-1]
    assert (change.set, change.devices) == (2, (2,))
    assert await registered.keys.take(ME, 2) is not None
    assert await registered.accounts.get(ME) == account(1)


async def test_recovery_needs_the_number(registered: Stores) -> None:
    await registered.accounts.register(account(2), first_device(2))
    assert not await registered.accounts.recover(b"phone", _admission(), 100)
    assert not await registered.accounts.recover(b"other", _admission(), 100)
    nobody = replace(_admission(), account=account(3).id)
    assert not await registered.accounts.recover(b"phone", nobody, 100)
    assert await registered.devices.get(ME, 2) is None
    assert await registered.keys.take(ME, 2) is None


async def test_of_two_recoveries_at_once_one_wins(registered: Stores) -> None:
    other = replace(_admission(), list=StoredList(b"other", bytes(64), 2, 2), device=3)
    won = await asyncio.gather(
        registered.accounts.recover(b"phone", _admission(), 100),
        registered.accounts.recover(b"phone", other, 100),
    )
    assert sorted(won) == [False, True]
    assert len(await registered.devices.changes(10)) == 2


_runs = itertools.count(1000)
"""Every example has an account of its own, in one store."""
_step = st.tuples(
    st.sampled_from(["open", "answer", "fill", "activate", "end", "forget"]),
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(NOW, END + 500),
)


@settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=st.lists(_step, max_size=14))
async def test_any_history_is_as_the_reference_says(
    stores: Stores, steps: list[tuple[str, int, int, int]]
) -> None:
    run = next(_runs)
    devices, keys = MemoryDevices(), MemoryKeys()
    reference = MemoryLinks(devices, keys)
    mine = replace(account(run), number=None)
    await stores.links.forget(1 << 40, 1 << 40)
    for accounts in (stores.accounts, MemoryAccounts(devices, keys)):
        await accounts.register(mine, first_device(1))
    for step in steps:
        assert await _do(stores.links, mine.id, step) == await _do(reference, mine.id, step)
        assert await stores.devices.newest(mine.id) == await devices.newest(mine.id)


async def _do(links: Links, me: bytes, step: tuple[str, int, int, int]) -> object:
    what, number, other, now = step
    id = _link(number).id
    told: object = None
    match what:
        case "open":
            told = await links.open(replace(_link(number), offer=blob("offer", other)), now, 1)
        case "answer":
            await links.answer(id, me, _answer(other), now, now + 300)
        case "fill":
            await links.fill(id, _keys(other), now)
        case "activate":
            told = await links.activate(id, replace(_admission(), account=me), 100, now)
        case "end":
            await links.end(id, now)
        case _:
            told = await links.forget(now, now - 300)
    return told, await links.get(id)


def _link(number: int) -> Link:
    return Link(blob("link", number), blob("offer", number, 100), END)


def _answer(number: int) -> LinkAnswer:
    return LinkAnswer(
        ephemeral=blob("ephemeral", number, 32),
        kem_ciphertext=blob("kem", number, 1568),
        box=b"box",
    )


def _keys(number: int) -> LinkKeys:
    keys = DeviceKeys(
        registration_id=7,
        identity=blob("identity", number, 33),
        signed=SignedKey(id=1, key=blob("signed", 1, 33), sig=bytes(64)),
        last_resort=KemPreKey(id=1, key=blob("kem", 1, 1569), sig=bytes(64)),
    )
    return LinkKeys(keys=keys, box=b"box", ticket_hash=bytes(32))


def _admission() -> Admission:
    """Device 2 joins the first list."""
    keys = _keys(2).keys
    return Admission(
        account=ME,
        expected_version=1,
        list=StoredList(blob("list", 2, 100), blob("sig", 2, 64), 2, 2),
        devices=(1, 2),
        device=2,
        identity=blob("identity", 2, 33),
        registration_id=7,
        keys=KeyUpload(signed=keys.signed, last_resort=keys.last_resort),
        ticket=b"t" * 32,
    )


async def _filled(links: Links) -> None:
    await links.open(_link(1), NOW, 9)
    await links.answer(_link(1).id, ME, _answer(1), NOW, END)
    await links.fill(_link(1).id, _keys(1), NOW)
