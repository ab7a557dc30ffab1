"""The example of docs/guides/sdk.md runs as it is printed."""

import builtins
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.waiting import wait_for

from linnet.client import Message

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "sdk.md"
MINE, FRIEND = "+15550100001", "+15550100002"


def example() -> str:
    text = GUIDE.read_text()
    block = text.split("<!-- example -->", 1)[1].split("<!-- end -->", 1)[0]
    return block.split("```python\n", 1)[1].split("```", 1)[0]


def test_the_example_is_about_ten_lines() -> None:
    lines = [line for line in example().splitlines() if line and "import" not in line]
    assert len(lines) <= 10


async def test_the_example_sends_a_message(served: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    exec(compile(example(), str(GUIDE), "exec"), names)
    main: Callable[[str, str, str, str], Awaitable[None]] = names["main"]
    monkeypatch.setattr(builtins, "input", lambda prompt: served.codes.sent[MINE])
    async with await served.register("friend", FRIEND) as friend:
        await main(served.url, MINE, FRIEND, str(served.home / "mine"))
        said = await wait_for(friend.events(), Message)
        assert said.text == "Hello from ten lines of Python!"
