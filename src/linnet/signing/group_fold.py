"""The fold of a group's log: a state, one more entry and its actor's list give the next state.

Pure, and the same for server and clients: who folds the same log has the same group. Nothing is
checked against a clock: an entry stays valid after the list it cites has expired. Which entries
are held back, and what a fork is: `linnet.signing.group_held`, `linnet.signing.group_fork`.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from linnet.signing.device_list import ProvenList, prove_list
from linnet.signing.errors import ListRejected, Malformed, SignatureInvalid
from linnet.signing.group_changes import Confirm, Create
from linnet.signing.group_entry import LABEL, Entry, decode_entry, group_id
from linnet.signing.group_errors import EntryReason, EntryRefused, require
from linnet.signing.group_rules import changed, founding
from linnet.signing.group_state import Cited, GroupState, Secret
from linnet.signing.objects import SignedObject, verify_object


def found(genesis: SignedObject, cited: ProvenList) -> GroupState:
    """Return the group that a first entry begins; `cited` is the founder's list.

    Raises EntryRefused.
    """
    entry = read_entry(genesis)
    create = entry.change
    if not isinstance(create, Create):
        raise EntryRefused(EntryReason.STALE)
    _check_author(entry, genesis, cited, create.founder_key)
    members, title = founding(entry, create)
    return GroupState(
        group=group_id(genesis),
        version=1,
        head=genesis.hash,
        members=members,
        cited={entry.account + create.founder_key: _cited(cited)},
        title=title,
        secret=None if title is None else Secret(title.number, title.secret_hash),
    )


def fold(state: GroupState, obj: SignedObject, cited: ProvenList) -> GroupState:
    """Return the group after one more entry; `cited` is the list that the entry names.

    Raises EntryRefused; `stale` if the entry does not build on this very head.
    """
    entry = read_entry(obj)
    require(entry.group == state.group, EntryReason.GROUP)
    builds_on = (entry.version - 1, entry.prev)
    require(builds_on == (state.version, state.head), EntryReason.STALE)
    actor = state.members.get(entry.account)
    if actor is None:
        raise EntryRefused(EntryReason.NOT_MEMBER)
    _check_author(entry, obj, cited, actor.account_key)
    pair = entry.account + actor.account_key
    _check_not_older(entry, cited, state.cited.get(pair))
    return replace(
        changed(state, entry),
        version=entry.version,
        head=obj.hash,
        cited={**state.cited, pair: _cited(cited)},
    )


def fold_log(
    entries: Sequence[SignedObject],
    lists: Mapping[bytes, SignedObject],
    state: GroupState | None = None,
) -> GroupState:
    """Fold entries onto `state`, or from the first one of a group; `lists` by their hash.

    The caller compares the group's id with the one it asked for. Raises EntryRefused; ValueError
    if there is nothing to fold.
    """
    proven: dict[bytes, ProvenList] = {}
    for obj in entries:
        cited = _proven(read_entry(obj).list_hash, lists, proven)
        state = found(obj, cited) if state is None else fold(state, obj, cited)
    if state is None:
        raise ValueError("a log has a first entry")
    return state


def read_entry(obj: SignedObject) -> Entry:
    """Return the entry in an object, not checked but for its form. Raises EntryRefused."""
    try:
        return decode_entry(obj.check_sizes().body)
    except Malformed:
        raise EntryRefused(EntryReason.MALFORMED) from None


def _proven(
    name: bytes, lists: Mapping[bytes, SignedObject], proven: dict[bytes, ProvenList]
) -> ProvenList:
    if name not in proven:
        require(name in lists, EntryReason.LIST)
        try:
            proven[name] = prove_list(lists[name])
        except ListRejected:
            raise EntryRefused(EntryReason.LIST) from None
    return proven[name]


def _check_author(entry: Entry, obj: SignedObject, cited: ProvenList, account_key: bytes) -> None:
    listed = cited.listed
    names = (cited.hash, listed.account, listed.key)
    require(names == (entry.list_hash, entry.account, account_key), EntryReason.LIST)
    device = listed.device(entry.device)
    if device is None:
        raise EntryRefused(EntryReason.DEVICE)
    try:
        verify_object(LABEL, device.key, obj)
    except SignatureInvalid:
        raise EntryRefused(EntryReason.SIGNATURE) from None


def _check_not_older(entry: Entry, cited: ProvenList, before: Cited | None) -> None:
    if before is None:
        return
    listed = cited.listed
    require(listed.version >= before.version and listed.set >= before.set, EntryReason.LIST_OLD)
    if listed.version == before.version:
        require(cited.hash == before.hash, EntryReason.LIST_CONFLICT)
        require(not isinstance(entry.change, Confirm), EntryReason.NO_CHANGE)
    if listed.version == before.version + 1:
        require(listed.prev == before.hash, EntryReason.LIST_CONFLICT)


def _cited(cited: ProvenList) -> Cited:
    return Cited(cited.listed.version, cited.listed.set, cited.hash)
