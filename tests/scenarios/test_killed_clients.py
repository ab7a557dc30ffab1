"""A whole client dies at a store write, is opened again, and the story ends as if it had not."""

from pathlib import Path

import pytest
from tests.client.post_office import Killed, MortalStore
from tests.scenarios.conftest import Town
from tests.scenarios.waiting import eventually

from linnet.client import Message, State
from linnet.client import account as account_module
from linnet.wire.ids import AccountId

pytestmark = pytest.mark.slow

ALICE, BOB = "+15550100001", "+15550100002"
TEXTS = [f"message {number}" for number in range(4)]


class DyingNext:
    """Makes the next client's store die at its n-th write."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dies_at: int | None = None
        self.after_commit = False
        monkeypatch.setattr(account_module, "Store", self._store)

    def _store(self, directory: Path) -> MortalStore:
        store = MortalStore(directory)
        store.dies_at, self.dies_at = self.dies_at, None
        store.after_commit = self.after_commit
        return store


async def speak(town: Town, friend: AccountId, rounds: int) -> None:
    """Alice's application: it reads what it said already, and says the rest of this round."""
    async with await town.open("alice") as alice:
        conversation = alice.conversation_with(friend)
        said = len(await alice.messages(conversation, limit=1000)) - rounds * len(TEXTS)
        for text in TEXTS[said:]:
            await alice.send(friend, text)

        async def all_sent() -> bool:
            shown = await alice.messages(conversation, limit=1000)
            return all(entry.state in (State.SENT, State.DELIVERED) for entry in shown)

        await eventually(all_sent)


@pytest.mark.parametrize("after_commit", [False, True], ids=["before", "after"])
async def test_a_sender_killed_at_any_write_says_everything_once_and_in_order(
    served: Town, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    dying = DyingNext(monkeypatch)
    dying.after_commit = after_commit
    alice, bob = await served.register("alice", ALICE), await served.register("bob", BOB)
    await alice.close()
    await bob.close()
    deaths = 0
    for rounds, dies_at in enumerate(range(1, 13)):
        dying.dies_at = dies_at
        try:
            await speak(served, bob.account, rounds)
        except Killed:
            deaths += 1
        await speak(served, bob.account, rounds)
    assert deaths >= 10
    assert await read_all(served, alice.account, 12 * len(TEXTS)) == TEXTS * 12


@pytest.mark.parametrize("after_commit", [False, True], ids=["before", "after"])
async def test_a_receiver_killed_at_any_write_reads_everything_once_and_in_order(
    served: Town, monkeypatch: pytest.MonkeyPatch, after_commit: bool
) -> None:
    dying = DyingNext(monkeypatch)
    dying.after_commit = after_commit
    alice, bob = await served.register("alice", ALICE), await served.register("bob", BOB)
    await alice.close()
    await bob.close()
    deaths = 0
    for rounds, dies_at in enumerate(range(1, 7)):
        await speak(served, bob.account, rounds)
        dying.dies_at = dies_at
        try:
            await read_all(served, alice.account, (rounds + 1) * len(TEXTS))
        except Killed:
            deaths += 1
    assert deaths >= 3
    assert await read_all(served, alice.account, 6 * len(TEXTS)) == TEXTS * 6


async def read_all(town: Town, friend: AccountId, at_least: int) -> list[str | None]:
    """Bob's application: what he has once he has so many."""
    async with await town.open("bob") as bob:
        conversation = bob.conversation_with(friend)

        async def complete() -> bool:
            return len(await bob.messages(conversation, limit=1000)) >= at_least

        await eventually(complete)
        shown = await bob.messages(conversation, limit=1000)
        return [entry.text for entry in shown if isinstance(entry, Message)]
