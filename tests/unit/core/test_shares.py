"""How engines divide a limit: never more than there is, nothing wanted is idle, nobody is forgotten."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from weft.core.shares import QUANTUM_S, Demand, Division, divide, ranked, targets
from weft.model.limits import Stake

NOW = 1000.0


def stake(share: int = 0, *, want: int = 0, need: int = 1, since: float = 0.0, limit: int = 10) -> Stake:
    """A stake; its next attempt takes one slot unless it says otherwise."""
    return Stake(share=share, limit=limit, want=want, need=need if want else 0, since=since)


class Table:
    """A limit and the engines at it, each of which moves when it is told to."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.now = NOW
        self.stakes: dict[int, Stake] = {}
        self.gone = 0

    def move(self, me: int, used: int, want: int, need: int = 1, *, keep: int | None = None) -> Division:
        """An engine's next move, written down."""
        mine = replace(self.stakes.get(me) or Stake(share=0, limit=self.limit), limit=self.limit)
        demand = Demand(used, want, need)
        made = divide(self.stakes, me, mine, demand, now=self.now, gone=self.gone, keep=keep)
        self.stakes = made.stakes
        return made

    @property
    def shares(self) -> dict[int, int]:
        """Each engine's share."""
        return {engine: each.share for engine, each in self.stakes.items()}


def test_who_comes_first_gets_what_it_wants_and_the_next_what_is_left() -> None:
    """Nobody has to wait for anybody else's word while there is enough."""
    table = Table(3)
    assert table.move(1, 0, 2).room == 2
    assert not table.move(1, 2, 2).contended
    second = table.move(2, 0, 3)
    assert (second.room, second.contended) == (1, True)
    assert table.shares == {1: 2, 2: 1}


def test_a_share_doubles_as_it_grows_while_nobody_else_lacks_any() -> None:
    """A burst of single attempts costs few transactions."""
    table = Table(100)
    rooms = [table.move(1, used, used + 1).room for used in (0, 1, 2, 4, 8, 16, 32, 64)]
    assert rooms == [1, 2, 4, 8, 16, 32, 64, 100]


def test_two_with_plenty_to_do_come_to_have_half_each() -> None:
    """The first one starts nothing beyond its half, and what ends above it goes to the second at once."""
    table = Table(10)
    table.move(1, 0, 50)
    assert table.move(2, 0, 50).room == 0
    assert table.move(1, 10, 50).room == 5
    assert table.shares == {1: 10, 2: 0}
    assert table.move(1, 7, 50).room == 5
    assert table.shares == {1: 7, 2: 3}
    table.move(1, 5, 50)
    assert table.shares == {1: 5, 2: 5}
    before = dict(table.stakes)
    table.now += 100 * QUANTUM_S
    table.move(1, 5, 50)
    table.move(2, 5, 50)
    assert table.stakes == before


def test_what_is_not_used_goes_to_who_lacks_it() -> None:
    """However long it has been somebody's."""
    table = Table(4)
    table.move(1, 0, 4)
    table.move(2, 0, 3)
    assert table.move(1, 1, 1).room == 1
    assert table.shares == {1: 1, 2: 3}


def test_a_mutex_changes_hands_after_a_while_and_not_before() -> None:
    """A second each, so that handing over costs little; whoever waits longest is next."""
    table = Table(1)
    table.move(1, 0, 9)
    table.move(2, 0, 9)
    table.now += 0.1
    table.move(3, 0, 9)
    assert table.move(1, 0, 9).room == 1
    held = []
    for _ in range(6):
        table.now += QUANTUM_S
        holder = next(engine for engine, share in table.shares.items() if share)
        assert table.move(holder, 1, 9).room == 0
        table.move(holder, 0, 9)
        held.append(next(engine for engine, share in table.shares.items() if share))
    assert held == [2, 3, 1, 2, 3, 1]


def test_one_that_needs_many_slots_collects_them() -> None:
    """Small ones that come later do not overtake it for ever."""
    table = Table(3)
    table.move(1, 0, 9)
    table.move(2, 0, 3, need=3)
    table.now += QUANTUM_S
    table.move(3, 0, 9)
    assert table.move(1, 2, 9).room == 0
    assert table.shares == {1: 2, 2: 1, 3: 0}
    table.move(1, 0, 9)
    assert table.shares == {1: 0, 2: 3, 3: 0}


