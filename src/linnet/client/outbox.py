"""The outbox: what was asked to be sent and has no answer yet, with every try that was made.

A message is durable once it is here. Its frame is stored before it leaves, a plain retry sends the
same bytes, and a message that has to be encrypted again keeps its id, its counter and all its
tries until the server says which one it accepted: that is `linnet.client.answers`.
docs/protocol/client.md has the life cycle.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import apsw
import msgspec

from linnet.client import addressees, facts, history
from linnet.client.addressees import Addressee
from linnet.client.events import State
from linnet.client.facts import Clock, Identity, Welcomed
from linnet.client.sealed import state as sealed_state
from linnet.client.sql import every, first, number
from linnet.crypto.kinds import Channel, permitted
from linnet.signing.keys import Rng
from linnet.signing.packing import Value, pack, unpack
from linnet.wire.ids import (
    AccountId,
    MessageId,
    direct_conversation,
    message_id,
)

KEEP_UNKNOWN_MS: Final = 70 * 86_400_000
FIRST_HOLD_MS: Final = 1_000
LONGEST_HOLD_MS: Final = 60_000
KEYS_FIRST_MS: Final = 10_000
HELD_AT_MOST_MS: Final = 3_600_000
"""A hold that would last longer was written by a clock that was wrong, or is a server's whim."""
AWAY_MS: Final = 20 * 86_400_000
"""A device that was away for longer goes by its own clock: an older id would soon be too old."""


class Way(StrEnum):
    """By which way a message leaves: it chooses the sealer (`linnet.client.sealing`)."""

    PAIR = "pair"
    """Numbered, to an account (perhaps one's own) and one's own other devices."""
    CONTROL = "control"
    """Unnumbered, to some devices of one account; no row of history."""
    GROUP = "group"
    """Numbered, to a group; `peer` is the GroupId."""
    SEALED = "sealed"
    """Numbered, to one account without saying from whom."""
    SEALED_CONTROL = "sealed_control"
    """As `CONTROL`, without saying from whom."""


SEALED_WAYS: Final = frozenset({Way.SEALED, Way.SEALED_CONTROL})
"""These leave over HTTP, without a token (`linnet.client.sealed.sending`)."""


class Item(msgspec.Struct, kw_only=True):
    """A message without an answer. `frame` is its current try, encoded; None before the first.

    Of a `lane` one message at a time is without an answer: a conversation, or the control messages
    for one account. `devices` are those of the peer that a control message is for, None for all;
    `fresh`: in a newly opened session.
    `peer_key` is the peer's account key that was pinned when it was written; to another one it is
    never sent.
    """

    id: bytes
    conversation: bytes
    peer: bytes
    counter: int = 0
    kind: str
    body: Value
    sent_ms: int
    way: Way = Way.PAIR
    lane: bytes = b""
    devices: tuple[int, ...] | None = None
    fresh: bool = False
    peer_key: bytes | None = None
    tries: int = 0
    hold_until_ms: int = 0
    frame: bytes | None = None

    def __repr__(self) -> str:
        return f"Item(kind={self.kind!r}, tries={self.tries})"


@dataclass(frozen=True, slots=True)
class Try:
    """One encryption of a message: what it commits to, for whom, and the frame that carries it.

    `withheld` are devices that get nothing because sending is narrowed; `own_version` is that of
    the own device list that travels in it.
    """

    commitment: bytes
    z: bytes
    addressees: tuple[Addressee, ...]
    own_version: int
    frame: bytes
    withheld: tuple[Addressee, ...] = ()
    packed: bytes = b""
    """`addressees` as they are kept, where whoever sealed knows (`linnet.client.addressees`)."""


def enqueue(db: apsw.Connection, item: Item, me: bytes, device: int, author_key: bytes) -> None:
    """Store a message that is to be sent, give it its counter, and show it in its conversation."""
    enqueue_unshown(db, item)
    row = history.Row(
        conversation=item.conversation,
        sender=me,
        device=device,
        id=item.id,
        conv_seq=None,
        kind=item.kind,
        body=item.body,
        author_key=author_key,
        state=State.SENDING,
        arrived=False,
        sent_ms=item.sent_ms,
        received_ms=None,
    )
    history.add(db, row)


def enqueue_unshown(db: apsw.Connection, item: Item) -> None:
    """As `enqueue`, for a numbered kind that is no row of history, such as `sync` or `read`."""
    if item.way is Way.PAIR and sealed_state.on(db, item.peer):
        item.way = Way.SEALED
    db.execute(
        "INSERT INTO counters (conversation, last) VALUES (?, 1)"
        " ON CONFLICT (conversation) DO UPDATE SET last = last + 1",
        (item.conversation,),
    )
    item.counter = number(
        db, "SELECT last FROM counters WHERE conversation = ?", (item.conversation,)
    )
    item.lane = item.lane or item.conversation
    _insert(db, item)


