"""Statements: what a commit of the timeline writes, and what a load reads, in SQL.

Runs SQL on a connection it is handed; keeps no transaction and no state.
"""

from __future__ import annotations

import apsw
import msgspec

from linnet.server.backends.sqlite import bodies, rows, segments
from linnet.server.backends.sqlite.bodies import Bodies
from linnet.server.ports.timeline import (
    Batch,
    Cursor,
    DeviceSet,
    Entry,
    Gathering,
    Loaded,
    Mark,
    Outcome,
    Spread,
    Wanted,
)

_MANY_ACCOUNTS = 8
"""Marks of more accounts of one conversation are read together."""


def write(connection: apsw.Connection, number: int, batch: Batch) -> None:
    """Append a batch to the open segment and the log; heads, sets and rosters to their tables."""
    for piece in batch.rows():
        if isinstance(piece, Spread):
            bodies.append(connection, number, piece)
        else:
            segments.append(connection, number, rows.entry_rows(piece))
    if batch.refusals:
        segments.append(connection, number, rows.refusal_rows(batch))
    connection.executemany(
        "INSERT INTO mark_log (account, device, acked, gap, conversation, intervals, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        rows.log_rows(batch),
    )
    if batch.heads:
        connection.executemany(
            "REPLACE INTO conversation VALUES (?, ?, ?, ?, ?)", map(rows.head_row, batch.heads)
        )
    if batch.sets:
        connection.executemany(
            "REPLACE INTO device_set VALUES (?, ?, ?, ?)",
            [(s.account, s.mailbox, s.number, rows.pack_devices(s.devices)) for s in batch.sets],
        )
    for gathering in batch.gatherings:
        _gather(connection, gathering)


def _gather(connection: apsw.Connection, gathering: Gathering) -> None:
    connection.execute(
        "REPLACE INTO gathering VALUES (?, ?, ?, ?, ?, ?)", rows.gathering_row(gathering)
    )
    # The rest of a group's head is folded in from its rows.
    connection.execute(
        "INSERT INTO conversation VALUES (?, 0, 0, x'80', ?) ON CONFLICT (id)"
        " DO UPDATE SET roster = excluded.roster",
        (gathering.roster.group, gathering.roster.number),
    )


def entry(held: Bodies, position: int, mailbox: bytes, prev: int, body: bytes) -> Entry:
    """A row, wherever its body is."""
    if bodies.is_pointer(body):
        return held.entry(position, mailbox, prev, body)
    return rows.entry(position, mailbox, prev, body)


def weighed(held: Bodies, row: tuple[int, bytes, int, bytes]) -> tuple[Entry, int]:
    """A row, and how many bytes of a page it is."""
    body = row[3]
    if bodies.is_pointer(body):
        found = held.entry(*row)
        return found, len(body) + sum(len(part.ciphertext) for part in found.parts[:1])
    return rows.entry(*row), len(body)


def outcome(held: Bodies, mailbox: bytes | None, body: bytes) -> Outcome:
    """The outcome in a row found by its id."""
    return held.accepted(body) if bodies.is_pointer(body) else rows.outcome(mailbox, body)


def read(
    connection: apsw.Connection,
    wanted: Wanted,
    ids: list[tuple[bytes, int]],
    loaded: Loaded,
) -> None:
    """Put what the tables hold of `wanted` into `loaded`; `ids` are looked up in the segments
    they are paired with."""
    for account in wanted.sets:
        for _, mailbox, number, devices in connection.execute(
            "SELECT * FROM device_set WHERE account = ?", (account,)
        ):
            loaded.sets[account] = DeviceSet(account, mailbox, number, rows.unpack_devices(devices))
    for group in wanted.gatherings:
        for row in connection.execute("SELECT * FROM gathering WHERE id = ?", (group,)):
            loaded.gatherings[group] = rows.gathering(row)
    wanted = with_mailboxes(wanted, loaded)
    for conversation in wanted.heads:
        for row in connection.execute("SELECT * FROM conversation WHERE id = ?", (conversation,)):
            loaded.heads[conversation] = rows.head(row)
    for mailbox in wanted.mailboxes:
        for (head,) in connection.execute("SELECT head FROM mailbox WHERE id = ?", (mailbox,)):
            loaded.mailboxes[mailbox] = head
    _read_marks(connection, wanted, loaded)
    for device in wanted.cursors:
        for row in connection.execute(
            "SELECT * FROM cursor WHERE account = ? AND device = ?", device
        ):
            loaded.cursors[device] = Cursor(*row)
    _read_outcomes(connection, ids, loaded)


def _read_marks(connection: apsw.Connection, wanted: Wanted, loaded: Loaded) -> None:
    """Of each account alone, or at once of a conversation that many are wanted of."""
    accounts: dict[bytes, list[bytes]] = {}
    for conversation, account in wanted.marks:
        accounts.setdefault(conversation, []).append(account)
    for conversation, some in accounts.items():
        found: dict[bytes, list[Mark]] = {account: [] for account in some}
        if len(some) > _MANY_ACCOUNTS:
            for row in connection.execute(
                "SELECT * FROM mark WHERE conversation = ?", (conversation,)
            ):
                if row[1] in found:
                    found[row[1]].append(rows.mark(row))
        else:
            for account in some:
                query = "SELECT * FROM mark WHERE conversation = ? AND account = ?"
                read = connection.execute(query, (conversation, account))
                found[account].extend(rows.mark(row) for row in read)
        for account in some:
            loaded.marks[(conversation, account)] = found[account]


def _read_outcomes(
    connection: apsw.Connection, ids: list[tuple[bytes, int]], loaded: Loaded
) -> None:
    kept = segments.numbers(connection) if ids else set()
    for id, number in ids:
        if number not in kept:
            continue
        outcomes: list[Outcome] = loaded.outcomes.setdefault(id, [])
        held = Bodies(connection, number)
        for owner, body in segments.rows_by_id(connection, number, id):
            outcomes.append(outcome(held, owner, body))


def with_mailboxes(wanted: Wanted, loaded: Loaded) -> Wanted:
    """What was wanted, and the mailboxes of the sets and rosters among it."""
    if not (loaded.sets or loaded.gatherings):
        return wanted
    mailboxes = wanted.mailboxes.union(
        (held.mailbox for held in loaded.sets.values()),
        (seat.mailbox for held in loaded.gatherings.values() for seat in held.roster.seats),
    )
    return msgspec.structs.replace(wanted, mailboxes=mailboxes)
