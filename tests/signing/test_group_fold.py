"""The fold of a group's log: who may do what, and every rule broken once."""

import msgspec
import pytest
from msgspec.structs import replace
from tests.signing.people import (
    Person,
    after,
    begun,
    create,
    entry,
    evidence,
    sealed_title,
    signed,
    stream,
)

from linnet.signing import keys
from linnet.signing.device_list import ListedDevice, ProvenList, decode_list, encode_list
from linnet.signing.group_changes import (
    MAX_MEMBERS,
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
)
from linnet.signing.group_entry import first_entry, sign_entry
from linnet.signing.group_errors import EntryReason, EntryRefused
from linnet.signing.group_fold import fold, fold_log, found, read_entry
from linnet.signing.group_rules import changed
from linnet.signing.group_state import (
    GroupState,
    Member,
    Role,
    Secret,
    departed,
    next_entry,
    suspended,
)
from linnet.signing.objects import SignedObject, sign_object

ANN, BOB, CID, DAN = (Person.named(name) for name in ("ann", "bob", "cid", "dan"))
BASE = begun(ANN, BOB, CID)
TWO_ADMINS = after(BASE, ANN, Promote(BOB.account))
NEW_KEY = keys.generate(stream("new key")).public


def refusal(state: GroupState, obj: SignedObject, cited: ProvenList) -> EntryReason:
    with pytest.raises(EntryRefused) as refused:
        fold(state, obj, cited)
    return refused.value.reason


def refused(
    state: GroupState, actor: Person, change: Change, *, device: int = 1, which: int = -1
) -> EntryReason:
    made = entry(state, actor, change, device=device, which=which)
    return refusal(state, made, actor.proven(which))


# --- what the changes do -----------------------------------------------------------------------


def test_a_founder_is_the_admin_and_the_others_are_members() -> None:
    assert BASE.version == 1
    assert BASE.admins() == {ANN.account}
    assert BASE.pairs() == {ANN.pair, BOB.pair, CID.pair}
    assert {member.joined for member in BASE.members.values()} == {1}


def test_the_head_is_the_hash_of_the_last_entry() -> None:
    made = entry(BASE, ANN, Promote(BOB.account))
    state = fold(BASE, made, ANN.proven())
    assert (state.version, state.head, state.group) == (2, made.hash, BASE.group)


def test_who_is_added_is_a_member_from_that_entry_on() -> None:
    state = after(BASE, ANN, Add((DAN.pair,)))
    assert state.members[DAN.account] == Member(DAN.key.public, Role.MEMBER, 2)


def test_who_is_removed_is_gone_and_may_act_no_more() -> None:
    state = after(BASE, ANN, Remove((BOB.account,)))
    assert departed(BASE, state) == {BOB.pair}
    assert refused(state, BOB, Leave()) is EntryReason.NOT_MEMBER


def test_an_admin_may_remove_another_admin() -> None:
    assert after(TWO_ADMINS, BOB, Remove((ANN.account,))).admins() == {BOB.account}


def test_any_member_may_leave() -> None:
    assert BOB.account not in after(BASE, BOB, Leave()).members


def test_when_the_last_admin_leaves_the_longest_standing_member_is_admin() -> None:
    later = after(after(BASE, BOB, Leave()), ANN, Add((BOB.pair,)))
    assert after(later, ANN, Leave()).admins() == {CID.account}


def test_among_members_who_came_together_the_lowest_account_is_first() -> None:
    assert after(BASE, ANN, Leave()).admins() == {min(BOB.account, CID.account)}


def test_nobody_is_promoted_while_an_admin_is_left() -> None:
    assert after(TWO_ADMINS, ANN, Leave()).admins() == {BOB.account}


def test_the_last_to_leave_ends_the_group() -> None:
    alone = after(BASE, ANN, Remove(tuple(sorted((BOB.account, CID.account)))))
    ended = after(alone, ANN, Leave())
    assert ended.members == {}
    assert refused(ended, ANN, Confirm()) is EntryReason.NOT_MEMBER


def test_an_admin_may_step_down_while_another_is_left() -> None:
    assert after(TWO_ADMINS, ANN, Demote(ANN.account)).admins() == {BOB.account}


