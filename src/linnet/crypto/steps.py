"""How much work one incoming message may cause before it has proven to be authentic."""

from dataclasses import dataclass
from typing import Final

from linnet.crypto.errors import TooFarAhead

MAX_JUMP: Final = 2000
MAX_STEPS: Final = 10_000


@dataclass(slots=True)
class Steps:
    """How many chain steps one incoming message may still cost, over all sessions tried."""

    left: int = MAX_STEPS

    def take(self, count: int) -> None:
        """Raises TooFarAhead, before any work, if `count` is too many."""
        if count > MAX_JUMP or count > self.left:
            raise TooFarAhead("the counter skips too many messages")
        self.left -= count
