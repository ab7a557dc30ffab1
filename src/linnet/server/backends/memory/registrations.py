"""Registrations in memory: the reference of port `registrations`."""

from __future__ import annotations

import msgspec

from linnet.server.ports.registrations import Attempt


class MemoryRegistrations:
    """Attempts in a dict by id."""

    def __init__(self) -> None:
        self._attempts: dict[bytes, Attempt] = {}

    async def start(self, attempt: Attempt, since_ms: int, most: int) -> bool:
        if len(self._of(attempt.number, since_ms)) >= most:
            return False
        self._attempts[attempt.id] = attempt
        return True

    async def get(self, id: bytes) -> Attempt | None:
        return self._attempts.get(id)

    async def guess(self, id: bytes, since_ms: int, most: int) -> bool:
        attempt = self._attempts.get(id)
        if attempt is None:
            return False
        if sum(other.guesses for other in self._of(attempt.number, since_ms)) >= most:
            return False
        self._attempts[id] = msgspec.structs.replace(attempt, guesses=attempt.guesses + 1)
        return True

    async def prove(self, id: bytes, ticket: bytes) -> None:
        if id in self._attempts:
            self._attempts[id] = msgspec.structs.replace(self._attempts[id], ticket=ticket)

    async def forget(self, before_ms: int) -> int:
        old = [id for id, attempt in self._attempts.items() if attempt.started_ms < before_ms]
        for id in old:
            del self._attempts[id]
        return len(old)

    def _of(self, number: bytes, since_ms: int) -> list[Attempt]:
        return [
            attempt
            for attempt in self._attempts.values()
            if attempt.number == number and attempt.started_ms >= since_ms
        ]
