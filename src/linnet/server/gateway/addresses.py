"""Addresses: which conversation a message to an address belongs to, as one socket sees it."""

from __future__ import annotations

from linnet.wire.ids import TO_ACCOUNT, TO_GROUP, AccountId, direct_conversation

KEPT_MOST = 1024
"""Conversation ids one socket keeps computed; then they are computed again."""

Where = tuple[bytes, bytes]
"""(conversation, recipient); the recipient is empty where the conversation is a group."""


class Addresses:
    """Remembers, because hashing an address costs as much as deciding a message."""

    __slots__ = ("_account", "_known")

    def __init__(self, account: bytes) -> None:
        self._account = AccountId(account)
        self._known: dict[bytes, Where] = {}

    def find(self, to: bytes) -> Where | None:
        """Where a message to this address goes; None for a kind of address not known here."""
        found = self._known.get(to)
        if found is None:
            found = self._find(to)
            if found is not None:
                if len(self._known) > KEPT_MOST:
                    self._known.clear()
                self._known[to] = found
        return found

    def _find(self, to: bytes) -> Where | None:
        if to[0] == TO_ACCOUNT:
            peer = AccountId(to[1:])
            return direct_conversation(self._account, peer), peer
        return (to[1:], b"") if to[0] == TO_GROUP else None
