"""Pre-keys in memory: the reference of port `keys`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from linnet.server.ports.keys import TakenKeys
from linnet.wire.rest import KemPreKey, KeyCount, KeyUpload, OneTimeKey, SignedKey


class _Numbered(Protocol):
    @property
    def id(self) -> int: ...


K = TypeVar("K", bound=_Numbered)


@dataclass
class _Shelf(Generic[K]):
    """Keys of one kind: those held, and the id of every one that was ever here."""

    held: dict[int, K] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)

    def replace(self, key: K | None) -> None:
        if key is not None and key.id not in self.known:
            self.held.clear()
            self.add((key,), most=1)

    def add(self, keys: Iterable[K], most: int) -> None:
        for key in keys:
            if key.id not in self.known and len(self.held) < most:
                self.held[key.id] = key
                self.known.add(key.id)

    def only(self) -> K | None:
        return next(iter(self.held.values()), None)

    def pop(self) -> K | None:
        return self.held.pop(min(self.held)) if self.held else None


@dataclass
class _DeviceKeys:
    signed: _Shelf[SignedKey] = field(default_factory=_Shelf)
    last_resort: _Shelf[KemPreKey] = field(default_factory=_Shelf)
    one_time: _Shelf[OneTimeKey] = field(default_factory=_Shelf)
    kem: _Shelf[KemPreKey] = field(default_factory=_Shelf)


class MemoryKeys:
    """Keys in dicts by device, kind and id."""

    def __init__(self) -> None:
        self._devices: dict[tuple[bytes, int], _DeviceKeys] = defaultdict(_DeviceKeys)

    async def put(self, account: bytes, device: int, upload: KeyUpload, most: int) -> None:
        self.store(account, device, upload, most)

    def store(self, account: bytes, device: int, upload: KeyUpload, most: int) -> None:
        """As `put`, for methods of other ports that publish keys too."""
        keys = self._devices[account, device]
        keys.signed.replace(upload.signed)
        keys.last_resort.replace(upload.last_resort)
        keys.one_time.add(upload.one_time, most)
        keys.kem.add(upload.kem, most)

    async def take(self, account: bytes, device: int) -> TakenKeys | None:
        keys = self._devices[account, device]
        signed, last_resort = keys.signed.only(), keys.last_resort.only()
        if signed is None or last_resort is None:
            return None
        kem = keys.kem.pop()
        return TakenKeys(signed, kem or last_resort, kem is None, keys.one_time.pop())

    async def count(self, account: bytes, device: int) -> KeyCount:
        keys = self._devices[account, device]
        return KeyCount(one_time=len(keys.one_time.held), kem=len(keys.kem.held))

    async def drop(self, account: bytes, device: int) -> None:
        self._devices.pop((account, device), None)