def test_a_role_does_not_survive_a_new_account_key() -> None:
    state = after(TWO_ADMINS, ANN, Rekey(BOB.account, NEW_KEY))
    assert state.members[BOB.account] == Member(NEW_KEY, Role.MEMBER, 3)
    assert departed(TWO_ADMINS, state) == {BOB.pair}


def test_after_a_rekey_the_old_key_is_no_member_and_the_new_one_is() -> None:
    anew = Person.named("bob anew", BOB.account)
    state = after(BASE, ANN, Rekey(BOB.account, anew.key.public))
    assert refused(state, BOB, Leave()) is EntryReason.LIST
    assert BOB.account not in after(state, anew, Leave()).members


def test_a_member_under_another_account_key_is_suspended_until_a_rekey() -> None:
    known = {BOB.account: NEW_KEY, ANN.account: ANN.key.public}
    assert suspended(BASE, known) == {BOB.account}
    assert suspended(after(BASE, ANN, Rekey(BOB.account, NEW_KEY)), known) == frozenset()


def test_a_peer_registered_anew_by_somebody_else_cannot_act_as_the_member() -> None:
    fake = Person.named("fake", BOB.account)
    assert refused(BASE, fake, Leave()) is EntryReason.LIST


def test_an_admin_registered_anew_by_somebody_else_is_no_admin() -> None:
    fake = Person.named("fake", ANN.account)
    assert refused(BASE, fake, Promote(CID.account)) is EntryReason.LIST


# --- who may -----------------------------------------------------------------------------------

FOR_ADMINS: list[Change] = [
    Add((DAN.pair,)),
    Remove((CID.account,)),
    Promote(BOB.account),
    Demote(ANN.account),
    Rekey(CID.account, NEW_KEY),
    Retitle(sealed_title(2, b"secret")),
]


@pytest.mark.parametrize("change", FOR_ADMINS, ids=lambda change: type(change).__name__)
def test_only_an_admin_may(change: Change) -> None:
    assert refused(BASE, BOB, change) is EntryReason.NOT_ADMIN
    assert refused(BASE, DAN, change) is EntryReason.NOT_MEMBER
    two = after(BASE, ANN, Promote(BOB.account)) if isinstance(change, Demote) else BASE
    assert after(two, ANN, change).version == two.version + 1


def test_roles_are_judged_at_the_cited_head() -> None:
    made = entry(TWO_ADMINS, BOB, Remove((CID.account,)))
    demoted = after(TWO_ADMINS, ANN, Demote(BOB.account))
    assert fold(TWO_ADMINS, made, BOB.proven()).version == 3
    assert refusal(demoted, made, BOB.proven()) is EntryReason.STALE
    assert refused(demoted, BOB, Remove((CID.account,))) is EntryReason.NOT_ADMIN


BROKEN: list[tuple[str, GroupState, Person, Change, EntryReason]] = [
    ("adds a member", BASE, ANN, Add((BOB.pair,)), EntryReason.ALREADY_MEMBER),
    ("adds oneself", BASE, ANN, Add((ANN.pair,)), EntryReason.ALREADY_MEMBER),
    (
        "adds a member under another key",
        BASE,
        ANN,
        Add((Pair(BOB.account, NEW_KEY),)),
        EntryReason.ALREADY_MEMBER,
    ),
    ("removes a stranger", BASE, ANN, Remove((DAN.account,)), EntryReason.NO_SUCH_MEMBER),
    ("removes oneself", TWO_ADMINS, ANN, Remove((ANN.account,)), EntryReason.ONESELF),
    ("promotes a stranger", BASE, ANN, Promote(DAN.account), EntryReason.NO_SUCH_MEMBER),
    ("promotes an admin", TWO_ADMINS, ANN, Promote(BOB.account), EntryReason.NO_CHANGE),
    ("demotes a member", BASE, ANN, Demote(BOB.account), EntryReason.NO_CHANGE),
    ("demotes a stranger", BASE, ANN, Demote(DAN.account), EntryReason.NO_SUCH_MEMBER),
    ("the last admin steps down", BASE, ANN, Demote(ANN.account), EntryReason.LAST_ADMIN),
    ("rekeys a stranger", BASE, ANN, Rekey(DAN.account, NEW_KEY), EntryReason.NO_SUCH_MEMBER),
    ("rekeys oneself", TWO_ADMINS, ANN, Rekey(ANN.account, NEW_KEY), EntryReason.ONESELF),
    (
        "rekeys to the same key",
        BASE,
        ANN,
        Rekey(BOB.account, BOB.key.public),
        EntryReason.NO_CHANGE,
    ),
    ("confirms what was cited before", BASE, ANN, Confirm(), EntryReason.NO_CHANGE),
]


