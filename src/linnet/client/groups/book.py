"""The book of groups: what this device has of each log, in its tables. No rule is here.

`settled` is the group as of the last entry that took effect; entries after it are held back
(`linnet.signing.group_held`). Lists that entries cite are kept once, by their hash.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import apsw
import msgspec

from linnet.client.remembered import Remembered
from linnet.client.sql import every, first, number
from linnet.signing.group_state import GroupState
from linnet.signing.objects import SignedObject

MAX_SECRETS: Final = 64
NEVER_MEMBER: Final = -1
FORMER_MEMBER: Final = 0
MEMBER: Final = 1
"""What this account is to a group, as the table has it."""
_STATE: Final = msgspec.msgpack.Decoder(GroupState)
states: Final = Remembered[GroupState](32)
"""Groups by the hash of their head, which says all that led there."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group known here. `wanted` is the newest log version that somebody spoke of, `kept` the
    newest that is here, in effect or held back; `roster` the newest roster known, which was made at
    `roster_version`. `alarm` is the proof of a fork."""

    settled: GroupState
    kept: int
    wanted: int
    wanted_roster: int
    roster: int
    roster_version: int
    standing: int
    alarm: bytes | None

    @property
    def member(self) -> bool:
        """Whether this account is a member."""
        return self.standing == MEMBER

    @property
    def stale(self) -> bool:
        """Whether log or roster must be read on before anything is sent."""
        beyond = max(self.wanted, self.roster_version) > self.kept
        return beyond or self.wanted_roster > self.roster

    @property
    def holding(self) -> bool:
        """Whether entries are held back: until an admin builds on them nothing is sent."""
        return self.kept > self.settled.version


class Kept(msgspec.Struct, frozen=True):
    """An entry of the log as received; `suspect` is what was found when it was first seen."""

    version: int
    entry: SignedObject
    suspect: bool


class Pending(msgspec.Struct, frozen=True):
    """A change of ours that was signed and not yet answered, and the secret that goes with it."""

    entry: SignedObject
    secret: bytes | None


def group(db: apsw.Connection, id: bytes) -> Group | None:
    """What is held of a group."""
    row = first(
        db,
        "SELECT head, wanted, wanted_roster, roster, roster_version, member, alarm,"
        " (SELECT ifnull(max(version), 0) FROM group_entries e WHERE e.id = groups.id)"
        " FROM groups WHERE id = ?",
        (id,),
    )
    if row is None:
        return None
    head, wanted, wanted_roster, roster, roster_version, standing, alarm, kept = row
    return Group(
        settled=states.get(head, lambda: _settled(db, id)) if head else _settled(db, id),
        kept=kept,
        wanted=wanted,
        wanted_roster=wanted_roster,
        roster=roster,
        roster_version=roster_version,
        standing=standing,
        alarm=alarm,
    )


def _settled(db: apsw.Connection, id: bytes) -> GroupState:
    row = first(db, "SELECT settled FROM groups WHERE id = ?", (id,))
    assert row is not None
    return _STATE.decode(row[0])


def known(db: apsw.Connection, id: bytes) -> bool:
    """Whether this conversation is a group that is known here."""
    return first(db, "SELECT 1 FROM groups WHERE id = ?", (id,)) is not None


def ids(db: apsw.Connection, *, members_only: bool = True) -> list[bytes]:
    """The groups known here, those that this account left as well if asked for."""
    least = MEMBER if members_only else FORMER_MEMBER
    rows = every(db, "SELECT id FROM groups WHERE member >= ? ORDER BY rowid", (least,))
    return [row[0] for row in rows]


def settle(db: apsw.Connection, state: GroupState, standing: int) -> None:
    """The log took effect up to here, and this is what the account is to the group."""
    db.execute(
        "INSERT INTO groups (id, settled, head, member) VALUES (?, ?, ?, ?) ON CONFLICT (id)"
        " DO UPDATE SET settled = excluded.settled, head = excluded.head, member = excluded.member",
        (state.group, msgspec.msgpack.encode(state), state.head, standing),
    )
    states.put(state.head, state)


def want(db: apsw.Connection, id: bytes, version: int) -> None:
    """Somebody spoke of this version: read the log on."""
    db.execute("UPDATE groups SET wanted = max(wanted, ?) WHERE id = ?", (version, id))


def want_roster(db: apsw.Connection, id: bytes, roster: int) -> bool:
    """A roster of this number is in force; whether that is news."""
    db.execute(
        "UPDATE groups SET wanted_roster = ? WHERE id = ? AND max(roster, wanted_roster) < ?",
        (roster, id, roster),
    )
    return bool(db.changes())


def is_news(db: apsw.Connection, id: bytes, roster: int) -> bool:
    """Whether a message that names this roster is a reason to ask about the group."""
    return not known(db, id) or want_roster(db, id, roster)


def believed(db: apsw.Connection, id: bytes, version: int) -> None:
    """The server has nothing newer than this: what was only spoken of is not waited for."""
    db.execute(
        "UPDATE groups SET wanted = min(wanted, ?), wanted_roster = min(wanted_roster, roster)"
        " WHERE id = ?",
        (version, id),
    )


def learn_roster(db: apsw.Connection, id: bytes, roster: int, version: int) -> None:
    """The roster of this number was made at this version of the log."""
    db.execute("INSERT OR IGNORE INTO group_rosters VALUES (?, ?, ?)", (id, roster, version))
    db.execute(
        "UPDATE groups SET roster = ?, roster_version = ? WHERE id = ? AND roster < ?",
        (roster, version, id, roster),
    )


def roster_version(db: apsw.Connection, id: bytes, roster: int) -> int | None:
    """The version of the log that a roster of this number was made at, or a later one: no older
    version than that of any lower number known here. None if none is."""
    row = first(
        db, "SELECT max(version) FROM group_rosters WHERE id = ? AND number <= ?", (id, roster)
    )
    return None if row is None or row[0] is None else int(row[0])


def in_order(db: apsw.Connection, id: bytes, conv_seq: int, roster: int) -> bool:
    """Whether this message's roster is no older than one that a message of lower conv_seq named;
    then it is remembered as the newest message.

    A known roster above that of a message of higher conv_seq shows that one number was made up:
    the order starts again from here, so that a conv_seq far ahead does not stop a group for good.
    """
    row = first(db, "SELECT last_seq, last_roster, roster FROM groups WHERE id = ?", (id,))
    last_seq, last_roster, newest = (0, 0, 0) if row is None else map(int, row)
    if conv_seq < last_seq and min(roster, newest) <= last_roster:
        return True
    # A number that was made up outlives no true one.
    if conv_seq >= last_seq and roster < min(last_roster, newest):
        return False
    if (conv_seq, roster) != (last_seq, last_roster):
        db.execute(
            "UPDATE groups SET last_seq = ?, last_roster = ? WHERE id = ?", (conv_seq, roster, id)
        )
    return True


def raise_alarm(db: apsw.Connection, id: bytes, proof: bytes) -> bool:
    """Keep the proof of a fork; the first one stays. Whether it is the first."""
    db.execute("UPDATE groups SET alarm = ? WHERE id = ? AND alarm IS NULL", (proof, id))
    return bool(db.changes())


# ---- the log


def keep(db: apsw.Connection, id: bytes, entries: Iterable[Kept]) -> None:
    """Keep entries as received."""
    db.executemany(
        "INSERT OR IGNORE INTO group_entries VALUES (?, ?, ?, ?, ?)",
        [(id, it.version, it.entry.body, it.entry.sig, int(it.suspect)) for it in entries],
    )


def entries(db: apsw.Connection, id: bytes, after: int = 0, until: int = 1 << 53) -> list[Kept]:
    """Entries after a version, up to and with another, in order."""
    rows = every(
        db,
        "SELECT version, body, sig, suspect FROM group_entries"
        " WHERE id = ? AND version > ? AND version <= ? ORDER BY version",
        (id, after, until),
    )
    return [Kept(version, SignedObject(body, sig), bool(s)) for version, body, sig, s in rows]


def trust(db: apsw.Connection, id: bytes) -> None:
    """No entry that is kept is suspect any more."""
    db.execute("UPDATE group_entries SET suspect = 0 WHERE id = ?", (id,))


def keep_lists(db: apsw.Connection, lists: Iterable[SignedObject]) -> None:
    """Keep lists that entries cite."""
    db.executemany(
        "INSERT OR IGNORE INTO group_lists VALUES (?, ?, ?)",
        [(obj.hash, obj.body, obj.sig) for obj in lists],
    )


def lists(db: apsw.Connection, hashes: Iterable[bytes]) -> dict[bytes, SignedObject]:
    """Those of these lists that are held, by hash."""
    found = {}
    for name in dict.fromkeys(hashes):
        row = first(db, "SELECT body, sig FROM group_lists WHERE hash = ?", (name,))
        if row is not None:
            found[name] = SignedObject(*row)
    return found


# ---- own changes


def put_pending(db: apsw.Connection, id: bytes, pending: Pending) -> None:
    """Remember a signed change before it leaves."""
    db.execute(
        "INSERT OR REPLACE INTO group_pending VALUES (?, ?, ?, ?)",
        (id, pending.entry.body, pending.entry.sig, pending.secret),
    )


def pending(db: apsw.Connection, id: bytes) -> Pending | None:
    """The change of ours that has no answer yet."""
    row = first(db, "SELECT body, sig, secret FROM group_pending WHERE id = ?", (id,))
    return None if row is None else Pending(SignedObject(row[0], row[1]), row[2])


def all_pending(db: apsw.Connection) -> list[bytes]:
    """The groups with a change of ours that has no answer yet."""
    return [row[0] for row in every(db, "SELECT id FROM group_pending")]


def drop_pending(db: apsw.Connection, id: bytes, pending: Pending) -> None:
    """This very change has its answer."""
    db.execute("DELETE FROM group_pending WHERE id = ? AND body = ?", (id, pending.entry.body))


# ---- secrets


def put_secret(db: apsw.Connection, id: bytes, secret: bytes, named: Iterable[bytes] = ()) -> None:
    """Keep what is said to be a secret of this group. It is looked up by its hash, which the log
    names, so that nobody can put another in its place; of a group, `MAX_SECRETS` are kept. Those
    whose hashes are `named` never make room."""
    db.execute(
        "INSERT OR REPLACE INTO group_secrets (id, hash, secret) VALUES (?, ?, ?)",
        (id, sha256(secret).digest(), secret),
    )
    rows = every(db, "SELECT hash FROM group_secrets WHERE id = ? ORDER BY rowid DESC", (id,))
    for (name,) in rows[MAX_SECRETS:]:
        if name not in named:
            db.execute("DELETE FROM group_secrets WHERE id = ? AND hash = ?", (id, name))


def strange_secrets(db: apsw.Connection) -> int:
    """How many secrets are of groups that are not known here."""
    return number(db, "SELECT count(*) FROM group_secrets WHERE id NOT IN (SELECT id FROM groups)")


def secret(db: apsw.Connection, id: bytes, name: bytes) -> bytes | None:
    """The secret with this hash, if this device was given it."""
    row = first(db, "SELECT secret FROM group_secrets WHERE id = ? AND hash = ?", (id, name))
    return None if row is None else bytes(row[0])


def asked(db: apsw.Connection, id: bytes) -> tuple[int, int]:
    """When a secret of this group was last asked for (ms), and how often so far."""
    row = first(db, "SELECT at_ms, times FROM group_asked WHERE id = ?", (id,))
    return (0, 0) if row is None else (int(row[0]), int(row[1]))


def put_asked(db: apsw.Connection, id: bytes, now_ms: int, times: int) -> None:
    """A secret was asked for."""
    db.execute("INSERT OR REPLACE INTO group_asked VALUES (?, ?, ?)", (id, now_ms, times))
