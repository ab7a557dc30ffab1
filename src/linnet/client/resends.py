"""Resends: what of ours is sent again, and to which devices. docs/protocol/healing.md has the rule.

A device gets what was encrypted for it and did not arrive, what a later try was for, what narrowing
kept from it, and, if it replaced an account's main device, what that one never had. No other
device ever does: not a newly linked one, nobody who left. What was asked for is answered here;
asking is `linnet.client.healing`'s.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import apsw

from linnet.client import accepted, health, lists, outbox, read_marks
from linnet.client.accepted import Accepted, Addressee
from linnet.client.events import Event
from linnet.client.health import Count
from linnet.client.lists import Held
from linnet.client.reading import Received
from linnet.client.sql import first
from linnet.crypto.content import Damaged
from linnet.signing.keys import Rng
from linnet.signing.list_format import ListedDevice

BACK_MS: Final = 14 * 86_400_000
"""Nothing older is sent again because it was asked for, or because a main device was replaced."""
WITHHELD_BACK_MS: Final = accepted.KEEP_MS
TIMES: Final = 3
"""A message is sent again to one device so many times."""
REQUEST_IDS: Final = 200
"""Ids in one request."""

Member = Callable[[apsw.Connection, bytes, Addressee], bool]
"""Whether a device may still have what a group was sent: (group, device)."""
Reissue = Callable[[apsw.Connection, Accepted, Addressee, int], None]
"""Answers the loss of a control message, which is not kept: with a new one, if one is due."""


def nobody(db: apsw.Connection, group: bytes, device: Addressee) -> bool:
    """No device may have anything of any group."""
    return False


@dataclass(frozen=True, slots=True)
class Resends:
    """Sends again for an account. `reissue` is by kind of control message."""

    me: bytes
    rng: Rng
    member: Member = nobody
    reissue: Mapping[str, Reissue] = field(default_factory=dict)

    def read_request(self, db: apsw.Connection, received: Received) -> list[Event]:
        """Answer a `resend_request`: [[id, …]]. A reader."""
        requester = _device(received.held, received.frame.device)
        groups: dict[bytes, Accepted] = {}
        for id in _ids(received.content.body):
            message = accepted.find(db, id)
            if message is None or not self._may_have(db, message, requester, received):
                health.count(db, Count.RESENDS_REFUSED)
                continue
            self._answer(db, message, requester, received.now_ms)
            if message.conversation == message.peer:
                groups[message.peer] = message
        if groups and (again := self.reissue.get("sender_key")) is not None:
            # It may lack the key altogether; without it the next message is lost as well.
            again(db, next(iter(groups.values())), requester, received.now_ms)
        return []

    def settled(
        self, db: apsw.Connection, id: bytes, missed: Iterable[Addressee], now_ms: int
    ) -> None:
        """A message was accepted; `missed` are devices that a later try of it was for."""
        message = accepted.find(db, id)
        if message is None:
            return
        if message.conversation != message.peer:  # of groups it was noted when it was sealed
            note_primaries(db, {addressee[0] for addressee in message.addressees})
        for device in missed:
            if message.z:
                self._resend(db, message, device, now_ms)

    def follow_lists(self, db: apsw.Connection, now_ms: int) -> None:
        """Send again what devices may have now that lists show them: those that narrowing left
        out, and main devices that replaced another."""
        for account in accepted.withheld_accounts(db):
            held = lists.held(db, account)
            if held is not None and not held.key_changed and not held.narrowed(now_ms):
                self._give_withheld(db, held, now_ms)
        recent = accepted.since(db, now_ms - BACK_MS)
        # A large group's messages share one tuple of addressees.
        sets = {id(message.addressees): message.addressees for message in recent}.values()
        for account in {entry[0] for addressees in sets for entry in addressees}:
            held = lists.held(db, account)
            if held is not None and not held.key_changed:
                self._give_to_new_primary(db, held, recent, now_ms)

    # ---- who may have what

    def _may_have(
        self, db: apsw.Connection, message: Accepted, device: Addressee, received: Received
    ) -> bool:
        """Whether a request is honoured: it was encrypted for that very device, lately, which never
        showed that it has it and has not been given it too often."""
        account, id, _ = device
        fresh = received.now_ms - message.accepted_ms <= BACK_MS
        if accepted.withheld(db, message.id, device):
            fresh = received.now_ms - message.accepted_ms <= WITHHELD_BACK_MS
        elif device not in message.addressees:
            return False
        return (
            fresh
            and self._still_trusted(db, message, received.held, device)
            and not accepted.was_read(db, message.id, account, id)
            and _times(db, message.id, device) < TIMES
        )

    def _still_trusted(
        self, db: apsw.Connection, message: Accepted, held: Held, device: Addressee
    ) -> bool:
        if held.key_changed:
            return False
        if message.peer_key is None and device[0] not in (self.me, message.peer):
            return self.member(db, message.peer, device)
        return message.peer != device[0] or message.peer_key == held.list.key

    def _give_withheld(self, db: apsw.Connection, held: Held, now_ms: int) -> None:
        account = held.list.account
        for id, device, identity in accepted.withheld_from(db, account):
            listed = held.list.device(device)
            message = accepted.find(db, id)
            entry = (account, device, identity)
            if message is None or listed is None or listed.key != identity:
                continue
            if self._still_trusted(db, message, held, entry):
                self._resend(db, message, entry, now_ms)
            accepted.given(db, id, account, device)

    def _give_to_new_primary(
        self, db: apsw.Connection, held: Held, recent: list[Accepted], now_ms: int
    ) -> None:
        account = held.list.account
        row = first(db, "SELECT device, identity FROM primaries WHERE account = ?", (account,))
        if row is None or row[0] == held.list.primary:
            return
        db.execute("DELETE FROM primaries WHERE account = ?", (account,))
        note_primaries(db, (account,))
        if held.list.device(row[0]) is not None:
            return  # it only handed its role over
        old, new = (account, *row), _device(held, held.list.primary)
        for message in recent:
            if (
                message.conversation != message.peer  # nobody takes a group's that never came
                and old in message.addressees
                and new not in message.addressees
                and self._still_trusted(db, message, held, new)
                and not accepted.was_read(db, message.id, account)
                and message.conv_seq > read_marks.mark(db, message.conversation, account)
            ):
                self._resend(db, message, new, now_ms)

    # ---- sending

    def _answer(
        self, db: apsw.Connection, message: Accepted, device: Addressee, now_ms: int
    ) -> None:
        if message.z:
            self._resend(db, message, device, now_ms)
        elif message.kind in self.reissue:
            _count_time(db, message.id, device)
            health.count(db, Count.RESENDS_ANSWERED)
            self.reissue[message.kind](db, message, device, now_ms)

    def _resend(
        self, db: apsw.Connection, message: Accepted, device: Addressee, now_ms: int
    ) -> None:
        if _times(db, message.id, device) >= TIMES:
            return
        _count_time(db, message.id, device)
        health.count(db, Count.RESENDS_ANSWERED)
        outbox.enqueue_control(
            db,
            id=outbox.new_id(db, now_ms, self.rng),
            peer=device[0],
            devices=(device[1],),
            kind="resend",
            body=[message.id, message.conv_seq, message.z],
            sent_ms=now_ms,
        )


def _ids(body: Any) -> list[bytes]:
    match body:
        case [[*ids], *_] if len(ids) <= REQUEST_IDS:
            if all(type(id) is bytes and len(id) == 16 for id in ids):
                return ids
    raise Damaged("not a list of ids")


def _device(held: Held, id: int) -> Addressee:
    listed: ListedDevice | None = held.list.device(id)
    assert listed is not None, "the device that speaks, or the primary, is listed"
    return held.list.account, id, listed.key


def note_primaries(db: apsw.Connection, accounts: Iterable[bytes]) -> None:
    """Something is sent to these: remember which were their main devices, unless that is known."""
    for account in accounts:
        if first(db, "SELECT 1 FROM primaries WHERE account = ?", (account,)) is not None:
            continue
        held = lists.held(db, account)
        if held is not None:
            row = _device(held, held.list.primary)
            db.execute("INSERT INTO primaries VALUES (?, ?, ?)", row)


def _times(db: apsw.Connection, id: bytes, device: Addressee) -> int:
    row = first(
        db,
        "SELECT times FROM resent WHERE id = ? AND account = ? AND device = ?",
        (id, *device[:2]),
    )
    return 0 if row is None else int(row[0])


def _count_time(db: apsw.Connection, id: bytes, device: Addressee) -> None:
    db.execute(
        "INSERT INTO resent VALUES (?, ?, ?, 1)"
        " ON CONFLICT (id, account, device) DO UPDATE SET times = times + 1",
        (id, *device[:2]),
    )
