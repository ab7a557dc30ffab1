"""Sealing a message to one account so that the server does not see who sends it.

As `linnet.client.sealing_pair` and `sealing_control`, but: every ciphertext is sealed for its
device with this device's certificate inside, there are no own copies (they are messages of their
own, `linnet.client.sealed.copies`), and what leaves is the body of an HTTP request.
"""

from dataclasses import dataclass
from typing import Final

import apsw

from linnet.client import outbox
from linnet.client.errors import Unaddressed
from linnet.client.lists import Held
from linnet.client.outbox import Item, Try, Way
from linnet.client.sealed import api, certificates
from linnet.client.sealing import (
    FRANKING_KEY_BYTES,
    Missing,
    Target,
    addressees,
    others,
    part,
    without_session,
)
from linnet.client.sendable import sendable
from linnet.client.sessions import Peer, Sessions
from linnet.crypto.content import Content, TooLong, commitment, seal_content
from linnet.crypto.prekeys import PreKeyBundle
from linnet.crypto.sealed import seal
from linnet.crypto.unidentified import Hint, UnidentifiedContent
from linnet.wire import rest
from linnet.wire.frames import CONTROL, FULL, NARROWED, Part
from linnet.wire.ids import AccountId, to_account
from linnet.wire.limits import CIPHERTEXT_BYTES

REQUEST_BYTES: Final = 512 * 1024
"""The longest body that a server takes, unless it was told otherwise."""


@dataclass(frozen=True, slots=True)
class SealedSealer:
    """Seals with this device's sessions and certificate, numbered messages and control messages."""

    sessions: Sessions

    def seal(
        self, db: apsw.Connection, item: Item, bundles: dict[Peer, PreKeyBundle], now_ms: int
    ) -> bytes | Missing:
        """As `sealing.Sealer` says. Without a certificate there is nothing to fetch here."""
        both = sendable(db, self.sessions.me.account, item, now_ms)
        if isinstance(both, Missing):
            return both
        peer, own = both
        targets, withheld = self._targets(item, peer, now_ms)
        if not targets:
            raise Unaddressed("no device is left to send it to")
        fresh = item.fresh and not item.tries
        certificate = certificates.usable(db, outbox.server_ms(db, now_ms))
        if certificate is None:
            return Missing()
        missing = without_session(db, self.sessions, targets, bundles, now_ms, fresh=fresh)
        if missing:
            return Missing(bundles=missing)
        z = seal_content(self._content(db, item, peer, own), self.sessions.rng(FRANKING_KEY_BYTES))
        parts = [
            self._sealed(
                target,
                part(db, self.sessions, target, z, bundles, now_ms, fresh=fresh),
                certificate,
            )
            for target in targets
        ]
        mode = CONTROL if item.way is Way.SEALED_CONTROL else NARROWED if withheld else FULL
        body = api.encoded(rest.SealedSend(id=item.id, mode=mode, set=peer.list.set, parts=parts))
        if len(body) > REQUEST_BYTES:
            raise TooLong("too long for one request")
        made = Try(
            commitment(z),
            z,
            addressees(targets),
            own.list.version,
            body,
            addressees(withheld) if mode == NARROWED else (),
        )
        outbox.add_try(db, item.id, made)
        return body

    def _targets(self, item: Item, peer: Held, now_ms: int) -> tuple[list[Target], list[Target]]:
        """Devices that get it, and those that are left out because sending is narrowed."""
        reached = others(self.sessions, peer, peer.recipients(now_ms))
        everybody = others(self.sessions, peer, peer.list.devices)
        wanted = item.devices
        targets = [pair for pair in reached if wanted is None or pair[1].id in wanted]
        return targets, [pair for pair in everybody if pair not in reached]

    def _sealed(self, target: Target, made: Part, certificate: bytes) -> rest.SealedPart:
        inside = UnidentifiedContent(made.kind, certificate, made.ciphertext, Hint.RESENDABLE)
        data = seal(self.sessions.local.key, target[1].key, inside, self.sessions.rng)
        if len(data) > CIPHERTEXT_BYTES:
            raise TooLong("too long for one device")
        return rest.SealedPart(device=target[1].id, ciphertext=data)

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
