"""A log as it comes from the server: what takes effect, for whom, and what is told."""

from collections.abc import Mapping, Sequence

import apsw
import pytest
from tests.signing.people import Person, after, create, entry

from linnet.client import addressees, lists
from linnet.client.errors import NotTrusted
from linnet.client.groups import book, log
from linnet.client.groups.events import GroupChanged, GroupForked, GroupHeld, GroupJoined, GroupLeft
from linnet.client.groups.log import Member, Page
from linnet.client.schema import MIGRATIONS
from linnet.signing.group_changes import Add, Change, Confirm, Demote, Leave, Promote, Remove
from linnet.signing.group_fold import fold_log, found
from linnet.signing.group_state import GroupState
from linnet.signing.objects import SignedObject

NOW_MS = 1_800_000_000_000


@pytest.fixture
def db() -> apsw.Connection:
    made = apsw.Connection(":memory:")
    for script in MIGRATIONS:
        made.execute(script)
    return made


class Story:
    """A log that grows."""

    def __init__(self, founder: Person, *members: Person) -> None:
        genesis = create(founder, *members)
        self.entries, self.lists = [genesis], [founder.newest]
        self.state: GroupState = found(genesis, founder.proven())

    @property
    def group(self) -> bytes:
        return self.state.group

    def then(self, actor: Person, change: Change, device: int = 1, which: int = -1) -> "Story":
        self.entries.append(entry(self.state, actor, change, device=device, which=which))
        self.lists.append(actor.lists[which])
        self.state = after(self.state, actor, change, device=device, which=which)
        return self

    def page(self, since: int = 0, until: int | None = None) -> Page:
        cited: list[SignedObject] = list(dict.fromkeys(self.lists[since:until]))
        return Page(self.group, self.entries[since:until], cited)


def me(person: Person) -> Member:
    return Member(person.account, person.key.public)


def met(db: apsw.Connection, *people: Person) -> None:
    for person in people:
        lists.adopt(db, person.account, person.newest, NOW_MS)


def group(db: apsw.Connection, story: Story) -> book.Group:
    held = book.group(db, story.group)
    assert held is not None
    return held


def people(*names: str) -> tuple[Person, ...]:
    return tuple(Person.named(name) for name in names)


def test_a_log_of_several_pages_is_settled_up_to_the_entry_that_added_the_reader(
    db: apsw.Connection,
) -> None:
    ada, ben, cleo = people("ada", "ben", "cleo")
    laptop = ada.link()
    story = Story(ada, ben).then(ada, Promote(ben.account), device=laptop)
    ada.revoke(laptop)
    story.then(ben, Add((cleo.pair,)))
    met(db, ada, ben)
    assert log.take(db, story.page(0, 1), me(cleo), NOW_MS) == []
    assert book.ids(db, members_only=False) == []
    assert log.take(db, story.page(1, 2), me(cleo), NOW_MS) == []
    events = log.take(db, story.page(2), me(cleo), NOW_MS)
    assert events == [GroupJoined(story.group, ben.account)]  # type: ignore[arg-type]
    assert group(db, story).settled == story.state
    assert group(db, story).member


def test_a_device_that_is_not_listed_brings_nobody_in(db: apsw.Connection) -> None:
    ada, ben, cleo = people("ada", "ben", "cleo")
    laptop = ada.link()
    story = Story(ada, ben).then(ada, Add((cleo.pair,)), device=laptop)
    ada.revoke(laptop)
    met(db, ada, ben)
    with pytest.raises(NotTrusted):
        log.take(db, story.page(), me(cleo), NOW_MS)
    story.then(ada, Confirm())
    events = log.take(db, story.page(), me(cleo), NOW_MS)
    assert isinstance(events[0], GroupJoined)


def test_what_a_removed_device_signed_is_held_until_an_admin_builds_on_it(
    db: apsw.Connection,
) -> None:
    ada, ben, cleo = people("ada", "ben", "cleo")
    laptop = ada.link()
    story = Story(ada, ben, cleo)
    met(db, ada, ben, cleo)
    log.take(db, story.page(), me(ben), NOW_MS)
    story.then(ada, Remove((cleo.account,)), device=laptop)
    ada.revoke(laptop)
    met(db, ada)
    assert log.take(db, story.page(1), me(ben), NOW_MS) == [GroupHeld(story.group, ada.account)]  # type: ignore[arg-type]
    assert group(db, story).holding
    assert not group(db, story).stale
    assert cleo.account in group(db, story).settled.members
    story.then(ada, Confirm())
    log.take(db, story.page(2), me(ben), NOW_MS)
    assert not group(db, story).holding
    assert cleo.account not in group(db, story).settled.members


def test_what_nobody_is_left_to_release_takes_effect_where_a_person_says_so(
    db: apsw.Connection,
) -> None:
    ada, ben, cleo = people("ada", "ben", "cleo")
    laptop = ada.link()
    story = Story(ada, ben, cleo)
    met(db, ada, ben, cleo)
    log.take(db, story.page(), me(cleo), NOW_MS)
    story.then(ada, Leave(), device=laptop)
    ada.revoke(laptop)
    met(db, ada)
    heir = min(ben, cleo, key=lambda person: person.account)
    story.then(heir, Confirm())
    log.take(db, story.page(1), me(cleo), NOW_MS)
    assert group(db, story).holding
    told = log.release(db, story.group, me(cleo), NOW_MS)
    assert [it.what for it in told if isinstance(it, GroupChanged)] == ["leave", "confirm"]
    assert group(db, story).settled == story.state
    assert log.release(db, story.group, me(cleo), NOW_MS) == []


