"""People: keys and signed device lists of a fleet's accounts, so that what the server verifies is
real. Messages are not: they are random bytes."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping

from tests.server.kit import Person

from linnet.signing.device_list import KIND_TERMINAL, countersign, first_list, next_list
from linnet.signing.keys import KeyPair, generate
from linnet.signing.list_format import DeviceList, ListedDevice, decode_list
from linnet.signing.list_revision import with_device
from linnet.signing.objects import SignedObject
from linnet.wire.rest import DeviceKeys


class Owner:
    """One account: its primary is device 1, for good."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng.randbytes
        self.account = rng.randbytes(16)
        self.key = generate(self._rng)
        self.delivery_key = rng.randbytes(16)
        self.tokens: dict[int, str] = {}
        self.changing = False
        """A list was signed and the server has not answered yet."""
        self._devices = {1: generate(self._rng)}
        self.list = first_list(self.account, self.key, self._devices[1], b"", _now_s(), self._rng)

    @property
    def listed(self) -> DeviceList:
        """The newest list that the server has taken."""
        return decode_list(self.list.body)

    @property
    def devices(self) -> tuple[int, ...]:
        """Who is on it."""
        return tuple(sorted(self.listed.device_keys()))

    def private(self, device: int) -> bytes:
        """A device's private key."""
        return self._devices[device].private

    def identities(self) -> Mapping[int, bytes]:
        """The device keys on the newest list."""
        return self.listed.device_keys()

    def more(self) -> tuple[SignedObject, int, DeviceKeys]:
        """The list with one more device, that device, and its bundle."""
        number, added, pair = self.listed.next_id, _now_s(), generate(self._rng)
        signature = countersign(pair, self.account, self.key.public, number, added, self._rng)
        entry = ListedDevice(number, pair.public, b"", added, KIND_TERMINAL, signature)
        self._devices[number] = pair
        signed = with_device(self.list, self.key, entry, added, self._rng)
        return signed, number, self._bundle(pair)

    def less(self, device: int) -> SignedObject:
        """The list without this device."""
        rest = [entry for entry in self.listed.devices if entry.id != device]
        return next_list(self.list, self.key, rest, _now_s(), self._rng)

    def _bundle(self, device: KeyPair) -> DeviceKeys:
        return Person("", self.key, device, self._rng).bundle()


def _now_s() -> int:
    return int(time.time())
