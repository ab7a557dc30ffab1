"""A choir through the real server: made, written to, joined, left, renamed, and fought over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.waiting import eventually, wait_for

from linnet.client import Client, Delivered, Message
from linnet.client.errors import GroupRefused
from linnet.client.groups.events import GroupJoined, GroupLeft, GroupReported
from linnet.signing.group_state import Role
from linnet.wire.ids import GroupId

pytestmark = pytest.mark.slow

NUMBERS = {name: f"+1555010{n:04}" for n, name in enumerate(("ada", "ben", "cleo", "dan"), 1)}


class Choir:
    """Some people, each with an open client and a reader of events."""

    def __init__(self, people: dict[str, Client]) -> None:
        self.people = people
        self.heard = {name: client.events() for name, client in people.items()}

    def __getitem__(self, name: str) -> Client:
        return self.people[name]

    async def text(self, name: str) -> str | None:
        return (await wait_for(self.heard[name], Message)).text


@pytest.fixture
async def choir(served: Town) -> AsyncIterator[Choir]:
    async with AsyncExitStack() as stack:
        people = {
            name: await stack.enter_async_context(await served.register(name, number))
            for name, number in NUMBERS.items()
        }
        yield Choir(people)


async def test_what_one_writes_all_read_and_the_ticks_come(choir: Choir) -> None:
    ada = choir["ada"]
    group = await ada.groups.create([NUMBERS["ben"], NUMBERS["cleo"]], title="Choir")
    id = await ada.groups.send(group, "Friday at eight?")
    assert await choir.text("ben") == "Friday at eight?"
    assert await choir.text("cleo") == "Friday at eight?"
    assert (await wait_for(choir.heard["ada"], GroupReported)).group == group
    assert (await wait_for(choir.heard["ada"], Delivered)).id == id
    await choir["ben"].groups.send(group, "Yes.")
    assert await choir.text("ada") == "Yes."
    assert await choir.text("cleo") == "Yes."
    for name in ("ben", "cleo"):
        person = choir[name]
        await eventually(lambda p=person: has_title(p, group, "Choir"))  # type: ignore[misc]
    info = await choir["cleo"].groups.info(group)
    assert info.members[ada.account] is Role.ADMIN
    assert len(info.members) == 3


async def test_who_joins_reads_what_follows_and_nothing_before(choir: Choir) -> None:
    ada = choir["ada"]
    group = await ada.groups.create([NUMBERS["ben"]])
    await ada.groups.send(group, "before")
    assert await choir.text("ben") == "before"
    await ada.groups.add(group, [NUMBERS["dan"]])
    assert (await wait_for(choir.heard["dan"], GroupJoined)).by == ada.account
    await ada.groups.send(group, "after")
    await choir["ben"].groups.send(group, "from ben")
    assert {await choir.text("dan"), await choir.text("dan")} == {"after", "from ben"}


async def test_what_is_placed_after_a_removal_never_reaches_the_removed(choir: Choir) -> None:
    ada = choir["ada"]
    group = await ada.groups.create([NUMBERS["ben"], NUMBERS["cleo"]])
    await ada.groups.send(group, "to all")
    assert await choir.text("cleo") == "to all"
    await ada.groups.remove(group, [NUMBERS["cleo"]])
    assert (await wait_for(choir.heard["cleo"], GroupLeft)).by == ada.account
    await ada.groups.send(group, "without cleo")
    assert await choir.text("ben") == "to all"
    assert await choir.text("ben") == "without cleo"
    with pytest.raises(GroupRefused, match="not_member"):
        await choir["cleo"].groups.send(group, "let me in")
    shown = await choir["cleo"].messages((await choir["cleo"].groups.info(group)).conversation)
    assert [it.text for it in shown if isinstance(it, Message)] == ["to all"]


async def test_changes_by_two_admins_at_once_end_the_same_everywhere(choir: Choir) -> None:
    ada, ben = choir["ada"], choir["ben"]
    group = await ada.groups.create([NUMBERS["ben"], NUMBERS["cleo"]])
    await ada.groups.promote(group, ben.account)
    await eventually(lambda: is_admin(ben, group))
    await asyncio.gather(
        ada.groups.add(group, [NUMBERS["dan"]]),
        ben.groups.remove(group, [NUMBERS["cleo"]]),
        ben.groups.retitle(group, "Band"),
        ada.groups.retitle(group, "Orchestra"),
    )
    version = (await ada.groups.info(group)).version
    for name in ("ada", "ben", "dan"):
        person = choir[name]
        await eventually(lambda p=person: at_version(p, group, version))  # type: ignore[misc]
    states = [await choir[name].groups.info(group) for name in ("ada", "ben", "dan")]
    assert len({(it.version, tuple(sorted(it.members.items()))) for it in states}) == 1
    assert states[0].members.keys() == {ada.account, ben.account, choir["dan"].account}


async def test_of_two_admins_who_remove_each_other_one_is_told_why_not(choir: Choir) -> None:
    ada, ben = choir["ada"], choir["ben"]
    group = await ada.groups.create([NUMBERS["ben"], NUMBERS["cleo"]])
    await ada.groups.promote(group, ben.account)
    assert (await wait_for(choir.heard["ben"], GroupJoined)).group == group
    await eventually(lambda: is_admin(ben, group))
    outcomes = await asyncio.gather(
        ada.groups.remove(group, [ben.account]),
        ben.groups.remove(group, [ada.account]),
        return_exceptions=True,
    )
    (lost,) = [outcome for outcome in outcomes if outcome is not None]
    assert isinstance(lost, GroupRefused), lost
    assert lost.reason == "not_member"


async def test_whoever_leaves_is_gone_and_somebody_stays_admin(choir: Choir) -> None:
    ada, ben = choir["ada"], choir["ben"]
    group = await ada.groups.create([NUMBERS["ben"]])
    await eventually(lambda: at_version(ben, group, 1))
    await ada.groups.leave(group)
    await eventually(lambda: is_admin(ben, group))
    assert not (await ada.groups.info(group)).member


async def has_title(person: Client, group: GroupId, title: str) -> bool:
    return (await person.groups.info(group)).title == title


async def is_admin(person: Client, group: GroupId) -> bool:
    info = await person.groups.info(group)
    return info.members.get(person.account) is Role.ADMIN


async def at_version(person: Client, group: GroupId, version: int) -> bool:
    try:
        return (await person.groups.info(group)).version >= version
    except GroupRefused:
        return False
