"""Sealing a message between two accounts, or to oneself: for all devices of both sides.

Numbered content, frame modes full and narrowed. What other ways need is in `linnet.client.sealing`.
"""

from dataclasses import dataclass

import apsw

from linnet.client import outbox
from linnet.client.lists import Held
from linnet.client.outbox import Item, Try
from linnet.client.sealing import (
    FRANKING_KEY_BYTES,
    Missing,
    Target,
    addressees,
    encoded,
    others,
    part,
    without_session,
)
from linnet.client.sendable import sendable
from linnet.client.sessions import Peer, Sessions
from linnet.crypto.content import Content, commitment, seal_content
from linnet.crypto.prekeys import PreKeyBundle
from linnet.wire.frames import FULL, NARROWED, Send
from linnet.wire.ids import AccountId, to_account


@dataclass(frozen=True, slots=True)
class PairSealer:
    """Seals with this device's sessions."""

    sessions: Sessions

    def seal(
        self, db: apsw.Connection, item: Item, bundles: dict[Peer, PreKeyBundle], now_ms: int
    ) -> bytes | Missing:
        """As `sealing.Sealer` says."""
        both = sendable(db, self.sessions.me.account, item, now_ms)
        if isinstance(both, Missing):
            return both
        peer, own = both
        targets = [pair for held in both for pair in self._others(held, now_ms)]
        missing = without_session(db, self.sessions, targets, bundles, now_ms)
        if missing:
            return Missing(bundles=missing)
        made = self._try(db, item, peer, own, bundles, now_ms)
        outbox.add_try(db, item.id, made)
        return made.frame

    def _others(self, held: Held, now_ms: int) -> list[Target]:
        return others(self.sessions, held, held.recipients(now_ms))

    def _try(
        self,
        db: apsw.Connection,
        item: Item,
        peer: Held,
        own: Held,
        bundles: dict[Peer, PreKeyBundle],
        now_ms: int,
    ) -> Try:
        sessions = self.sessions
        z = seal_content(self._content(db, item, peer, own), sessions.rng(FRANKING_KEY_BYTES))
        to_peer = self._others(peer, now_ms)
        to_own = [] if item.peer == sessions.me.account else self._others(own, now_ms)
        all_targets = [
            pair for held in (peer, own) for pair in others(sessions, held, held.list.devices)
        ]
        withheld = [pair for pair in dict.fromkeys(all_targets) if pair not in (*to_peer, *to_own)]
        # The server refuses full frames that name the sets of lists it does not show.
        unshown = own.missing_since_ms is not None and own.narrowed(now_ms)
        narrowed = bool(withheld) or unshown or peer.narrowed(now_ms)
        frame = Send(
            id=item.id,
            to=to_account(AccountId(item.peer)),
            mode=NARROWED if narrowed else FULL,
            commitment=commitment(z),
            timestamp=item.sent_ms,
            sets=(peer.list.set, own.list.set),
            parts=[part(db, sessions, target, z, bundles, now_ms) for target in to_peer],
            own_parts=[part(db, sessions, target, z, bundles, now_ms) for target in to_own],
        )
        return Try(
            commitment=frame.commitment,
            z=z,
            addressees=addressees((*to_peer, *to_own)),
            own_version=own.list.version,
            frame=encoded(frame),
            withheld=addressees(withheld),
        )

    def _content(self, db: apsw.Connection, item: Item, peer: Held, own: Held) -> Content:
        proves_itself = outbox.attached_version(db, item.lane) < own.list.version
        return Content(
            id=item.id,
            to=to_account(AccountId(item.peer)),
            sender=self.sessions.me.account,
            device=self.sessions.me.device,
            counter=item.counter,
            sent_ms=item.sent_ms,
            own_list=own.ref,
            peer_list=None if item.peer == self.sessions.me.account else peer.ref,
            kind=item.kind,
            body=item.body,
            attached=(own.obj,) if proves_itself else None,
        )
