"""The sender certificate of this device, as it is kept.

It is renewed long before it expires, so that its renewal, which says who asks, does not come just
before a message, which does not.
"""

from typing import Final

import apsw

from linnet.client import facts
from linnet.client.facts import Fact

RENEW_BEFORE_MS: Final = 12 * 3_600_000
LEAST_LIFE_MS: Final = 60_000
"""One with less life left is not put into messages any more."""


class Certificate(Fact, frozen=True, kw_only=True):
    """What the server certified. `expires_ms` is by its clock."""

    data: bytes
    expires_ms: int


def usable(db: apsw.Connection, server_ms: int) -> bytes | None:
    """The certificate, if a message may be sent with it."""
    held = facts.get(db, Certificate)
    if held is None or held.expires_ms - server_ms < LEAST_LIFE_MS:
        return None
    return held.data


def due(db: apsw.Connection, server_ms: int) -> bool:
    """Whether it is time for a new one."""
    held = facts.get(db, Certificate)
    return held is None or held.expires_ms - server_ms < RENEW_BEFORE_MS
