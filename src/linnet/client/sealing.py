"""Sealing: one try of a message, encrypted for every device it goes to, in one transaction.

The advanced sessions, the exact content Z and the exact frame are stored together or not at all,
and only then may the frame leave. What is missing for it (a list, a bundle) is reported, nothing is
fetched here. Each way out of the outbox has its sealer: `linnet.client.sealing_pair` for messages
between two accounts, `sealing_control` for control messages. A further one (groups, sealed senders)
implements `Sealer`, stores its try with `outbox.add_try`, and is passed to `Sealers`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import apsw

from linnet.client.errors import NotTrusted
from linnet.client.lists import Held
from linnet.client.outbox import Item, Way
from linnet.client.sendable import Missing, Target
from linnet.client.sessions import Peer, Sessions
from linnet.crypto.content import TooLong
from linnet.crypto.prekeys import PreKeyBundle
from linnet.signing.device_list import ListedDevice
from linnet.wire.codec import CODECS, MSGPACK
from linnet.wire.frames import Part, Send
from linnet.wire.limits import FRAME_BYTES

__all__ = [
    "FRANKING_KEY_BYTES",
    "Missing",
    "Sealer",
    "Sealers",
    "Target",
    "addressees",
    "encoded",
    "others",
    "part",
    "without_session",
]

FRANKING_KEY_BYTES: Final = 32


class Sealer(Protocol):
    """Seals messages of one way."""

    def seal(
        self, db: apsw.Connection, item: Item, bundles: dict[Peer, PreKeyBundle], now_ms: int
    ) -> bytes | Missing:
        """Store a new try and return its frame, or say what is missing and change nothing.

        Raises KeyChanged while the peer shows a changed account key, TooLong if the frame would
        be too long, NotTrusted, Unaddressed if no device is left to send it to.
        """


@dataclass(frozen=True, slots=True)
class Sealers:
    """The sealer for every way there is."""

    me: bytes
    by_way: Mapping[Way, Sealer]

    def seal(
        self, db: apsw.Connection, item: Item, bundles: dict[Peer, PreKeyBundle], now_ms: int
    ) -> bytes | Missing:
        """As `Sealer.seal`, by the sealer of the item's way."""
        return self.by_way[item.way].seal(db, item, bundles, now_ms)


def others(sessions: Sessions, held: Held, devices: Iterable[ListedDevice]) -> list[Target]:
    """These devices of a list, without this very one."""
    me, account = sessions.me, held.list.account
    return [
        (account, device) for device in devices if (account, device.id) != (me.account, me.device)
    ]


def without_session(
    db: apsw.Connection,
    sessions: Sessions,
    targets: Iterable[Target],
    bundles: Mapping[Peer, PreKeyBundle],
    now_ms: int,
    *,
    fresh: bool = False,
) -> tuple[Target, ...]:
    """Those for whom a bundle must be fetched first; `fresh`: all."""
    return tuple(
        (account, device)
        for account, device in dict.fromkeys(targets)
        if (account, device.id) not in bundles
        and (fresh or not sessions.usable(db, (account, device.id), device.key, now_ms))
    )


def part(
    db: apsw.Connection,
    sessions: Sessions,
    target: Target,
    z: bytes,
    bundles: Mapping[Peer, PreKeyBundle],
    now_ms: int,
    *,
    fresh: bool = False,
) -> Part:
    """Z for one device, opening a session with it if there is none, or a `fresh` one is wanted."""
    account, device = target
    peer = (account, device.id)
    bundle = bundles.get(peer)
    needed = fresh or not sessions.usable(db, peer, device.key, now_ms)
    if bundle is not None and needed:
        if bundle.identity_key != device.key:
            raise NotTrusted("the list changed while its bundle was fetched")
        sessions.open(db, peer, bundle, now_ms)
    sealed = sessions.encrypt(db, peer, device.key, z, now_ms)
    return Part(device=device.id, kind=sealed.type, ciphertext=sealed.data)


def addressees(targets: Iterable[Target]) -> tuple[tuple[bytes, int, bytes], ...]:
    """(account, device id, identity key) of each, as a try remembers them."""
    return tuple((account, device.id, device.key) for account, device in targets)


def encoded(frame: Send) -> bytes:
    """The bytes that leave. Raises TooLong."""
    data = CODECS[MSGPACK].encode(frame)
    if len(data) > FRAME_BYTES:
        raise TooLong("too long for one frame")
    return data
