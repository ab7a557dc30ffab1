"""Receipts: `delivered` of what is sealed is said inside the encryption, by whoever has it.

They are owed from the moment a message is committed, collected for a moment, and sent sealed, to
accounts that this one wrote to. One that comes before its message is known here, as at an own
device whose copy is on its way, is kept until it is.
"""

from typing import Final

import apsw

from linnet.client import accepted, history, outbox
from linnet.client.events import Delivered, Event
from linnet.client.reading import Received
from linnet.client.sealed import state
from linnet.client.sql import every, first
from linnet.crypto.bodies_control import MAX_IDS, Receipt
from linnet.crypto.body import body_of, read_body
from linnet.signing.keys import Rng
from linnet.wire.ids import ConversationId, MessageId

KEEP_MS: Final = 35 * 86_400_000
KEPT: Final = 10_000
"""Of messages not known here."""


def owe(db: apsw.Connection, account: bytes, id: bytes, now_ms: int) -> None:
    """This message of an account is committed here, in the same transaction."""
    db.execute("INSERT OR IGNORE INTO receipts_owed VALUES (?, ?, ?)", (account, id, now_ms))


def owed(db: apsw.Connection) -> bool:
    """Whether any receipt is to be sent."""
    return first(db, "SELECT 1 FROM receipts_owed LIMIT 1") is not None


def send(db: apsw.Connection, now_ms: int, rng: Rng) -> bool:
    """Put the receipts that are owed into the outbox, to go sealed; whether there were any. With
    whom nothing was ever sealed, none are sent; where it is no more, what came before is due its
    tick all the same."""
    ids: dict[bytes, list[bytes]] = {}
    for account, id in every(db, "SELECT account, id FROM receipts_owed ORDER BY at_ms, id"):
        ids.setdefault(account, []).append(id)
    for account, all_of_it in ids.items():
        if state.number(db, account) == 0:
            continue
        for start in range(0, len(all_of_it), MAX_IDS):
            some = tuple(all_of_it[start : start + MAX_IDS])
            outbox.enqueue_control(
                db,
                id=outbox.new_id(db, now_ms, rng),
                peer=account,
                devices=None,
                kind="receipt",
                body=body_of(Receipt(some, now_ms)),
                sent_ms=outbox.server_ms(db, now_ms),
                sealed=True,
            )
    db.execute("DELETE FROM receipts_owed")
    return bool(ids)


def read_receipt(db: apsw.Connection, received: Received) -> list[Event]:
    """A device has these messages of ours. A reader; raises Damaged."""
    conversation, by = received.frame.conversation, received.frame.sender
    told: list[Event] = []
    for id in read_body(Receipt, received.content.body).ids:
        accepted.note_read(db, id, by, received.frame.device)
        db.execute(
            "INSERT OR IGNORE INTO receipts_had VALUES (?, ?, ?)",
            (conversation, id, received.now_ms),
        )
        told += tick(db, conversation, id)
    db.execute(
        "DELETE FROM receipts_had WHERE at_ms < ? OR (SELECT count(*) FROM receipts_had) > ?",
        (received.now_ms - KEEP_MS, KEPT),
    )
    return told


def tick(db: apsw.Connection, conversation: bytes, id: bytes) -> list[Event]:
    """Turn a sealed message from `sent` into `delivered` if a receipt came; what to tell."""
    row = first(
        db,
        "SELECT m.sender FROM messages m JOIN receipts_had r"
        " ON r.conversation = m.conversation AND r.id = m.id"
        " WHERE m.conversation = ? AND m.id = ? AND m.state = 'sent' AND m.conv_seq IS NULL",
        (conversation, id),
    )
    if row is None:
        return []
    history.mark_delivered(db, row[0], id)
    return [Delivered(ConversationId(conversation), MessageId(id))]
