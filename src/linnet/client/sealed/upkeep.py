"""What sealed sending keeps up with the server's help: profile key, trust root, certificate.

All of it is asked for with a token and long before it is needed. A profile key is given to nobody
before the server knows its delivery key, and the trust root is kept from the first day.
"""

from hashlib import sha256

import apsw

from linnet.client import facts, outbox
from linnet.client.errors import NotTrusted
from linnet.client.facts import Identity
from linnet.client.own_channel import OwnChannel
from linnet.client.rest import Api
from linnet.client.sealed import certificates, profile, state
from linnet.client.sealed.certificates import Certificate
from linnet.client.sealed.opening import TrustRoot
from linnet.client.sealed.own_profile import Profile
from linnet.client.store import Store
from linnet.client.tokens import Tokens
from linnet.crypto.profile_key import delivery_key
from linnet.signing.certificates import CertificateRejected, verify_sender_certificate


class Upkeep:
    """One account's."""

    def __init__(
        self, store: Store, api: Api, tokens: Tokens, channel: OwnChannel, identity_key: bytes
    ) -> None:
        self._store, self._api, self._tokens, self._world = store, api, tokens, channel.world
        self._channel, self._identity_key = channel, identity_key

    async def keep(self) -> None:
        """Do what is due. Raises Offline, Refused, NotTrusted, LoggedOut."""
        await self._root()
        await self.register()
        if await self._store.read(state.any_on):
            await self.certify()

    async def register(self) -> None:
        """Have the server know the delivery key in force; then give the profile key to whoever may
        have it."""
        await self._root()
        await self._store.write(lambda db: profile.make(db, self._channel, self._world.rng))
        held = await self._store.read(lambda db: facts.get(db, Profile))
        if held is not None and not held.registered:
            hash = sha256(delivery_key(held.key)).digest()
            await self._tokens.use(lambda token: self._api.set_delivery_key(token, hash))
            await self._store.write(lambda db: _registered(db, held))
        await self.give()

    async def give(self) -> None:
        """Give the profile key to whoever may have it and has not got it."""
        now_ms = self._world.now_ms()
        await self._store.write(lambda db: profile.give_all(db, now_ms, self._world.rng))

    async def certify(self) -> None:
        """Have a certificate that lasts. Raises NotTrusted for one that receivers would refuse."""
        server_ms = await self._store.read(lambda db: outbox.server_ms(db, self._world.now_ms()))
        if not await self._store.read(lambda db: certificates.due(db, server_ms)):
            return
        await self._root()
        answer = await self._tokens.use(self._api.sender_certificate)
        await self._store.write(lambda db: self._keep(db, answer.certificate, server_ms))

    def _keep(self, db: apsw.Connection, data: bytes, server_ms: int) -> None:
        root, me = facts.get(db, TrustRoot), facts.get(db, Identity)
        assert root is not None
        assert me is not None
        try:
            certificate = verify_sender_certificate(data, root.key, server_ms)
        except CertificateRejected:
            raise NotTrusted("certificate") from None
        said = (certificate.account, certificate.device, certificate.identity_key)
        if said != (me.account, me.device, self._identity_key):
            raise NotTrusted("certificate")
        facts.put(db, Certificate(data=data, expires_ms=certificate.expires_ms))

    async def _root(self) -> None:
        if await self._store.read(lambda db: facts.get(db, TrustRoot)) is None:
            key = await self._api.trust_root()
            await self._store.write(lambda db: facts.put(db, TrustRoot(key=key)))


def _registered(db: apsw.Connection, registered: Profile) -> None:
    held = facts.get(db, Profile)
    if held is not None and held.key == registered.key:  # else another one came meanwhile
        facts.put(db, facts.replace(held, registered=True))
