"""Missing lists: newer device lists that exist for certain and cannot be had.

That one exists is certain when the server itself names its set, or when it was seen, signed by the
account key, and does not follow from the held one. After 48 h of that, only the primary is written
to (`lists.Held.narrowed`). What a device merely quotes is a claim (`linnet.client.claims`).
"""

import apsw


def note(
    db: apsw.Connection, account: bytes, now_ms: int, *, set: int = 0, version: int = 0
) -> None:
    """A list of at least this set and version exists; known since now, unless since earlier."""
    db.execute(
        "INSERT INTO missing_lists (account, number, version, since_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (account) DO UPDATE SET number = max(number, excluded.number),"
        " version = max(version, excluded.version)",
        (account, set, version, now_ms),
    )


def adopted(db: apsw.Connection, account: bytes, set: int, version: int) -> None:
    """A list of this set and version is held now."""
    db.execute(
        "DELETE FROM missing_lists WHERE account = ? AND number <= ? AND version <= ?",
        (account, set, version),
    )


def forget(db: apsw.Connection, account: bytes) -> None:
    """The account goes on under another account key: what was known of its lists is over."""
    db.execute("DELETE FROM missing_lists WHERE account = ?", (account,))


def taken_back(db: apsw.Connection, account: bytes, set: int) -> None:
    """The server names this set as the newest, having named a higher one before."""
    db.execute(
        "DELETE FROM missing_lists WHERE account = ? AND number > ? AND version = 0",
        (account, set),
    )
