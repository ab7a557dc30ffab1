"""News: what a group commit changed, told to the sockets it concerns.

Rows by the push rule, in the order of their positions; ticks; hints that a set or a roster is
new. The mailbox is the truth: whatever is lost here costs time, never a message.
"""

from __future__ import annotations

import asyncio
from itertools import groupby

from linnet.server.gateway.outbound import Outbound
from linnet.server.gateway.registry import Registry
from linnet.server.gateway.splice import Spliced
from linnet.server.gateway.ticks import EVERY_S, GroupTicks
from linnet.server.ports.bus import Delivered, Notices
from linnet.server.ports.timeline import Spread, in_order
from linnet.wire.frames import DevicesChanged, Frame, GroupChanged, Status


class News:
    """Hears the bus for the sockets of one gateway."""

    def __init__(self, registry: Registry, outbound: Outbound) -> None:
        self._registry = registry
        self._outbound = outbound
        self._ticks = GroupTicks()
        self._timer: asyncio.TimerHandle | None = None

    def hear(self, notices: Notices) -> None:
        """One group commit's news."""
        registry = self._registry
        if notices.spreads:
            self._push_in_order(notices)
        else:
            for entry in notices.entries:
                for connection in registry.of_mailbox(entry.mailbox):
                    connection.notice(entry)
        if notices.delivered:
            self._tick(notices.delivered)
        for change in notices.sets:
            self._say(change.account, DevicesChanged(change.account, change.number))
        for regrouped in notices.regrouped:
            hint = GroupChanged(regrouped.group, regrouped.roster)
            for account in regrouped.accounts:
                self._say(account, hint)
        self._outbound.flush()

    def tell_waiting(self) -> None:
        """Tell the ticks of groups whose time has come; the rest when theirs has."""
        self._timer = None
        loop = asyncio.get_running_loop()
        for account, frame in self._ticks.due(loop.time()):
            self._say(account, frame)
        if self._ticks:
            self._timer = loop.call_later(EVERY_S, self.tell_waiting)

    def close(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _push_in_order(self, notices: Notices) -> None:
        """Messages to one roster go out together: a write a socket, not one a message."""
        pieces = in_order(notices.entries, notices.spreads)
        for _, together in groupby(pieces, _roster_of):
            spreads: list[Spliced] = []
            for piece in together:
                if isinstance(piece, Spread):
                    spreads.append(Spliced(piece))
                    continue
                for entry in piece:
                    for connection in self._registry.of_mailbox(entry.mailbox):
                        connection.notice(entry)
            if spreads:
                self._spread(spreads)

    def _spread(self, spreads: list[Spliced]) -> None:
        connected = self._registry.by_mailbox
        for row, mailbox in enumerate(spreads[0].spread.mailboxes):
            if mailbox in connected:
                for connection in connected[mailbox]:
                    connection.notice_spreads(row, spreads)

    def _tick(self, delivered: list[Delivered]) -> None:
        registry, grouped = self._registry, False
        for told in delivered:
            connections = registry.of_account(told.to)
            if not connections:
                continue
            if told.group:
                self._ticks.note(told)
                grouped = True
                continue
            for connection in connections:
                if connection.is_live():
                    connection.send(Status(told.conversation, told.account, list(told.intervals)))
        if grouped and self._timer is None:
            self.tell_waiting()

    def _say(self, account: bytes, frame: Frame) -> None:
        for connection in self._registry.of_account(account):
            if connection.is_live():
                connection.send(frame)


def _roster_of(piece: object) -> int:
    """What consecutive pieces have in common that may go out together."""
    return id(piece.mailboxes) if isinstance(piece, Spread) else 0
