"""What the benchmark tells its generator processes, and what they answer.

A job is a MessagePack file that only this user can read (it holds tokens); answers are JSON lines.
"""

from __future__ import annotations

import msgspec

from linnet.bench.quantiles import Spread

CIPHERTEXT_BYTES = 200


class Login(msgspec.Struct, array_like=True, frozen=True):
    """An account and what its `hello` says. The floor takes the account's hex as a token."""

    account: bytes
    token: str


class LoadJob(msgspec.Struct):
    """Pairs that talk: login 2n sends, login 2n + 1 receives.

    Exactly one of `in_flight` (messages of a pair not yet delivered, closed loop) and `rate`
    (messages a second over all pairs, open loop) is set.
    """

    url: str
    server_pid: int
    logins: list[Login]
    in_flight: int | None
    rate: float | None
    warmup_s: float
    window_s: float
    drain_s: float


class IdleJob(msgspec.Struct):
    """Connections that say hello and then nothing."""

    url: str
    server_pid: int
    logins: list[Login]
    hold_s: float


class FanoutJob(msgspec.Struct):
    """Members of one group; the first of them sends."""

    url: str
    server_pid: int
    logins: list[Login]
    group: bytes
    messages: int
    """In a round; fewer than a socket may have unacknowledged."""
    in_flight: int
    """Messages without a `sent` yet."""
    within_s: float


class Round(msgspec.Struct):
    """Some messages to everybody. CPU is in microseconds over the whole round."""

    seconds: float
    """From the first message to the last delivery."""
    deliveries: int
    user_us: float
    sys_us: float
    broken: int
    """Deliveries that did not follow the one before."""
    errors: dict[str, int]


class Connected(msgspec.Struct):
    """All sockets are open: what that cost the server."""

    connections: int
    seconds: float
    rss_bytes: int
    """How much the server grew by."""
    user_us: float
    sys_us: float
    errors: dict[str, int]


class Window(msgspec.Struct):
    """One measured window. CPU is in microseconds over the whole window."""

    seconds: float
    messages: int
    """Messages whose whole cycle ended within the window."""
    server_user_us: float
    server_sys_us: float
    generator_us: float
    sent: Spread
    received: Spread
    delivered: Spread
    late: Spread
    """Open loop: how late this generator itself was."""
    lost: int
    """Acknowledged with `sent`, and not received when the drain ended."""
    errors: dict[str, int]


class Pooled(msgspec.Struct):
    """Latencies of all windows together."""

    sent: Spread
    received: Spread
    delivered: Spread


class Held(msgspec.Struct):
    """What idle connections cost the server while nothing was said."""

    seconds: float
    user_us: float
    sys_us: float
    rss_bytes: int
    """The server's growth since before the first connection."""
    alive: int
    """Connections that answered a ping at the end."""
    errors: dict[str, int]
