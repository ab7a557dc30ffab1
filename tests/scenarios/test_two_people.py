"""Alice and Bob through the real server: register, write, be away, come back."""

import asyncio
from pathlib import Path

import httpx
import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.waiting import eventually, wait_for

from linnet.client import (
    AccountInUse,
    AlreadyRegistered,
    Client,
    Delivered,
    Environment,
    Message,
    NotRegistered,
    Offline,
    Sent,
    State,
    TextEmpty,
    TextTooLong,
    UnknownRecipient,
)
from linnet.server.backends.sqlite.timeline import SqliteTimeline
from linnet.server.ports import Unavailable
from linnet.server.ports.timeline import Batch
from linnet.wire.ids import ConversationId, MessageId

pytestmark = pytest.mark.slow

ALICE, BOB = "+15550100001", "+15550100002"


async def test_two_people_write_to_each_other_and_see_the_ticks(served: Town) -> None:
    async with (
        await served.register("alice", ALICE) as alice,
        await served.register("bob", BOB) as bob,
    ):
        heard, ticks = bob.events(), alice.events()
        id = await alice.send(BOB, "Hello, Bob!")
        message = await wait_for(heard, Message)
        assert (message.text, message.sender, message.id) == ("Hello, Bob!", alice.account, id)
        assert (await wait_for(ticks, Sent)).id == id
        assert (await wait_for(ticks, Delivered)).id == id
        assert await alice.state(id) is State.DELIVERED

        await bob.send(alice.account, "Hello yourself.")
        answer = await wait_for(ticks, Message)
        assert answer.text == "Hello yourself."
        assert answer.conv_seq == 2

        conversation = alice.conversation_with(bob.account)
        for person in (alice, bob):
            shown = await person.messages(conversation)
            texts = [entry.text for entry in shown if isinstance(entry, Message)]
            assert texts == ["Hello, Bob!", "Hello yourself."]


async def test_what_is_empty_or_too_long_is_not_taken_over(served: Town) -> None:
    async with await served.register("alice", ALICE) as alice:
        group = await alice.groups.create([])
        for text, error in (("", TextEmpty), ("x" * 16_385, TextTooLong)):
            with pytest.raises(error):
                await alice.send(alice.account, text)
            with pytest.raises(error):
                await alice.groups.send(group, text)
        for conversation in (alice.conversation_with(alice.account), group):
            assert await alice.messages(ConversationId(conversation)) == []


async def test_messages_wait_for_who_is_away(served: Town) -> None:
    async with await served.register("bob", BOB):
        pass
    async with await served.register("alice", ALICE) as alice:
        for number in range(20):
            await alice.send(BOB, f"message {number}")
        last = await alice.send(BOB, "that was all")
        await eventually(lambda: is_in(alice, last, State.SENT))
        async with await served.open("bob") as bob:
            heard = bob.events()
            texts = [(await wait_for(heard, Message)).text for _ in range(21)]
            assert texts == [f"message {number}" for number in range(20)] + ["that was all"]
            await eventually(lambda: is_in(alice, last, State.DELIVERED))


async def test_what_is_written_offline_goes_out_when_the_server_is_there(town: Town) -> None:
    async with town.server() as server:
        town.settled(server)
        async with await town.register("bob", BOB) as bob:
            pass
        async with await town.register("alice", ALICE) as alice:
            await alice.send(BOB, "first")
    async with await town.open("alice") as alice:
        id = await alice.send(bob.account, "second")
        assert await alice.state(id) is State.SENDING
    async with town.server(), await town.open("alice") as alice:
        await eventually(lambda: is_in(alice, id, State.SENT))
        async with await town.open("bob") as bob:
            heard = bob.events()
            assert [(await wait_for(heard, Message)).text for _ in range(2)] == ["first", "second"]


async def test_clients_come_back_by_themselves_after_the_server_did(town: Town) -> None:
    async with town.server() as server:
        town.settled(server)
        alice = await town.register("alice", ALICE)
        bob = await town.register("bob", BOB)
        await alice.__aenter__()
        await bob.__aenter__()
        await alice.send(BOB, "before")
        heard = bob.events()
        assert (await wait_for(heard, Message)).text == "before"
    async with town.server():
        await alice.send(bob.account, "after")
        assert (await wait_for(heard, Message)).text == "after"
        await alice.__aexit__(None, None, None)
        await bob.__aexit__(None, None, None)


