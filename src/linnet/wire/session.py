"""Session: which frame may come when on one socket, as a table. Serves the gateway and the client.

Judges order only. It reads no fields, keeps no time and does no I/O: whoever owns the socket asks
before each frame, keeps `DEADLINES` with its own clock, and closes. docs/protocol/session.md is
drawn from these tables; a test keeps the two equal.
"""

from __future__ import annotations

import typing
from enum import Enum

from linnet.wire.codec import Unknown
from linnet.wire.errors import LocalError, RemoteError
from linnet.wire.frames import ClientFrame, Drain, Hello, ServerFrame, Welcome
from linnet.wire.limits import HELLO_WITHIN_S, WELCOME_WITHIN_S


class Side(Enum):
    """Which end of the socket this is."""

    CLIENT = "client"
    SERVER = "server"


class State(Enum):
    """How far a socket has come. Both ends go through the same states."""

    NEW = "new"
    """Open; nothing said."""
    GREETED = "greeted"
    """The client said who it is; the server is looking."""
    LIVE = "live"
    """Authenticated: the only state, with DRAINING, in which messages move."""
    DRAINING = "draining"
    """The server is going away; all else goes on until the client has left."""
    CLOSED = "closed"
    """Nothing more is said or believed."""


Turns = dict[type, State]
"""Frame type to the state after it; a type that is not a key may not come now."""


def _turns(*frames: type, to: State) -> Turns:
    return dict.fromkeys(frames, to)


_REQUESTS = [frame for frame in typing.get_args(ClientFrame) if frame is not Hello]
_REPLIES = [frame for frame in typing.get_args(ServerFrame) if frame not in (Welcome, Drain)]

CLIENT_SAYS: dict[State, Turns] = {
    State.NEW: _turns(Hello, to=State.GREETED),
    State.GREETED: {},
    State.LIVE: _turns(*_REQUESTS, to=State.LIVE),
    State.DRAINING: _turns(*_REQUESTS, to=State.DRAINING),
    State.CLOSED: {},
}
"""What a client may say in a state, and the state after it."""

SERVER_SAYS: dict[State, Turns] = {
    State.NEW: {},
    State.GREETED: _turns(Welcome, to=State.LIVE),
    State.LIVE: _turns(*_REPLIES, to=State.LIVE) | _turns(Drain, to=State.DRAINING),
    State.DRAINING: _turns(*_REPLIES, to=State.DRAINING),
    State.CLOSED: {},
}
"""What a server may say in a state, and the state after it."""

SKIPS_UNKNOWN = frozenset({State.LIVE, State.DRAINING})
"""States in which a client passes over a frame of a type it does not know."""

DEADLINES: dict[State, tuple[int, str]] = {
    State.NEW: (HELLO_WITHIN_S, "no_hello"),
    State.GREETED: (WELCOME_WITHIN_S, "unavailable"),
}
"""Longest stay in a state, in seconds, and the row of CLOSES that ends it."""


def _skipping(table: dict[State, Turns]) -> dict[State, Turns]:
    return {
        state: turns | _turns(Unknown, to=state) if state in SKIPS_UNKNOWN else turns
        for state, turns in table.items()
    }


_HEARD = {Side.CLIENT: _skipping(SERVER_SAYS), Side.SERVER: CLIENT_SAYS}
_SAID = {Side.CLIENT: CLIENT_SAYS, Side.SERVER: SERVER_SAYS}


class Session:
    """One socket, seen from one side. Costs one dict look-up a frame."""

    __slots__ = ("_heard", "_said", "side", "state")

    def __init__(self, side: Side) -> None:
        self.side = side
        self._enter(State.NEW)

    def receive(self, frame: type) -> None:
        """Takes note of a frame that came; `frame` is its class, `Unknown` included.

        Raises RemoteError if it may not come now; the session is then closed, and the owner
        closes the socket with `error.close`.
        """
        after = self._heard.get(frame)
        if after is None:
            before = self.state
            self.close()
            raise RemoteError("unexpected", f"{frame.__name__} in state {before.value}")
        if after is not self.state:
            self._enter(after)

    def send(self, frame: type) -> None:
        """Takes note of a frame about to be sent; `frame` is its class.

        Raises LocalError if it may not be said now: a bug of ours. The state stays as it was.
        """
        after = self._said.get(frame)
        if after is None:
            raise LocalError(f"{frame.__name__} in state {self.state.value}")
        if after is not self.state:
            self._enter(after)

    def close(self) -> None:
        """The socket is gone or going. May be repeated."""
        self._enter(State.CLOSED)

    def _enter(self, state: State) -> None:
        self.state = state
        self._heard = _HEARD[self.side][state]
        self._said = _SAID[self.side][state]