def test_who_was_added_and_removed_while_away_was_there_and_left(db: apsw.Connection) -> None:
    ada, ben = people("ada", "ben")
    story = Story(ada).then(ada, Add((ben.pair,))).then(ada, Remove((ben.account,)))
    events = log.take(db, story.page(), me(ben), NOW_MS)
    assert events == [GroupJoined(story.group, ada.account), GroupLeft(story.group, ada.account)]  # type: ignore[arg-type]
    assert not group(db, story).member
    assert book.ids(db, members_only=False) == [story.group]


def test_older_states_are_those_of_their_entries(db: apsw.Connection) -> None:
    ada, ben = people("ada", "ben")
    story = Story(ada)
    first = story.state
    story.then(ada, Add((ben.pair,)))
    log.take(db, story.page(), me(ada), NOW_MS)
    for _ in range(2):
        assert log.state_at(db, story.group, 1) == first
        assert log.state_at(db, story.group, 2) == story.state
    assert log.state_at(db, story.group, 3) is None


def test_what_contradicts_an_old_entry_is_refused_without_folding_the_log_anew(
    db: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, ben = people("ada", "ben")
    story = Story(ada, ben)
    bases = [story.state]
    for turn in range(log.FORKS_BACK + 8):
        story.then(ada, (Demote if turn % 2 else Promote)(ben.account))
        bases.append(story.state)
    log.take(db, story.page(), me(ada), NOW_MS)
    book.states.clear()
    folded: list[SignedObject] = []

    def counted(
        entries: Sequence[SignedObject],
        cited: Mapping[bytes, SignedObject],
        state: GroupState | None = None,
    ) -> GroupState:
        folded.extend(entries)
        return fold_log(entries, cited, state)

    monkeypatch.setattr(log, "fold_log", counted)

    def contradicts(version: int) -> None:
        # Ben is no admin at even versions: only the state before shows that.
        false = entry(bases[version - 2], ben, Remove((ada.account,)))
        with pytest.raises(NotTrusted):
            log.take(db, Page(story.group, [false], [ben.newest]), me(ada), NOW_MS)

    newest = story.state.version
    contradicts(newest - log.FORKS_BACK)
    assert not folded
    for version in range(newest - log.FORKS_BACK + 1, newest, 2):
        contradicts(version)
    assert 0 < len(folded) <= newest
    proof = Page(story.group, [entry(bases[newest - 3], ada, Remove((ben.account,)))], [ada.newest])
    (told,) = log.take(db, proof, me(ada), NOW_MS)
    assert isinstance(told, GroupForked)


def test_rosters_never_fall_along_conv_seq(db: apsw.Connection) -> None:
    (ada,) = people("ada")
    story = Story(ada)
    log.take(db, story.page(), me(ada), NOW_MS)
    book.learn_roster(db, story.group, 5, 1)
    for conv_seq, roster, right in (
        (5, 2, True),
        (9, 4, True),
        (7, 3, True),
        (10, 3, False),
        (10, 4, True),
    ):
        assert book.in_order(db, story.group, conv_seq, roster) is right


def test_a_roster_that_was_made_up_outlives_no_true_one(db: apsw.Connection) -> None:
    (ada,) = people("ada")
    story = Story(ada)
    log.take(db, story.page(), me(ada), NOW_MS)
    book.learn_roster(db, story.group, 4, 1)
    for conv_seq, roster, right in (
        (9, 1 << 40, True),
        (10, 3, False),
        (10, 4, True),
        (11, 4, True),
    ):
        assert book.in_order(db, story.group, conv_seq, roster) is right


def test_a_conv_seq_that_was_made_up_stops_no_group_for_good(db: apsw.Connection) -> None:
    (ada,) = people("ada")
    story = Story(ada)
    log.take(db, story.page(), me(ada), NOW_MS)
    book.learn_roster(db, story.group, 4, 1)
    assert book.in_order(db, story.group, 1 << 50, 4)
    assert book.in_order(db, story.group, 10, 5)  # not fetched yet: it counts as 4
    book.learn_roster(db, story.group, 5, 2)
    for conv_seq, roster, right in (
        (11, 5, True),
        (12, 4, False),
        (12, 5, True),
        (8, 4, True),
    ):
        assert book.in_order(db, story.group, conv_seq, roster) is right


def test_a_roster_was_made_no_earlier_than_one_of_a_lower_number(db: apsw.Connection) -> None:
    (ada,) = people("ada")
    group = Story(ada).group
    assert book.roster_version(db, group, 7) is None
    for number, version in ((3, 2), (5, 6)):
        book.learn_roster(db, group, number, version)
    known = [book.roster_version(db, group, number) for number in (2, 3, 4, 5, 1 << 40)]
    assert known == [None, 2, 2, 6, 6]


def test_a_large_set_of_addressees_is_stored_once(db: apsw.Connection) -> None:
    many = tuple((bytes([n]) * 16, 1, bytes([n]) * 33) for n in range(200))
    few = many[:3]
    assert addressees.unpacked(db, addressees.packed(db, few)) == few
    names = {addressees.packed(db, many) for _ in range(2)}
    assert len(names) == 1
    (name,) = names
    assert len(name) == 33
    assert addressees.unpacked(db, name) == many
    assert db.execute("SELECT count(*) FROM addressee_sets").fetchone() == (1,)
    addressees.prune(db)
    assert not addressees.holds(db, name)


def test_a_state_rolled_back_is_not_remembered_as_the_groups(db: apsw.Connection) -> None:
    ada, ben = people("ada", "ben")
    story = Story(ada)
    log.take(db, story.page(), me(ada), NOW_MS)
    story.then(ada, Add((ben.pair,)))

    def fails() -> None:
        with db:
            log.take(db, story.page(1), me(ada), NOW_MS)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert group(db, story).settled.version == 1
