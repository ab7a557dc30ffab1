"""Token families in memory: the reference of port `tokens`."""

from __future__ import annotations

import msgspec

from linnet.server.ports.tokens import Family


class MemoryTokens:
    """Families in a dict by id."""

    def __init__(self) -> None:
        self._families: dict[bytes, Family] = {}

    async def start(self, family: Family) -> None:
        if family.id not in self._families:
            await self.revoke_device(family.account, family.device)
            self._families[family.id] = family

    async def get(self, id: bytes) -> Family | None:
        return self._families.get(id)

    async def rotate(self, id: bytes, expected: bytes, new: Family) -> bool:
        held = self._families.get(id)
        if held is None or held.revoked or held.current != expected:
            return False
        self._families[id] = new
        return True

    async def revoke(self, id: bytes) -> None:
        if id in self._families:
            self._families[id] = msgspec.structs.replace(self._families[id], revoked=True)

    async def revoke_device(self, account: bytes, device: int) -> None:
        for family in list(self._families.values()):
            if (family.account, family.device) == (account, device):
                await self.revoke(family.id)

    async def forget(self, before_ms: int) -> int:
        old = [family.id for family in self._families.values() if family.expires_ms < before_ms]
        for id in old:
            del self._families[id]
        return len(old)
