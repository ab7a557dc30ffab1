"""Standing: on a linked device, a warning while the own list runs out because the main device is
not opened, and word that nothing comes any more once it has. At most once a day."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import apsw

from linnet.client import facts
from linnet.client.device_events import MainDeviceNeeded
from linnet.client.environment import Environment
from linnet.client.events import Event
from linnet.client.facts import Fact, Identity
from linnet.client.own_list import own_held
from linnet.client.store import Store
from linnet.signing.list_clock import Standing, standing

EVERY_MS: Final = 86_400_000


class Warned(Fact, frozen=True, kw_only=True):
    """When the person was warned last, and of what."""

    at_ms: int = 0
    of: str = Standing.GOOD.value


class Warner:
    """Looks at the own list now and then."""

    def __init__(self, store: Store, world: Environment, tell: Callable[[Event], None]) -> None:
        self._store, self._world, self._tell = store, world, tell

    async def look(self) -> None:
        """Tell what there is to tell."""
        event = await self._store.write(self._look)
        if event is not None:
            self._tell(event)

    def _look(self, db: apsw.Connection) -> MainDeviceNeeded | None:
        identity, listed = facts.get(db, Identity), own_held(db).list
        now_ms = self._world.now_ms()
        now = standing(listed, now_ms // 1000)
        assert identity is not None
        if now is Standing.GOOD or listed.primary == identity.device:
            return None
        warned = facts.get_or(db, Warned())
        if warned.of == now and now_ms - warned.at_ms < EVERY_MS:
            return None
        facts.put(db, Warned(at_ms=now_ms, of=now.value))
        until = datetime.fromtimestamp(listed.expires, UTC)
        return MainDeviceNeeded(until, receiving=now is not Standing.NOT_RECEIVING)
