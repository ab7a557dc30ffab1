"""Links in memory: the reference of port `links`."""

from __future__ import annotations

import msgspec

from linnet.server.backends.memory.devices import MemoryDevices
from linnet.server.backends.memory.keys import MemoryKeys
from linnet.server.ports.devices import Admission
from linnet.server.ports.links import Link
from linnet.wire.rest import LinkAnswer, LinkKeys


class MemoryLinks:
    """Links in a dict by id; activating one also writes devices and keys."""

    def __init__(self, devices: MemoryDevices, keys: MemoryKeys) -> None:
        self._devices = devices
        self._keys = keys
        self._links: dict[bytes, Link] = {}

    async def open(self, link: Link, now_ms: int, most: int) -> Link | None:
        held = self._links.get(link.id)
        if held is not None:
            return held
        if sum(_is_live(other, now_ms) for other in self._links.values()) >= most:
            return None
        self._links[link.id] = link
        return link

    async def get(self, id: bytes) -> Link | None:
        return self._links.get(id)

    async def answer(
        self, id: bytes, account: bytes, answer: LinkAnswer, now_ms: int, expires_ms: int
    ) -> None:
        held = self._links.get(id)
        if held is not None and _is_live(held, now_ms) and held.answer is None:
            later_ms = max(held.expires_ms, expires_ms)
            self._replace(held, account=account, answer=answer, expires_ms=later_ms)

    async def fill(self, id: bytes, keys: LinkKeys, now_ms: int) -> None:
        held = self._links.get(id)
        if held is not None and _is_live(held, now_ms) and held.answer and held.keys is None:
            self._replace(held, keys=keys)

    async def activate(self, id: bytes, admission: Admission, most: int, now_ms: int) -> bool:
        held = self._links.get(id)
        if held is None or not _is_live(held, now_ms) or not self._devices.admit(admission):
            return False
        self._keys.store(admission.account, admission.device, admission.keys, most)
        self._replace(held, device=admission.device)
        return True

    async def end(self, id: bytes, now_ms: int) -> None:
        held = self._links.get(id)
        if held is not None and _is_live(held, now_ms):
            self._replace(held, expires_ms=now_ms)

    async def forget(self, now_ms: int, before_ms: int) -> int:
        old = [link.id for link in self._links.values() if link.expires_ms < before_ms]
        for id in old:
            del self._links[id]
        for link in list(self._links.values()):
            if link.expires_ms <= now_ms:
                self._replace(link, offer=b"", answer=None, keys=None)
        return len(old)

    def _replace(self, link: Link, **changes: object) -> None:
        self._links[link.id] = msgspec.structs.replace(link, **changes)


def _is_live(link: Link, now_ms: int) -> bool:
    return link.expires_ms > now_ms and not link.device
