"""Letters: sealed messages of a fleet, over HTTP. To the server they come from nobody."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from typing import TYPE_CHECKING

from tests.chaos.asking import Refusal
from tests.chaos.history import Device, SealedSent, SealedTried

from linnet.wire import ids
from linnet.wire.frames import FULL, NARROWED
from linnet.wire.rest import SealedPart, SealedSend
from linnet.wire.rest import SealedSent as Answer

if TYPE_CHECKING:
    from tests.chaos.fleet import Fleet

LETTER_S = 0.3
"""Between two, on average. A network address may send 120 at once, then two a second."""
AGAIN = 0.15
"""Chance that an answered letter is sent once more: the answer may have been lost on its way."""


class Letters:
    """One hand that writes for everybody."""

    def __init__(self, fleet: Fleet, rng: random.Random) -> None:
        self.busy = 0
        self._fleet = fleet
        self._rng = rng
        self._log = fleet.history.append

    async def write(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(self._rng.expovariate(1 / LETTER_S))
            if self._fleet.talking:
                self.busy += 1
                await self._write_one()
                self.busy -= 1

    async def _write_one(self) -> None:
        by = self._rng.choice(self._fleet.phones).device
        to = self._rng.choice(list(self._fleet.owners))
        id = ids.message_id(time.time_ns() // 1_000_000, self._rng.randbytes(10))
        path, key = f"/v1/sealed/{ids.show(to)}/messages", self._fleet.owners[to].delivery_key
        while (message := self._seal(by, to, id)) is not None:
            try:
                for _ in range(2 if self._rng.random() < AGAIN else 1):
                    said = await self._fleet.asking.insist(Answer, "POST", path, message, key=key)
                    self._log(SealedSent(to, id, said.server_timestamp))
                return
            except Refusal as refusal:
                if refusal.code != "devices_changed":
                    raise

    def _seal(self, by: Device, to: bytes, id: bytes) -> SealedSend | None:
        """For the devices known now; None if there is nobody to write to."""
        number, listed = self._fleet.lists[to]
        devices = [it for it in listed if Device(to, it) != by]
        if not devices:
            return None
        mode = NARROWED if self._rng.random() < 0.1 else FULL
        if mode == NARROWED:
            devices = devices[: self._rng.randrange(len(devices)) + 1]
        sizes = (300, 300, 3000)
        parts = [
            SealedPart(device=it, ciphertext=self._rng.randbytes(self._rng.choice(sizes)))
            for it in devices
        ]
        digests = {Device(to, it.device): hashlib.sha256(it.ciphertext).digest() for it in parts}
        self._log(SealedTried(by, to, id, digests))
        return SealedSend(id=id, mode=mode, set=number, parts=parts)
