"""What can be wrong with bytes that claim to be signed. Texts never quote the bytes."""

from enum import StrEnum


class SigningError(Exception):
    """Base of everything this package raises about foreign bytes."""


class SignatureInvalid(SigningError):
    """The signature is not by that key over those bytes."""


class Malformed(SigningError):
    """The bytes do not follow the format."""


class ListReason(StrEnum):
    """Why a device list is refused; docs/protocol/signing.md says each in full."""

    MALFORMED = "malformed"
    ACCOUNT = "account"
    ACCOUNT_KEY = "account_key"
    SIGNATURE = "signature"
    LIFETIME = "lifetime"
    NOT_YET = "not_yet"
    EXPIRED = "expired"
    VERSION = "version"
    PREV = "prev"
    IDS = "ids"
    KEYS = "keys"
    PRIMARY = "primary"
    ROLLBACK = "rollback"
    CONFLICT = "conflict"
    SET = "set"
    ID_REUSED = "id_reused"
    COUNTERSIGNATURE = "countersignature"


class ListRejected(SigningError):
    """A device list breaks a rule. `reason` names the first rule found broken."""

    def __init__(self, reason: ListReason) -> None:
        super().__init__(f"device list refused: {reason.value}")
        self.reason = reason