@pytest.mark.parametrize(
    ("state", "actor", "change", "reason"),
    [case[1:] for case in BROKEN],
    ids=[case[0] for case in BROKEN],
)
def test_a_change_without_sense_is_refused(
    state: GroupState, actor: Person, change: Change, reason: EntryReason
) -> None:
    assert refused(state, actor, change) is reason


def many(count: int) -> tuple[Pair, ...]:
    return tuple(Pair(number.to_bytes(16, "big"), NEW_KEY) for number in range(count))


def test_a_group_has_1024_members_at_most() -> None:
    full = after(BASE, ANN, Add(many(MAX_MEMBERS - 3)))
    assert len(full.members) == MAX_MEMBERS == 1_024
    assert refused(full, ANN, Add((DAN.pair,))) is EntryReason.TOO_MANY
    assert refused(BASE, ANN, Add(many(MAX_MEMBERS - 2))) is EntryReason.TOO_MANY
    with_room = after(full, BOB, Leave())
    assert len(after(with_room, ANN, Add((DAN.pair,))).members) == MAX_MEMBERS


def test_a_founder_cannot_be_among_the_others() -> None:
    with pytest.raises(EntryRefused) as refusal:
        found(create(ANN, ANN, BOB), ANN.proven())
    assert refusal.value.reason is EntryReason.ALREADY_MEMBER


# --- where an entry stands ---------------------------------------------------------------------


def test_the_loser_of_a_race_is_refused_and_may_try_again_on_the_new_head() -> None:
    first, second = (
        entry(TWO_ADMINS, ANN, Add((DAN.pair,))),
        entry(TWO_ADMINS, BOB, Remove((CID.account,))),
    )
    won = fold(TWO_ADMINS, first, ANN.proven())
    assert refusal(won, second, BOB.proven()) is EntryReason.STALE
    assert after(won, BOB, Remove((CID.account,))).pairs() == {ANN.pair, BOB.pair, DAN.pair}


def test_an_entry_is_folded_once() -> None:
    made = entry(BASE, ANN, Promote(BOB.account))
    assert refusal(fold(BASE, made, ANN.proven()), made, ANN.proven()) is EntryReason.STALE


def test_an_entry_must_name_the_very_head() -> None:
    honest = next_entry(BASE, Promote(BOB.account), ANN.account, 1, ANN.newest.hash)
    for changes in ({"prev": b"x" * 32}, {"version": 3}):
        made = signed(replace(honest, **changes), ANN)
        assert refusal(BASE, made, ANN.proven()) is EntryReason.STALE
    elsewhere = signed(replace(honest, group=b"x" * 16), ANN)
    assert refusal(BASE, elsewhere, ANN.proven()) is EntryReason.GROUP


def test_an_entry_of_one_group_is_refused_in_another() -> None:
    other = begun(ANN, BOB, CID)
    made = entry(other, ANN, Promote(BOB.account))
    assert refusal(BASE, made, ANN.proven()) is EntryReason.GROUP


def test_a_group_begins_once() -> None:
    assert refusal(BASE, create(ANN), ANN.proven()) is EntryReason.GROUP
    with pytest.raises(EntryRefused):
        changed(BASE, read_entry(create(ANN)))
    with pytest.raises(EntryRefused) as refused:
        found(entry(BASE, ANN, Promote(BOB.account)), ANN.proven())
    assert refused.value.reason is EntryReason.STALE


# --- who signed it -----------------------------------------------------------------------------


def test_a_linked_device_acts_for_its_account() -> None:
    eve = Person.named("eve")
    laptop = eve.link()
    state = begun(eve, BOB)
    assert after(state, eve, Promote(BOB.account), device=laptop).version == 2


def test_a_device_that_is_not_on_the_list_may_not_act() -> None:
    made = next_entry(BASE, Promote(BOB.account), ANN.account, 2, ANN.newest.hash)
    assert refusal(BASE, signed(made, ANN), ANN.proven()) is EntryReason.DEVICE


