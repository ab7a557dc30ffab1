"""Why an entry of a group's log is refused. Texts never quote the entry."""

from enum import StrEnum

from linnet.signing.errors import SigningError


class EntryReason(StrEnum):
    """Why an entry is refused; docs/protocol/groups.md says each in full."""

    MALFORMED = "malformed"
    UNSUPPORTED = "unsupported"
    GROUP = "group"
    STALE = "stale"
    NOT_MEMBER = "not_member"
    LIST = "list"
    LIST_OLD = "list_old"
    LIST_CONFLICT = "list_conflict"
    DEVICE = "device"
    SIGNATURE = "signature"
    NOT_ADMIN = "not_admin"
    LAST_ADMIN = "last_admin"
    ONESELF = "oneself"
    TOO_MANY = "too_many"
    ALREADY_MEMBER = "already_member"
    NO_SUCH_MEMBER = "no_such_member"
    NO_CHANGE = "no_change"
    SECRET = "secret"


class EntryRefused(SigningError):
    """An entry breaks a rule. `reason` names the first rule found broken."""

    def __init__(self, reason: EntryReason) -> None:
        super().__init__(f"group entry refused: {reason.value}")
        self.reason = reason


def require(condition: bool, reason: EntryReason) -> None:
    """Raise EntryRefused with this reason unless the condition holds."""
    if not condition:
        raise EntryRefused(reason)
