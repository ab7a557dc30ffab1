"""The directory: other people's accounts, device lists and bundles, asked from the server.

Everything that comes back is checked before it is held or used; the server is believed about
nothing but whether something exists.
"""

from collections.abc import Callable
from typing import Final

import apsw

from linnet.client import device_alerts, lists
from linnet.client.environment import Environment
from linnet.client.errors import NotTrusted, Offline, Refused
from linnet.client.events import Event, IdentityChanged
from linnet.client.lists import Adopted
from linnet.client.rest import Api
from linnet.client.sessions import checked_bundle
from linnet.client.store import Store
from linnet.client.tokens import Tokens
from linnet.crypto.prekeys import PreKeyBundle
from linnet.signing.device_list import ListedDevice
from linnet.signing.objects import SignedObject
from linnet.wire.ids import AccountId

STRANGER_EVERY_MS: Final = 60_000
"""Messages make us ask for the list of one account at most this often."""


class Directory:
    """Asks and checks."""

    def __init__(
        self,
        store: Store,
        api: Api,
        tokens: Tokens,
        world: Environment,
        tell: Callable[[Event], None],
    ) -> None:
        self._store = store
        self._api = api
        self._tokens = tokens
        self._world = world
        self._tell = tell
        self._asked_ms: dict[bytes, int] = {}

    async def refresh(self, account: bytes) -> Adopted:
        """Fetch, check and hold the newest list. Raises Offline, Refused, NotTrusted, LoggedOut."""
        answer = await self._tokens.use(lambda token: self._api.device_list(token, account))
        obj = SignedObject(answer.body, answer.sig)
        now_ms = self._world.now_ms()

        def adopt(db: apsw.Connection) -> tuple[Adopted, list[Event]]:
            adopted = lists.adopt(db, account, obj, now_ms)
            return adopted, device_alerts.untold(db) if adopted is Adopted.NEW else []

        adopted, told = await self._store.write(adopt)
        for event in told:
            self._tell(event)
        if adopted is Adopted.CHANGED_KEY:
            self._tell(IdentityChanged(AccountId(account)))
        return adopted

    async def refresh_for_message(self, account: bytes) -> bool:
        """As `refresh`, for a message that cannot be opened yet; False if it did not help."""
        now_ms = self._world.now_ms()
        if now_ms - self._asked_ms.get(account, -STRANGER_EVERY_MS) < STRANGER_EVERY_MS:
            return False
        if len(self._asked_ms) > 10_000:  # forgetting early only means asking again
            self._asked_ms.clear()
        self._asked_ms[account] = now_ms
        try:
            return await self.refresh(account) is Adopted.NEW
        except (Offline, Refused, NotTrusted):
            return False

    async def bundle(self, account: bytes, device: ListedDevice) -> PreKeyBundle:
        """Take a checked bundle. Raises Offline, Refused, NotTrusted, LoggedOut."""
        taken = await self._tokens.use(
            lambda token: self._api.take_bundle(token, account, device.id)
        )
        return checked_bundle(taken, device)
