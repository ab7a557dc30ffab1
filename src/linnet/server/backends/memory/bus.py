"""The in-process bus: one gateway, a function call away."""

from __future__ import annotations

from linnet.server.ports.bus import Notices, Subscriber


class MemoryBus:
    """See `linnet.server.ports.bus.Bus`."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def publish(self, notices: Notices) -> None:
        for subscriber in self._subscribers:
            subscriber(notices)

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)
