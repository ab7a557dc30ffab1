"""Random logs: whatever people try, the fold is the same everywhere and its promises hold."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.signing.people import Person, create, entry, sealed_title

from linnet.signing import group_changes
from linnet.signing.device_list import prove_list
from linnet.signing.group_changes import (
    Add,
    Change,
    Confirm,
    Demote,
    Leave,
    Promote,
    Rekey,
    Remove,
    Retitle,
)
from linnet.signing.group_entry import decode_entry
from linnet.signing.group_errors import EntryReason, EntryRefused
from linnet.signing.group_fold import fold, fold_log, found
from linnet.signing.group_fork import Evidence, fork
from linnet.signing.group_state import GroupState, departed
from linnet.signing.objects import SignedObject

NAMES = ("ann", "bob", "cid", "dan", "eve", "fay")
WHO = st.sampled_from(NAMES)
SOME = st.sets(WHO, min_size=1, max_size=3)
ACTOR = st.integers(0, 11)
"""Below 9: one of the admins, if there is one; else anybody."""


class Log(RuleBasedStateMachine):
    """One group, six people, of whom each may register anew; any of them tries anything."""

    def __init__(self) -> None:
        super().__init__()
        self.people = {name: Person.named(name) for name in NAMES}
        self.log: list[SignedObject] = []
        self.lists: dict[bytes, SignedObject] = {}
        self.states: list[GroupState] = []

    @property
    def state(self) -> GroupState:
        return self.states[-1]

    @initialize(others=st.sets(st.sampled_from(NAMES[1:]), min_size=2))
    def begin(self, others: set[str]) -> None:
        founder = self.people["ann"]
        genesis = create(founder, *(self.people[name] for name in others))
        self.states.append(found(genesis, founder.proven()))
        self._keep(genesis, founder.newest)

    @rule(actor=ACTOR, added=SOME)
    def add(self, actor: int, added: set[str]) -> None:
        self._by(actor, Add(tuple(sorted(self.people[name].pair for name in added))))

    @rule(actor=ACTOR, removed=SOME)
    def remove(self, actor: int, removed: set[str]) -> None:
        self._by(actor, Remove(tuple(sorted(self.people[name].account for name in removed))))

    @rule(who=WHO, change=st.sampled_from([Leave(), Confirm()]))
    def alone(self, who: str, change: Change) -> None:
        self._try(who, change)

    @rule(actor=ACTOR, whom=WHO, change=st.sampled_from([Promote, Demote]))
    def give_role(self, actor: int, whom: str, change: type[Promote | Demote]) -> None:
        self._by(actor, change(self.people[whom].account))

    @rule(actor=ACTOR, whom=WHO)
    def rekey(self, actor: int, whom: str) -> None:
        person = self.people[whom]
        self._by(actor, Rekey(person.account, person.key.public))

    @rule(actor=ACTOR, number=st.integers(1, 40), secret=st.binary(max_size=1))
    def retitle(self, actor: int, number: int, secret: bytes) -> None:
        self._by(actor, Retitle(sealed_title(number, secret)))

    @rule(actor=ACTOR, secret=st.binary(max_size=1))
    def retitle_anew(self, actor: int, secret: bytes) -> None:
        self._by(actor, Retitle(sealed_title(self.state.version + 1, secret)))

    @rule(who=WHO)
    def sign_the_list_again(self, who: str) -> None:
        self.people[who].again()

    @rule(who=WHO)
    def cite_an_older_list(self, who: str) -> None:
        if len(self.people[who].lists) > 1:
            self._try(who, Leave(), which=-2)

    @rule(who=st.sampled_from(NAMES[1:]))
    def register_anew(self, who: str) -> None:
        old = self.people[who]
        if any(person.name not in NAMES for person in self.people.values()):
            return
        self.people[who] = Person.named(old.name + "'", old.account)

    @rule(who=WHO, back=st.integers(2, 9))
    def build_on_an_older_entry(self, who: str, back: int) -> None:
        if len(self.states) >= back:
            person = self.people[who]
            made = entry(self.states[-back], person, Leave())
            assert self._refusal(made, person.newest) is EntryReason.STALE

    def _by(self, actor: int, change: Change) -> None:
        admins = sorted(
            n for n, person in self.people.items() if self.state.is_admin(person.account)
        )
        names = admins if actor < 9 and admins else NAMES
        self._try(names[actor % len(names)], change)

    def _try(self, who: str, change: Change, which: int = -1) -> None:
        person = self.people[who]
        made = entry(self.state, person, change, which=which)
        try:
            after = fold(self.state, made, person.proven(which))
        except EntryRefused:
            return
        self._allowed(person, change, after)
        self.states.append(after)
        self._keep(made, person.lists[which])

    def _allowed(self, actor: Person, change: Change, after: GroupState) -> None:
        """What the model says of an entry that was taken."""
        before = self.state
        assert actor.pair in before.pairs()
        if not isinstance(change, Leave | Confirm):
            assert actor.account in before.admins()
        gone = {pair.account for pair in departed(before, after)}
        match change:
            case Remove(accounts):
                assert gone == set(accounts)
            case Leave():
                assert gone == {actor.account}
            case Rekey(account, _):
                assert gone == {account}
            case _:
                assert gone == set()
        assert after.needs_secret() or not gone

    def _refusal(self, made: SignedObject, cited: SignedObject) -> EntryReason | None:
        try:
            fold(self.state, made, prove_list(cited))
        except EntryRefused as refused:
            return refused.reason
        return None

    def _keep(self, made: SignedObject, cited: SignedObject) -> None:
        self.log.append(made)
        self.lists[cited.hash] = cited

    @invariant()
    def a_group_with_members_has_an_admin(self) -> None:
        if self.states and self.state.members:
            assert self.state.admins()

    @invariant()
    def members_are_within_their_bound(self) -> None:
        if self.states:
            assert len(self.state.members) <= group_changes.MAX_MEMBERS
            assert all(m.joined <= self.state.version for m in self.state.members.values())

    @invariant()
    def the_heads_are_a_chain(self) -> None:
        if len(self.log) > 1:
            assert decode_entry(self.log[-1].body).prev == self.log[-2].hash
            assert (self.state.version, self.state.head) == (len(self.log), self.log[-1].hash)

    @invariant()
    def cited_lists_never_fall(self) -> None:
        if len(self.states) > 1:
            before, after = self.states[-2].cited, self.state.cited
            assert all(after[pair].version >= cited.version for pair, cited in before.items())

    def teardown(self) -> None:
        if self.log:
            assert fold_log(self.log, self.lists) == self.state
            middle = len(self.log) // 2
            if middle:
                rest = fold_log(self.log[middle:], self.lists, self.states[middle - 1])
                assert rest == self.state
            assert all(self._no_fork(place) for place in range(1, len(self.log)))

    def _no_fork(self, place: int) -> bool:
        """An honest log is no fork of itself, wherever two of its entries are compared."""
        both: list[Any] = [
            Evidence(obj, self.lists[decode_entry(obj.body).list_hash])
            for obj in self.log[place - 1 : place + 1]
        ]
        return fork(self.states[place - 1], *both) is None


TestLog = Log.TestCase
TestLog.settings = settings(
    max_examples=settings().max_examples // 2, stateful_step_count=25, deadline=None
)
