"""Sessions with devices: opened from bundles, and used inside the caller's transaction.

Keyed (account, device, identity key), and the identity key comes from a checked device list, never
from a message. Every function leaves the record of sessions as the ratchet returned it, or, if it
raises, as it was.
"""

from dataclasses import dataclass

import apsw

from linnet.client.errors import NotTrusted
from linnet.client.keys import StoredPreKeys
from linnet.client.sql import first
from linnet.crypto import session
from linnet.crypto.errors import CryptoError, StaleSession, Untrusted
from linnet.crypto.messages import Address
from linnet.crypto.prekeys import LocalIdentity, PreKeyBundle, verify_bundle
from linnet.crypto.record import SessionRecord
from linnet.signing.device_list import ListedDevice
from linnet.signing.keys import Rng
from linnet.wire import rest

Peer = tuple[bytes, int]
"""(account, device)."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """This device's half of every session."""

    me: Address
    local: LocalIdentity
    rng: Rng

    def usable(self, db: apsw.Connection, peer: Peer, identity: bytes, now_ms: int) -> bool:
        """Whether `encrypt` needs no bundle."""
        record = _load(db, peer, identity)
        if record is None:
            return False
        unanswered_ms = now_ms - record.current.created_ms
        return record.current.pending is None or unanswered_ms <= session.MAX_UNANSWERED_MS

    def open(self, db: apsw.Connection, peer: Peer, bundle: PreKeyBundle, now_ms: int) -> None:
        """Open a session from a bundle that `checked_bundle` passed. Raises NotTrusted if one of
        its keys turns out to be no key: what a peer publishes must not stop this device."""
        record = _load(db, peer, bundle.identity_key)
        try:
            opened = session.initiate(self.local, bundle, record, now_ms, self.rng)
        except CryptoError:
            raise NotTrusted("no session can be opened from the bundle") from None
        _save(db, peer, opened)

    def encrypt(
        self, db: apsw.Connection, peer: Peer, identity: bytes, plaintext: bytes, now_ms: int
    ) -> session.Ciphertext:
        """Encrypt for one device. Raises StaleSession if a bundle is needed after all."""
        record = _load(db, peer, identity)
        if record is None:
            raise StaleSession("no session")
        after, ciphertext = session.encrypt(
            record, self.local, self.me, Address(*peer), plaintext, now_ms, self.rng
        )
        _save(db, peer, after)
        return ciphertext

    def decrypt(
        self, db: apsw.Connection, peer: Peer, identity: bytes, kind: int, data: bytes, now_ms: int
    ) -> bytes:
        """Decrypt from one listed device and use up its pre-keys. Raises a CryptoError."""
        found = session.decrypt(
            _load(db, peer, identity),
            self.local,
            self.me,
            Address(*peer),
            kind,
            data,
            prekeys := StoredPreKeys(db),
            now_ms,
        )
        if found.identity_key != identity:
            raise Untrusted("not the listed identity key")
        _save(db, peer, found.record)
        prekeys.use_up(found.used_pre_key, found.used_kem, found.last_resort_use)
        return found.plaintext


def checked_bundle(bundle: rest.Bundle, listed: ListedDevice) -> PreKeyBundle:
    """The bundle, if it is the listed device's: same identity key, signed pre-keys.

    Raises NotTrusted.
    """
    if bundle.identity != listed.key or bundle.device != listed.id:
        raise NotTrusted("the bundle is of another device than the listed one")
    found = PreKeyBundle(
        registration_id=bundle.registration_id,
        device_id=bundle.device,
        identity_key=bundle.identity,
        signed_pre_key_id=bundle.signed.id,
        signed_pre_key=bundle.signed.key,
        signed_pre_key_sig=bundle.signed.sig,
        kem_pre_key_id=bundle.kem.id,
        kem_pre_key=bundle.kem.key,
        kem_pre_key_sig=bundle.kem.sig,
        pre_key_id=bundle.one_time.id if bundle.one_time else None,
        pre_key=bundle.one_time.key if bundle.one_time else None,
    )
    try:
        verify_bundle(found)
    except CryptoError:
        raise NotTrusted("a pre-key of the bundle is not signed by its device, or no key") from None
    return found


def _load(db: apsw.Connection, peer: Peer, identity: bytes) -> SessionRecord | None:
    row = first(
        db,
        "SELECT record FROM sessions WHERE account = ? AND device = ? AND identity = ?",
        (*peer, identity),
    )
    return None if row is None else SessionRecord.from_bytes(row[0])


def _save(db: apsw.Connection, peer: Peer, record: SessionRecord) -> None:
    db.execute(
        "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?)",
        (*peer, record.remote_identity, record.to_bytes()),
    )
