"""Answers: what the server's word does to a message in the outbox.

A message leaves the outbox once, as sent, failed or unknown; until then every try is kept, because
the server may have accepted any of them.
"""

from dataclasses import dataclass, field
from enum import Enum
from hmac import compare_digest

import apsw

from linnet.client import accepted, history, outbox
from linnet.client.accepted import Accepted
from linnet.client.addressees import Addressee, unpacked
from linnet.client.events import Event, NotSent, Sent, State
from linnet.client.outbox import Way
from linnet.client.sql import every, first
from linnet.wire.errors import is_code
from linnet.wire.ids import ConversationId, MessageId


@dataclass(frozen=True, slots=True)
class Settled:
    """A message that has its answer: what to tell, and devices that a later try was for although an
    earlier one was accepted."""

    events: list[Event] = field(default_factory=list)
    missed: tuple[Addressee, ...] = ()


class Verdict(Enum):
    """What a refusal means for a message."""

    SEAL_AGAIN = "encrypt for the new device sets, same id"
    AGAIN = "the same bytes, later"
    UNKNOWN = "an unanswered try may have been accepted; nobody can tell any more"
    FAILED = "it will never be sent"


def verdict(code: str, retryable: bool, unanswered: bool) -> Verdict:
    """Judge `rejected {code}`. `unanswered`: a try went out that nobody answered."""
    if code in ("devices_changed", "group_changed"):
        return Verdict.SEAL_AGAIN
    if retryable:
        return Verdict.AGAIN
    return Verdict.UNKNOWN if code == "id_time" and unanswered else Verdict.FAILED


def settle(
    db: apsw.Connection,
    me: bytes,
    id: bytes,
    conv_seq: int,
    server_ms: int,
    commitment: bytes,
    now_ms: int,
) -> Settled:
    """`sent`, or our own row: keep the try that was accepted and forget the others.

    Nothing happens if it was settled before. If the server names a commitment that no try made,
    something else was accepted under this id: the message has failed as `id_conflict`.
    """
    row = first(
        db, "SELECT conversation, peer, way, lane, kind, peer_key FROM outbox WHERE id = ?", (id,)
    )
    if row is None:
        return Settled()
    conversation, peer, way, lane, kind, peer_key = row
    tries = every(
        db,
        "SELECT commitment, z, addressees, withheld, own_version FROM tries"
        " WHERE id = ? ORDER BY try",
        (id,),
    )
    kept = next((t for t in tries if compare_digest(t[0], commitment)), None)
    if kept is None:
        return Settled(give_up(db, me, id, State.FAILED, "id_conflict"))
    _, z, *packed, own_version = kept
    addressees, withheld = (unpacked(db, data) for data in packed)
    db.execute(
        "INSERT INTO counters (conversation, attached_version) VALUES (?, ?) ON CONFLICT DO"
        " UPDATE SET attached_version = max(attached_version, excluded.attached_version)",
        (lane, own_version),
    )
    if way in (Way.CONTROL, Way.SEALED_CONTROL):
        z = b""
    message = Accepted(id, conversation, peer, kind, z, addressees, peer_key, conv_seq, now_ms)
    accepted.keep(db, message, packed[0])
    accepted.withhold(db, id, withheld)
    outbox.forget(db, id)
    shown = history.mark_sent(db, me, id, conv_seq, server_ms)
    return Settled(
        [Sent(ConversationId(conversation), MessageId(id), conv_seq)] if shown else [],
        () if tries[-1][2] == packed[0] else _missed(unpacked(db, tries[-1][2]), addressees),
    )


def _missed(wanted: tuple[Addressee, ...], had: tuple[Addressee, ...]) -> tuple[Addressee, ...]:
    accounted = frozenset(had)
    return tuple(entry for entry in wanted if entry not in accounted)


def give_up(db: apsw.Connection, me: bytes, id: bytes, to: State, reason: str) -> list[Event]:
    """The message stays in its conversation as failed or unknown and is not offered any more.

    An unknown one keeps its tries: should its own row come after all, it is settled. A
    `reason` that is no code is not passed on.
    """
    reason = reason if is_code(reason) else "refused"
    row = first(db, "SELECT conversation, way FROM outbox WHERE id = ? AND unknown = 0", (id,))
    if row is None:
        return []
    if to is State.UNKNOWN and row[1] in (Way.PAIR, Way.GROUP):
        db.execute("UPDATE outbox SET unknown = 1 WHERE id = ?", (id,))
    else:
        outbox.forget(db, id)
    if not history.mark_not_sent(db, me, id, to, reason):
        return []  # nobody was shown it
    return [NotSent(ConversationId(row[0]), MessageId(id), to, reason)]


def readdress(db: apsw.Connection, id: bytes, new_id: bytes, most_tries: int) -> bool:
    """A control message was refused for good because a device of it is not listed: seal it again,
    under another id, for those that still are. False, and nothing changes, for other messages and
    for one that was tried `most_tries` times."""
    db.execute(
        "UPDATE outbox SET id = ?, try = NULL WHERE id = ? AND tries < ?"
        " AND way IN ('control', 'sealed_control')",
        (new_id, id, most_tries),
    )
    if not db.changes():
        return False
    db.execute("DELETE FROM tries WHERE id = ?", (id,))
    return True


def seal_again(db: apsw.Connection, id: bytes) -> int:
    """The current try is stale; the next offer needs another. The tries stay; how many."""
    db.execute("UPDATE outbox SET try = NULL WHERE id = ?", (id,))
    row = first(db, "SELECT tries FROM outbox WHERE id = ?", (id,))
    return 0 if row is None else int(row[0])
