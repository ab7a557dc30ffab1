"""Remembered: values that are dear to decode, by the hash of what they were decoded from.

The key names the content, so what is remembered is never out of date, whatever a transaction that
was rolled back had seen. Nothing here is of one account: it may be shared by all in a process.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class Remembered(Generic[V]):
    """The `most` values used last, by hash. Values are shared: they must not be changed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[bytes, V] = OrderedDict()

    def get(self, name: bytes, make: Callable[[], V]) -> V:
        """The value of this name, made if it is not remembered. What `make` raises passes."""
        value = self._values.get(name)
        if value is None:
            value = make()
            self.put(name, value)
        return value

    def find(self, name: bytes) -> V | None:
        """The value of this name, if it is remembered."""
        return self._values.get(name)

    def put(self, name: bytes, value: V) -> None:
        """Remember it; the one remembered first gives way."""
        self._values[name] = value
        while len(self._values) > self._most:
            self._values.popitem(last=False)

    def clear(self) -> None:
        """Remember nothing."""
        self._values.clear()
