"""The cursor: how far this device has read its mailbox, and what it may acknowledge.

Pure. Every row names its `position` and `prev`, the position of the row before it. A row is taken
only if nothing lies between it and the cursor; what was taken before is dropped; where something
is missing, nothing is taken and the socket is opened again from the cursor, so that no gap is ever
acknowledged (docs/protocol/client.md, "Cursor"). Only the server moves the cursor otherwise, by
`resync {from}`: onwards where rows have expired, back where its own store went back.
"""

from enum import Enum


class Step(Enum):
    """What to do with a row."""

    TAKE = "store it, then move the cursor to its position"
    REPEAT = "it was taken before: drop it"
    GAP = "a row is missing before it: reconnect from the cursor"


def step(cursor: int, prev: int, position: int) -> Step:
    """Judge a row against the cursor (`prev ≤ cursor < position` is the only way on)."""
    if position <= cursor:
        return Step.REPEAT
    return Step.TAKE if prev <= cursor else Step.GAP
