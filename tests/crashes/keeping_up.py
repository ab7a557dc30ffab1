"""Stories of upkeep: pre-keys filled up, keys and the device list replaced after their week."""

from tests.crashes.story import assert_healthy, read_until
from tests.crashes.talking import Pair
from tests.scenarios.waiting import eventually

from linnet.client import Client, keys, own_list
from linnet.client.own_list import own_held
from linnet.wire import rest


async def on_server(person: Client) -> rest.KeyCount:
    """How many keys of a person the server has."""
    engine = person._engine
    return await engine.parts.tokens.use(engine.api.key_count)


class Refilling(Pair):
    """Alice's keys on the server run out, and she makes more."""

    async def begin(self) -> None:
        await super().begin()
        async with await self.open("bob") as bob:
            engine, account = bob._engine, self.accounts["alice"]
            await engine.parts.directory.refresh(account)
            for _ in range(keys.ONE_TIME_KEYS):
                await engine.parts.tokens.use(lambda t: engine.api.take_bundle(t, account, 1))

    async def live(self) -> None:
        async with await self.open("alice") as alice:

            async def full() -> bool:
                count = await on_server(alice)
                return (count.one_time, count.kem) == (keys.ONE_TIME_KEYS, keys.KEM_KEYS)

            await eventually(full)

    async def end(self) -> None:
        async with await self.open("alice") as alice, await self.open("bob") as bob:
            with_bob = alice.conversation_with(bob.account)
            await bob.send(alice.account, "with a new key")
            await read_until(alice, with_bob, ["with a new key"])
            count = await on_server(alice)
            assert (count.one_time, count.kem) == (keys.ONE_TIME_KEYS - 1, keys.KEM_KEYS - 1)
            kept = await alice._store.read(
                lambda db: db.execute(
                    "SELECT (SELECT count(*) FROM one_time_pre_keys WHERE uploaded = 0),"
                    " (SELECT count(*) FROM kem_pre_keys WHERE uploaded = 0)"
                ).fetchall()
            )
            assert kept == [(0, 0)], "none was made that was not brought"
            await assert_healthy(alice, bob)


class Renewing(Pair):
    """Alice's week is over: she replaces her keys, and signs her list again."""

    async def live(self) -> None:
        with self.patch.context() as patch:
            patch.setattr(keys, "ROTATE_AFTER_MS", 0)
            patch.setattr(own_list, "due_for_signing", lambda listed, now_s: True)
            async with await self.open("alice") as alice:
                engine = alice._engine

                async def renewed() -> bool:
                    held = await engine.store.read(own_held)
                    upload = await engine.store.read(keys.unpublished)
                    shown = await engine.parts.tokens.use(
                        lambda token: engine.api.device_list(token, alice.account)
                    )
                    return held.list.version > 1 and shown.body == held.obj.body and not upload

                await eventually(renewed)

    async def end(self) -> None:
        async with await self.open("alice") as alice, await self.open("bob") as bob:
            await bob.send(alice.account, "with the new keys")
            await read_until(alice, alice.conversation_with(bob.account), ["with the new keys"])
            await alice.send(bob.account, "thanks")
            await read_until(
                bob, alice.conversation_with(bob.account), ["with the new keys", "thanks"]
            )
            assert await bob.list_proofs(alice.account) == []
            await assert_healthy(alice, bob)
