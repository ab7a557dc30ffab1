"""Groups are made and changed by those who may, one entry after the other."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from tests.server.gathering import Gathering, pair, pairs, refused
from tests.server.kit import Registered, person

from linnet.server.ports import Unavailable
from linnet.server.ports.groups import Step
from linnet.server.services.group_states import write_state
from linnet.server.services.tokens import Identity
from linnet.signing.device_list import decode_list, next_list
from linnet.signing.group_changes import (
    Add,
    Change,
    Confirm,
    Create,
    Demote,
    Leave,
    Pair,
    Promote,
    Rekey,
    Remove,
    Retitle,
    SealedTitle,
)
from linnet.signing.group_entry import decode_entry, encode_entry, first_entry, group_id
from linnet.signing.group_state import Role, next_entry
from linnet.signing.objects import SignedObject
from linnet.wire.rest import GroupHead, Signed

TITLE = SealedTitle(1, bytes(32), b"t" * 40)


@pytest.fixture
def world() -> Gathering:
    return Gathering()


async def test_a_group_reaches_its_members_once_it_was_answered(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    genesis = await world.genesis(alice, bob, title=TITLE)
    head = await world.service.create(alice.identity(world.kit), genesis)
    obj = SignedObject(genesis.body, genesis.sig)
    assert head == GroupHead(group=group_id(obj), version=1, hash=obj.hash, roster=1)
    assert world.reached(head.group) == {alice.account: (1,), bob.account: (1,)}
    roster = world.post.rosters[head.group]
    assert (roster.number, roster.version, roster.hash) == (1, 1, obj.hash)
    account = await world.kit.accounts.get(bob.account)
    assert account is not None
    assert account.mailbox in [seat.mailbox for seat in roster.seats]


async def test_making_the_same_group_again_is_the_same_answer(world: Gathering) -> None:
    (alice,) = await world.people("alice")
    genesis = await world.genesis(alice)
    heads = [await world.service.create(alice.identity(world.kit), genesis) for _ in "12"]
    assert heads[0] == heads[1]
    assert len(world.post.heard) == 1


async def test_every_kind_of_entry_is_taken_from_those_who_may(world: Gathering) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    group = (await world.make(alice, bob)).group
    changes: list[tuple[Registered, Change]] = [
        (alice, Add(pairs(carol))),
        (alice, Promote(bob.account)),
        (bob, Demote(alice.account)),
        (bob, Retitle(replace(TITLE, number=5))),
        (bob, Remove((carol.account,))),
        (alice, Leave()),
    ]
    for version, (actor, change) in enumerate(changes, start=2):
        head = await world.change(actor, group, change)
        assert head.version == version
    assert world.reached(group) == {bob.account: (1,)}
    state = await world.state(group)
    assert (state.version, list(state.members)) == (7, [bob.account])


async def test_who_was_added_and_removed_again_is_reached_again(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    await world.change(alice, group, Remove((bob.account,)))
    assert world.reached(group).keys() == {alice.account}
    await world.change(alice, group, Add(pairs(bob)))
    assert world.reached(group).keys() == {alice.account, bob.account}
    assert [roster.number for roster in world.post.heard] == [1, 2, 3]


async def test_the_last_to_leave_leaves_a_group_that_reaches_nobody(world: Gathering) -> None:
    (alice,) = await world.people("alice")
    group = (await world.make(alice)).group
    head = await world.change(alice, group, Leave())
    assert (head.version, head.roster) == (2, 0)
    assert world.reached(group) == {}


async def test_an_entry_again_is_the_same_answer_even_after_others(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    entry = await world.entry(alice, group, Promote(bob.account))
    me = alice.identity(world.kit)
    first = await world.service.append(me, group, entry)
    assert await world.service.append(me, group, entry) == first
    await world.change(bob, group, Demote(alice.account))
    again = await world.service.append(me, group, entry)
    assert again == await world.service.append(me, group, entry)
    assert (again.version, len(world.post.heard)) == (3, 3)


async def test_leaving_again_is_the_same_answer(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    entry = await world.entry(bob, group, Leave())
    me = bob.identity(world.kit)
    first = await world.service.append(me, group, entry)
    await world.change(alice, group, Retitle(replace(TITLE, number=3)))
    assert await world.service.append(me, group, entry) == first
    assert (first.version, first.roster) == (2, 0)


async def test_of_two_admins_at_once_one_wins_and_the_other_signs_again(world: Gathering) -> None:
    alice, bob, carol, dave = await world.people("alice", "bob", "carol", "dave")
    group = (await world.make(alice, bob)).group
    await world.change(alice, group, Promote(bob.account))
    mine = await world.entry(alice, group, Add(pairs(carol)))
    theirs = await world.entry(bob, group, Add(pairs(dave)))
    told = await asyncio.gather(
        world.service.append(alice.identity(world.kit), group, mine),
        world.service.append(bob.identity(world.kit), group, theirs),
        return_exceptions=True,
    )
    assert [getattr(it, "code", "appended") for it in told] == ["appended", "conflict"]
    await world.change(bob, group, Add(pairs(dave)))
    everybody = {it.account for it in (alice, bob, carol, dave)}
    assert world.reached(group).keys() == everybody


async def test_who_loses_between_check_and_store_signs_again(
    world: Gathering, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    mine, theirs = await world.entry(alice, group, Promote(bob.account)), Leave()
    store = world.groups.append

    async def after_another(step: Step) -> bool:
        monkeypatch.undo()
        await world.change(bob, group, theirs)
        return await store(step)

    monkeypatch.setattr(world.groups, "append", after_another)
    me = alice.identity(world.kit)
    await refused(world.service.append(me, group, mine), "conflict", "stale")
    assert (await world.state(group)).version == 2
    assert world.reached(group) == {alice.account: (1,)}


# ---- who may not


async def test_nobody_appends_for_another_device(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    entry = await world.entry(alice, group, Confirm())
    await refused(world.service.append(bob.identity(world.kit), group, entry), "forbidden")
    tablet = Identity(alice.account, 2, 1 << 60)
    await refused(world.service.append(tablet, group, entry), "forbidden")
    genesis = await world.genesis(alice)
    await refused(world.service.create(bob.identity(world.kit), genesis), "forbidden")


async def test_a_stranger_is_told_whether_there_is_a_group_and_no_more(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice)).group
    state = await world.state(group)
    cited = await world.list_hash(bob)
    for version in (1, 2, 9):
        entry = replace(next_entry(state, Leave(), bob.account, 1, cited), version=version + 1)
        signed = world.signed(bob, entry)
        await refused(world.service.append(bob.identity(world.kit), group, signed), "not_member")
    entry = replace(next_entry(state, Leave(), bob.account, 1, cited), group=b"g" * 16)
    signed = world.signed(bob, entry)
    await refused(world.service.append(bob.identity(world.kit), b"g" * 16, signed), "not_found")


async def test_who_was_removed_appends_no_more(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    await world.change(alice, group, Remove((bob.account,)))
    await refused(world.change(bob, group, Leave()), "not_member")


async def test_a_member_does_what_members_may(world: Gathering) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    group = (await world.make(alice, bob)).group
    for change in (
        Add(pairs(carol)),
        Remove((alice.account,)),
        Promote(bob.account),
        Retitle(replace(TITLE, number=2)),
    ):
        await refused(world.change(bob, group, change), "entry_rejected", "not_admin")
    await world.change(bob, group, Confirm())


async def test_a_rule_that_is_broken_is_named(world: Gathering) -> None:
    alice, bob, carol = await world.people("alice", "bob", "carol")
    group = (await world.make(alice, bob)).group
    for change, rule in (
        (Add(pairs(bob)), "already_member"),
        (Remove((carol.account,)), "no_such_member"),
        (Remove((alice.account,)), "oneself"),
        (Demote(alice.account), "last_admin"),
        (Demote(bob.account), "no_change"),
        (Retitle(replace(TITLE, number=7)), "secret"),
    ):
        await refused(world.change(alice, group, change), "entry_rejected", rule)
    assert (await world.state(group)).version == 1
    assert len(world.post.heard) == 1


async def test_a_signature_by_another_key_is_refused(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    entry = await world.entry(alice, group, Promote(bob.account))
    forged = Signed(body=entry.body, sig=bytes(64))
    me = alice.identity(world.kit)
    await refused(world.service.append(me, group, forged), "bad_signature", "signature")
    genesis = await world.genesis(alice)
    bobs = world.signed(bob, decode_entry(genesis.body))
    await refused(world.service.create(me, bobs), "bad_signature", "signature")


async def test_an_entry_that_does_not_build_on_the_head_is_a_conflict(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    late = await world.entry(alice, group, Promote(bob.account))
    await world.change(alice, group, Remove((bob.account,)))
    me = alice.identity(world.kit)
    await refused(world.service.append(me, group, late), "conflict", "stale")
    entry = decode_entry((await world.entry(alice, group, Confirm())).body)
    for wrong in (replace(entry, version=9), replace(entry, prev=b"p" * 32)):
        signed = world.signed(alice, wrong)
        await refused(world.service.append(me, group, signed), "conflict", "stale")


async def test_an_entry_is_for_the_group_it_is_sent_to(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    one, two = (await world.make(alice, bob)).group, (await world.make(alice, bob)).group
    me = alice.identity(world.kit)
    entry = await world.entry(alice, one, Promote(bob.account))
    await refused(world.service.append(me, two, entry), "entry_rejected", "group")
    genesis = await world.genesis(alice)
    await refused(world.service.append(me, one, genesis), "entry_rejected", "group")
    await refused(world.service.create(me, entry), "entry_rejected", "group")


# ---- lists


async def test_an_entry_under_an_older_list_is_to_be_signed_again(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    under_the_old = await world.entry(alice, group, Promote(bob.account))
    genesis = await world.genesis(alice)
    await sign_list_again(world, alice)
    me = alice.identity(world.kit)
    await refused(world.service.append(me, group, under_the_old), "conflict")
    await refused(world.service.create(me, genesis), "conflict")
    assert (await world.change(alice, group, Promote(bob.account))).version == 2


async def test_an_entry_already_taken_is_known_under_any_list(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    me = alice.identity(world.kit)
    genesis = await world.genesis(alice, bob)
    head = await world.service.create(me, genesis)
    await sign_list_again(world, alice)
    assert await world.service.create(me, genesis) == head


async def test_a_list_that_does_not_exist_is_a_conflict(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    me = alice.identity(world.kit)
    for cited in (b"l" * 32, await world.list_hash(bob)):
        create = Create(bytes(32), alice.who.account_key.public)
        signed = world.signed(alice, first_entry(create, alice.account, 1, cited))
        await refused(world.service.create(me, signed), "conflict")


async def test_a_founder_names_the_own_account_key(world: Gathering) -> None:
    (alice,) = await world.people("alice")
    create = Create(bytes(32), person("mallory").account_key.public)
    entry = first_entry(create, alice.account, 1, await world.list_hash(alice))
    signed = world.signed(alice, entry)
    await refused(world.service.create(alice.identity(world.kit), signed), "entry_rejected", "list")


# ---- who is added


async def test_only_accounts_that_exist_are_added(world: Gathering) -> None:
    (alice,) = await world.people("alice")
    nobody = Pair(b"n" * 16, alice.who.account_key.public)
    group = (await world.make(alice)).group
    await refused(world.change(alice, group, Add((nobody,))), "unknown_recipient")
    create = Create(bytes(32), alice.who.account_key.public, (nobody,))
    entry = first_entry(create, alice.account, 1, await world.list_hash(alice))
    me = alice.identity(world.kit)
    await refused(world.service.create(me, world.signed(alice, entry)), "unknown_recipient")
    assert await world.groups.heads_of(b"n" * 16) == []


async def test_an_account_is_added_under_its_own_key_only(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    wrong = replace(pair(bob), account_key=person("mallory").account_key.public)
    group = (await world.make(alice)).group
    add = world.change(alice, group, Add((wrong,)))
    await refused(add, "entry_rejected", "account_key")
    create = Create(bytes(32), alice.who.account_key.public, (wrong,))
    entry = first_entry(create, alice.account, 1, await world.list_hash(alice))
    me = alice.identity(world.kit)
    attempt = world.service.create(me, world.signed(alice, entry))
    await refused(attempt, "entry_rejected", "account_key")


async def test_a_member_with_another_account_key_is_out_until_rekeyed(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    new = person("bob again").account_key.public
    account = await world.kit.accounts.get(bob.account)
    assert account is not None
    world.kit.accounts._accounts[bob.account] = replace(account, key=new)
    await world.making.sets_changed([bob.account])
    assert world.reached(group).keys() == {alice.account}
    me = bob.identity(world.kit)
    await refused(world.views.members(me, group), "not_member")
    wrong = world.change(alice, group, Rekey(bob.account, person("x").account_key.public))
    await refused(wrong, "entry_rejected", "account_key")
    await world.change(alice, group, Rekey(bob.account, new))
    assert world.reached(group).keys() == {alice.account, bob.account}
    assert (await world.state(group)).members[bob.account].role is Role.MEMBER


async def test_a_member_whose_number_moved_on_stays(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    await world.making.sets_changed([bob.account])
    held = await world.kit.accounts.get(bob.account)
    assert held is not None
    world.kit.accounts._accounts[bob.account] = replace(held, number=None)
    await world.making.sets_changed([bob.account])
    assert world.reached(group).keys() == {alice.account, bob.account}


# ---- limits


async def test_an_account_makes_only_so_many_groups(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    for _ in range(20):
        last = await world.genesis(alice)
        await world.service.create(alice.identity(world.kit), last)
    await refused(world.make(alice), "rate_limited")
    await world.service.create(alice.identity(world.kit), last)
    await world.make(bob)
    world.kit.clock.forward(181)
    await world.make(alice)


async def test_an_account_appends_only_so_often(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice, bob)).group
    for number in range(60):
        change = Demote(bob.account) if number % 2 else Promote(bob.account)
        await world.change(alice, group, change)
    await refused(world.change(alice, group, Promote(bob.account)), "rate_limited")
    world.kit.clock.forward(5)
    await world.change(alice, group, Promote(bob.account))


async def test_an_account_adds_only_so_many(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice)).group
    await world.kit.rates.take(
        f"added:{alice.account.hex()}", world.kit.group_limits.added, world.kit.clock(), 2048
    )
    await refused(world.change(alice, group, Add(pairs(bob))), "rate_limited")
    world.kit.clock.forward(5)
    await world.change(alice, group, Add(pairs(bob)))


async def test_a_group_of_more_than_1024_is_refused(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    key = alice.who.account_key.public
    many = [Pair(number.to_bytes(2, "big") + bytes(14), key) for number in range(1024)]
    state = await world.state((await world.make(alice)).group)
    entry = next_entry(state, Add(tuple(many)), alice.account, 1, await world.list_hash(alice))
    signed = unsigned(encode_entry(entry))
    me = alice.identity(world.kit)
    await refused(world.service.append(me, state.group, signed), "entry_rejected", "malformed")
    full = {**state.members, **{it.account: state.members[alice.account] for it in many[:1023]}}
    world.groups._states[state.group] = write_state(replace(state, members=full))
    await refused(world.change(alice, state.group, Add(pairs(bob))), "entry_rejected", "too_many")


async def test_a_title_of_more_than_its_bytes_is_refused(world: Gathering) -> None:
    (alice,) = await world.people("alice")
    group = (await world.make(alice)).group
    state = await world.state(group)
    huge = Retitle(SealedTitle(2, bytes(32), b"t" * 60_000))
    entry = next_entry(state, huge, alice.account, 1, await world.list_hash(alice))
    signed = unsigned(encode_entry(entry))
    me = alice.identity(world.kit)
    await refused(world.service.append(me, group, signed), "entry_rejected", "malformed")


@pytest.mark.parametrize("body", [b"", b"\x90", b"\xc1", b"\x98" * 9, b"\xff" * 65_536])
async def test_a_body_that_is_no_entry_is_refused(world: Gathering, body: bytes) -> None:
    (alice,) = await world.people("alice")
    group = (await world.make(alice)).group
    signed = unsigned(body)
    me = alice.identity(world.kit)
    await refused(world.service.append(me, group, signed), "entry_rejected", "malformed")
    await refused(world.service.create(me, signed), "entry_rejected", "malformed")


# ---- failing


async def test_an_entry_delivery_did_not_hear_of_is_finished_by_a_retry(world: Gathering) -> None:
    alice, bob = await world.people("alice", "bob")
    group = (await world.make(alice)).group
    entry = await world.entry(alice, group, Add(pairs(bob)))
    me = alice.identity(world.kit)
    world.post.down = True
    with pytest.raises(Unavailable):
        await world.service.append(me, group, entry)
    world.post.down = False
    assert (await world.service.append(me, group, entry)).roster == 2
    assert world.reached(group).keys() == {alice.account, bob.account}


async def test_a_group_delivery_did_not_hear_of_is_finished_by_a_retry(world: Gathering) -> None:
    (alice,) = await world.people("alice")
    genesis = await world.genesis(alice)
    me = alice.identity(world.kit)
    world.post.down = True
    with pytest.raises(Unavailable):
        await world.service.create(me, genesis)
    world.post.down = False
    head = await world.service.create(me, genesis)
    assert world.reached(head.group) == {alice.account: (1,)}


async def sign_list_again(world: Gathering, who: Registered) -> None:
    """The weekly re-signing."""
    held = (await world.kit.services.devices.newest(who.account)).list
    again = next_list(
        SignedObject(held.body, held.sig),
        who.who.account_key,
        decode_list(held.body).devices,
        world.kit.clock() // 1000,
        who.who.rng,
    )
    signed = Signed(body=again.body, sig=again.sig)
    await world.kit.services.devices.replace(who.identity(world.kit), signed)


def unsigned(body: bytes) -> Signed:
    """A body that no honest client would sign."""
    return Signed(body=body, sig=bytes(64))
