"""The example in the README runs as it is printed, and is the one in the SDK's guide."""

import asyncio
import builtins
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.scenarios.conftest import Town
from tests.scenarios.waiting import wait_for

from linnet.client import Message

ROOT = Path(__file__).parents[2]
README, GUIDE = ROOT / "README.md", ROOT / "docs" / "guides" / "sdk.md"
MINE, FRIEND = "+15550100001", "+15550100002"


def example() -> str:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def test_it_is_the_example_of_the_guide() -> None:
    lines = [line for line in example().splitlines() if line]
    assert "\n".join(lines) in re.sub(r"\n+", "\n", GUIDE.read_text())


def test_it_has_about_ten_lines() -> None:
    assert len([line for line in example().splitlines() if line and "import" not in line]) <= 10


async def test_it_sends_a_first_message(served: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    exec(compile(example(), str(README), "exec"), names)
    main: Callable[[str, str, str, Path], Awaitable[None]] = names["main"]
    monkeypatch.setattr(builtins, "input", lambda prompt: served.codes.sent[MINE])
    async with await served.register("friend", FRIEND) as friend:
        async with asyncio.timeout(30):
            await main(served.url, MINE, FRIEND, served.home / "mine")
        said = await wait_for(friend.events(), Message)
        assert f'send(friend, "{said.text}")' in example()
