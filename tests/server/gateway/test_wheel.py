"""One timer for all sockets."""

from linnet.server.gateway.wheel import Wheel


class Member:
    """Notes when it is looked at, and answers what the script says."""

    def __init__(self, *again: int | None) -> None:
        self._again = list(again)
        self.seen: list[int] = []

    def look(self, tick: int) -> int | None:
        self.seen.append(tick)
        return self._again.pop(0) if self._again else None


def passed(wheel: Wheel, ticks: int) -> None:
    for _ in range(ticks):
        wheel.advance()


def test_a_member_is_looked_at_when_it_asked_for_it_and_then_leaves() -> None:
    wheel, member = Wheel(), Member()
    wheel.add(member, 3)
    passed(wheel, 300)
    assert member.seen == [3]


def test_it_comes_again_when_it_says_so() -> None:
    wheel, member = Wheel(), Member(5, 9)
    wheel.add(member, 2)
    passed(wheel, 300)
    assert member.seen == [2, 5, 9]


def test_what_is_due_already_is_looked_at_next() -> None:
    wheel, member = Wheel(), Member(1)
    passed(wheel, 10)
    wheel.add(member, 4)
    passed(wheel, 3)
    assert member.seen == [11, 12]


def test_further_away_than_a_turn_is_looked_at_at_the_turns_end() -> None:
    wheel, member = Wheel(slots=8), Member(100)
    wheel.add(member, 50)
    passed(wheel, 14)
    assert member.seen == [7, 14]


def test_members_of_one_slot_do_not_disturb_each_other() -> None:
    wheel, members = Wheel(), [Member() for _ in range(50)]
    for member in members:
        wheel.add(member, 6)
    passed(wheel, 6)
    assert [member.seen for member in members] == [[6]] * 50
