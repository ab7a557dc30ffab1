"""What a message to a group may claim about its log, and who may claim it."""

import apsw
import pytest
from tests.client.groups.test_log import NOW_MS, Story, me, met, people
from tests.signing.people import Person

from linnet.client.groups import head_claims, log
from linnet.client.groups.opening import GroupCipher
from linnet.client.schema import MIGRATIONS
from linnet.crypto.content import Content
from linnet.crypto.errors import NoSenderKey
from linnet.wire.frames import Deliver
from linnet.wire.ids import TO_GROUP


@pytest.fixture
def db() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    for script in MIGRATIONS:
        made.execute(script)
    return made


def claims(db: apsw.Connection, story: Story, author: Person, version: int) -> None:
    """A message of `author` comes that cites this version of the log."""
    content = Content(
        id=bytes(16),
        to=bytes([TO_GROUP]) + story.group,
        sender=author.account,
        device=1,
        counter=1,
        sent_ms=NOW_MS,
        own_list=(1, author.newest.hash),
        head=(version, bytes(32)),
        kind="text",
        body=None,
    )
    frame = Deliver(
        position=1,
        prev=0,
        conversation=story.group,
        conv_seq=1,
        id=bytes(16),
        sender=author.account,
        device=1,
        mode=0,
        kind=7,
        ciphertext=b"",
        commitment=bytes(32),
        timestamp=NOW_MS,
        server_timestamp=NOW_MS,
    )
    with pytest.raises(NoSenderKey):
        GroupCipher(me(author), lambda page: None).admit(db, frame, content)


@pytest.mark.parametrize("member", [True, False])
def test_only_a_members_claim_of_a_newer_head_pauses_sending(
    db: apsw.Connection, member: bool
) -> None:
    ada, ben, eve = people("ada", "ben", "eve")
    story = Story(ada, ben)
    met(db, ada, ben, eve)
    log.take(db, story.page(), me(ada), NOW_MS)
    claims(db, story, ben if member else eve, 99)
    assert (head_claims.judged(db, story.group, 1, NOW_MS) is not None) is member
