"""What the SDK raises. Few classes, each naming what its caller can do about it.

No text holds plaintext, keys, tokens, phone numbers or addresses. What the server refused keeps
its code (`linnet.wire.errors`, and docs/protocol/errors.md).
"""

from linnet.wire.ids import AccountId


class ClientError(Exception):
    """Base of everything the SDK raises on purpose."""


class AccountInUse(ClientError):
    """Another process has this account directory open."""


class NotRegistered(ClientError):
    """The directory holds no finished account: call `Client.register`."""


class AlreadyRegistered(ClientError):
    """The directory holds an account already, perhaps of another number: call `Client.open`, or
    register in another directory."""


class StoreUnavailable(ClientError):
    """The local store could not write (disk full, I/O error). Nothing of that step is stored."""


class Offline(ClientError):
    """The server cannot be reached, or answers nonsense. Trying again may help."""


class Refused(ClientError):
    """The server refused a request. `code` is its code; `retry_after_s` where it said so."""

    def __init__(self, code: str, text: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.retry_after_s = retry_after_s


class LoggedOut(ClientError):
    """This device's login is revoked or lost: it must register or be linked again."""


class UnknownRecipient(ClientError):
    """No account has that number, or there is no such account."""


class NotTrusted(ClientError):
    """A device list, bundle or key does not prove whose it is. `reason` names the broken rule."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not trusted: {reason}")
        self.reason = reason


class KeyChanged(NotTrusted):
    """The account shows another account key than the pinned one."""

    def __init__(self) -> None:
        super().__init__("account_key")


class NotMainDevice(ClientError):
    """Only the account's main device can do that: open it there."""


class ClockOff(ClientError):
    """By the server's clock a device list that was signed here is of another time: set this
    device's clock. What was signed is signed anew then, and published."""


class LinkFailed(ClientError):
    """A device was not linked, and nothing of it is active. `reason` is a stable word, the text
    says what happened and what to do."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class RecoveryFailed(ClientError):
    """The account was not recovered, and nothing changed. `reason` is a stable word, the text
    says what happened and what to do."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class NotMember(NotTrusted):
    """This account is no member of the group: nothing is sent to it."""

    def __init__(self) -> None:
        super().__init__("not_member")


class GroupStopped(NotTrusted):
    """The group was forked, which is an alarm: nothing is sent to it any more."""

    def __init__(self) -> None:
        super().__init__("group_forked")


class GroupRefused(ClientError):
    """The group does not allow that, or there is no such group. `reason` is a stable word: a rule
    of docs/protocol/groups.md, `no_such_group`, `title_too_long`, or `busy`: others keep changing
    the group, try again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"refused by the group: {reason}")
        self.reason = reason


class NumberChanged(ClientError):
    """The number belongs to another account than the one written to before: nothing was sent.
    `now` is that account; `Client.accept_number_change` goes on with it."""

    def __init__(self, text: str, now: AccountId | None = None) -> None:
        super().__init__(text)
        self.now = now


class NotMet(ClientError):
    """A conversation can be sealed once both sides have written to each other."""


class BadAddress(ClientError):
    """The server's address is none: an http or https URL is needed."""


class Unaddressed(ClientError):
    """None of the devices that a control message is for is listed any more."""


class TextTooLong(ClientError):
    """The text is longer than one message may be."""


class TextEmpty(ClientError):
    """There is nothing to send: a text has one byte at least."""


class Closed(ClientError):
    """The client is closed, or was never entered with `async with`."""


class LinkClosed(ClientError):
    """The socket closed. `code` is its close code, 1006 if it just broke."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the socket closed with {code}")
        self.code = code
