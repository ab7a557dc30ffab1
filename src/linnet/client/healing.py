"""Healing: asking the sending device for what this one could not decrypt, and giving what devices
may have once their account's list shows them (`linnet.client.resends`).

Asked only after a minute online, when what was on its way has come; all ids in one request, one
request an hour to each device, each in a session opened for it. The old session is archived, not
forgotten: what is still under way in it can be read.
"""

from collections.abc import Callable
from typing import Final

import apsw

from linnet.client import health, lost, outbox
from linnet.client.environment import Environment
from linnet.client.health import Count
from linnet.client.resends import REQUEST_IDS, Resends
from linnet.client.store import Store
from linnet.signing.keys import Rng

ONLINE_S: Final = 60.0
LOOK_AGAIN_S: Final = 60.0


class Healer:
    """Asks and follows, while a link is live."""

    def __init__(
        self, store: Store, world: Environment, wake: Callable[[], None], resends: Resends
    ) -> None:
        self._store = store
        self._world = world
        self._wake = wake
        self._resends = resends
        self._lists_are_new = True

    def look(self) -> None:
        """A device list is new: what it lets be sent again is sent within the minute."""
        self._lists_are_new = True

    async def run(self) -> None:
        """Ask whenever there is something to ask for, until cancelled; begun with each link."""
        await self._world.sleep(ONLINE_S)
        while True:
            await self.once()
            await self._world.sleep(LOOK_AGAIN_S)

    async def once(self) -> None:
        """Ask for what is due."""
        now_ms = self._world.now_ms()
        if await self._store.write(lambda db: ask(db, now_ms, self._world.rng)):
            self._wake()
        if self._lists_are_new:
            await self.follow()

    async def follow(self) -> None:
        """Send again what devices may have now that lists show them."""
        now_ms = self._world.now_ms()
        self._lists_are_new = False
        await self._store.write(lambda db: self._resends.follow_lists(db, now_ms))
        self._wake()


def ask(db: apsw.Connection, now_ms: int, rng: Rng) -> int:
    """Put the requests that are due into the outbox; how many."""
    lost.add_parked(db, now_ms - int(1000 * ONLINE_S), now_ms)
    requests = lost.due(db, now_ms, REQUEST_IDS)
    for request in requests:
        outbox.enqueue_control(
            db,
            id=outbox.new_id(db, now_ms, rng),
            peer=request.account,
            devices=(request.device,),
            kind="resend_request",
            body=[list(request.ids)],
            sent_ms=now_ms,
            fresh=True,
        )
        lost.asked(db, request, now_ms)
        health.count(db, Count.RESENDS_ASKED)
    return len(requests)
