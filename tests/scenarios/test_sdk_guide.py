"""The examples of docs/guides/sdk.md run as they are printed."""

import asyncio
import builtins
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.waiting import wait_for

from linnet.client import Message, NumberChanged
from linnet.client.safety import to_text

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "sdk.md"
MINE, FRIEND = "+15550100001", "+15550100002"


def example(name: str = "example") -> str:
    text = GUIDE.read_text()
    block = text.split(f"<!-- {name} -->", 1)[1].split("<!-- end -->", 1)[0]
    return block.split("```python\n", 1)[1].split("```", 1)[0]


def names_of(name: str) -> dict[str, Any]:
    """What an example defines."""
    names: dict[str, Any] = {}
    exec(compile(example(name), str(GUIDE), "exec"), names)
    return names


def test_the_example_is_about_ten_lines() -> None:
    lines = [line for line in example().splitlines() if line and "import" not in line]
    assert len(lines) <= 10


async def test_the_example_sends_a_message(served: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    names = names_of("example")
    main: Callable[[str, str, str, str], Awaitable[None]] = names["main"]
    monkeypatch.setattr(builtins, "input", lambda prompt: served.codes.sent[MINE])
    async with await served.register("friend", FRIEND) as friend:
        await main(served.url, MINE, FRIEND, str(served.home / "mine"))
        said = await wait_for(friend.events(), Message)
        assert said.text == "Hello from ten lines of Python!"


@pytest.mark.slow
async def test_the_example_links_a_device(served: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    names = names_of("linking")
    monkeypatch.setattr(builtins, "input", lambda prompt: "yes")
    codes: asyncio.Queue[str] = asyncio.Queue()
    async with await served.register("phone", MINE) as phone, asyncio.TaskGroup() as tasks:
        new = names["new_device"](served.url, str(served.home / "laptop"), codes.put)
        linking = tasks.create_task(new)
        assert await names["main_device"](phone, await codes.get()) == ["phone", "laptop"]
        assert await linking == 2


@pytest.mark.slow
async def test_the_example_recovers_an_account(
    served: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = names_of("recovery")
    phone = await served.register("phone", MINE)
    await phone.close()
    monkeypatch.setattr(builtins, "input", lambda prompt: served.codes.sent[MINE])
    directory = str(served.home / "new phone")
    assert await names["come_back"](served.url, directory, MINE, phone.recovery_code) == [2]


@pytest.mark.slow
async def test_the_example_compares_and_accepts_a_change(
    served: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = names_of("safety")
    monkeypatch.setattr(builtins, "input", lambda prompt: "yes")
    former = await served.register("former", FRIEND)
    async with await served.register("mine", MINE) as me:
        theirs = to_text(await former.safety.number(me.account))
        assert await names["compare"](me, FRIEND, theirs)
        assert await me.safety.verified(former.account)
        await former.close()
        again = await served.register("again", FRIEND)
        me._engine.numbers._fresh.clear()  # ten minutes later
        with pytest.raises(NumberChanged):
            await me.find(FRIEND)
        assert await names["first_change"](me) == again.account
        assert await me.find(FRIEND) == again.account
        await again.close()


@pytest.mark.slow
async def test_the_example_of_groups_is_read_and_answered(served: Town) -> None:
    rehearse: Callable[[str, str], Awaitable[str | None]] = names_of("groups")["rehearse"]
    await (await served.register("mine", MINE)).close()
    async with await served.register("friend", FRIEND) as friend, asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(_awaited(rehearse(str(served.home / "mine"), FRIEND)))
        said = await wait_for(friend.events(), Message)
        assert said.text == "Friday at eight?"
        (choir,) = await friend.groups.all()
        assert choir.conversation == said.conversation
        await friend.groups.send(choir.group, "I will be there.")
        assert await asked == "I will be there."


async def _awaited(work: Awaitable[str | None]) -> str | None:
    return await work
