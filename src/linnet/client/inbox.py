"""The inbox: what a batch of frames changes, all of it in one transaction.

Rows move the cursor with what they bring; nothing is acknowledged that is not committed, and
nothing beyond a gap. Everything else the server says about messages (`sent`, `rejected`, `status`,
`resync`) is applied here too, so that one transaction has one author.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import apsw

from linnet.client import (
    accepted,
    answers,
    cursor,
    facts,
    history,
    keys,
    lists,
    missing_lists,
    outbox,
    parking,
)
from linnet.client.answers import Verdict, verdict
from linnet.client.cursor import Step
from linnet.client.events import Arrived, Delivered, Event, State
from linnet.client.facts import Cursor, Proof, Told
from linnet.client.groups import book, ticks
from linnet.client.groups.events import GroupReported
from linnet.client.opening import Opener, placeholder
from linnet.client.resends import Resends
from linnet.client.taking import Filed, Learned
from linnet.crypto.messages import PREKEY
from linnet.wire.codec import Unknown
from linnet.wire.frames import (
    SEALED,
    SENDER_KEY,
    Deliver,
    GroupChanged,
    GroupStatus,
    Own,
    Pong,
    Rejected,
    Resync,
    Row,
    RowFrame,
    Sent,
    ServerFrame,
    Status,
)
from linnet.wire.ids import AccountId, ConversationId, GroupId, direct_conversation

RATE_LIMITED_HOLD_MS: Final = 5_000
RESEALS_AT_ONCE: Final = 3
"""Tries of one message before a further `devices_changed` makes it wait."""


@dataclass(slots=True)
class Effects:
    """What is to be done once the transaction is committed.

    `arrived`: rows of history are new; `answered`: the server spoke about these messages of ours,
    and for good about those in `over`; `read`: a reader ran, and may have something to send.
    """

    events: list[Event] = field(default_factory=list)
    arrived: bool = False
    ack: int | None = None
    gap: bool = False
    answered: list[bytes] = field(default_factory=list)
    over: list[bytes] = field(default_factory=list)
    unticked: set[bytes] = field(default_factory=set)
    """Conversations with messages that were accepted some time ago, perhaps before this link: their
    ticks may have been told to nobody."""
    parked: bool = False
    read: bool = False
    keys_low: bool = False
    lists: bool = False
    """A message brought a device list that is new here."""
    groups: set[bytes] = field(default_factory=set)
    """Groups whose log has probably moved on."""


class Inbox:
    """Applies frames with this device's sessions."""

    def __init__(self, opener: Opener, resends: Resends) -> None:
        self._opener = opener
        self.resends = resends
        self._me = AccountId(opener.sessions.me.account)

    def strangers(
        self, db: apsw.Connection, frames: Sequence[ServerFrame | Unknown]
    ) -> list[bytes]:
        """Senders whose device lists are worth fetching before `apply`."""
        found = {
            frame.sender: None
            for frame in frames
            if isinstance(frame, Deliver) and self._opener.stranger(db, frame)
        }
        return list(found)

    def apply(
        self,
        db: apsw.Connection,
        frames: Sequence[ServerFrame | Unknown],
        now_ms: int,
        unanswered: Collection[bytes] = (),
        told: int = 0,
    ) -> Effects:
        """Apply frames in order. `unanswered`: messages with a try that may have arrived unseen;
        `told`: what the application has read, remembered on the way."""
        effects = Effects()
        before = position = facts.get_or(db, Cursor()).position
        for frame in frames:
            if effects.gap:
                break  # the link is opened again, and whatever this was comes again
            match frame:
                case Deliver() | Row() | Own():
                    position = self._row(db, frame, position, now_ms, effects)
                case Sent():
                    position = self._sent(db, frame, position, now_ms, effects)
                case Rejected():
                    self._rejected(db, frame, now_ms, frame.id in unanswered, effects)
                case Status():
                    self._status(db, frame, effects)
                case GroupStatus():
                    for account, delivered in frame.delivered:
                        history.unite_mark(db, frame.conversation, account, delivered)
                    by = tuple(AccountId(it) for it, _ in frame.delivered if it != self._me)
                    effects.events.append(GroupReported(GroupId(frame.conversation), by))
                    self._tick(db, frame.conversation, frame.conversation, effects)
                case GroupChanged():
                    effects.groups.add(frame.group)
                case Resync():
                    position = frame.start
                case Pong():
                    remember_proof(db, frame.head, frame.proof)
                case _:
                    pass  # not about messages, or from a newer server
        if position != before:
            facts.put(db, Cursor(position=position))
            effects.ack = position
        if told > facts.get_or(db, Told()).seq:
            facts.put(db, Told(seq=told))
        return effects

    def unpark(self, db: apsw.Connection, sender: bytes, now_ms: int) -> Effects:
        """Try again what is parked of a sender; what waited too long gets a placeholder."""
        effects = Effects()
        self._unpark(db, sender, now_ms, effects)
        # What waits on is no news: told as such, it would be looked at again without an end.
        effects.parked = False
        effects.groups.clear()
        return effects

    def _unpark(self, db: apsw.Connection, sender: bytes, now_ms: int, effects: Effects) -> None:
        for frame, parked_ms in parking.take(db, sender):
            if self._file(db, frame, now_ms, effects, freeing=True) is not Filed.PARKED:
                continue
            if now_ms - parked_ms > parking.PARK_MS:
                parking.remove(db, frame)
                effects.arrived |= placeholder(db, frame, now_ms) is Filed.SHOWN
            else:
                parking.keep_time(db, frame, parked_ms)

    def _row(
        self, db: apsw.Connection, frame: RowFrame, position: int, now_ms: int, effects: Effects
    ) -> int:
        """Take a row if it is the next one; the cursor after it."""
        step = cursor.step(position, frame.prev, frame.position)
        effects.gap = step is Step.GAP
        if step is not Step.TAKE:
            return position
        if isinstance(frame, Deliver):
            filed = self._file(db, frame, now_ms, effects)
            if filed is Filed.SHOWN and frame.sender == self._me and frame.kind != SENDER_KEY:
                self._tick_late(db, frame.conversation, effects)
        elif isinstance(frame, Own):
            self._settle(db, frame, now_ms, effects)
        return frame.position

    def _sent(
        self, db: apsw.Connection, frame: Sent, position: int, now_ms: int, effects: Effects
    ) -> int:
        self._settle(db, frame, now_ms, effects)
        if not frame.position:
            return position
        row = Row(frame.position, frame.prev, b"", frame.conv_seq)
        return self._row(db, row, position, now_ms, effects)

    def _settle(
        self, db: apsw.Connection, frame: Sent | Own, now_ms: int, effects: Effects
    ) -> None:
        self._sets_in_force(db, frame)
        settled = answers.settle(
            db,
            self._me,
            frame.id,
            frame.conv_seq,
            frame.server_timestamp,
            frame.commitment,
            now_ms,
        )
        self.resends.settled(db, frame.id, settled.missed, now_ms)
        effects.read |= bool(settled.missed)
        effects.events += settled.events
        effects.answered.append(frame.id)
        effects.over.append(frame.id)
        for event in settled.events:
            # The recipient's report may have come before the server's own.
            peer = accepted.peer(db, frame.id)
            if peer is not None:
                self._tick(db, event.conversation, peer, effects, frame.id)  # type: ignore[union-attr]
        if settled.events and isinstance(frame, Sent) and not frame.position:
            effects.unticked |= {event.conversation for event in settled.events}  # type: ignore[union-attr]

    def _file(
        self,
        db: apsw.Connection,
        frame: Deliver,
        now_ms: int,
        effects: Effects,
        *,
        freeing: bool = False,
    ) -> Filed:
        """Take in a message; what was parked of senders of whom it taught something comes after."""
        if frame.sets is not None:
            self._newer_set(db, frame.sender, frame.sets[1], now_ms)
        if frame.kind == SENDER_KEY and book.is_news(db, frame.conversation, frame.roster):
            effects.groups.add(frame.conversation)
        learned = Learned()
        filed = self._opener.file(db, frame, now_ms, learned)
        for event in learned.events:
            if isinstance(event, Arrived):
                effects.arrived = True  # it is told from the store, in its turn
            else:
                effects.events.append(event)
        effects.arrived |= filed is Filed.SHOWN or learned.shown
        effects.lists |= learned.lists
        effects.parked |= filed is Filed.PARKED and not freeing  # again is no news
        effects.read |= filed is Filed.READ or frame.kind == SEALED  # a receipt is owed
        effects.keys_low |= frame.kind in (PREKEY, SEALED) and keys.running_low(db)
        if not freeing:
            for sender in learned.about:
                self._unpark(db, sender, now_ms, effects)
        return filed

    def _rejected(
        self,
        db: apsw.Connection,
        frame: Rejected,
        now_ms: int,
        unanswered: bool,
        effects: Effects,
    ) -> None:
        effects.answered.append(frame.id)
        if frame.code == "not_listed" and self._readdressed(db, frame, now_ms, effects):
            return
        match verdict(frame.code, frame.retryable, unanswered):
            case Verdict.SEAL_AGAIN:
                self._reseal(db, frame, now_ms)
            case Verdict.AGAIN:
                limited = frame.code == "rate_limited"
                least_ms = RATE_LIMITED_HOLD_MS if limited else 0
                outbox.hold(db, frame.id, now_ms, least_ms, passing=not limited)
            case Verdict.UNKNOWN:
                effects.over.append(frame.id)
                effects.events += answers.give_up(db, self._me, frame.id, State.UNKNOWN, frame.code)
            case Verdict.FAILED:
                if frame.code == "not_member":
                    effects.groups.add(outbox.peer(db, frame.id) or b"")
                effects.over.append(frame.id)
                effects.events += answers.give_up(db, self._me, frame.id, State.FAILED, frame.code)

    def _readdressed(
        self, db: apsw.Connection, frame: Rejected, now_ms: int, effects: Effects
    ) -> bool:
        """Have a control message sealed again for the devices that are still listed.

        The refusal of its id stands for ever, so it gets another. False for other messages, and
        when the server keeps refusing what its own list says."""
        peer = outbox.peer(db, frame.id)
        new_id = outbox.new_id(db, now_ms, self._opener.sessions.rng)
        if peer is None or not answers.readdress(db, frame.id, new_id, RESEALS_AT_ONCE):
            return False
        held = lists.held(db, peer)
        if held is not None:
            lists.doubt(db, peer, set=held.list.set + 1)
        effects.over.append(frame.id)
        return True

    def _reseal(self, db: apsw.Connection, frame: Rejected, now_ms: int) -> None:
        peer = outbox.peer(db, frame.id)
        if peer is None:
            return
        if frame.code == "group_changed":
            book.want_roster(db, peer, frame.roster)
        if frame.sets is not None:
            self._newer_set(db, peer, frame.sets[0], now_ms)
            self._newer_set(db, self._me, frame.sets[1], now_ms)
        if answers.seal_again(db, frame.id) > RESEALS_AT_ONCE:
            outbox.hold(db, frame.id, now_ms)

    def _sets_in_force(self, db: apsw.Connection, frame: Sent | Own) -> None:
        """What was accepted names the newest sets that the server knows of."""
        peer = outbox.peer(db, frame.id)
        if peer is not None and frame.sets is not None:
            for account, number in zip((peer, self._me), frame.sets, strict=True):
                missing_lists.taken_back(db, account, number)

    def _newer_set(self, db: apsw.Connection, account: bytes, number: int, now_ms: int) -> None:
        """The server says that an account has this set; if it is a newer one, its list is due."""
        held = lists.held(db, account)
        if held is not None and number > held.list.set:
            lists.doubt(db, account, set=number)
            missing_lists.note(db, account, now_ms, set=number)

    def _status(self, db: apsw.Connection, frame: Status, effects: Effects) -> None:
        history.unite_mark(db, frame.conversation, frame.account, frame.delivered)
        self._tick_by(db, frame.conversation, frame.account, effects)

    def _tick_late(self, db: apsw.Connection, conversation: bytes, effects: Effects) -> None:
        """A message of another own device is here: the report that somebody has it may have been
        faster."""
        for account in history.marked(db, conversation):
            self._tick_by(db, conversation, account, effects)

    def _tick_by(
        self, db: apsw.Connection, conversation: bytes, account: bytes, effects: Effects
    ) -> None:
        # That one's own other devices have it ticks nothing, except in notes to self.
        if account != self._me or conversation == direct_conversation(self._me, self._me):
            self._tick(db, conversation, account, effects)

    def _tick(
        self,
        db: apsw.Connection,
        conversation: bytes,
        peer: bytes,
        effects: Effects,
        only: bytes | None = None,
    ) -> None:
        if book.known(db, conversation):
            turned = ticks.tick(db, self._me, conversation, only)
        else:
            turned = history.tick(db, self._me, peer, conversation)
        for id in turned:
            effects.events.append(Delivered(ConversationId(conversation), id))


def remember_proof(db: apsw.Connection, head: int, proof: bytes) -> None:
    """Keep the server's proof of the highest head it told."""
    if proof and head > facts.get_or(db, Proof()).head:
        facts.put(db, Proof(head=head, proof=proof))
