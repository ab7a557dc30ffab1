"""A group's log as it comes from the server: checked, folded and kept, or refused as a whole.

The rules are `linnet.signing`'s; here it is decided what of a page is new, what takes effect, what
the application is told of it, and when two histories prove that somebody lies.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import apsw

from linnet.client import lists
from linnet.client.errors import NotTrusted
from linnet.client.groups import book, keys
from linnet.client.groups.book import Kept
from linnet.client.groups.events import (
    GroupChanged,
    GroupEvent,
    GroupForked,
    GroupHeld,
    GroupJoined,
    GroupLeft,
)
from linnet.client.sql import number
from linnet.signing.device_list import ProvenList, prove_list
from linnet.signing.errors import ListRejected
from linnet.signing.group_changes import Add, Change, Create, Demote, Promote, Rekey, Remove
from linnet.signing.group_entry import Entry, group_id
from linnet.signing.group_errors import EntryRefused
from linnet.signing.group_fold import fold, fold_log, found, read_entry
from linnet.signing.group_fork import Evidence, fork
from linnet.signing.group_held import Step, effective, is_suspect
from linnet.signing.group_state import GroupState, departed
from linnet.signing.objects import SignedObject
from linnet.wire.ids import AccountId, GroupId

FORKS_BACK: Final = 24
"""An entry so many versions behind the newest may still prove a fork; the states that takes are
remembered. Further back it is refused unjudged: any member could have the log folded from its
start again and again."""


@dataclass(frozen=True, slots=True)
class Member:
    """Who this account is, as a member: the pair (AccountId, account key)."""

    account: bytes
    key: bytes

    def belongs(self, state: GroupState) -> bool:
        """Whether this very pair is a member."""
        member = state.members.get(self.account)
        return member is not None and member.account_key == self.key


@dataclass(frozen=True, slots=True)
class Page:
    """Entries in order, and the lists that they cite."""

    group: bytes
    entries: Sequence[SignedObject]
    lists: Sequence[SignedObject] = ()


@dataclass(slots=True)
class _Reading:
    """A page being read. `state` is the group after everything kept, held back or not."""

    settled: GroupState | None
    state: GroupState | None
    standing: int = book.NEVER_MEMBER
    steps: list[Step] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)


def take(db: apsw.Connection, page: Page, me: Member, now_ms: int) -> list[GroupEvent]:
    """Read a page that follows what is kept; it may overlap with that.

    Raises NotTrusted if it breaks a rule: then nothing of it is kept. A proven fork is kept and
    told of, and changes nothing else.
    """
    cited = _proven(page.lists)
    reading = _begin(db, page.group)
    entries_before = len(reading.kept)
    for obj in page.entries:
        try:
            entry = read_entry(obj)
            if reading.state is not None and entry.version <= reading.state.version:
                proof = _fork(db, page.group, entry, obj, cited)
                if proof is not None:
                    news = book.raise_alarm(db, page.group, proof)
                    return [GroupForked(GroupId(page.group), proof)] if news else []
                continue
            _step(db, reading, page.group, entry, obj, _list(db, entry.list_hash, cited))
        except EntryRefused as refused:
            raise NotTrusted(f"the log of a group breaks a rule: {refused.reason.value}") from None
    if len(reading.kept) == entries_before:
        return []
    book.keep_lists(db, [proven.obj for proven in cited.values()])
    book.keep(db, page.group, reading.kept)
    return _settle(db, reading, me, now_ms)


def release(db: apsw.Connection, group: bytes, me: Member, now_ms: int) -> list[GroupEvent]:
    """The person takes what is held back as it is: it takes effect on this device. What to tell."""
    held = book.group(db, group)
    if held is None or not held.holding:
        return []
    book.trust(db, group)
    return _settle(db, _begin(db, group), me, now_ms)


def state_at(db: apsw.Connection, group: bytes, version: int) -> GroupState | None:
    """The group as the entry of this version left it; None beyond what is kept."""
    held = book.group(db, group)
    if held is None:
        return None
    if held.settled.version == version:
        return held.settled
    name = entry_hash(db, group, version)
    if name is None:
        return None

    return book.states.get(name, lambda: _folded(db, group, version))


def _folded(db: apsw.Connection, group: bytes, version: int) -> GroupState:
    """Fold the kept log up to a version, from the newest state before it that is remembered."""
    objects = [it.entry for it in book.entries(db, group, until=version)]
    start, state = len(objects), None
    while start and state is None:
        start -= 1
        state = book.states.find(objects[start].hash)
    rest = objects[start if state is None else start + 1 :]
    near = max(0, len(rest) - 1 - version + kept_version(db, group) - FORKS_BACK)
    cited = book.lists(db, (read_entry(obj).list_hash for obj in rest))
    for some in (rest[:near], *([obj] for obj in rest[near:])):
        if some:
            state = fold_log(some, cited, state)
            book.states.put(state.head, state)
    assert state is not None
    return state


def kept_version(db: apsw.Connection, group: bytes) -> int:
    """The version of the newest entry that is kept, in effect or held back; 0 without a log."""
    return number(db, "SELECT ifnull(max(version), 0) FROM group_entries WHERE id = ?", (group,))


def newest_state(db: apsw.Connection, group: bytes) -> GroupState | None:
    """The group after everything kept: what the next entry must build on."""
    return _begin(db, group).state


def proof_of_head(
    db: apsw.Connection, state: GroupState, most_bytes: int, *, again: bool = False
) -> list[SignedObject]:
    """The entry that made this state and the list it cites, to be attached to the first message
    under it; nothing if that was done, or if they are too long. `again`: the message that carried
    it before may not have been accepted."""
    done = number(db, "SELECT ifnull(max(proved), 0) FROM groups WHERE id = ?", (state.group,))
    if done >= state.version and not again:
        return []
    db.execute("UPDATE groups SET proved = ? WHERE id = ?", (state.version, state.group))
    (kept,) = book.entries(db, state.group, state.version - 1, state.version)
    cited = book.lists(db, [read_entry(kept.entry).list_hash])
    objects = [kept.entry, *cited.values()]
    return objects if sum(len(obj.body) for obj in objects) <= most_bytes else []


def entry_hash(db: apsw.Connection, group: bytes, version: int) -> bytes | None:
    """The hash of the kept entry of this version."""
    kept = book.entries(db, group, version - 1, version)
    return kept[0].entry.hash if kept else None


def _proven(objects: Iterable[SignedObject]) -> dict[bytes, ProvenList]:
    try:
        return {obj.hash: prove_list(obj) for obj in objects}
    except ListRejected as refused:
        raise NotTrusted(f"a list in a group's log: {refused.reason.value}") from None


def _list(db: apsw.Connection, name: bytes, cited: dict[bytes, ProvenList]) -> ProvenList:
    """The list that an entry cites: from this page, or from an earlier one."""
    if name not in cited:
        known = book.lists(db, [name])
        if name not in known:
            raise NotTrusted("a group's log cites a list that is not there")
        cited[name] = prove_list(known[name])
    return cited[name]


def _begin(db: apsw.Connection, group: bytes) -> _Reading:
    """Stand where the kept log ends."""
    held = book.group(db, group)
    if held is None:
        return _Reading(None, None)
    reading = _Reading(held.settled, held.settled, held.standing)
    state = held.settled
    for it in book.entries(db, group, held.settled.version):
        entry = read_entry(it.entry)
        state = fold(state, it.entry, _list(db, entry.list_hash, {}))
        reading.steps.append(Step(entry.account, state, it.suspect))
    reading.state = state
    return reading


def _step(
    db: apsw.Connection,
    reading: _Reading,
    group: bytes,
    entry: Entry,
    obj: SignedObject,
    cited: ProvenList,
) -> None:
    suspect = False
    if reading.state is None:
        if group_id(obj) != group:
            raise NotTrusted("the log of another group")
        state = found(obj, cited)
    else:
        state = fold(reading.state, obj, cited)
        held = lists.held(db, entry.account)
        suspect = is_suspect(entry, cited.listed, None if held is None else held.list)
    reading.state = state
    reading.steps.append(Step(entry.account, state, suspect))
    reading.kept.append(Kept(entry.version, obj, suspect))


def _settle(db: apsw.Connection, reading: _Reading, me: Member, now_ms: int) -> list[GroupEvent]:
    """Let take effect what may; what to tell of it."""
    before, steps = reading.settled, reading.steps
    events: list[GroupEvent] = []
    newcomer = reading.standing == book.NEVER_MEMBER
    if newcomer:
        # Whoever joins, or links a device, takes the log up to its own entry as it is.
        count = _joined_at(steps, me, 0 if before is None else before.version)
        joining = steps[count - 1]
        before = joining.after
        if me.belongs(before):
            _check_joining(joining, steps[count:])
            events.append(GroupJoined(GroupId(before.group), AccountId(joining.actor)))
        steps = steps[count:]
    assert before is not None
    after = before
    takes_effect = effective(before, steps)
    events_after = _held(before.group, steps[takes_effect:], len(reading.kept))
    for step in steps[:takes_effect]:
        told = _told(db, after, step.after, me)
        events += [it for it in told if not (newcomer and isinstance(it, GroupChanged))]
        if departed(after, step.after):
            keys.supersede(db, step.after.group, now_ms)
        book.states.put(step.after.head, step.after)
        after = step.after
    member = me.belongs(after)
    if not member:
        keys.drop_own(db, after.group)
    never = newcomer and not any(isinstance(it, GroupJoined) for it in events)
    book.settle(db, after, _standing(member=member, never=never))
    return [*events, *events_after]


def _held(group: bytes, steps: Sequence[Step], new: int) -> list[GroupEvent]:
    """What to tell where this page brought the first of the entries that are held."""
    if not steps or len(steps) > new:
        return []
    return [GroupHeld(GroupId(group), AccountId(steps[0].actor))]


def _standing(*, member: bool, never: bool) -> int:
    if member:
        return book.MEMBER
    return book.NEVER_MEMBER if never else book.FORMER_MEMBER


def _joined_at(steps: Sequence[Step], me: Member, base: int) -> int:
    """How many of the steps after version `base` a joiner takes as settled: those up to the one
    that brought it in; all while there is none."""
    newest = max((n for n, step in enumerate(steps, 1) if me.belongs(step.after)), default=0)
    if not newest:
        return len(steps)
    return steps[newest - 1].after.members[me.account].joined - base


def _check_joining(joining: Step, later: Sequence[Step]) -> None:
    """A device that is not listed any more brings nobody in, unless an admin of then built on it.
    Raises NotTrusted."""
    if not joining.suspect:
        return
    if not any(joining.after.is_admin(it.actor) and not it.suspect for it in later):
        raise NotTrusted("brought into a group by a device that is not listed")


def _told(
    db: apsw.Connection, before: GroupState, after: GroupState, me: Member
) -> list[GroupEvent]:
    (kept,) = book.entries(db, after.group, after.version - 1, after.version)
    entry = read_entry(kept.entry)
    group, by = GroupId(after.group), AccountId(entry.account)
    if me.belongs(before) and not me.belongs(after):
        return [GroupLeft(group, by)]
    if me.belongs(after) and not me.belongs(before):
        return [GroupJoined(group, by)]
    return [GroupChanged(group, by, type(entry.change).__name__.lower(), _about(entry.change))]


def _about(change: Change) -> tuple[AccountId, ...]:
    match change:
        case Create(members=members) | Add(members=members):
            return tuple(AccountId(pair.account) for pair in members)
        case Remove(accounts=accounts):
            return tuple(AccountId(account) for account in accounts)
        case Promote(account=account) | Demote(account=account) | Rekey(account=account):
            return (AccountId(account),)
        case _:
            return ()


def _fork(
    db: apsw.Connection,
    group: bytes,
    entry: Entry,
    obj: SignedObject,
    cited: dict[bytes, ProvenList],
) -> bytes | None:
    """The proof that this entry and the kept one of its version cannot be of one log, if so.

    Raises NotTrusted if it is another entry and proves nothing.
    """
    ours = book.entries(db, group, entry.version - 1, entry.version)[0].entry
    if ours.hash == obj.hash:
        return None
    near = entry.version > kept_version(db, group) - FORKS_BACK
    same_place = entry.prev == read_entry(ours).prev
    base = state_at(db, group, entry.version - 1) if near and same_place else None
    if base is not None:
        mine = Evidence(ours, _list(db, read_entry(ours).list_hash, cited).obj)
        theirs = Evidence(obj, _list(db, entry.list_hash, cited).obj)
        proof = fork(base, mine, theirs)
        if proof is not None:
            return proof.to_bytes()
    raise NotTrusted("the log of a group contradicts what it said before")