def enqueue_control(
    db: apsw.Connection,
    *,
    id: bytes,
    peer: bytes,
    devices: tuple[int, ...] | None,
    kind: str,
    body: Value,
    sent_ms: int,
    fresh: bool = False,
    sealed: bool = False,
) -> None:
    """Store a control message for these devices of `peer`, None for all that are listed when it
    leaves. `peer` may be one's own account: its other devices. It keeps its order among the control
    messages for that account and holds no conversation up. `fresh` opens a session for it;
    `sealed` seals it although the conversation may not be."""
    identity = facts.get(db, Identity)
    assert identity is not None, "an account that sends is registered"
    sealed = sealed or sealed_state.on(db, peer)
    quiet = sealed and permitted(kind, Channel.SEALED_CONTROL, own_account=False)
    item = Item(
        id=id,
        conversation=direct_conversation(AccountId(identity.account), AccountId(peer)),
        peer=peer,
        kind=kind,
        body=body,
        sent_ms=sent_ms,
        way=Way.SEALED_CONTROL if quiet else Way.CONTROL,
        lane=control_lane(peer, kind if quiet else ""),
        devices=devices,
        fresh=fresh,
    )
    _insert(db, item)


def new_id(db: apsw.Connection, now_ms: int, rng: Rng) -> MessageId:
    """An id for a message that is written now, by the server's clock."""
    return message_id(likely_ms(db, now_ms), rng(10))


def likely_ms(db: apsw.Connection, now_ms: int) -> int:
    """`server_ms`, unless this machine's clock may have been set since the last run, which nobody
    knows before the next `welcome`: until then the time of the last one, from which the server
    takes ids for 30 days. Not if `AWAY_MS` have passed since, if they have."""
    at_ms, last = server_ms(db, now_ms), facts.get_or(db, Welcomed())
    doubtful = last.server_ms and not last.here and at_ms < last.server_ms + AWAY_MS
    return last.server_ms if doubtful else at_ms


def opened(db: apsw.Connection) -> None:
    """A run begins: what its clock shows is doubtful until the next `welcome`, and the server's
    troubles may be over."""
    db.execute("UPDATE outbox SET hold_until_ms = 0, holds = 0, passing = 0 WHERE passing = 1")
    facts.put(db, facts.replace(facts.get_or(db, Welcomed()), here=False))


def server_ms(db: apsw.Connection, now_ms: int) -> int:
    """The time by the server's clock, as far as this device knows it."""
    return now_ms + facts.get_or(db, Clock()).offset_ms


def control_lane(peer: bytes, sealed_kind: str = "") -> bytes:
    """The lane of the control messages for an account; of those that are sealed, one a kind:
    what waits for a delivery key must not keep back the key itself."""
    return b"control" + peer + sealed_kind.encode()


def busy(db: apsw.Connection) -> bool:
    """Whether anything is still without an answer for good."""
    return first(db, "SELECT 1 FROM outbox WHERE unknown = 0 LIMIT 1") is not None


def waiting(db: apsw.Connection, id: bytes) -> bool:
    """Whether this message is still without an answer for good."""
    return first(db, "SELECT 1 FROM outbox WHERE id = ? AND unknown = 0", (id,)) is not None


def _insert(db: apsw.Connection, item: Item) -> None:
    pinned = first(db, "SELECT account_key FROM lists WHERE account = ?", (item.peer,))
    db.execute(
        "INSERT INTO outbox"
        " (id, conversation, peer, counter, kind, body, sent_ms, way, lane, devices, fresh,"
        " peer_key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            item.id,
            item.conversation,
            item.peer,
            item.counter,
            item.kind,
            pack(item.body),
            item.sent_ms,
            item.way.value,
            item.lane,
            None if item.devices is None else bytes(item.devices),
            item.fresh,
            pinned and pinned[0],
        ),
    )


def due(db: apsw.Connection, now_ms: int, limit: int = 256) -> list[Item]:
    """What may be offered now, oldest first: of each lane the one message whose turn it is,
    unless it has to wait. Those behind it are due when it has an answer.

    A message to a group leaves after the sender keys that it needs, or `KEYS_FIRST_MS` after they
    were written: should this device be removed meanwhile, nobody could ask it for them."""
    rows = every(
        db,
        "SELECT o.id, o.conversation, o.peer, o.counter, o.kind, o.body, o.sent_ms, o.way, o.lane,"
        " o.devices, o.fresh, o.peer_key, o.tries, o.hold_until_ms, t.frame"
        " FROM outbox o LEFT JOIN tries t ON t.id = o.id AND t.try = o.try"
        " WHERE o.seq IN (SELECT min(seq) FROM outbox WHERE unknown = 0 GROUP BY lane)"
        " AND o.hold_until_ms NOT BETWEEN ? AND ?"
        " AND NOT (o.way = 'group' AND t.frame IS NOT NULL AND EXISTS (SELECT 1 FROM outbox k"
        " WHERE k.kind = 'sender_key' AND k.sent_ms > ? AND instr(k.body, o.peer)))"
        " ORDER BY o.seq LIMIT ?",
        (
            now_ms + 1,
            now_ms + HELD_AT_MOST_MS,
            server_ms(db, now_ms) - KEYS_FIRST_MS,
            limit,
        ),
    )
    return [_item(row) for row in rows]


