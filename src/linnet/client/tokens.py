"""Tokens: a fresh access token whenever one is needed.

Rotation is crash-safe: the id and proof of a refresh are stored before it is sent, and a retry
sends the same, so that a lost reply logs nobody out (docs/protocol/tokens.md).
"""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final, TypeVar

import apsw

from linnet.client import facts
from linnet.client.environment import Environment
from linnet.client.errors import LoggedOut, Offline, Refused
from linnet.client.facts import Identity, Keys, Login, Rotation
from linnet.client.rest import Api
from linnet.client.store import Store
from linnet.signing.objects import label
from linnet.signing.xeddsa import sign
from linnet.wire import rest

T = TypeVar("T")

RENEW_BEFORE_S: Final = 120
"""An access token with less life left than this is renewed first."""
LONGEST_LIFE_S: Final = 86_400
"""An access token is renewed after that, whatever life the server says it has."""
TOKEN_CHARACTERS: Final = 4096
"""What `hello` can carry."""
_LABEL: Final = label("refresh")
_FINAL: Final = {
    "revoked": "the server ended this login: the device was taken off the account, the number was"
    " registered anew, or an old copy of this directory was used",
    "bad_token": "the server does not know this login any more: it was not used for 90 days, or the"
    " server has lost it",
    "unauthorized": "the server does not know this account or device any more",
    "bad_signature": "the server knows another key for this device",
}
"""Answers to a refresh after which asking again is no use, and what happened."""
_WHAT_TO_DO: Final = (
    "Link this machine or register again, in another directory; what is stored in this one can"
    " still be read"
)


class Tokens:
    """The login of this device."""

    def __init__(self, store: Store, api: Api, world: Environment) -> None:
        self._store = store
        self._api = api
        self._world = world
        self._login: Login | None = None
        self._over = ""
        self._one_rotation = asyncio.Lock()

    def revoked(self) -> None:
        """The server ended this login, and said so on the socket."""
        self._over = _over("revoked")

    def not_over(self) -> None:
        """Raises LoggedOut once it is known that the server takes nothing from here any more."""
        if self._over:
            raise LoggedOut(self._over)

    async def access(self) -> str:
        """An access token with at least two minutes of life.

        Raises LoggedOut, or Offline and Refused where the refresh could not be asked for.
        """
        async with self._one_rotation:
            login = await self._current()
            if self._life_s(login) < RENEW_BEFORE_S:
                login = await self._rotate(login)
            return login.access

    async def renew(self, refused: str) -> str:
        """A token other than `refused`, which the server did not take."""
        async with self._one_rotation:
            login = await self._current()
            if login.access == refused:
                login = await self._rotate(login)
            return login.access

    async def use(self, request: Callable[[str], Awaitable[T]]) -> T:
        """Make a request with a token; once more with a new one if the token was not taken."""
        token = await self.access()
        try:
            return await request(token)
        except Refused as refusal:
            if refusal.code != "unauthorized":
                raise
        return await request(await self.renew(token))

    async def renewal_due_s(self) -> float:
        """Seconds until the access token should be renewed; 0 if it is due."""
        return max(0.0, self._life_s(await self._current()) - RENEW_BEFORE_S)

    def _life_s(self, login: Login) -> float:
        return (login.expires_ms - self._world.now_ms()) / 1000

    async def _current(self) -> Login:
        if self._login is None:
            self._login = await self._store.read(lambda db: facts.get(db, Login))
        if self._login is None:
            raise LoggedOut("this device has no login")
        return self._login

    async def _rotate(self, login: Login) -> Login:
        body = await self._store.write(lambda db: self._begin(db, login))
        try:
            answer = await self._api.refresh(body)
        except Refused as refusal:
            if refusal.code not in _FINAL:
                raise
            self._over = _over(refusal.code)
            raise LoggedOut(self._over) from refusal
        self._login = new = received(answer, self._world.now_ms())
        await self._store.write(lambda db: _finish(db, new))
        return new

    def _begin(self, db: apsw.Connection, login: Login) -> rest.Refresh:
        identity, keys = facts.get(db, Identity), facts.get(db, Keys)
        if identity is None or keys is None:
            raise LoggedOut("this device has no login")
        begun = facts.get(db, Rotation)
        if begun is None:
            id = self._world.rng(16)
            said = _LABEL + sha256(login.refresh.encode()).digest() + id
            begun = Rotation(id=id, proof=sign(keys.device_private, said, self._world.rng))
            facts.put(db, begun)
        return rest.Refresh(
            account=identity.account,
            device=identity.device,
            refresh=login.refresh,
            id=begun.id,
            proof=begun.proof,
        )


def _over(code: str) -> str:
    return f"{code}: {_FINAL[code]}. {_WHAT_TO_DO}"


def received(answer: rest.Login, now_ms: int) -> Login:
    """What the server gave, as it is kept. Raises Offline for a token that no request can carry."""
    token = answer.access
    if not (0 < len(token) <= TOKEN_CHARACTERS and token.isascii() and token.isprintable()):
        raise Offline("the server answered something else")
    expires_ms = now_ms + 1000 * min(max(answer.access_for, 0), LONGEST_LIFE_S)
    return Login(access=token, expires_ms=expires_ms, refresh=answer.refresh)


def _finish(db: apsw.Connection, login: Login) -> None:
    facts.put(db, login)
    facts.drop(db, Rotation)
