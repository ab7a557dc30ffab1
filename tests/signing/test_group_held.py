"""Entries that a revoked device may have signed: held until an admin built on them."""

from dataclasses import dataclass

from tests.signing.people import Person, begun, entry

from linnet.signing.group_changes import Add, Change, Confirm, Leave, Promote, Rekey, Remove
from linnet.signing.group_entry import decode_entry
from linnet.signing.group_fold import fold
from linnet.signing.group_held import Step, effective, is_suspect
from linnet.signing.group_state import GroupState

ANN, BOB, CID, DAN = (Person.named(name) for name in ("ann", "bob", "cid", "dan"))


@dataclass
class Story:
    """A log as one client sees it; who it holds newer lists of is given with each entry."""

    settled: GroupState
    state: GroupState
    steps: list[Step]

    def adds(
        self, actor: Person, change: Change, *, device: int = 1, which: int = -1, knows: int = -1
    ) -> int:
        """One more entry, seen by who holds list `knows` of the actor; what takes effect now."""
        made = entry(self.state, actor, change, device=device, which=which)
        cited = actor.proven(which)
        suspect = is_suspect(decode_entry(made.body), cited.listed, actor.proven(knows).listed)
        self.state = fold(self.state, made, cited)
        self.steps.append(Step(actor.account, self.state, suspect))
        return effective(self.settled, self.steps)


def robbed(*others: Person, admin: Person | None = None) -> tuple[Person, int, Story]:
    """Eve, admin, and the id of a laptop that was revoked after the group began."""
    eve = Person.named("eve robbed")
    laptop = eve.link()
    state = begun(eve, *others)
    if admin:
        state = fold(state, entry(state, eve, Promote(admin.account)), eve.proven())
    eve.revoke(laptop)
    return eve, laptop, Story(state, state, [])


def test_what_a_revoked_device_signs_is_held_with_all_after_it() -> None:
    eve, laptop, story = robbed(BOB, CID)
    assert story.adds(eve, Remove((BOB.account,)), device=laptop, which=1) == 0
    assert story.adds(CID, Leave()) == 0


def test_what_was_seen_before_the_revocation_was_known_takes_effect() -> None:
    eve, laptop, story = robbed(BOB)
    assert story.adds(eve, Add((DAN.pair,)), device=laptop, which=1, knows=1) == 1
    assert story.adds(eve, Promote(BOB.account), device=laptop, which=1) == 1


def test_a_listed_device_of_the_same_account_releases_what_it_builds_on() -> None:
    eve, laptop, story = robbed(BOB)
    story.adds(eve, Add((DAN.pair,)), device=laptop, which=1)
    assert story.adds(eve, Confirm()) == 2


def test_another_admin_releases_too() -> None:
    eve, laptop, story = robbed(BOB, CID, admin=BOB)
    story.adds(eve, Add((DAN.pair,)), device=laptop, which=1)
    story.adds(CID, Leave())
    assert story.adds(BOB, Promote(DAN.account)) == 3


def test_an_ordinary_member_releases_nothing() -> None:
    eve, laptop, story = robbed(BOB)
    story.adds(eve, Add((DAN.pair,)), device=laptop, which=1)
    assert story.adds(BOB, Leave()) == 0


def test_the_accomplice_of_a_revoked_device_releases_nothing() -> None:
    """Else one held entry would make the admin who releases it."""
    eve, laptop, story = robbed(BOB)
    story.adds(eve, Promote(BOB.account), device=laptop, which=1)
    assert story.adds(BOB, Remove((eve.account,))) == 0


def test_an_admin_whose_key_a_held_entry_replaced_releases_nothing() -> None:
    eve, laptop, story = robbed(BOB, CID, admin=BOB)
    stolen = Person.named("not bob", BOB.account)
    story.adds(eve, Rekey(BOB.account, stolen.key.public), device=laptop, which=1)
    story.adds(eve, Promote(BOB.account), device=laptop, which=1)
    assert story.adds(stolen, Remove((CID.account,))) == 0


def test_a_second_suspect_entry_is_held_again() -> None:
    eve, laptop, story = robbed(BOB, CID, admin=BOB)
    story.adds(eve, Add((DAN.pair,)), device=laptop, which=1)
    assert story.adds(BOB, Promote(DAN.account)) == 2
    assert story.adds(eve, Remove((CID.account,)), device=laptop, which=1) == 2
    assert story.adds(BOB, Remove((DAN.account,))) == 4


def test_only_a_newer_list_without_the_device_makes_its_entry_suspect() -> None:
    eve = Person.named("eve suspect")
    laptop = eve.link()
    state = begun(eve, BOB)
    made = decode_entry(entry(state, eve, Leave(), device=laptop).body)
    cited = eve.proven().listed
    assert not is_suspect(made, cited, None)
    assert not is_suspect(made, cited, cited)
    assert not is_suspect(made, cited, eve.proven(0).listed)
    eve.again()
    assert not is_suspect(made, cited, eve.proven().listed)
    eve.revoke(laptop)
    assert is_suspect(made, cited, eve.proven().listed)


def test_an_accepted_new_account_key_makes_entries_under_the_old_one_suspect() -> None:
    state = begun(ANN, BOB)
    made = decode_entry(entry(state, ANN, Leave()).body)
    anew = Person.named("ann anew", ANN.account)
    assert is_suspect(made, ANN.proven().listed, anew.proven().listed)


def test_nothing_seen_is_nothing_done() -> None:
    assert effective(begun(ANN), []) == 0
