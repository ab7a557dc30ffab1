"""Waiting for another device: asking the server again until there is an answer or time is over.

The server keeps each question open for a while (`wait=`), so asking again costs little. A line that
breaks meanwhile is no answer.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from linnet.client.environment import Environment
from linnet.client.errors import Offline, Refused

T = TypeVar("T")

ASK_FOR_S: Final = 10
"""How long one question is kept open; below what the client waits for an answer."""
AGAIN_S: Final = 1.0
_PASSING: Final = frozenset({"rate_limited", "unavailable", "internal"})


async def answered(
    world: Environment, within_s: float, ask: Callable[[], Awaitable[T | None]]
) -> T | None:
    """What `ask` returns once it is not None; None when `within_s` seconds are over.

    Raises Refused for what asking again does not change.
    """
    until_s = world.monotonic_s() + within_s
    while world.monotonic_s() < until_s:
        wait_s = AGAIN_S
        try:
            answer = await ask()
            if answer is not None:
                return answer
            wait_s = 0.0
        except Offline:
            pass
        except Refused as refusal:
            if refusal.code not in _PASSING:
                raise
            wait_s = max(AGAIN_S, refusal.retry_after_s or 0.0)
        await world.sleep(wait_s)
    return None