def test_an_entry_signed_by_another_key_is_refused() -> None:
    body = next_entry(BASE, Promote(BOB.account), ANN.account, 1, ANN.newest.hash)
    by_bob = sign_entry(body, BOB.devices[1].private, BOB.rng)
    by_account = sign_entry(body, ANN.key.private, ANN.rng)
    honest = signed(body, ANN)
    elsewhere = sign_object("link", ANN.devices[1].private, honest.body, ANN.rng)
    for made in (by_bob, by_account, elsewhere, SignedObject(honest.body, bytes(64))):
        assert refusal(BASE, made, ANN.proven()) is EntryReason.SIGNATURE


def test_the_list_given_must_be_the_one_cited() -> None:
    made = entry(BASE, ANN, Promote(BOB.account))
    assert refusal(BASE, made, BOB.proven()) is EntryReason.LIST
    borrowed = next_entry(BASE, Promote(BOB.account), ANN.account, 1, BOB.newest.hash)
    assert refusal(BASE, signed(borrowed, ANN), BOB.proven()) is EntryReason.LIST


def test_a_founder_names_the_account_key_of_the_list() -> None:
    change = Create(bytes(32), NEW_KEY)
    made = signed(first_entry(change, ANN.account, 1, ANN.newest.hash), ANN)
    with pytest.raises(EntryRefused) as refusal:
        found(made, ANN.proven())
    assert refusal.value.reason is EntryReason.LIST


def test_an_entry_outlives_the_list_it_cites() -> None:
    """Nothing here takes a time: a log of ten years folds as it did on its first day."""
    assert decode_list(ANN.newest.body).expires < 2_000_000_000
    assert after(BASE, ANN, Promote(BOB.account)).version == 2


@pytest.mark.parametrize(
    "obj",
    [SignedObject(b"\xc1", bytes(64)), SignedObject(create(ANN).body, bytes(63))],
    ids=["no array", "a short signature"],
)
def test_what_is_no_entry_is_malformed(obj: SignedObject) -> None:
    with pytest.raises(EntryRefused) as refusal:
        read_entry(obj)
    assert refusal.value.reason is EntryReason.MALFORMED


# --- lists along the log -----------------------------------------------------------------------


def test_a_revoked_laptop_signing_under_the_old_list_is_refused_once_the_new_one_was_cited() -> (
    None
):
    eve = Person.named("eve revoking")
    laptop = eve.link()
    state = begun(eve, BOB, CID)
    eve.revoke(laptop)
    confirmed = after(state, eve, Confirm())
    assert confirmed.cited[eve.account + eve.key.public].version == 3
    for change in (Remove((BOB.account,)), Leave(), Confirm()):
        reason = refused(confirmed, eve, change, device=laptop, which=1)
        assert reason is EntryReason.LIST_OLD


def test_the_list_an_account_is_held_to_survives_its_leaving() -> None:
    eve = Person.named("eve leaving")
    laptop = eve.link()
    state = begun(ANN, eve)
    eve.revoke(laptop)
    left = after(after(state, eve, Confirm()), ANN, Remove((eve.account,)))
    back = after(left, ANN, Add((eve.pair,)))
    reason = refused(back, eve, Leave(), device=laptop, which=1)
    assert reason is EntryReason.LIST_OLD


def test_any_member_may_confirm_its_newer_list() -> None:
    fay = Person.named("fay")
    state = after(begun(ANN, fay), fay, Confirm())
    assert refused(state, fay, Confirm()) is EntryReason.NO_CHANGE
    fay.again()
    assert after(state, fay, Confirm()).version == 3


def test_two_lists_of_one_version_cannot_both_be_cited() -> None:
    gil = Person.named("gil")
    state = begun(gil, BOB)
    twin = Person.named("gil")
    renamed = replace(decode_list(gil.newest.body).devices[0], name=b"x")
    forked = begun_with_name(twin, renamed)
    made = entry(state, twin, Promote(BOB.account))
    assert refusal(state, made, forked.proven()) is EntryReason.LIST_CONFLICT
    twin.again()
    made = entry(state, twin, Promote(BOB.account))
    assert refusal(state, made, twin.proven()) is EntryReason.LIST_CONFLICT


