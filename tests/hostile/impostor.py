"""Somebody with keys of its own, whom the server calls by a person's name."""

from dataclasses import dataclass, field

import msgspec
from tests.hostile.stage import Person

from linnet.client.lists import held
from linnet.crypto import session
from linnet.crypto.bodies import text_body
from linnet.crypto.content import Content, commitment, seal_content
from linnet.crypto.messages import Address
from linnet.crypto.prekeys import LocalIdentity, PreKeyBundle, generate_kem, generate_signed
from linnet.signing.device_list import first_list
from linnet.signing.keys import KeyPair, Rng, generate
from linnet.signing.objects import SignedObject
from linnet.wire import rest
from linnet.wire.frames import PREKEY, Deliver
from linnet.wire.ids import to_account


@dataclass
class Impostor:
    """`person` under another account key, on another device."""

    person: Person
    rng: Rng
    account_key: KeyPair = field(init=False)
    device_key: KeyPair = field(init=False)

    def __post_init__(self) -> None:
        self.account_key, self.device_key = generate(self.rng), generate(self.rng)

    @property
    def list(self) -> SignedObject:
        """A first list, as good as any."""
        now_s = self.person.line.environment().now_ms() // 1000
        account = self.person.client.account
        return first_list(account, self.account_key, self.device_key, b"", now_s, self.rng)

    def shown(self) -> rest.Signed:
        """The list as a server shows it."""
        mine = self.list
        return rest.Signed(body=mine.body, sig=mine.sig)

    def bundle(self) -> rest.Bundle:
        """Its keys as a server hands them out."""
        signed = generate_signed(self.device_key, 1, 0, self.rng)
        kem = generate_kem(self.device_key, 1, 1, 0, self.rng)[0]
        return rest.Bundle(
            device=1,
            registration_id=1,
            identity=self.device_key.public,
            signed=rest.SignedKey(id=1, key=signed.public, sig=signed.signature),
            kem=rest.KemPreKey(id=1, key=kem.public, sig=kem.signature),
            kem_last_resort=False,
            one_time=None,
        )

    async def instead_of(self, frame: Deliver, to: Person, text: str) -> Deliver:
        """A text of its own in a session of its own, in the place of what the person said."""
        me, bundle = self.person.client.account, await _bundle_of(to, self.person)
        now_ms, local = to.line.environment().now_ms(), LocalIdentity(self.device_key, 1)
        mine = self.list
        content = Content(
            id=frame.id,
            to=to_account(to.client.account),
            sender=me,
            device=1,
            counter=1,
            sent_ms=frame.timestamp,
            own_list=(1, mine.hash),
            kind="text",
            body=text_body(text),
            attached=(mine,),
        )
        z = seal_content(content, self.rng(32))
        record = session.initiate(local, bundle, None, now_ms, self.rng)
        addresses = Address(me, 1), Address(to.client.account, 1)
        _, sealed = session.encrypt(record, local, *addresses, z, now_ms, self.rng)
        return msgspec.structs.replace(
            frame, kind=PREKEY, ciphertext=sealed.data, commitment=commitment(z)
        )


async def _bundle_of(whom: Person, asked_by: Person) -> PreKeyBundle:
    """A bundle of a person's first device: a server has as many as it likes."""
    account = whom.client.account
    known = await whom.client._store.read(lambda db: held(db, account))
    assert known is not None
    directory = asked_by.client._engine.parts.directory
    return await directory.bundle(account, known.list.devices[0])
