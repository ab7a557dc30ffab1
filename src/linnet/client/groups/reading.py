"""Readers of what is said about groups pairwise: sender keys. Secrets are read beside theirs."""

from typing import Final

import apsw

from linnet.client.events import Event
from linnet.client.groups import book, keys, secrets
from linnet.client.reading import Readers, Received
from linnet.crypto import sender_keys
from linnet.crypto.bodies import read_sender_key
from linnet.crypto.content import Refused
from linnet.crypto.errors import CryptoError
from linnet.crypto.sender_key_record import SenderKeyBinding
from linnet.signing.keys import Rng

MAX_STRANGERS: Final = 2_048
"""Sender keys kept of groups whose log is not here yet."""
MAX_OF_GROUP: Final = 16_384
"""With so many of one group, those of people who are no members are not kept."""


def readers(rng: Rng) -> Readers:
    """The readers of groups."""
    return {
        "sender_key": read_key,
        "group_secret": secrets.read_secret,
        "group_secret_request": secrets.SecretRequests(rng),
    }


def read_key(db: apsw.Connection, received: Received) -> list[Event]:
    """A reader of `sender_key`: bound for good to this group, account and device, beside whatever
    others gave under the same distribution id, which all members of a group know.

    Of a group that is not known here, or from somebody who is no member by the log that is here,
    the key is kept as well: a newer log may be on the way, and the key comes once. What is said
    under it is judged by the log that it cites.
    """
    group, distribution = read_sender_key(received.content.body)
    held = book.group(db, group)
    if held is None and keys.strangers(db) >= MAX_STRANGERS:
        raise Refused("too many sender keys of groups that are not known")
    known = held is None or received.frame.sender in held.settled.members
    if not known and keys.of_group(db, group) >= MAX_OF_GROUP:
        raise Refused("too many sender keys of one group")
    binding = SenderKeyBinding(group, received.frame.sender, received.frame.device)
    try:
        record = keys.given(db, sender_keys.distribution_id_of(distribution), binding)
        keys.put_given(db, sender_keys.process_distribution(record, binding, distribution))
    except CryptoError as error:
        raise Refused("no sender key that can be taken") from error
    return []
