"""Readers: which module reads which kind of content; a new one is a line here."""

from linnet.client.groups.reading import readers as of_groups
from linnet.client.own_channel import read_own
from linnet.client.reading import Readers
from linnet.client.reads import read_read
from linnet.client.sealed.reading import readers as of_sealed
from linnet.client.sessions import Sessions


def readers(sessions: Sessions) -> Readers:
    """The readers of an account, with what this device has for them."""
    return {"read": read_read, "sync": read_own, **of_groups(sessions.rng), **of_sealed()}
