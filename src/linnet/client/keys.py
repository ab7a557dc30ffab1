"""Pre-keys of this device: made, kept, handed to the ratchet, published, refilled, rotated.

Every key is stored before its public half leaves, so an upload that was cut off is repeated with
the same keys. Used one-time keys are deleted in the transaction of the message that used them.
"""

from collections.abc import Sequence
from typing import Final

import apsw

from linnet.client import facts
from linnet.client.errors import ClientError, NotMainDevice
from linnet.client.facts import Keys
from linnet.client.sql import every, first, number
from linnet.crypto import prekeys
from linnet.crypto.prekeys import KemPreKey, LastResortUse, OneTimePreKey, SignedPreKey
from linnet.signing.keys import KeyPair, Rng, generate, public_key
from linnet.wire import rest

ONE_TIME_KEYS: Final = 100
KEM_KEYS: Final = 20
REFILL_BELOW: Final = 0.25
"""A kind with less than this part of its keys left on the server is filled up."""
_PRE_KEYS: Final = ("signed_pre_keys", "one_time_pre_keys", "kem_pre_keys", "last_resort_uses")
ROTATE_AFTER_MS: Final = 7 * 86_400_000
KEEP_REPLACED_MS: Final = 37 * 86_400_000


def make_device(
    db: apsw.Connection, now_ms: int, rng: Rng, *, account_private: bytes | None = None
) -> Keys:
    """Make and store everything that a new device publishes; what was made before is forgotten.

    `account_private`: the account key of a recovered account, nothing for a device that is to be
    linked; None makes a new one.
    """
    for table in _PRE_KEYS:
        db.execute(f"DELETE FROM {table}")
    device = generate(rng)
    keys = Keys(
        device_private=device.private,
        account_private=generate(rng).private if account_private is None else account_private,
        registration_id=1 + int.from_bytes(rng(2), "big") % prekeys.MAX_REGISTRATION_ID,
        next_key_id=1,
    )
    facts.put(db, keys)
    rotate(db, now_ms, rng)
    fill(db, rest.KeyCount(one_time=0, kem=0), now_ms, rng)
    made = facts.get(db, Keys)
    assert made is not None
    return made


def device_key(keys: Keys) -> KeyPair:
    """The identity key of this device."""
    return KeyPair(keys.device_private, public_key(keys.device_private))


def account_key(keys: Keys) -> KeyPair:
    """The key that signs this account's device lists, and nothing else. Raises NotMainDevice."""
    if not keys.account_private:
        raise NotMainDevice("only the main device of an account can change its devices")
    return KeyPair(keys.account_private, public_key(keys.account_private))


def rotation_due(db: apsw.Connection, now_ms: int) -> bool:
    """Whether the signed and last-resort keys have served their week."""
    made_ms = number(
        db, "SELECT ifnull(max(created_ms), 0) FROM signed_pre_keys WHERE replaced_ms IS NULL"
    )
    return now_ms - made_ms >= ROTATE_AFTER_MS


def rotate(db: apsw.Connection, now_ms: int, rng: Rng) -> None:
    """Make new signed and last-resort keys; erase those replaced 37 days ago."""
    identity = device_key(_keys(db))
    first = _take_ids(db, 2)
    signed = prekeys.generate_signed(identity, first, now_ms, rng)
    last = prekeys.generate_last_resort(identity, first + 1, now_ms, rng)
    for table in ("signed_pre_keys", "kem_pre_keys"):
        only = "" if table == "signed_pre_keys" else " AND last_resort = 1"
        db.execute(f"UPDATE {table} SET replaced_ms = ? WHERE replaced_ms IS NULL{only}", (now_ms,))
        db.execute(f"DELETE FROM {table} WHERE replaced_ms < ?", (now_ms - KEEP_REPLACED_MS,))
    db.execute("DELETE FROM last_resort_uses WHERE kem_id NOT IN (SELECT id FROM kem_pre_keys)")
    db.execute(
        "INSERT INTO signed_pre_keys (id, private, public, signature, created_ms)"
        " VALUES (?, ?, ?, ?, ?)",
        (signed.id, signed.private, signed.public, signed.signature, signed.created_ms),
    )
    _insert_kem(db, [last])


def fill(db: apsw.Connection, on_server: rest.KeyCount, now_ms: int, rng: Rng) -> None:
    """Make one-time keys where the server has few left; `unpublished` then has them."""
    if on_server.one_time < ONE_TIME_KEYS * REFILL_BELOW:
        count = ONE_TIME_KEYS - on_server.one_time - _waiting(db, "one_time_pre_keys")
        made = prekeys.generate_one_time(_take_ids(db, max(0, count)), max(0, count), rng)
        db.executemany(
            "INSERT INTO one_time_pre_keys (id, private, public) VALUES (?, ?, ?)",
            [(key.id, key.private, key.public) for key in made],
        )
    if on_server.kem < KEM_KEYS * REFILL_BELOW:
        count = KEM_KEYS - on_server.kem - _waiting(db, "kem_pre_keys")
        first = _take_ids(db, max(0, count))
        identity = device_key(_keys(db))
        _insert_kem(db, prekeys.generate_kem(identity, first, max(0, count), now_ms, rng))


