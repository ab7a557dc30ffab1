"""Links in SQLite: port `links`."""

from __future__ import annotations

import apsw
import msgspec

from linnet.server.backends.sqlite.database import Database
from linnet.server.backends.sqlite.devices import admit
from linnet.server.backends.sqlite.keys import store
from linnet.server.ports.devices import Admission
from linnet.server.ports.links import Link
from linnet.wire.rest import LinkAnswer, LinkKeys

_COLUMNS = "id, offer, expires_ms, account, answer, slot, device"
_LIVE = "expires_ms > ? AND device = 0"

_encode = msgspec.msgpack.Encoder().encode
_answer = msgspec.msgpack.Decoder(LinkAnswer)
_keys = msgspec.msgpack.Decoder(LinkKeys)


class SqliteLinks:
    """Table links; activating one also writes devices, device_lists, set_changes and pre_keys."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def open(self, link: Link, now_ms: int, most: int) -> Link | None:
        def job(connection: apsw.Connection) -> Link | None:
            if (held := _get(connection, link.id)) is not None:
                return held
            live = connection.execute(f"SELECT count(*) FROM links WHERE {_LIVE}", (now_ms,)).get
            if live >= most:
                return None
            connection.execute(
                "INSERT INTO links (id, offer, expires_ms) VALUES (?, ?, ?)",
                (link.id, link.offer, link.expires_ms),
            )
            return link

        return await self._db.write(job)

    async def get(self, id: bytes) -> Link | None:
        return await self._db.read(lambda connection: _get(connection, id))

    async def answer(
        self, id: bytes, account: bytes, answer: LinkAnswer, now_ms: int, expires_ms: int
    ) -> None:
        await self._db.write(
            lambda connection: connection.execute(
                "UPDATE links SET account = ?, answer = ?, expires_ms = max(expires_ms, ?) "
                f"WHERE id = ? AND answer IS NULL AND {_LIVE}",
                (account, _encode(answer), expires_ms, id, now_ms),
            )
        )

    async def fill(self, id: bytes, keys: LinkKeys, now_ms: int) -> None:
        await self._db.write(
            lambda connection: connection.execute(
                "UPDATE links SET slot = ? "
                f"WHERE id = ? AND answer IS NOT NULL AND slot IS NULL AND {_LIVE}",
                (_encode(keys), id, now_ms),
            )
        )

    async def activate(self, id: bytes, admission: Admission, most: int, now_ms: int) -> bool:
        def job(connection: apsw.Connection) -> bool:
            account, device = admission.account, admission.device
            live = connection.execute(
                f"SELECT 1 FROM links WHERE id = ? AND {_LIVE}", (id, now_ms)
            ).fetchone()
            if live is None or not admit(connection, admission):
                return False
            store(connection, account, device, admission.keys, most)
            connection.execute("UPDATE links SET device = ? WHERE id = ?", (device, id))
            return True

        return await self._db.write(job)

    async def end(self, id: bytes, now_ms: int) -> None:
        await self._db.write(
            lambda connection: connection.execute(
                f"UPDATE links SET expires_ms = ? WHERE id = ? AND {_LIVE}", (now_ms, id, now_ms)
            )
        )

    async def forget(self, now_ms: int, before_ms: int) -> int:
        def job(connection: apsw.Connection) -> int:
            connection.execute("DELETE FROM links WHERE expires_ms < ?", (before_ms,))
            dropped = connection.changes()
            connection.execute(
                "UPDATE links SET offer = x'', answer = NULL, slot = NULL "
                "WHERE expires_ms <= ? AND offer != x''",
                (now_ms,),
            )
            return dropped

        return await self._db.write(job)


def _get(connection: apsw.Connection, id: bytes) -> Link | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM links WHERE id = ?", (id,)).fetchone()
    if row is None:
        return None
    id, offer, expires_ms, account, answer, slot, device = row
    return Link(
        id,
        offer,
        expires_ms,
        account,
        None if answer is None else _answer.decode(answer),
        None if slot is None else _keys.decode(slot),
        device,
    )
