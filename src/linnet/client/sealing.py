"""Sealing: one try of a message, encrypted for every device it goes to, in one transaction.

The advanced sessions, the exact content Z and the exact frame are stored together or not at all,
and only then may the frame leave. What is missing for it (a list, a bundle) is reported, nothing
is fetched here.
"""

from dataclasses import dataclass
from typing import Final

import apsw

from linnet.client import lists, outbox
from linnet.client.errors import KeyChanged, NotTrusted
from linnet.client.lists import Held
from linnet.client.outbox import Item, Try
from linnet.client.sessions import Peer, Sessions
from linnet.crypto.content import Content, TooLong, commitment, seal_content
from linnet.crypto.prekeys import PreKeyBundle
from linnet.signing.device_list import ListedDevice
from linnet.wire.codec import CODECS, MSGPACK
from linnet.wire.frames import FULL, NARROWED, Part, Send
from linnet.wire.ids import AccountId, to_account
from linnet.wire.limits import FRAME_BYTES

_FRANKING_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Missing:
    """What must be fetched before the message can be sealed."""

    lists: tuple[bytes, ...] = ()
    bundles: tuple[tuple[bytes, ListedDevice], ...] = ()


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals with this device's sessions."""

    sessions: Sessions

    def seal(
        self, db: apsw.Connection, item: Item, bundles: dict[Peer, PreKeyBundle], now_ms: int
    ) -> bytes | Missing:
        """Store a new try and return its frame, or say what is missing and change nothing.

        Raises KeyChanged while the peer shows a changed account key, TooLong if the frame
        would be too long.
        """
        me = self.sessions.me
        accounts = dict.fromkeys((item.peer, me.account))
        known = {account: lists.held(db, account) for account in accounts}
        if any(held is not None and held.key_changed for held in known.values()):
            raise KeyChanged
        stale = tuple(a for a, held in known.items() if held is None or held.stale(now_ms))
        if stale:
            return Missing(lists=stale)
        peer, own = known[item.peer], known[me.account]
        assert peer is not None
        assert own is not None
        missing = self._without_session(db, (peer, own), bundles, now_ms)
        if missing:
            return Missing(bundles=missing)
        made = self._try(db, item, peer, own, bundles, now_ms)
        outbox.add_try(db, item.id, made)
        return made.frame

    def _others(self, held: Held, now_ms: int) -> list[tuple[bytes, ListedDevice]]:
        """The devices of a list that get a ciphertext: all but this very device."""
        me = self.sessions.me
        account = held.list.account
        return [
            (account, device)
            for device in held.recipients(now_ms)
            if (account, device.id) != (me.account, me.device)
        ]

    def _without_session(
        self,
        db: apsw.Connection,
        both: tuple[Held, Held],
        bundles: dict[Peer, PreKeyBundle],
        now_ms: int,
    ) -> tuple[tuple[bytes, ListedDevice], ...]:
        needed = dict.fromkeys(pair for held in both for pair in self._others(held, now_ms))
        return tuple(
            (account, device)
            for account, device in needed
            if (account, device.id) not in bundles
            and not self.sessions.usable(db, (account, device.id), device.key, now_ms)
        )

    def _try(
        self,
        db: apsw.Connection,
        item: Item,
        peer: Held,
        own: Held,
        bundles: dict[Peer, PreKeyBundle],
        now_ms: int,
    ) -> Try:
        z = seal_content(self._content(db, item, peer, own), self.sessions.rng(_FRANKING_KEY_BYTES))
        to_peer = self._others(peer, now_ms)
        to_own = [] if item.peer == self.sessions.me.account else self._others(own, now_ms)
        frame = Send(
            id=item.id,
            to=to_account(AccountId(item.peer)),
            mode=NARROWED if peer.expired(now_ms) else FULL,
            commitment=commitment(z),
            timestamp=item.sent_ms,
            sets=(peer.list.set, own.list.set),
            parts=[self._part(db, *pair, z, bundles, now_ms) for pair in to_peer],
            own_parts=[self._part(db, *pair, z, bundles, now_ms) for pair in to_own],
        )
        encoded = CODECS[MSGPACK].encode(frame)
        if len(encoded) > FRAME_BYTES:
            raise TooLong("too long for one frame")
        addressees = tuple((a, device.id, device.key) for a, device in (*to_peer, *to_own))
        return Try(frame.commitment, z, addressees, own.list.version, encoded)

    def _content(self, db: apsw.Connection, item: Item, peer: Held, own: Held) -> Content:
        proves_itself = outbox.attached_version(db, item.conversation) < own.list.version
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

    def _part(
        self,
        db: apsw.Connection,
        account: bytes,
        device: ListedDevice,
        z: bytes,
        bundles: dict[Peer, PreKeyBundle],
        now_ms: int,
    ) -> Part:
        peer = (account, device.id)
        bundle = bundles.get(peer)
        if bundle is not None and not self.sessions.usable(db, peer, device.key, now_ms):
            if bundle.identity_key != device.key:
                raise NotTrusted("the list changed while its bundle was fetched")
            self.sessions.open(db, peer, bundle, now_ms)
        sealed = self.sessions.encrypt(db, peer, device.key, z, now_ms)
        return Part(device=device.id, kind=sealed.type, ciphertext=sealed.data)
