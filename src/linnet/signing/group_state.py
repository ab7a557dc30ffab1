"""A group as its log leaves it: members, roles, title, and the list each actor is held to.

Values only, never changed in place. They are made by `linnet.signing.group_fold` and may be
stored as msgspec writes them. Who is suspended is no part of a log: `suspended` compares the
members with the account keys known today.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from linnet.signing.group_changes import Change, Pair
from linnet.signing.group_entry import Entry


class Role(StrEnum):
    """What a member may do."""

    MEMBER = "member"
    ADMIN = "admin"


class Member(msgspec.Struct, frozen=True):
    """One member. `joined` is the version of the entry that brought this pair into the group."""

    account_key: bytes
    role: Role
    joined: int


class Title(msgspec.Struct, frozen=True):
    """The sealed title. `group` is the group field of its entry: zeros if it came with `create`.

    Its secret has the given number and hash; that may be an older secret than the newest.
    """

    group: bytes
    number: int
    secret_hash: bytes
    sealed: bytes


class Secret(msgspec.Struct, frozen=True):
    """The newest group secret. `spent`: someone who knew it has left since."""

    number: int
    hash: bytes
    spent: bool = False


class Cited(msgspec.Struct, frozen=True):
    """The newest device list that entries of one (account, account key) cited."""

    version: int
    set: int
    hash: bytes


class GroupState(msgspec.Struct, frozen=True):
    """A group after the entry of `version`, whose hash is `head`.

    `members` by AccountId; `cited` by AccountId ‖ account key, of former members too.
    """

    group: bytes
    version: int
    head: bytes
    members: Mapping[bytes, Member]
    cited: Mapping[bytes, Cited]
    title: Title | None = None
    secret: Secret | None = None

    def is_admin(self, account: bytes) -> bool:
        """Tell whether this account is a member and an admin."""
        member = self.members.get(account)
        return member is not None and member.role is Role.ADMIN

    def admins(self) -> frozenset[bytes]:
        """Return the AccountIds of the admins."""
        return frozenset(account for account in self.members if self.is_admin(account))

    def pairs(self) -> frozenset[Pair]:
        """Return who the members are: (AccountId, account key)."""
        return frozenset(Pair(id, member.account_key) for id, member in self.members.items())

    def needs_secret(self) -> bool:
        """Tell whether the next title must bring a new secret."""
        return self.secret is None or self.secret.spent


def next_entry(
    state: GroupState, change: Change, account: bytes, device: int, list_hash: bytes
) -> Entry:
    """Return the entry that makes this change on top of `state`, to be signed."""
    return Entry(state.group, state.version + 1, state.head, change, account, device, list_hash)


def departed(before: GroupState, after: GroupState) -> frozenset[Pair]:
    """Return the pairs that are members no more; sender keys are rotated if there are any."""
    return before.pairs() - after.pairs()


def suspended(state: GroupState, account_keys: Mapping[bytes, bytes]) -> frozenset[bytes]:
    """Return the members whose account is known by another account key now.

    `account_keys` maps AccountIds to present account keys; a member missing there is not
    suspended. Nothing is delivered to a suspended member until an admin signs `rekey`.
    """
    return frozenset(
        account
        for account, member in state.members.items()
        if account_keys.get(account, member.account_key) != member.account_key
    )
