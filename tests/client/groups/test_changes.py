"""Changes signed here: what is refused before anything is stored."""

import apsw
import pytest
from tests.client.groups.test_log import NOW_MS, Story, me, met, people
from tests.signing.people import Person

from linnet.client.errors import GroupRefused, KeyChanged, UnknownRecipient
from linnet.client.groups import book, changes, log
from linnet.client.groups.changes import Author
from linnet.client.schema import MIGRATIONS
from linnet.signing.group_changes import (
    MAX_MEMBERS,
    Change,
    Demote,
    Leave,
    Pair,
    Promote,
    Remove,
)


@pytest.fixture
def db() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    for script in MIGRATIONS:
        made.execute(script)
    return made


def author(person: Person) -> Author:
    return Author(person.account, 1, person.devices[1].private, person.rng)


@pytest.mark.parametrize(("count", "refused"), [(MAX_MEMBERS - 1, False), (MAX_MEMBERS, True)])
def test_a_group_has_1024_members_at_most(
    db: apsw.Connection, monkeypatch: pytest.MonkeyPatch, count: int, refused: bool
) -> None:
    (ada,) = people("ada")
    met(db, ada)
    accounts = [n.to_bytes(16, "big") for n in range(count)]
    monkeypatch.setattr(changes, "pair", lambda db, account: Pair(account, ada.key.public))
    if refused:
        with pytest.raises(GroupRefused, match="too_many"):
            changes.founded(db, author(ada), accounts, "")
        assert book.all_pending(db) == []
    else:
        group, _ = changes.founded(db, author(ada), accounts, "")
        assert book.all_pending(db) == [group]


def test_who_is_not_known_or_shows_another_key_is_not_added(db: apsw.Connection) -> None:
    ada, ben = people("ada", "ben")
    met(db, ada)
    with pytest.raises(UnknownRecipient):
        changes.founded(db, author(ada), [ben.account], "")
    met(db, ben)
    met(db, Person.named("a liar", ben.account))
    with pytest.raises(KeyChanged):
        changes.founded(db, author(ada), [ben.account], "")


def test_a_title_has_512_bytes_at_most(db: apsw.Connection) -> None:
    (ada,) = people("ada")
    met(db, ada)
    with pytest.raises(GroupRefused, match="title_too_long"):
        changes.founded(db, author(ada), [], "ä" * 257)
    assert book.all_pending(db) == []


@pytest.mark.parametrize("reason", ["not_admin", "last_admin", "oneself"])
def test_what_the_fold_refuses_is_not_stored(db: apsw.Connection, reason: str) -> None:
    ada, ben = people("ada", "ben")
    story = Story(ada, ben)
    met(db, ada, ben)
    log.take(db, story.page(), me(ada), NOW_MS)
    tried: dict[str, tuple[Person, Change]] = {
        "not_admin": (ben, Promote(ben.account)),
        "last_admin": (ada, Demote(ada.account)),
        "oneself": (ada, Remove((ada.account,))),
    }
    actor, change = tried[reason]
    with pytest.raises(GroupRefused, match=reason):
        changes.appended(db, author(actor), story.group, changes.plain(change))
    assert book.all_pending(db) == []


def test_nothing_is_signed_upon_a_fork(db: apsw.Connection) -> None:
    ada, ben = people("ada", "ben")
    story = Story(ada, ben)
    met(db, ada, ben)
    log.take(db, story.page(), me(ben), NOW_MS)
    book.raise_alarm(db, story.group, b"proof")
    with pytest.raises(GroupRefused, match="group_forked"):
        changes.appended(db, author(ben), story.group, changes.plain(Leave()))
