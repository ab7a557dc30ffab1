"""Events about groups. What changed is read from the signed log, never from what somebody says."""

from dataclasses import dataclass, field

from linnet.wire.ids import AccountId, GroupId


@dataclass(frozen=True, slots=True)
class GroupJoined:
    """This account is a member from now on. `by` signed the entry that says so."""

    group: GroupId
    by: AccountId


@dataclass(frozen=True, slots=True)
class GroupLeft:
    """This account is a member no more; if `by` is itself, it left."""

    group: GroupId
    by: AccountId


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """An entry of the log took effect. `what` is the name of the change (`add`, `remove`, `leave`,
    `promote`, `demote`, `rekey`, `retitle`, `confirm`), `about` whom it concerns."""

    group: GroupId
    by: AccountId
    what: str
    about: tuple[AccountId, ...] = ()


@dataclass(frozen=True, slots=True)
class GroupHeld:
    """Entries of the log take no effect: a device of `by` signed that is not listed any more, and
    it may have done so since. Until an admin changes something on top of them, or
    `Groups.accept_held` is called here, nothing is sent."""

    group: GroupId
    by: AccountId


@dataclass(frozen=True, slots=True)
class GroupForked:
    """Somebody was shown another history of this group than we were: two signed entries cannot
    both be true. Nothing is sent to it any more. `proof` convinces everybody who has the log."""

    group: GroupId
    proof: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class GroupReported:
    """These members have more of the group's messages than before; `Groups.delivered` says of a
    message who has it. Once all have it, `Delivered` comes as well."""

    group: GroupId
    by: tuple[AccountId, ...]


GroupEvent = GroupJoined | GroupLeft | GroupChanged | GroupHeld | GroupForked | GroupReported