def begun_with_name(person: Person, device: ListedDevice) -> Person:
    listed = replace(decode_list(person.newest.body), devices=(device,))
    body = encode_list(listed)
    person.lists = [sign_object("device-list", person.key.private, body, person.rng)]
    return person


# --- titles ------------------------------------------------------------------------------------


def test_a_title_brings_its_secret_and_the_next_may_use_it_again() -> None:
    state = after(BASE, ANN, Retitle(sealed_title(2, b"one")))
    assert state.title is not None
    assert (state.title.group, state.title.number) == (BASE.group, 2)
    again = after(state, ANN, Retitle(sealed_title(2, b"one", b"other")))
    assert again.secret == state.secret
    assert again.title != state.title


def test_a_title_may_come_with_the_group() -> None:
    state = begun(ANN, BOB, title=sealed_title(1, b"one"))
    assert state.title is not None
    assert (state.title.group, state.title.number) == (bytes(16), 1)
    assert state.secret == Secret(1, sealed_title(1, b"one").secret_hash)


DEPARTURES = [Remove((BOB.account,)), Rekey(BOB.account, NEW_KEY), Leave()]


@pytest.mark.parametrize("change", DEPARTURES, ids=lambda change: type(change).__name__)
def test_after_a_departure_the_next_title_needs_a_new_secret(change: Change) -> None:
    state = begun(ANN, BOB, CID, title=sealed_title(1, b"one"))
    assert not state.needs_secret()
    later = after(state, BOB if isinstance(change, Leave) else ANN, change)
    assert later.needs_secret()
    assert later.title == state.title
    assert refused(later, ANN, Retitle(sealed_title(1, b"one"))) is EntryReason.SECRET
    assert refused(later, ANN, Retitle(sealed_title(3, b"one"))) is EntryReason.SECRET
    assert not after(later, ANN, Retitle(sealed_title(3, b"two"))).needs_secret()


@pytest.mark.parametrize("number", [1, 3, 4])
def test_a_secret_has_the_number_of_the_entry_that_brought_it(number: int) -> None:
    state = after(BASE, ANN, Retitle(sealed_title(2, b"one")))
    if number == 3:
        assert after(state, ANN, Retitle(sealed_title(number, b"two"))).secret is not None
        return
    assert refused(state, ANN, Retitle(sealed_title(number, b"two"))) is EntryReason.SECRET


def test_a_secret_is_known_by_its_hash() -> None:
    state = after(BASE, ANN, Retitle(sealed_title(2, b"one")))
    assert refused(state, ANN, Retitle(sealed_title(2, b"two"))) is EntryReason.SECRET


# --- whole logs --------------------------------------------------------------------------------


def test_a_log_folds_as_its_entries_do() -> None:
    genesis = create(ANN, BOB)
    state = found(genesis, ANN.proven())
    rest = [evidence(state, ANN, Promote(BOB.account))]
    state = fold(state, rest[0].entry, ANN.proven())
    rest.append(evidence(state, BOB, Add((CID.pair,))))
    end = fold(state, rest[1].entry, BOB.proven())
    lists = {obj.hash: obj for obj in (ANN.newest, BOB.newest)}
    entries = [genesis, *(part.entry for part in rest)]
    assert fold_log(entries, lists) == end
    assert fold_log(entries[2:], lists, state) == end
    for lacking in ({}, {ANN.newest.hash: ANN.newest}):
        with pytest.raises(EntryRefused) as refusal:
            fold_log(entries, lacking)
        assert refusal.value.reason is EntryReason.LIST


def test_a_list_that_breaks_a_rule_proves_nothing() -> None:
    forged = SignedObject(ANN.newest.body, bytes(64))
    with pytest.raises(EntryRefused) as refusal:
        fold_log([create(ANN)], {ANN.newest.hash: forged})
    assert refusal.value.reason is EntryReason.LIST


def test_an_empty_log_is_no_group() -> None:
    with pytest.raises(ValueError, match="first entry"):
        fold_log([], {})


def test_a_state_is_stored_as_msgspec_writes_it() -> None:
    state = after(begun(ANN, BOB, title=sealed_title(1, b"one")), BOB, Leave())
    stored = msgspec.msgpack.encode(state)
    assert msgspec.msgpack.decode(stored, type=GroupState) == state
