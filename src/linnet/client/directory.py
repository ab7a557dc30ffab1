"""The directory: other people's accounts, device lists and bundles, asked from the server.

Everything that comes back is checked before it is held or used; the server is believed about
nothing but whether something exists.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import apsw

from linnet.client import device_alerts, list_alarms, lists, parking, unobtainable
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
from linnet.signing.errors import ListRejected
from linnet.signing.list_format import decode_list
from linnet.signing.objects import SignedObject
from linnet.wire import rest
from linnet.wire.ids import AccountId
from linnet.wire.limits import LISTS_AT_ONCE

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
        self.quietly: Callable[[bytes], Awaitable[Adopted | None]] = _always_openly
        """Fetches the list of an account whose messages are sealed, without a token; None where
        they are not."""
        self.on_new_list: Callable[[bool], None] = lambda parked: None
        """Called when a list is new, with whether messages of that account wait for it: they are
        tried again, and its devices may be given what they had not got."""

    async def refresh(self, account: bytes) -> Adopted:
        """Fetch, check and hold the newest list. Raises Offline, Refused, NotTrusted, LoggedOut."""
        answer = await self._tokens.use(lambda token: self._api.device_list(token, account))
        return await self.adopt(account, answer)

    async def adopt(self, account: bytes, answer: rest.Signed) -> Adopted:
        """Check and hold a list that the server showed. Raises NotTrusted."""
        obj = SignedObject(answer.body, answer.sig)
        now_ms = self._world.now_ms()

        def hold(db: apsw.Connection) -> tuple[Adopted, list[Event], bool]:
            adopted = lists.adopt(db, account, obj, now_ms)
            return adopted, _news(db, account, adopted), account in parking.senders(db)

        adopted, told, parked = await self._store.write(hold)
        for event in told:
            self._tell(event)
        if adopted is Adopted.NEW:
            self.on_new_list(parked)
        return adopted

    async def refresh_all(self, accounts: Sequence[bytes]) -> None:
        """As `refresh` for many. A list that is not what it claims is passed over, and so is an
        account that is not there (`linnet.client.unobtainable`). Raises Offline, Refused,
        LoggedOut."""
        for start in range(0, len(accounts), LISTS_AT_ONCE):
            some = list(accounts[start : start + LISTS_AT_ONCE])
            found = await self._tokens.use(
                lambda token, some=some: self._api.device_lists(token, some)  # type: ignore[misc]
            )
            now_ms = self._world.now_ms()

            def adopt(
                db: apsw.Connection,
                found: Sequence[rest.Signed] = found,
                wanted: Sequence[bytes] = some,
                now_ms: int = now_ms,
            ) -> tuple[list[Event], bool]:
                told = [event for it in found for event in _adopted(db, it, wanted, now_ms)]
                unobtainable.answered(db, wanted, now_ms)
                return told, not set(wanted).isdisjoint(parking.senders(db))

            told, parked = await self._store.write(adopt)
            for event in told:
                self._tell(event)
            self.on_new_list(parked)

    async def refresh_for_message(self, account: bytes) -> bool:
        """As `refresh`, for a message that cannot be opened yet; False if it did not help."""
        now_ms = self._world.now_ms()
        if now_ms - self._asked_ms.get(account, -STRANGER_EVERY_MS) < STRANGER_EVERY_MS:
            return False
        try:
            quietly = await self.quietly(account)
        except (Offline, Refused, NotTrusted):
            return False
        if len(self._asked_ms) > 10_000:  # forgetting early only means asking again
            self._asked_ms.clear()
        self._asked_ms[account] = now_ms
        try:
            return (quietly or await self.refresh(account)) is Adopted.NEW
        except (Offline, Refused, NotTrusted):
            return False

    async def bundle(self, account: bytes, device: ListedDevice) -> PreKeyBundle:
        """Take a checked bundle. Raises Offline, Refused, NotTrusted, LoggedOut.

        Offline too if the server knows no such device: the held list is doubted, and asked for
        before it is used again.
        """
        try:
            taken = await self._tokens.use(
                lambda token: self._api.take_bundle(token, account, device.id)
            )
        except Refused as refusal:
            if refusal.code != "not_found":
                raise
            await self._store.write(lambda db: _doubt(db, account))
            raise Offline("that device has left") from refusal
        return checked_bundle(taken, device)


async def _always_openly(account: bytes) -> Adopted | None:
    """Where nothing is sealed."""
    return None


def _doubt(db: apsw.Connection, account: bytes) -> None:
    held = lists.held(db, account)
    if held is not None:
        lists.doubt(db, account, set=held.list.set + 1)


def _adopted(
    db: apsw.Connection, answer: rest.Signed, wanted: Sequence[bytes], now_ms: int
) -> list[Event]:
    """Hold one list of an answer; what to tell of it."""
    obj = SignedObject(answer.body, answer.sig)
    try:
        account = decode_list(obj.body).account
        if account not in wanted:
            return []
        return _news(db, account, lists.adopt(db, account, obj, now_ms))
    except (NotTrusted, ListRejected):
        return []


def _news(db: apsw.Connection, account: bytes, adopted: Adopted) -> list[Event]:
    """What to tell of a list that was offered."""
    match adopted:
        case Adopted.CHANGED_KEY:
            return [IdentityChanged(AccountId(account))]
        case Adopted.CONFLICT:
            return [list_alarms.conflict_event(db, account)]
        case Adopted.NEW:
            return [*device_alerts.untold(db)]
        case _:
            return []
