"""Sealing a control message: for some devices of one account, unnumbered, without own copies.

It goes to those of the item's devices that the account's list still names; if there are none left,
it has nowhere to go.
"""

from dataclasses import dataclass

import apsw

from linnet.client import outbox
from linnet.client.errors import Unaddressed
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
from linnet.wire.frames import CONTROL, Send
from linnet.wire.ids import AccountId, to_account


@dataclass(frozen=True, slots=True)
class ControlSealer:
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
        targets = self._targets(item, peer, now_ms)
        if not targets:
            raise Unaddressed("no device is left to send it to")
        fresh = item.fresh and not item.tries
        missing = without_session(db, self.sessions, targets, bundles, now_ms, fresh=fresh)
        if missing:
            return Missing(bundles=missing)
        z = seal_content(self._content(db, item, peer, own), self.sessions.rng(FRANKING_KEY_BYTES))
        frame = Send(
            id=item.id,
            to=to_account(AccountId(item.peer)),
            mode=CONTROL,
            commitment=commitment(z),
            timestamp=item.sent_ms,
            parts=[
                part(db, self.sessions, target, z, bundles, now_ms, fresh=fresh)
                for target in targets
            ],
        )
        made = Try(frame.commitment, z, addressees(targets), own.list.version, encoded(frame))
        outbox.add_try(db, item.id, made)
        return made.frame

    def _targets(self, item: Item, peer: Held, now_ms: int) -> list[Target]:
        wanted = item.devices
        found = others(self.sessions, peer, peer.recipients(now_ms))
        return [target for target in found if wanted is None or target[1].id in wanted]

    def _content(self, db: apsw.Connection, item: Item, peer: Held, own: Held) -> Content:
        proves_itself = outbox.attached_version(db, item.lane) < own.list.version
        return Content(
            id=item.id,
            to=to_account(AccountId(item.peer)),
            sender=self.sessions.me.account,
            device=self.sessions.me.device,
            counter=0,
            sent_ms=item.sent_ms,
            own_list=own.ref,
            peer_list=None if item.peer == self.sessions.me.account else peer.ref,
            kind=item.kind,
            body=item.body,
            attached=(own.obj,) if proves_itself else None,
        )
