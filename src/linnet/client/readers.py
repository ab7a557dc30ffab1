"""Readers: which module reads which kind of content; a new one is a line here."""

from linnet.client.reading import Readers
from linnet.client.sessions import Sessions


def readers(sessions: Sessions) -> Readers:
    """The readers of an account, with what this device has for them."""
    return {}
