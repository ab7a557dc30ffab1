"""Group secrets: who is given the key of a title, who asks for it, and the title itself.

A secret travels pairwise and never in the log; the log names its hash, so a wrong one is of no
use to whoever sends it. Who lacks it asks the admins, one at a time.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Final

import apsw

from linnet.client import outbox
from linnet.client.events import Event
from linnet.client.groups import book
from linnet.client.reading import Received
from linnet.crypto.bodies import (
    group_secret_body,
    group_secret_request_body,
    read_group_secret,
    read_group_secret_request,
)
from linnet.crypto.content import Refused
from linnet.crypto.errors import CryptoError
from linnet.crypto.group_secret import open_title
from linnet.signing.group_state import GroupState
from linnet.signing.keys import Rng
from linnet.signing.packing import Value

ASK_AGAIN_MS: Final = 6 * 3_600_000
MAX_STRANGERS: Final = 256
"""Secrets kept of groups whose log is not here yet."""


def title(db: apsw.Connection, state: GroupState) -> str | None:
    """The title; None if there is none, or its secret is not here yet, or it cannot be opened."""
    sealed = state.title
    if sealed is None:
        return None
    secret = book.secret(db, state.group, sealed.secret_hash)
    if secret is None:
        return None
    try:
        return open_title(secret, sealed.group, sealed.number, sealed.sealed)
    except CryptoError:
        return None


def keep(db: apsw.Connection, group: bytes, secret: bytes) -> None:
    """Keep a secret; those that the log names today are never pushed out by others."""
    held = book.group(db, group)
    book.put_secret(db, group, secret, () if held is None else _named(held.settled))


def share(
    db: apsw.Connection, state: GroupState, accounts: Iterable[bytes], now_ms: int, rng: Rng
) -> None:
    """Give the title's secret to all devices of these members, if this device has it."""
    if state.title is None:
        return
    secret = book.secret(db, state.group, state.title.secret_hash)
    if secret is None:
        return
    body = group_secret_body(state.group, state.title.number, secret)
    for account in accounts:
        _say(db, account, None, "group_secret", body, now_ms, rng)


def ask(db: apsw.Connection, group: bytes, me: bytes, now_ms: int, rng: Rng) -> None:
    """Ask one's own other devices and an admin for the secret of the title if it is missing; each
    time another admin."""
    held = book.group(db, group)
    if held is None or not held.member or held.settled.title is None:
        return
    sealed = held.settled.title
    if book.secret(db, group, sealed.secret_hash) is not None:
        return
    at_ms, times = book.asked(db, group)
    admins = sorted(held.settled.admins() - {me})
    if now_ms - at_ms < ASK_AGAIN_MS:
        return
    body = group_secret_request_body(group, sealed.number)
    for account in (me, *admins[times % len(admins or [me]) :][:1]):
        _say(db, account, None, "group_secret_request", body, now_ms, rng)
    book.put_asked(db, group, now_ms, times + 1)


def read_secret(db: apsw.Connection, received: Received) -> list[Event]:
    """A reader of `group_secret`. The group may not be known here yet."""
    group, number, secret = read_group_secret(received.content.body)
    held = book.group(db, group)
    if held is None and book.strange_secrets(db) >= MAX_STRANGERS:
        raise Refused("too many secrets of groups that are not known")
    named = held is None or number > held.kept or sha256(secret).digest() in _named(held.settled)
    if not named:
        return []  # superseded while it was on its way, or made up
    keep(db, group, secret)
    return []


class SecretRequests:
    """A reader of `group_secret_request`: answers members, with what this device has."""

    def __init__(self, rng: Rng) -> None:
        self._rng = rng

    def __call__(self, db: apsw.Connection, received: Received) -> list[Event]:
        """Answer the very device that asks."""
        group, number = read_group_secret_request(received.content.body)
        held = book.group(db, group)
        member = None if held is None else held.settled.members.get(received.frame.sender)
        if held is None or member is None or member.account_key != received.held.list.key:
            return []  # perhaps it is one by a newer log than is here; others are asked too
        sealed = held.settled.title
        if sealed is None or sealed.number != number:
            return []
        secret = book.secret(db, group, sealed.secret_hash)
        if secret is not None:
            body = group_secret_body(group, number, secret)
            frame = received.frame
            _say(
                db, frame.sender, (frame.device,), "group_secret", body, received.now_ms, self._rng
            )
        return []


def _named(state: GroupState) -> tuple[bytes, ...]:
    """The hashes of the secrets that a group uses today."""
    title = () if state.title is None else (state.title.secret_hash,)
    return (*title, state.secret.hash) if state.secret is not None else title


def _say(
    db: apsw.Connection,
    peer: bytes,
    devices: tuple[int, ...] | None,
    kind: str,
    body: Value,
    now_ms: int,
    rng: Rng,
) -> None:
    outbox.enqueue_control(
        db,
        id=outbox.new_id(db, now_ms, rng),
        peer=peer,
        devices=devices,
        kind=kind,
        body=body,
        sent_ms=outbox.server_ms(db, now_ms),
    )