def test_who_has_one_limit_and_waits_for_the_next_keeps_the_first() -> None:
    """Else two engines could take them from each other for ever."""
    stakes = {1: replace(stake(1, want=1), firm=True), 2: stake(want=1, since=5.0)}
    assert ranked(stakes, NOW) == [1, 2]
    assert ranked({**stakes, 1: replace(stakes[1], firm=False)}, NOW) == [2, 1]


def test_more_in_use_than_there_is_lets_nothing_start() -> None:
    """As after a crash, when the attempts of a dead engine are found alive; then it evens out."""
    table = Table(2)
    table.move(1, 0, 2)
    assert table.move(2, 1, 3).room == 0
    assert table.shares == {1: 2, 2: 1}
    assert table.move(1, 1, 1).room == 1
    assert table.move(1, 0, 0).room == 0
    assert table.move(2, 1, 3).room == 2


def test_slots_of_an_engine_that_is_gone_are_nobodys_until_they_are_free() -> None:
    """Whoever waits is told that it is contended, and looks again."""
    table = Table(2)
    table.gone = 2
    made = table.move(1, 0, 1)
    assert (made.room, made.contended) == (0, True)
    table.gone = 0
    assert table.move(1, 0, 1).room == 1


def test_of_sizes_that_differ_the_smallest_counts() -> None:
    """A pool that was made smaller is so once one engine knows; who waits goes on looking until all agree."""
    table = Table(4)
    table.move(1, 0, 1)
    table.stakes[1] = replace(table.stakes[1], limit=1)
    made = table.move(2, 0, 4)
    assert (made.room, made.contended) == (0, True)
    table.stakes[1] = replace(table.stakes[1], limit=0)
    assert table.move(2, 0, 4).contended


def test_an_engine_that_wants_nothing_leaves_no_trace() -> None:
    """Its stake is forgotten, and the record with the last one."""
    table = Table(2)
    table.move(1, 0, 1)
    assert table.move(1, 0, 0, keep=0).stakes == {}


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 6),
    st.lists(
        st.tuples(st.integers(1, 4), st.integers(0, 9), st.integers(1, 4), st.floats(0, 2)), max_size=40
    ),
)
def test_shares_are_never_more_than_the_limit(limit: int, moves: list[tuple[int, int, int, float]]) -> None:
    """Whatever engines want and whenever they move, and each keeps what it uses."""
    table = Table(limit)
    used = dict.fromkeys(range(1, 5), 0)
    for me, want, need, passes in moves:
        table.now += passes
        used[me] = min(used[me], want)
        room = table.move(me, used[me], want, min(need, max(limit, 1))).room
        assert sum(table.shares.values()) <= limit
        assert room <= table.shares.get(me, 0)
        assert all(table.shares.get(each, 0) >= slots for each, slots in used.items())
        used[me] = max(used[me], min(want, room))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 20), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), max_size=6))
def test_targets_leave_nothing_idle_that_is_wanted(slots: int, wants: list[tuple[int, int]]) -> None:
    """All slots, or all that is wanted, are somebody's; none gets more than it wants."""
    stakes = {at: stake(want=want, need=min(need, want)) for at, (want, need) in enumerate(wants)}
    found = targets(stakes, slots, NOW)
    assert sum(found.values()) == min(slots, sum(want for want, _ in wants))
    assert all(found[at] <= each.want for at, each in stakes.items())


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(1, 4), min_size=2, max_size=5), st.randoms())
def test_nobody_waits_for_ever(limit: int, needs: list[int], random: object) -> None:
    """With attempts that end, every engine that always wants more is served again and again."""
    table = Table(limit)
    needs = [min(need, limit) for need in needs]
    used = [0] * len(needs)
    served = [0] * len(needs)
    for _ in range(60 * len(needs)):
        table.now += 0.25
        for me, need in enumerate(needs):
            used[me] = 0 if random.random() < 0.8 else used[me]  # type: ignore[attr-defined]  # a Random
            room = table.move(me, used[me], limit, need).room
            starts = max(room - used[me], 0) // need
            used[me] += starts * need
            served[me] += starts
    assert min(served) > 3