async def test_six_texts_arrive_as_typed_although_the_disk_fails_for_one_commit(
    served: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = SqliteTimeline.commit
    failures = 0

    async def fail_once(self: SqliteTimeline, batch: Batch) -> None:
        nonlocal failures
        if batch.entries and not failures:
            failures += 1
            raise Unavailable("full")
        await commit(self, batch)

    monkeypatch.setattr(SqliteTimeline, "commit", fail_once)
    async with (
        await served.register("alice", ALICE) as alice,
        await served.register("bob", BOB) as bob,
    ):
        typed = [f"message {number}" for number in range(6)]
        for text in typed:
            await alice.send(BOB, text)
        heard = bob.events()
        assert [(await wait_for(heard, Message)).text for _ in typed] == typed
    assert failures == 1


async def test_a_note_to_self_is_kept_in_its_conversation(served: Town) -> None:
    async with await served.register("alice", ALICE) as alice:
        id = await alice.send(alice.account, "buy milk")
        await eventually(lambda: is_in(alice, id, State.SENT))
        [note] = await alice.messages(alice.conversation_with(alice.account))
        assert isinstance(note, Message)
        assert note.text == "buy milk"


async def test_both_write_first_at_the_same_time(served: Town) -> None:
    async with (
        await served.register("alice", ALICE) as alice,
        await served.register("bob", BOB) as bob,
    ):
        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(alice.send(BOB, f"a{number}"))
                tasks.create_task(bob.send(ALICE, f"b{number}"))
        conversation = alice.conversation_with(bob.account)

        async def complete() -> bool:
            pages = [await person.messages(conversation) for person in (alice, bob)]
            return all(len(page) == 10 and all(e.conv_seq for e in page) for page in pages)

        await eventually(complete)
        said = [
            [
                (e.conv_seq, e.text)
                for e in await person.messages(conversation)
                if isinstance(e, Message)
            ]
            for person in (alice, bob)
        ]
        assert said[0] == said[1]
        assert len(said[0]) == 10


async def test_who_was_not_told_in_one_run_is_told_in_the_next(served: Town) -> None:
    async with (
        await served.register("alice", ALICE) as alice,
        await served.register("bob", BOB) as bob,
    ):
        id = await alice.send(BOB, "nobody looked")
        await eventually(lambda: is_in(alice, id, State.DELIVERED))
        assert len(await bob.messages(bob.conversation_with(alice.account))) == 1
    async with await served.open("bob") as bob:
        assert (await wait_for(bob.events(), Message)).text == "nobody looked"


async def test_an_account_is_registered_once_and_opened_by_one(served: Town) -> None:
    alice = await served.register("alice", ALICE)
    assert alice.recovery_code is not None
    with pytest.raises(AccountInUse):
        await served.open("alice")
    await alice.close()
    # The code was shown, but who knows whether it was read: registering again shows it again.
    again = await served.register("alice", ALICE)
    assert again.recovery_code == alice.recovery_code
    await again.close()
    await (await served.open("alice")).close()
    with pytest.raises(AlreadyRegistered):
        await served.register("alice", ALICE)


async def test_a_directory_is_of_one_number(served: Town) -> None:
    async def code() -> str:
        raise AssertionError("nothing is to be asked")

    await (await served.register("alice", ALICE)).close()
    with pytest.raises(AlreadyRegistered, match="another number"):
        await Client.register(served.url, served.home / "alice", BOB, code)


async def test_a_registration_that_was_cut_off_is_finished_for_its_own_number_only(
    served: Town,
) -> None:
    with pytest.raises(Offline):
        await served.register("alice", ALICE, Environment(http=LosesTheLastReply()))
    with pytest.raises(AlreadyRegistered, match="another number"):
        await served.register("alice", BOB)
    alice = await served.register("alice", ALICE)
    assert alice.recovery_code is not None
    await alice.close()


class LosesTheLastReply(httpx.AsyncHTTPTransport):
    """The network, until the account is made."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.url.path.endswith("/account"):
            await response.aclose()
            raise httpx.ReadError("the reply was lost")
        return response


async def test_unknown_people_and_places_are_typed_errors(served: Town, tmp_path: Path) -> None:
    with pytest.raises(NotRegistered):
        await Client.open(tmp_path / "nowhere")
    async with await served.register("alice", ALICE) as alice:
        with pytest.raises(UnknownRecipient):
            await alice.send("+15550100099", "anybody?")


async def is_in(person: Client, id: MessageId, state: State) -> bool:
    return await person.state(id) is state
