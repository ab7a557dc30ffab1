"""Group entries: what an entry must be before the server appends it, beyond the fold.

The fold is `linnet.signing.group_fold`, the same that clients run. The server adds what it alone
can know: that the caller is the device that signed, that the cited list is the newest, that those
added exist under that account key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from linnet.server.ports.directory import Listing
from linnet.server.ports.groups import CitedList, LoggedEntry, Step
from linnet.server.services.group_states import write_state
from linnet.server.services.tokens import Identity
from linnet.signing.device_list import ProvenList, prove_list
from linnet.signing.group_changes import Add, Change, Create, Pair, Rekey
from linnet.signing.group_entry import Entry
from linnet.signing.group_errors import EntryReason, EntryRefused
from linnet.signing.group_fold import fold, found, read_entry
from linnet.signing.group_state import GroupState
from linnet.signing.objects import SignedObject
from linnet.wire.errors import RequestRefused
from linnet.wire.rest import Signed

ACCOUNT_KEY: Final = "account_key"
"""The rule that no fold can check: an account is named with its own account key."""

_CODES: Final = {
    EntryReason.STALE: "conflict",
    EntryReason.NOT_MEMBER: "not_member",
    EntryReason.SIGNATURE: "bad_signature",
}


def refusal(reason: EntryReason) -> RequestRefused:
    """What a caller is told of a broken rule."""
    return RequestRefused(_CODES.get(reason, "entry_rejected"), f"Rule broken: {reason.value}.")


def read(signed: Signed, identity: Identity) -> tuple[SignedObject, Entry]:
    """The entry in a request of the device that it names as its actor.

    Raises `entry_rejected`, or `forbidden` where another device is named.
    """
    obj = SignedObject(signed.body, signed.sig)
    try:
        entry = read_entry(obj)
    except EntryRefused as refused:
        raise refusal(refused.reason) from None
    if (entry.account, entry.device) != (identity.account, identity.device):
        raise RequestRefused("forbidden", "An entry is appended by the device that signed it.")
    return obj, entry


def added(change: Change) -> tuple[Pair, ...]:
    """The pairs that an entry brings into a group, without the founder."""
    match change:
        case Create(members=members) | Add(members=members):
            return members
        case Rekey(account=account, account_key=key):
            return (Pair(account, key),)
        case _:
            return ()


def check_added(change: Change, known: Mapping[bytes, Listing]) -> None:
    """Raise `unknown_recipient` for an account that does not exist, `entry_rejected` for one that
    has another account key."""
    for pair in added(change):
        listing = known.get(pair.account)
        if listing is None:
            raise RequestRefused("unknown_recipient")
        if listing.key != pair.account_key:
            raise RequestRefused("entry_rejected", f"Rule broken: {ACCOUNT_KEY}.")


def cited_list(entry: Entry, actor: Listing | None) -> ProvenList:
    """The list that an entry cites, if it is the actor's newest. Raises `conflict` if it is not:
    fetch the list, and sign again under that."""
    if actor is None:
        raise RequestRefused("unauthorized")
    listed = SignedObject(actor.list.body, actor.list.sig)
    if listed.hash != entry.list_hash:
        raise RequestRefused("conflict", "The device list cited is not the newest.")
    return prove_list(listed)


def folded(state: GroupState | None, obj: SignedObject, cited: ProvenList) -> GroupState:
    """The group after this entry; `state` is None before the first one.

    Raises `conflict` if it does not build on this head, `not_member`, `bad_signature`, or
    `entry_rejected` with the name of the broken rule.
    """
    try:
        return found(obj, cited) if state is None else fold(state, obj, cited)
    except EntryRefused as refused:
        raise refusal(refused.reason) from None


def step(
    before: GroupState | None, after: GroupState, entry: Entry, obj: SignedObject, cited: ProvenList
) -> Step:
    """What is stored of an entry that passed."""
    old = frozenset[bytes]() if before is None else before.members.keys()
    new = after.members.keys()
    return Step(
        group=after.group,
        entry=LoggedEntry(entry.version, obj.hash, obj.body, obj.sig, cited.hash),
        prev=entry.prev,
        cited=CitedList(cited.hash, cited.obj.body, cited.obj.sig),
        state=write_state(after),
        joined=tuple(sorted(new - old)),
        left=tuple(sorted(old - new)),
    )