def unpublished(db: apsw.Connection) -> rest.KeyUpload | None:
    """What is to be uploaded, the same bytes until `published`; None if there is nothing."""
    signed = first(
        db,
        "SELECT id, public, signature FROM signed_pre_keys"
        " WHERE uploaded = 0 AND replaced_ms IS NULL",
    )
    kem = every(
        db,
        "SELECT id, public, signature, last_resort FROM kem_pre_keys"
        " WHERE uploaded = 0 AND replaced_ms IS NULL ORDER BY id",
    )
    one_time = every(db, "SELECT id, public FROM one_time_pre_keys WHERE uploaded = 0 ORDER BY id")
    if not (signed or kem or one_time):
        return None
    published_kem = [(rest.KemPreKey(id=i, key=k, sig=s), last) for i, k, s, last in kem]
    return rest.KeyUpload(
        signed=rest.SignedKey(id=signed[0], key=signed[1], sig=signed[2]) if signed else None,
        last_resort=next((key for key, last in published_kem if last), None),
        one_time=[rest.OneTimeKey(id=id, key=key) for id, key in one_time],
        kem=[key for key, last in published_kem if not last],
    )


def whole_bundle(db: apsw.Connection) -> rest.DeviceKeys:
    """What a device that was just made publishes, all at once. Raises ClientError."""
    own, upload = facts.get(db, Keys), unpublished(db)
    if own is None or upload is None or upload.signed is None or upload.last_resort is None:
        raise ClientError("the directory lost its keys")
    return rest.DeviceKeys(
        registration_id=own.registration_id,
        identity=device_key(own).public,
        signed=upload.signed,
        last_resort=upload.last_resort,
        one_time=upload.one_time,
        kem=upload.kem,
    )


def published(db: apsw.Connection, upload: rest.KeyUpload) -> None:
    """The server has these."""
    if upload.signed:
        db.execute("UPDATE signed_pre_keys SET uploaded = 1 WHERE id = ?", (upload.signed.id,))
    kem = [*upload.kem, *([upload.last_resort] if upload.last_resort else [])]
    for table, keys in (("kem_pre_keys", kem), ("one_time_pre_keys", upload.one_time)):
        db.executemany(f"UPDATE {table} SET uploaded = 1 WHERE id = ?", [(key.id,) for key in keys])


def running_low(db: apsw.Connection) -> bool:
    """Whether so few unused keys are left here that the server must be nearly out of them."""
    return (
        _published(db, "one_time_pre_keys") < ONE_TIME_KEYS * REFILL_BELOW
        or _published(db, "kem_pre_keys") - 1 < KEM_KEYS * REFILL_BELOW
    )


class StoredPreKeys:
    """The private halves, for the ratchet (`PreKeyLookup`): looking one up uses nothing up."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def signed(self, pre_key_id: int) -> SignedPreKey | None:
        row = first(
            self._db,
            "SELECT id, private, public, signature, created_ms FROM signed_pre_keys WHERE id = ?",
            (pre_key_id,),
        )
        return SignedPreKey(*row) if row else None

    def one_time(self, pre_key_id: int) -> OneTimePreKey | None:
        row = first(
            self._db,
            "SELECT id, private, public FROM one_time_pre_keys WHERE id = ?",
            (pre_key_id,),
        )
        return OneTimePreKey(*row) if row else None

    def kem(self, pre_key_id: int) -> KemPreKey | None:
        row = first(
            self._db,
            "SELECT id, seed, public, signature, created_ms, last_resort FROM kem_pre_keys"
            " WHERE id = ?",
            (pre_key_id,),
        )
        if row is None:
            return None
        id, seed, public, signature, created_ms, last_resort = row
        return KemPreKey(id, seed, public, signature, created_ms, bool(last_resort))

    def seen(self, use: LastResortUse) -> bool:
        row = first(
            self._db,
            "SELECT 1 FROM last_resort_uses WHERE kem_id = ? AND signed_id = ? AND base_key = ?",
            (use.kem_pre_key_id, use.signed_pre_key_id, use.base_key),
        )
        return row is not None

    def use_up(self, one_time: int | None, kem: int | None, last: LastResortUse | None) -> None:
        """Delete what a message used, and remember its use of the last resort."""
        self._db.execute("DELETE FROM one_time_pre_keys WHERE id = ?", (one_time,))
        self._db.execute("DELETE FROM kem_pre_keys WHERE id = ? AND last_resort = 0", (kem,))
        if last is not None:
            self._db.execute(
                "INSERT OR IGNORE INTO last_resort_uses VALUES (?, ?, ?)",
                (last.kem_pre_key_id, last.signed_pre_key_id, last.base_key),
            )


def _keys(db: apsw.Connection) -> Keys:
    keys = facts.get(db, Keys)
    assert keys is not None, "a device has keys from its first transaction on"
    return keys


def _take_ids(db: apsw.Connection, count: int) -> int:
    """Reserve `count` key ids, never given before; the first of them."""
    keys = _keys(db)
    facts.put(db, facts.replace(keys, next_key_id=keys.next_key_id + count))
    return keys.next_key_id


def _insert_kem(db: apsw.Connection, keys: Sequence[KemPreKey]) -> None:
    db.executemany(
        "INSERT INTO kem_pre_keys (id, seed, public, signature, created_ms, last_resort)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [(k.id, k.seed, k.public, k.signature, k.created_ms, int(k.last_resort)) for k in keys],
    )


def _waiting(db: apsw.Connection, table: str) -> int:
    only = " AND last_resort = 0" if table == "kem_pre_keys" else ""
    return number(db, f"SELECT count(*) FROM {table} WHERE uploaded = 0{only}")


def _published(db: apsw.Connection, table: str) -> int:
    return number(db, f"SELECT count(*) FROM {table} WHERE uploaded = 1")
