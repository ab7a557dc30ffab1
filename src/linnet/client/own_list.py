"""The own device list, on the main device: sign, store, upload, hold.

A signed version is never abandoned: it is stored before anything of it leaves, its very bytes are
uploaded until the server has them, and nothing else is signed meanwhile. What the server will never
take, because a link lapsed or the list itself ran out while it waited, is passed over by the next
version. What a list says is decided by those who change it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import apsw

from linnet.client import device_alerts, facts, keys, lists
from linnet.client.environment import Environment
from linnet.client.errors import ClientError, ClockOff, LinkFailed, Refused
from linnet.client.events import Event
from linnet.client.facts import Identity, Keys, SignedList
from linnet.client.lists import Held
from linnet.client.rest import Api, signed
from linnet.client.store import Store
from linnet.client.tokens import Tokens
from linnet.signing.device_list import decode_list, next_list
from linnet.signing.keys import KeyPair, Rng
from linnet.signing.list_clock import due_for_signing, is_early, is_expired
from linnet.signing.list_revision import signed_again
from linnet.signing.objects import SignedObject

_LINK_OVER: Final = frozenset({"not_found", "conflict", "list_rejected", "malformed", "forbidden"})

Adopted = Callable[[apsw.Connection, Held, Held], None]
"""Called where a new own list is adopted, with the one before and the new one."""


@dataclass(frozen=True, slots=True)
class Signer:
    """What signs the next list: the newest one, the account key, seconds, randomness."""

    held: Held
    key: KeyPair
    now_s: int
    rng: Rng


Change = Callable[[apsw.Connection, Signer], SignedObject]
"""Signs the next list, in the transaction that stores it."""


class OwnList:
    """Changes this account's list; one change at a time."""

    def __init__(
        self,
        store: Store,
        api: Api,
        tokens: Tokens,
        world: Environment,
        adopted: Adopted,
        tell: Callable[[Event], None],
    ) -> None:
        self._store, self._api, self._tokens, self._world = store, api, tokens, world
        self._adopted, self._tell = adopted, tell
        self._one_change = asyncio.Lock()

    async def held(self) -> Held:
        """The own list in force."""
        return await self._store.read(own_held)

    async def change(self, sign: Change, *, link: bytes = b"") -> None:
        """Sign the next list, publish and hold it. What was signed before goes first.

        Raises NotMainDevice, LinkFailed (with `link`), Offline, Refused, ClockOff; what was signed
        before one of the last three is uploaded later.
        """
        async with self._one_change:
            await self._publish()
            await self._store.write(lambda db: self._sign(db, sign, link))
            await self._publish()

    async def publish(self) -> None:
        """Upload what was signed and may not be there yet. Raises as `change`."""
        async with self._one_change:
            await self._publish()

    async def sign_again(self) -> None:
        """Sign the same devices for 35 more days if a week has passed; upload what is waiting.

        Does nothing on a linked device. Raises Offline, Refused, ClockOff.
        """
        async with self._one_change:
            await self._publish()
            if await self._store.write(self._due):
                await self._store.write(lambda db: self._sign(db, _again, b""))
                await self._publish()

    def _due(self, db: apsw.Connection) -> bool:
        own, held = facts.get(db, Keys), own_held(db)
        now_s = self._world.now_ms() // 1000
        assert own is not None
        return bool(own.account_private) and due_for_signing(held.list, now_s)

    def _sign(self, db: apsw.Connection, sign: Change, link: bytes) -> None:
        own = facts.get(db, Keys)
        assert own is not None
        assert facts.get(db, SignedList) is None, "one change at a time"
        now_s = self._world.now_ms() // 1000
        signer = Signer(own_held(db), keys.account_key(own), now_s, self._world.rng)
        obj = sign(db, signer)
        before = signer.held.obj.body
        facts.put(db, SignedList(body=obj.body, sig=obj.sig, link=link, before=before))

    async def _publish(self) -> None:
        waiting = await self._store.read(lambda db: facts.get(db, SignedList))
        if waiting is None:
            return
        obj = SignedObject(waiting.body, waiting.sig)
        try:
            await self._upload(obj, waiting.link)
        except Refused as refusal:
            if not await self._has(obj):
                return await self._refused(waiting, refusal)
        for event in await self._store.write(lambda db: self._hold(db, obj)):
            self._tell(event)

    async def _refused(self, waiting: SignedList, refusal: Refused) -> None:
        """Pass over a list that the server will never take: its link lapsed, or its time ran out,
        or has not come, while it waited here. Raises LinkFailed for a link, ClockOff where only
        the clocks can differ, else `refusal`."""
        if waiting.link and refusal.code in _LINK_OVER:
            await self._pass_over(waiting)
            raise LinkFailed(
                "lapsed",
                "the new device was not linked in time, and nothing of it is active."
                " Start again on the new device",
            ) from refusal
        if refusal.code != "list_rejected":
            raise refusal
        if not self._out_of_time(waiting):
            raise _clock_off() from refusal  # it kept every other rule when it was signed
        await self._pass_over(waiting)

    def _out_of_time(self, waiting: SignedList) -> bool:
        """By this device's clock, which may have been another when it signed."""
        listed, now_s = decode_list(waiting.body), self._world.now_ms() // 1000
        return is_expired(listed, now_s) or is_early(listed, now_s)

    async def _upload(self, obj: SignedObject, link: bytes) -> None:
        """Publish the list after the held one; the held one first, as it was signed, if the
        server's store went back behind it."""
        try:
            await self._put(obj, link)
        except Refused as refusal:
            if refusal.code != "conflict":
                raise
            held = await self.held()
            await self._put(held.obj, b"")
            await self._put(obj, link)

    async def _put(self, obj: SignedObject, link: bytes) -> None:
        body = signed(obj.body, obj.sig)
        if link:
            await self._tokens.use(lambda token: self._api.activate_link(token, link, body))
        else:
            await self._tokens.use(lambda token: self._api.upload_list(token, body))

    async def _has(self, obj: SignedObject) -> bool:
        """Whether the server shows this very list as the newest."""
        account = decode_list(obj.body).account
        newest = await self._tokens.use(lambda token: self._api.device_list(token, account))
        return newest.body == obj.body

    async def _pass_over(self, waiting: SignedList) -> None:
        """Sign and publish the version after one that the server will never take: of the same
        devices, but for one whose link lapsed."""
        passed = SignedObject(waiting.body, waiting.sig)

        def next_one(db: apsw.Connection) -> None:
            own, held = facts.get(db, Keys), own_held(db)
            assert own is not None
            devices = (held.list if waiting.link else decode_list(passed.body)).devices
            now_s = self._world.now_ms() // 1000
            obj = next_list(passed, keys.account_key(own), devices, now_s, self._world.rng)
            facts.put(db, SignedList(body=obj.body, sig=obj.sig, before=held.obj.body))

        await self._store.write(next_one)
        await self._publish()

    def _hold(self, db: apsw.Connection, obj: SignedObject) -> list[Event]:
        held, waiting = own_held(db), facts.get(db, SignedList)
        lists.adopt(db, held.list.account, obj, self._world.now_ms())
        facts.drop(db, SignedList)
        # It may have been adopted already: the server showed it before it answered the upload.
        if waiting is not None and waiting.before:
            held = replace(held, list=decode_list(waiting.before))
        after = own_held(db)
        if after.list.version != held.list.version:
            self._adopted(db, held, after)
        return device_alerts.untold(db)


def own_held(db: apsw.Connection) -> Held:
    """The own list in force. Raises ClientError if the store lost it."""
    identity = facts.get(db, Identity)
    held = None if identity is None else lists.held(db, identity.account)
    if held is None:
        raise ClientError("the directory lost its own device list")
    return held


def _clock_off() -> ClockOff:
    return ClockOff(
        "this device's clock looks wrong: by the server's clock what it signs is of another time."
        " Nothing changed yet. Set the clock, then try again"
    )


def _again(db: apsw.Connection, signer: Signer) -> SignedObject:
    return signed_again(signer.held.obj, signer.key, signer.now_s, signer.rng)
