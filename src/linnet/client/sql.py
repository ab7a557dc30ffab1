"""Reading rows: SQLite's values are what the schema says they are, so they are typed Any."""

from collections.abc import Sequence
from typing import Any

import apsw


def first(db: apsw.Connection, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...] | None:
    """The first row, or None."""
    row: tuple[Any, ...] | None = db.execute(query, values).fetchone()
    return row


def every(db: apsw.Connection, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows. Bounded queries only: they are all in memory."""
    rows: list[tuple[Any, ...]] = db.execute(query, values).fetchall()
    return rows


def number(db: apsw.Connection, query: str, values: Sequence[Any] = ()) -> int:
    """The one number of a query that always has one row, such as a count."""
    row = first(db, query, values)
    assert row is not None
    return int(row[0])
