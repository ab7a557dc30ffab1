"""Changes of a group made here: signed on top of the whole log, stored, and only then sent.

A change that loses against another admin's is signed again on top of that, if it still makes
sense. What has no answer stays stored and is sent again as it is (`linnet.client.groups.keeper`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import apsw

from linnet.client import lists
from linnet.client.errors import GroupRefused, KeyChanged, NotTrusted, UnknownRecipient
from linnet.client.groups import book, log
from linnet.client.groups.book import Pending
from linnet.client.lists import Held
from linnet.crypto.group_secret import new_secret, seal_title, secret_hash
from linnet.signing.device_list import prove_list
from linnet.signing.group_changes import (
    MAX_MEMBERS,
    Add,
    Change,
    Create,
    Pair,
    Rekey,
    Retitle,
    SealedTitle,
)
from linnet.signing.group_entry import NO_GROUP, Entry, first_entry, group_id, sign_entry
from linnet.signing.group_errors import EntryReason, EntryRefused
from linnet.signing.group_fold import fold, found
from linnet.signing.group_state import GroupState, next_entry
from linnet.signing.keys import Rng

NONCE_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Author:
    """This device, as it signs entries: its account, id and private key."""

    account: bytes
    device: int
    private: bytes
    rng: Rng


@dataclass(frozen=True, slots=True)
class Made:
    """A change, and the secret that goes with it."""

    change: Change
    secret: bytes | None = None


Make = Callable[[apsw.Connection, GroupState], Made]
"""Makes a change for a group as it stands; raises GroupRefused where it makes no sense."""


def founded(
    db: apsw.Connection, author: Author, members: list[bytes], title: str
) -> tuple[bytes, Pending]:
    """Sign the first entry of a group and store it; the GroupId.

    Raises GroupRefused, KeyChanged, UnknownRecipient for a member whose list is not held.
    """
    own = _own(db, author)
    others = sorted(set(members) - {author.account})
    if len(others) >= MAX_MEMBERS:
        raise GroupRefused(EntryReason.TOO_MANY)
    secret = new_secret(author.rng) if title else None
    create = Create(
        author.rng(NONCE_BYTES),
        own.list.key,
        tuple(pair(db, account) for account in others),
        None if secret is None else _sealed(secret, NO_GROUP, 1, title, author.rng),
    )
    entry = first_entry(create, author.account, author.device, own.obj.hash)
    try:
        obj = sign_entry(entry, author.private, author.rng)
        found(obj, prove_list(own.obj))
    except EntryRefused as refused:
        raise GroupRefused(refused.reason.value) from None
    pending = Pending(obj, secret)
    group = group_id(obj)
    book.put_pending(db, group, pending)
    return group, pending


def appended(db: apsw.Connection, author: Author, group: bytes, make: Make) -> None:
    """Sign the next entry on top of everything kept and store it. Raises GroupRefused."""
    state, held = log.newest_state(db, group), book.group(db, group)
    if state is None or held is None:
        raise GroupRefused("no_such_group")
    if held.alarm is not None:
        raise GroupRefused("group_forked")
    own = _own(db, author)
    made = make(db, state)
    entry: Entry = next_entry(state, made.change, author.account, author.device, own.obj.hash)
    try:
        obj = sign_entry(entry, author.private, author.rng)
        fold(state, obj, prove_list(own.obj))
    except EntryRefused as refused:
        raise GroupRefused(refused.reason.value) from None
    book.put_pending(db, group, Pending(obj, made.secret))


def adding(accounts: list[bytes]) -> Make:
    """Add those of these accounts that are no members yet."""

    def make(db: apsw.Connection, state: GroupState) -> Made:
        new = sorted(set(accounts) - state.members.keys())
        if not new:
            raise GroupRefused("already_member")
        if len(new) + len(state.members) > MAX_MEMBERS:
            raise GroupRefused(EntryReason.TOO_MANY)
        return Made(Add(tuple(pair(db, account) for account in new)))

    return make


def rekeying(account: bytes) -> Make:
    """Take the account key that is accepted for this member now."""

    def make(db: apsw.Connection, state: GroupState) -> Made:
        return Made(Rekey(account, pair(db, account).account_key))

    return make


def retitling(title: str, rng: Rng) -> Make:
    """Another title: under the present secret, or a new one where somebody left who knew it."""

    def make(db: apsw.Connection, state: GroupState) -> Made:
        present = state.secret
        known = None if present is None else book.secret(db, state.group, present.hash)
        if present is None or state.needs_secret() or known is None:
            fresh = new_secret(rng)
            return Made(Retitle(_sealed(fresh, state.group, state.version + 1, title, rng)), fresh)
        return Made(Retitle(_sealed(known, state.group, present.number, title, rng)))

    return make


def plain(change: Change) -> Make:
    """A change that is the same whatever came before it."""
    return lambda db, state: Made(change)


def pair(db: apsw.Connection, account: bytes) -> Pair:
    """An account with the key that is pinned for it. Raises UnknownRecipient, KeyChanged."""
    held = lists.held(db, account)
    if held is None:
        raise UnknownRecipient("no device list of that account is held")
    if held.key_changed:
        raise KeyChanged
    return Pair(account, held.list.key)


def _sealed(secret: bytes, group: bytes, number: int, title: str, rng: Rng) -> SealedTitle:
    try:
        sealed = seal_title(secret, group, number, title, rng)
    except ValueError as error:
        raise GroupRefused("title_too_long") from error
    return SealedTitle(number, secret_hash(secret), sealed)


def _own(db: apsw.Connection, author: Author) -> Held:
    own = lists.held(db, author.account)
    if own is None:
        raise NotTrusted("the own device list is missing")
    return own
