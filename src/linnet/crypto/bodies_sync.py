"""What the devices of one account tell each other: the bodies of `sync`.

The first element says which it is. One that is not here comes from a newer client: it is ignored.
"""

from typing import Annotated, Any, Final, TypeAlias

from msgspec import Meta, ValidationError, convert

from linnet.crypto.bodies_control import MAX_Z_BYTES, MIN_Z_BYTES
from linnet.crypto.body import Body, Id16, Key32, Natural, Positive
from linnet.crypto.content import Damaged

MAX_ENTRIES: Final = 100
MAX_MARKS: Final = 500

Entry: TypeAlias = tuple[
    Annotated[str, Meta(min_length=1, max_length=32)],
    Annotated[bytes, Meta(max_length=128)],
    Annotated[bytes, Meta(max_length=4096)],
    Natural,
]
"""(scope, key, value, stamp in ms): a setting, a contact, a verified mark. No value: taken away."""


class SyncEntries(Body, frozen=True, array_like=True, tag="entries"):
    """Entries that all own devices hold; of each the newest writing wins."""

    entries: Annotated[tuple[Entry, ...], Meta(max_length=MAX_ENTRIES)]


class SyncRead(Body, frozen=True, array_like=True, tag="read"):
    """How far this account has read: (ConversationId, conv_seq)."""

    marks: Annotated[tuple[tuple[Id16, Positive], ...], Meta(max_length=MAX_MARKS)]


class SyncReadSealed(Body, frozen=True, array_like=True, tag="read_sealed"):
    """The same for sealed messages: (ConversationId, server_timestamp, MessageId)."""

    marks: Annotated[tuple[tuple[Id16, Natural, Id16], ...], Meta(max_length=MAX_MARKS)]


class SyncSent(Body, frozen=True, array_like=True, tag="sent"):
    """A message that this account sent sealed: its exact Z, and its place among the others."""

    peer: Id16
    server_timestamp: Natural
    z: Annotated[bytes, Meta(min_length=MIN_Z_BYTES, max_length=MAX_Z_BYTES)]


class SyncStorageKey(Body, frozen=True, array_like=True, tag="storage_key"):
    """A new account storage key. From the primary alone."""

    key: Key32
    version: Positive


class SyncProfileKey(Body, frozen=True, array_like=True, tag="profile_key"):
    """This account's own profile key; the highest number holds."""

    key: Key32
    number: Positive


class SyncList(Body, frozen=True, array_like=True, tag="list"):
    """Nothing but what the content names and attaches: the newest own device list."""


Sync: TypeAlias = (
    SyncEntries | SyncRead | SyncReadSealed | SyncSent | SyncStorageKey | SyncProfileKey | SyncList
)
_CODES: Final = frozenset(
    ("entries", "read", "read_sealed", "sent", "storage_key", "profile_key", "list")
)


def read_sync(value: Any) -> Sync | None:
    """Read the body of a `sync`; None if a newer client says something we do not know.

    Raises Damaged.
    """
    match value:
        case [str(code), *_] if code not in _CODES:
            return None
    try:
        sync: Sync = convert(value, Sync, builtin_types=(bytes,))
        return sync
    except ValidationError:
        raise Damaged("not the body of a sync") from None
