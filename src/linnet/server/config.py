"""Configuration: one frozen tree, read once and passed down in pieces. Every server limit is here.

What both ends must agree on is in `linnet.wire.limits`. docs/guides/operate.md lists every value;
a test keeps that page equal to this file.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from linnet.wire.limits import SessionLimits


class Rate(msgspec.Struct, frozen=True):
    """A token bucket: `burst` at once, then one every `every_s` seconds."""

    burst: int
    every_s: float


class Accounts(msgspec.Struct, frozen=True):
    """Registration and logins."""

    code_life_s: int = 300
    attempts_per_hour: int = 3
    """Codes sent to one number in an hour, and wrong codes looked at in an hour."""
    address_registrations: Rate = Rate(burst=10, every_s=360)
    """Registrations from one IP address (IPv6: one /64)."""
    access_life_s: int = 900
    refresh_life_s: int = 90 * 24 * 3600
    requests: Rate = Rate(burst=120, every_s=0.5)
    """HTTP requests of one account, all with an access token together."""


class Keys(msgspec.Struct, frozen=True):
    """Pre-keys."""

    one_time_most: int = 100
    uploads: Rate = Rate(burst=20, every_s=30)
    """Uploads of one account: each may hold a hundred signatures to check."""
    takes: Rate = Rate(burst=20, every_s=600)
    """Bundles one account may take of one target device: each of its own 16 devices one, and some
    again."""
    all_takes: Rate = Rate(burst=2_500, every_s=1)
    """Bundles one account may take in all: those of a full group's devices at once."""
    sealed_takes: Rate = Rate(burst=60, every_s=60)
    """Bundles of one target device taken without a token, by all who hold the delivery key."""
    lookups: Rate = Rate(burst=200, every_s=6)
    """Phone numbers one account may look up."""


class Links(msgspec.Struct, frozen=True):
    """Linking devices."""

    address_offers: Rate = Rate(burst=10, every_s=60)
    """Offers to link from one IP address (IPv6: one /64)."""
    most: int = 10_000
    """Offers that may be waiting for their primary, or for their device's keys."""
    waiting_most: int = 1024
    """Requests that may wait for the other end of a link."""


class Sealed(msgspec.Struct, frozen=True):
    """Sealed requests, which have no token."""

    address: Rate = Rate(burst=120, every_s=0.5)
    """Sealed requests from one IP address (IPv6: one /64). Counted in memory, stored nowhere."""
    account: Rate = Rate(burst=600, every_s=0.5)
    """Sealed requests to one account, by all who hold its delivery key together."""


class Groups(msgspec.Struct, frozen=True):
    """Groups."""

    creates: Rate = Rate(burst=20, every_s=180)
    """Groups one account may make."""
    entries: Rate = Rate(burst=60, every_s=5)
    """Entries one account may append to the logs of its groups."""
    added: Rate = Rate(burst=2048, every_s=5)
    """Accounts one account may add to groups, all its groups together."""
    page_bytes: int = 1024 * 1024
    """What a page of a log may hold, entries and lists together."""


class Gateway(msgspec.Struct, frozen=True):
    """Sockets."""

    session: SessionLimits = SessionLimits()
    frames: Rate = Rate(burst=2000, every_s=0.001)
    """Frames one socket may send."""
    address_sockets: int = 1000
    """Sockets from one IP address (IPv6: one /64)."""
    account_sockets: int = 16
    slow_after_s: int = 30
    """A socket behind for so long without an ack is closed as `slow`."""
    reread_s: int = 60
    """Every socket's head is compared with the store once in this time."""
    drain_within_s: int = 10


class Delivery(msgspec.Struct, frozen=True):
    """Group commit and retention."""

    batch_most: int = 2048
    """Records one group commit takes."""
    batch_rows: int = 131_072
    """Rows that messages to groups may bring into one group commit; one message alone may bring
    more."""
    pending_most: int = 65536
    """Records waiting for a commit; one more is rejected as `unavailable`."""
    pending_bytes: int = 64 * 1024 * 1024
    """Ciphertext waiting for a commit; what comes beyond is rejected as `unavailable`. As much
    again may be under way in the commit before."""
    ack_wait_s: float = 0.01
    """How long an ack waits for a message's commit to ride with."""
    recent_ids: int = 100_000
    """Message ids kept in memory against repeats; older ones are looked up."""
    cached: int = 200_000
    """Heads, mailboxes, sets, marks and cursors kept in memory, each."""
    keep_days: int = 30
    """How long mailbox rows are kept. They are dropped two days later, whole segments at a time,
    so that an id's outcome outlives the 30 days in which the id may be resent."""
    retain_every_s: int = 3600
    page_rows: int = 256
    page_bytes: int = 1024 * 1024


class Config(msgspec.Struct, frozen=True):
    """Everything `linnet serve` may be told."""

    data: Path
    host: str = "127.0.0.1"
    port: int = 8080
    """0 takes a free one."""
    trusted_proxies: tuple[str, ...] = ()
    """Networks of proxies whose X-Forwarded-For is believed; without any, limits count the other
    end of each TCP connection."""
    codes_file: Path | None = None
    """Registration codes are appended to this file; without it they go to standard error."""
    accounts: Accounts = Accounts()
    keys: Keys = Keys()
    links: Links = Links()
    sealed: Sealed = Sealed()
    groups: Groups = Groups()
    gateway: Gateway = Gateway()
    delivery: Delivery = Delivery()
    trust_clock: bool = False
    """Retention goes on after a step of the clock, or two days of standstill: the operator has
    looked at the clock."""
    restored: bool = False
    """The data came back from a backup: number above everything that was ever given out."""
    request_bytes: int = 512 * 1024
    """Largest HTTP request body."""
