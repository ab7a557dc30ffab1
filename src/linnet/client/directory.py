"""The directory: other people's accounts, device lists and bundles, asked from the server.

Everything that comes back is checked before it is held or used; the server is believed about
nothing but whether something exists.
"""

from collections.abc import Callable
from typing import Final

from linnet.client import lists
from linnet.client.environment import Environment
from linnet.client.errors import NotTrusted, Offline, Refused, UnknownRecipient
from linnet.client.events import Event, IdentityChanged
from linnet.client.lists import Adopted
from linnet.client.rest import Api
from linnet.client.sessions import checked_bundle
from linnet.client.sql import first
from linnet.client.store import Store
from linnet.client.tokens import Tokens
from linnet.crypto.prekeys import PreKeyBundle
from linnet.signing.device_list import ListedDevice
from linnet.signing.objects import SignedObject
from linnet.wire.ids import AccountId

STRANGER_EVERY_MS: Final = 60_000
"""Messages make us ask for the list of one account at most this often."""
NUMBER_FOR_MS: Final = 600_000
"""How long a looked-up number is not looked up again."""


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
        self._numbers: dict[str, tuple[AccountId, int]] = {}

    async def refresh(self, account: bytes) -> Adopted:
        """Fetch, check and hold the newest list. Raises Offline, Refused, NotTrusted, LoggedOut."""
        answer = await self._tokens.use(lambda token: self._api.device_list(token, account))
        obj = SignedObject(answer.body, answer.sig)
        now_ms = self._world.now_ms()
        adopted = await self._store.write(lambda db: lists.adopt(db, account, obj, now_ms))
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

    async def find(self, number: str) -> AccountId:
        """The account with this E.164 number.

        Raises UnknownRecipient; Offline or Refused if the server cannot say and never did.
        """
        known = self._numbers.get(number)
        if known is not None and self._world.now_ms() - known[1] < NUMBER_FOR_MS:
            return known[0]
        try:
            matches = await self._tokens.use(lambda token: self._api.look_up(token, [number]))
        except Offline:
            return await self._remembered(number)
        if not matches:
            raise UnknownRecipient("no account has that number")
        account = AccountId(matches[0].account)
        self._numbers[number] = account, self._world.now_ms()
        await self._store.write(
            lambda db: db.execute(
                "INSERT OR REPLACE INTO numbers VALUES (?, ?)", (number, account)
            ).close()
        )
        return account

    async def _remembered(self, number: str) -> AccountId:
        row = await self._store.read(
            lambda db: first(db, "SELECT account FROM numbers WHERE number = ?", (number,))
        )
        if row is None:
            raise Offline("the server cannot be reached")
        return AccountId(row[0])
