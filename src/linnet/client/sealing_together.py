"""Sealing together: many messages in one transaction, where nothing has to be fetched for them.

A new sender key goes to a thousand accounts at once; a transaction each would spend more time on
the disk than on the cipher. What cannot be sealed just so is left to be sealed by itself, where it
is said why.
"""

from collections.abc import Iterable

import apsw

from linnet.client.errors import ClientError
from linnet.client.outbox import Item
from linnet.client.sealing import Missing, Sealers
from linnet.crypto.errors import CryptoError
from linnet.signing.errors import SigningError


class _NotNow(Exception):
    """Undoes what was written for one message."""


def seal_together(
    db: apsw.Connection, sealers: Sealers, items: Iterable[Item], now_ms: int
) -> dict[bytes, bytes]:
    """Store a try of every one of these that can be sealed now; their frames by id.

    Of the others nothing changes, and none is given up.
    """
    frames: dict[bytes, bytes] = {}
    for item in items:
        try:
            with db:  # a savepoint: all of one message's try, or nothing
                found = sealers.seal(db, item, {}, now_ms)
                if isinstance(found, Missing):
                    raise _NotNow
                frames[item.id] = found
        except (_NotNow, ClientError, CryptoError, SigningError, ValueError):
            continue
    return frames
