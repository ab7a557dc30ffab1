"""Every lie a case is made of, what the client must do about it, and the table of both.

A case is a coroutine that takes a `Stage`. Declared once, it is a test
(`test_hostile_server.py`) and a row of docs/security/threat-model.md.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tests.hostile.stage import Stage

Play = Callable[[Stage], Awaitable[None]]


class Verdict(StrEnum):
    """What the client makes of a lie."""

    NOTICED = "noticed"
    UNHARMED = "unharmed"


@dataclass(frozen=True, slots=True)
class Case:
    """A lie. `server` and `client` are halves of a sentence: the server …, the client …"""

    about: str
    server: str
    verdict: Verdict
    client: str
    play: Play

    @property
    def name(self) -> str:
        """Its name as a test."""
        return self.play.__name__


CASES: Final[list[Case]] = []


def noticed(about: str, server: str, client: str) -> Callable[[Play], Play]:
    """Declare a lie that an event tells of."""
    return _case(about, server, Verdict.NOTICED, client)


def unharmed(about: str, server: str, client: str) -> Callable[[Play], Play]:
    """Declare a lie of which nothing wrong comes."""
    return _case(about, server, Verdict.UNHARMED, client)


def _case(about: str, server: str, verdict: Verdict, client: str) -> Callable[[Play], Play]:
    def declare(play: Play) -> Play:
        CASES.append(Case(about, server, verdict, client, play))
        return play

    return declare
