"""The connection: keeps a dialogue with the server going, and says when not to try again.

What follows a close is the table in `linnet.wire.errors`; waits grow and are spread by chance, so
that a server which comes back is not met by everyone at once.
"""

from typing import Final

import apsw

from linnet.client import facts
from linnet.client.dialogue import Dialogue, Drained, GapSeen, Parts, Silent
from linnet.client.errors import (
    LinkClosed,
    LoggedOut,
    Offline,
    Refused,
    StoreUnavailable,
)
from linnet.client.events import Connection as Shown
from linnet.client.events import ConnectionState
from linnet.client.facts import Cursor, Proof
from linnet.wire.errors import CLOSES, Reconnect, RemoteError, reconnect_after

NOW_BASE_S: Final = 0.25
LATER_BASE_S: Final = 2.0
SHORT_BASE_S: Final = 1.0
"""After a link that did not last, whatever ended it: the first wait is half of it or more."""
LONGEST_WAIT_S: Final = 60.0
STEADY_AFTER_S: Final = 10.0
"""A link that was live so long was a success: waits begin small again."""


def wait_s(after: Reconnect, failures: int, chance: float) -> float:
    """Seconds to wait before the next try, a minute at most; `chance` is in [0, 1).

    `failures` counts the links in a row that did not last, this one included. After one that did
    it is 0, and the wait may be none. Otherwise at least half of the longest wait always passes,
    and that doubles: no server can have itself called without a pause.
    """
    base = LATER_BASE_S if after is Reconnect.LATER else NOW_BASE_S
    if not failures:
        return chance * base
    longest = min(LONGEST_WAIT_S, max(base, SHORT_BASE_S) * 2.0 ** min(failures - 1, 16))
    return longest * (1 + chance) / 2


class Connection:
    """Connects, and connects again."""

    def __init__(self, parts: Parts, url: str) -> None:
        self._parts = parts
        self._url = url
        self._failures = 0
        self._live_since_s: float | None = None
        self._token = ""
        self._token_refused = False

    async def run(self) -> None:
        """Stay connected. Returns only when connecting again is no use; the reason is told."""
        world = self._parts.world
        while True:
            self._live_since_s = None
            self._show(Shown.CONNECTING)
            after, reason, wait = await self._one_link()
            if after is Reconnect.NEVER:
                if reason == "revoked":
                    self._parts.tokens.revoked()
                self._show(Shown.STOPPED, reason)
                return
            self._failures = 0 if self._was_steady() else self._failures + 1
            self._show(Shown.WAITING, reason)
            chance = world.random()
            await world.sleep(max(wait_s(after, self._failures, chance), chance * (wait or 0.0)))

    async def _one_link(self) -> tuple[Reconnect, str, float | None]:
        """Open a link and live on it: what to do afterwards, why, and the wait that the server
        named, if it did."""
        try:
            await self._dialogue()
        except LinkClosed as closed:
            if closed.code == CLOSES["bad_resume"].code and await self._cursor_lowered():
                return Reconnect.NOW, "bad_resume", None
            return self._after_close(closed.code), _name(closed.code), None
        except RemoteError as error:
            return Reconnect.LATER, error.close.name, None
        except Drained:
            return Reconnect.NOW, "draining", None
        except GapSeen:
            return Reconnect.NOW, "gap", None
        except Silent:
            return Reconnect.NOW, "silent", None
        except LoggedOut:
            return Reconnect.NEVER, "logged_out", None
        except Refused as refusal:
            return Reconnect.LATER, refusal.code, refusal.retry_after_s
        except (Offline, StoreUnavailable) as error:
            return Reconnect.LATER, type(error).__name__.lower(), None
        raise AssertionError("a dialogue ends by raising")

    async def _dialogue(self) -> None:
        parts = self._parts
        if self._token_refused:
            self._token = await parts.tokens.renew(self._token)
        else:
            self._token = await parts.tokens.access()
        link = await parts.world.dial(self._url)
        try:
            await Dialogue(parts, link).run(self._token, self._live)
        finally:
            link.close()

    async def _cursor_lowered(self) -> bool:
        """Go back to the highest head that the server can be reminded of having told.

        Rows above it came after the last proof. If the server's store went back meanwhile, it
        believes only what it proved; what comes again is known here and dropped.
        """

        def lower(db: apsw.Connection) -> bool:
            cursor, proof = facts.get_or(db, Cursor()), facts.get_or(db, Proof())
            if cursor.position <= proof.head:
                return False
            facts.put(db, Cursor(position=proof.head))
            return True

        return await self._parts.store.write(lower)

    def _was_steady(self) -> bool:
        since_s = self._live_since_s
        return since_s is not None and self._parts.world.monotonic_s() - since_s >= STEADY_AFTER_S

    def _live(self) -> None:
        self._live_since_s = self._parts.world.monotonic_s()
        self._token_refused = False
        self._parts.keeper.connected()
        self._show(Shown.ONLINE)

    def _after_close(self, code: int) -> Reconnect:
        after = reconnect_after(code)
        if after is not Reconnect.TOKEN:
            return after
        # A fresh token that is refused as well is the server's trouble: give it time.
        after = Reconnect.LATER if self._token_refused else Reconnect.NOW
        self._token_refused = True
        return after

    def _show(self, state: Shown, reason: str = "") -> None:
        self._parts.events.tell(ConnectionState(state, reason))


def _name(code: int) -> str:
    return next((close.name for close in CLOSES.values() if close.code == code), f"closed_{code}")