def add_try(db: apsw.Connection, id: bytes, made: Try) -> None:
    """Make this the current try; earlier ones are kept until there is an answer."""
    db.execute(
        "UPDATE outbox SET tries = tries + 1, try = tries + 1, peer_key = ifnull(peer_key,"
        " (SELECT account_key FROM lists WHERE account = outbox.peer)) WHERE id = ?",
        (id,),
    )
    db.execute(
        "INSERT INTO tries (id, try, commitment, z, addressees, own_version, frame, withheld)"
        " SELECT id, tries, ?, ?, ?, ?, ?, ? FROM outbox WHERE id = ?",
        (
            made.commitment,
            made.z,
            made.packed or addressees.packed(db, made.addressees),
            made.own_version,
            made.frame,
            addressees.packed(db, made.withheld),
            id,
        ),
    )


def peer(db: apsw.Connection, id: bytes) -> bytes | None:
    """To whom a message without an answer goes."""
    row = first(db, "SELECT peer FROM outbox WHERE id = ?", (id,))
    return None if row is None else bytes(row[0])


def hold(
    db: apsw.Connection, id: bytes, now_ms: int, at_least_ms: int = 0, *, passing: bool = False
) -> None:
    """Offer it later: twice as late each time, up to a minute. `passing`: a trouble of the server's
    that may be over sooner; the next run begins without waiting."""
    row = first(db, "SELECT holds FROM outbox WHERE id = ?", (id,))
    if row is None:
        return
    wait_ms = max(at_least_ms, min(LONGEST_HOLD_MS, FIRST_HOLD_MS << min(row[0], 10)))
    db.execute(
        "UPDATE outbox SET holds = holds + 1, hold_until_ms = ?, passing = ? WHERE id = ?",
        (now_ms + wait_ms, passing, id),
    )


def hold_until(db: apsw.Connection, id: bytes, at_ms: int) -> None:
    """Offer it at this time, not before."""
    db.execute("UPDATE outbox SET hold_until_ms = ? WHERE id = ?", (at_ms, id))


def send_openly(db: apsw.Connection, id: bytes, new_id: bytes) -> None:
    """Have a sealed control message go the ordinary way, under another id."""
    row = first(db, "SELECT peer FROM outbox WHERE id = ? AND way = 'sealed_control'", (id,))
    if row is not None:
        db.execute(
            "UPDATE outbox SET id = ?, way = 'control', lane = ?, try = NULL, tries = 0,"
            " hold_until_ms = 0, holds = 0 WHERE id = ?",
            (new_id, control_lane(row[0]), id),
        )
        db.execute("DELETE FROM tries WHERE id = ?", (id,))


def attached_version(db: apsw.Connection, conversation: bytes) -> int:
    """The newest own list that an accepted message of ours carried into the conversation."""
    row = first(db, "SELECT attached_version FROM counters WHERE conversation = ?", (conversation,))
    return 0 if row is None else int(row[0])


def prune(db: apsw.Connection, now_ms: int) -> None:
    """Forget what nobody will answer any more."""
    old = "SELECT id FROM outbox WHERE unknown = 1 AND sent_ms < ?"
    for (id,) in every(db, old, (now_ms - KEEP_UNKNOWN_MS,)):
        forget(db, id)


def _item(row: tuple[Any, ...]) -> Item:
    id, conversation, peer, counter, kind, body, sent_ms, way, lane, devices, *state = row
    fresh, key, tries, hold_until_ms, frame = state
    return Item(
        id=id,
        conversation=conversation,
        peer=peer,
        counter=counter,
        kind=kind,
        body=unpack(body),
        sent_ms=sent_ms,
        way=Way(way),
        lane=lane,
        devices=None if devices is None else tuple(devices),
        fresh=bool(fresh),
        peer_key=key,
        tries=tries,
        hold_until_ms=hold_until_ms,
        frame=frame,
    )


def forget(db: apsw.Connection, id: bytes) -> None:
    """Take a message out, with all its tries."""
    db.execute("DELETE FROM outbox WHERE id = ?", (id,))
    db.execute("DELETE FROM tries WHERE id = ?", (id,))
