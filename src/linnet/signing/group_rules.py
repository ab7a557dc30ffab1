"""Who may change what in a group, and what follows from it.

`changed` takes the state at the head that an entry cites, and judges roles by it. Signatures,
lists and the chain of entries were checked before: `linnet.signing.group_fold` does.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from linnet.signing.group_changes import (
    MAX_MEMBERS,
    Add,
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
from linnet.signing.group_entry import Entry
from linnet.signing.group_errors import EntryReason, EntryRefused, require
from linnet.signing.group_state import GroupState, Member, Role, Secret, Title

_Members = Mapping[bytes, Member]

FOR_ADMINS: Final = (Add, Remove, Promote, Demote, Rekey, Retitle)
"""What admins alone may do. Any member may leave, and confirm a list of its own."""


def changed(state: GroupState, entry: Entry) -> GroupState:
    """Return `state` with members, title and secret as `entry` leaves them; no more is changed.

    Raises EntryRefused.
    """
    if isinstance(entry.change, FOR_ADMINS):
        require(state.is_admin(entry.account), EntryReason.NOT_ADMIN)
    match entry.change:
        case Add(members):
            return replace(state, members=_added(state.members, members, entry.version))
        case Remove(accounts):
            require(entry.account not in accounts, EntryReason.ONESELF)
            return _without(state, accounts)
        case Leave():
            return _left(state, entry.account)
        case Promote(account):
            return _with_role(state, account, Role.ADMIN)
        case Demote(account):
            require(state.admins() != {account}, EntryReason.LAST_ADMIN)
            return _with_role(state, account, Role.MEMBER)
        case Rekey(account, account_key):
            return _rekeyed(state, entry, account, account_key)
        case Retitle(title):
            return _retitled(state, entry, title)
        case Confirm():
            return state
        case Create():
            raise EntryRefused(EntryReason.STALE)


def founding(entry: Entry, create: Create) -> tuple[dict[bytes, Member], Title | None]:
    """Return the first members and the first title of a group. Raises EntryRefused."""
    founder = {entry.account: Member(create.founder_key, Role.ADMIN, 1)}
    members = _added(founder, create.members, 1)
    title = None if create.title is None else _title(entry, create.title)
    return members, title


def _added(members: _Members, pairs: Iterable[Pair], version: int) -> dict[bytes, Member]:
    new = {pair.account: Member(pair.account_key, Role.MEMBER, version) for pair in pairs}
    require(members.keys().isdisjoint(new), EntryReason.ALREADY_MEMBER)
    require(len(members) + len(new) <= MAX_MEMBERS, EntryReason.TOO_MANY)
    return {**members, **new}


def _without(state: GroupState, accounts: Iterable[bytes]) -> GroupState:
    members = dict(state.members)
    for account in accounts:
        require(account in members, EntryReason.NO_SUCH_MEMBER)
        del members[account]
    return _spent(replace(state, members=members))


def _left(state: GroupState, account: bytes) -> GroupState:
    rest = _without(state, [account])
    if rest.admins() or not rest.members:
        return rest
    heir = min(rest.members, key=lambda id: (rest.members[id].joined, id))
    return _with_role(rest, heir, Role.ADMIN)


def _with_role(state: GroupState, account: bytes, role: Role) -> GroupState:
    member = _member(state, account)
    require(member.role is not role, EntryReason.NO_CHANGE)
    return _with_member(state, account, replace(member, role=role))


def _rekeyed(state: GroupState, entry: Entry, account: bytes, key: bytes) -> GroupState:
    require(account != entry.account, EntryReason.ONESELF)
    require(_member(state, account).account_key != key, EntryReason.NO_CHANGE)
    anew = Member(key, Role.MEMBER, entry.version)
    return _spent(_with_member(state, account, anew))


def _retitled(state: GroupState, entry: Entry, title: SealedTitle) -> GroupState:
    secret = Secret(title.number, title.secret_hash)
    old = state.secret
    if title.number == entry.version:
        require(old is None or old.hash != secret.hash, EntryReason.SECRET)
    else:
        # Unequal too if somebody left who knew the secret.
        require(secret == old, EntryReason.SECRET)
    return replace(state, title=_title(entry, title), secret=secret)


def _title(entry: Entry, title: SealedTitle) -> Title:
    return Title(entry.group, title.number, title.secret_hash, title.sealed)


def _spent(state: GroupState) -> GroupState:
    return (
        state if state.secret is None else replace(state, secret=replace(state.secret, spent=True))
    )


def _member(state: GroupState, account: bytes) -> Member:
    member = state.members.get(account)
    if member is None:
        raise EntryRefused(EntryReason.NO_SUCH_MEMBER)
    return member


def _with_member(state: GroupState, account: bytes, member: Member) -> GroupState:
    return replace(state, members={**state.members, account: member})
