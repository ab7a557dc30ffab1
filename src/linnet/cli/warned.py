"""Warned: what a person is told when keys changed or a message was not sent, with the command that
goes on after it."""

from __future__ import annotations

from linnet.client import NotSent
from linnet.wire.ids import AccountId, show


def new_keys(account: AccountId) -> str:
    """What an account shows, and what is to be done; follows a name."""
    return (
        "shows a new key: somebody may be in between. Nothing is sent there until you accept it."
        f" Compare first: {accepting(account)}."
    )


def contradiction(account: AccountId) -> str:
    """About two device lists that cannot both be true; follows a name."""
    return (
        "signed two device lists that contradict each other: somebody else may have the key."
        f" Nothing is sent there. Compare first: {accepting(account)}."
    )


def accepting(named: AccountId | str) -> str:
    """The command that accepts a change of an account, or of whom a number belongs to."""
    return f"`linnet safety {named if isinstance(named, str) else show(named)}`, then `--accept`"


def why_not(event: NotSent) -> str:
    """Why a message was not sent."""
    return REASONS.get(event.reason, event.reason or event.state)


REASONS = {
    "identity_changed": "they show a new key that you have not accepted",
    "not_trusted": "their keys break a rule, so nothing proves that they are theirs",
    "unknown_recipient": "there is no such account any more",
    "too_large": "it is too long",
    "id_time": "this device's clock was wrong when it was written: set it, and write it again",
}
"""Why messages are not sent; other reasons are codes of the server."""
