"""Numbers: which account has a phone number, and what happens when it has another one.

Whoever takes over a number, by a new SIM or by registering without the recovery code, has the
number and a new account. What was said to the account before is not for that one: from the moment
this is noticed nothing is sent by this number until a person accepts it, on any of the account's
devices: whose a number is stands in the contacts, which they have in common.
"""

from collections.abc import Callable, Sequence
from typing import Final

import apsw

from linnet.client import contacts, facts
from linnet.client.device_events import NumberMoved
from linnet.client.environment import Environment
from linnet.client.errors import NumberChanged, Offline, UnknownRecipient
from linnet.client.events import Event
from linnet.client.facts import Fact
from linnet.client.own_channel import OwnChannel
from linnet.client.rest import Api
from linnet.client.sql import every, first
from linnet.client.store import Store
from linnet.client.tokens import Tokens
from linnet.wire.ids import AccountId
from linnet.wire.rest import ContactMatch

FRESH_MS: Final = 600_000
"""How long a looked-up number is not looked up again."""
CHECK_EVERY_MS: Final = 86_400_000
"""How often the numbers that were written to are looked up without being asked."""
CHECK_AT_ONCE: Final = 100
"""Numbers of one request; more wait for the next day."""


class Checked(Fact, frozen=True, kw_only=True):
    """When the known numbers were looked up last, and the last one of that look."""

    at_ms: int = 0
    last: str = ""


class Numbers:
    """Looks numbers up, and remembers whose they were."""

    def __init__(
        self,
        store: Store,
        api: Api,
        tokens: Tokens,
        world: Environment,
        channel: OwnChannel,
        tell: Callable[[Event], None],
    ) -> None:
        self._store, self._api, self._tokens, self._world = store, api, tokens, world
        self._channel, self._tell = channel, tell
        self._fresh: dict[str, int] = {}

    async def find(self, number: str) -> AccountId:
        """The account with this E.164 number.

        Raises NumberChanged if it has another one than before, until `accept`; UnknownRecipient;
        Offline or Refused if the server cannot say and never did.
        """
        since_ms = self._fresh.get(number)
        now_ms = self._world.now_ms()
        if since_ms is None or now_ms - since_ms >= FRESH_MS:
            try:
                await self._look_up([number])
            except Offline:
                if await self._store.read(lambda db: _known(db, number)) is None:
                    raise
        account = await self._store.read(lambda db: _settled(db, number))
        if account is None:
            raise UnknownRecipient("no account has that number")
        return account

    async def accept(self, number: str) -> AccountId | None:
        """Go on with the account that the number has now; that account, or None if it is the
        same as before. What waits for the old one is not sent to it."""

        def accept(db: apsw.Connection) -> AccountId | None:
            moved, known = _moved(db, number), _known(db, number)
            if moved is not None:
                self._hold(db, number, moved)
            return None if moved == known else moved

        return await self._store.write(accept)

    async def check(self) -> None:
        """Once a day, ask whether known numbers still have the accounts they had.

        Raises Offline, Refused.
        """
        now_ms = self._world.now_ms()
        checked = await self._store.read(lambda db: facts.get_or(db, Checked()))
        if now_ms - checked.at_ms < CHECK_EVERY_MS:
            return
        numbers = await self._store.read(lambda db: _page(db, checked.last))
        if numbers:
            await self._look_up(numbers)
        last = numbers[-1] if len(numbers) == CHECK_AT_ONCE else ""
        await self._store.write(lambda db: facts.put(db, Checked(at_ms=now_ms, last=last)))

    async def _look_up(self, numbers: Sequence[str]) -> None:
        matches = await self._tokens.use(lambda token: self._api.look_up(token, list(numbers)))
        asked = [match for match in matches if match.number in numbers]
        for event in await self._store.write(lambda db: self._learn(db, asked)):
            self._tell(event)
        if len(self._fresh) > 10_000:  # forgetting early only means asking again
            self._fresh.clear()
        self._fresh.update((match.number, self._world.now_ms()) for match in asked)

    def _learn(self, db: apsw.Connection, matches: Sequence[ContactMatch]) -> list[Event]:
        told: list[Event] = []
        for match in matches:
            number, account = match.number, AccountId(match.account)
            known, moved = _known(db, number), _moved(db, number)
            if known is None or known == account:
                self._hold(db, number, account)
            elif moved != account:
                db.execute("INSERT OR REPLACE INTO moved_numbers VALUES (?, ?)", (number, account))
                told.append(NumberMoved(number, known, account))
        return told

    def _hold(self, db: apsw.Connection, number: str, account: AccountId) -> None:
        db.execute("DELETE FROM moved_numbers WHERE number = ?", (number,))
        if _known(db, number) == account:
            return
        db.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (number, account))
        for before in contacts.with_number(db, number):
            contacts.keep(db, self._channel, before.account, "", before.name)
        name = contacts.known(db, account).name
        contacts.keep(db, self._channel, account, number, name)


def _known(db: apsw.Connection, number: str) -> AccountId | None:
    """Whose the number is: as asked here, unless another own device has said otherwise since."""
    row = first(db, "SELECT account FROM numbers WHERE number = ?", (number,))
    asked = None if row is None else AccountId(row[0])
    told = [contact.account for contact in contacts.with_number(db, number)]
    return asked if asked in told or not told else told[0]


def _moved(db: apsw.Connection, number: str) -> AccountId | None:
    row = first(db, "SELECT account FROM moved_numbers WHERE number = ?", (number,))
    return None if row is None else AccountId(row[0])


def _settled(db: apsw.Connection, number: str) -> AccountId | None:
    known, moved = _known(db, number), _moved(db, number)
    if moved is not None and moved != known:
        raise NumberChanged(
            "the number belongs to another account than before: a new owner, or the same person"
            " who registered anew. Make sure who it is, then accept the change",
            now=moved,
        )
    return known


def _page(db: apsw.Connection, after: str) -> list[str]:
    asked = {row[0] for row in every(db, "SELECT number FROM numbers", ())}
    numbers = asked | {contact.number for contact in contacts.everybody(db)}
    return sorted(number for number in numbers if number > after)[:CHECK_AT_ONCE]
