"""The poller against a venue under a simulated clock: facts lost on a stream that looks alive, streams that stay down, races."""

import itertools
import random
from decimal import Decimal

import pytest

from streams.venues.monitor.compare import Difference, repairing
from streams.venues.monitor.poller import Poll, Poller
from streams.venues.monitor.schedule import Policy, Schedule
from streams.venues.monitor.told import Told
from streams.venues.words import Closed, Open, Opened, State
from streams.venues.words import Polled as Repair
from tests.venues.folded import fold
from tests.venues.world import World

SECOND, MINUTE = 1_000, 60_000
NAME = ("live:1", "bn")


class Polled(World):
    """A world with the monitor's poller beside the session."""

    def __init__(self, seed: int, faults: frozenset[str] = frozenset()) -> None:
        self.told_so_far = Told()
        self.noted = 0
        self.deaf = False  # private frames are lost on their way, one by one
        self.no_sockets = False
        self.poller = Poller(random.Random(seed), Policy())
        self.found: list[Difference] = []
        self.polls: list[int] = []
        super().__init__(seed, faults)

    def _open(self, command: Open) -> None:
        if self.no_sockets:
            self.after(50, lambda: self.hear(Closed(command.socket, "no route")))
        else:
            super()._open(command)

    def _send(self, socket: object, wire: bytes, late: int) -> None:
        if not self.deaf:
            super()._send(socket, wire, late)  # type: ignore[arg-type]

    def watch(self, ms: int) -> None:
        """Time passes, the poller looking every second."""
        end = self.now_ms + ms
        while self.now_ms < end:
            self.run(SECOND)
            for at_ms, event in self.told[self.noted:]:
                self.told_so_far.note((event,), at_ms)
            self.noted = len(self.told)
            for name in self.poller.due({NAME: self.session.ready}, self.now_ms):
                self._poll(Poll(name, self.session.venue, self.session.ready, self.session.links, self.now_ms))

    def _poll(self, poll: Poll) -> None:
        self.polls.append(self.now_ms)
        parts = {}
        for request in poll.questions():
            answer = self._answer(request)
            assert isinstance(answer, bytes)
            parts[request.part] = answer
        outcome = self.poller.answered(poll, parts, self.told_so_far, self.now_ms)
        self.found += outcome.found
        if outcome.happened is not None:
            self.hear(outcome.happened)

    def agrees(self) -> bool:
        """Whether what was told amounts to what the venue's account has."""
        account = fold(self.told, "live:1").user.accounts["bn"]
        return account.balances["USDT"].wallet_balance == self.ledger.wallet


def _live(seed: int = 1) -> Polled:
    world = Polled(seed)
    world.start()
    world.watch(10 * SECOND)
    assert world.session.ready
    return world


def test_a_fact_lost_on_a_stream_that_goes_on_is_found_told_and_repaired() -> None:
    world = _live()
    world.deaf = True
    world.act(world.ledger.deposit(Decimal(5), world.now_ms))
    world.deaf = False
    for _ in range(11):
        world.watch(MINUTE)
        world.emit({"e": "ACCOUNT_CONFIG_UPDATE", "E": world.now_ms, "T": world.now_ms, "ac": {"s": "BTCUSDT", "l": 5}})
    assert world.agrees()
    assert [(one.thing, one.field) for one in world.found] == [("USDT", "wallet_balance")]
    assert [report.kind for report in world.reports] == ["live", "doubted", "rotated"]
    assert world.session.ready


def test_a_stream_without_faults_differs_never() -> None:
    world = _live(3)
    for _ in range(120):
        world.act()
        world.watch(10 * SECOND)
    assert world.found == []
    waits = [after - before for before, after in itertools.pairwise(world.polls)]
    assert len(world.polls) >= 2
    assert min(waits) >= 4_000, "a race is looked at once more after five seconds"


@pytest.mark.parametrize("seed", range(4))
def test_where_rest_lags_nothing_is_believed_at_first_sight(seed: int) -> None:
    world = Polled(seed, frozenset({"lag", "late frames", "twice"}))
    world.start()
    for _ in range(60):
        world.watch(30 * SECOND)
        world.act()
    assert world.found == []


def test_a_stream_that_stays_down_is_told_by_rest_and_taken_over_by_the_next_link() -> None:
    world = _live(5)
    world.no_sockets = True
    world.cut()
    world.watch(SECOND)
    world.act(world.ledger.deposit(Decimal(7), world.now_ms))
    world.watch(4 * MINUTE)
    assert not world.session.ready
    assert world.agrees(), "by REST alone"
    assert "polled" in [report.kind for report in world.reports]
    assert 3 <= len(world.polls) <= 10, "sooner than every five minutes"
    world.no_sockets = False
    world.act(world.ledger.deposit(Decimal(11), world.now_ms))
    world.watch(3 * MINUTE)
    assert world.session.ready
    assert world.agrees()


def test_a_frame_that_is_late_is_no_discrepancy() -> None:
    world = _live(8)
    world.watch(MINUTE)
    frames = world.ledger.deposit(Decimal(5), world.now_ms)
    world.act([])  # REST knows at once
    world._poll(Poll(NAME, world.session.venue, True, world.session.links, world.now_ms))
    world.run(3 * SECOND)
    world.act(frames)
    polls = len(world.polls)
    world.watch(20 * SECOND)
    assert len(world.polls) == polls + 1, "looked at once more"
    assert (world.found, world.agrees()) == ([], True)
    assert [report.kind for report in world.reports] == ["live"]


def test_what_was_asked_before_a_link_came_is_not_told_after_it_went() -> None:
    world = _live(6)
    found = [(request.part, world._answer(request)) for request in repairing(world.session.venue)]
    parts = tuple((part, answer) for part, answer in found if isinstance(answer, bytes))
    asked_ms, before = world.now_ms, world.session.links - 1
    world.act(world.ledger.deposit(Decimal(3), world.now_ms))
    world.watch(5 * SECOND)
    world.no_sockets = True
    world.cut()
    world.run(50)
    assert world.session.state in (State.IDLE, State.KEY)
    assert world.session.step(Repair(parts, asked_ms, before), world.now_ms) == [], "it would undo the deposit"
    assert world.session.step(Repair(parts, world.now_ms, world.session.links), world.now_ms) != []


def test_while_a_link_is_on_its_way_nothing_is_told_beside_it() -> None:
    world = _live(7)
    poll = Poll(NAME, world.session.venue, False, world.session.links, world.now_ms)
    parts = {request.part: answer for request in poll.questions() if isinstance(answer := world._answer(request), bytes)}
    world.ledger.deposit(Decimal(9), world.now_ms)
    world.cut()
    while world.session.state is not State.CONNECTING:
        world.run(50)
    world.told_so_far.wallets.clear()
    outcome = world.poller.answered(poll, parts, world.told_so_far, world.now_ms)
    assert outcome.happened is not None
    assert world.session.step(outcome.happened, world.now_ms) == []
    assert world.session.step(Opened(99), world.now_ms) == []


def test_accounts_are_spread_over_five_to_ten_minutes_and_the_gone_forgotten() -> None:
    schedule, accounts = Schedule(random.Random(2), Policy()), {("live:1", str(n)): True for n in range(1_000)}
    asked: dict[tuple[str, str], list[int]] = {name: [] for name in accounts}
    per_minute: list[int] = []
    for second in range(0, 3_600, 5):
        due = schedule.due(accounts, second * SECOND)
        for name in due:
            asked[name].append(second)
            schedule.asked(name, second * SECOND)
        per_minute += [0] if second % 60 == 0 else []
        per_minute[-1] += len(due)
    waits = [after - before for times in asked.values() for before, after in itertools.pairwise(times)]
    assert min(waits) >= 299
    assert max(waits) <= 605
    assert max(per_minute[5:]) * 5 < 2_400 * 0.75, "of Binance's weight, what the idle may use"
    assert schedule.due({}, 7_200 * SECOND) == []


def test_a_stream_that_is_down_is_looked_at_sooner_and_no_more_when_it_is_back() -> None:
    schedule = Schedule(random.Random(2), Policy())
    assert schedule.due({NAME: True}, 0) == []
    assert schedule.due({NAME: False}, 10 * SECOND) == []
    assert schedule.due({NAME: False}, 30 * SECOND) == [NAME]
    schedule.asked(NAME, 30 * SECOND)
    assert schedule.due({NAME: False}, 59 * SECOND) == []
    assert schedule.due({NAME: False}, 91 * SECOND) == [NAME]
    schedule.due({NAME: True}, 92 * SECOND)
    schedule.asked(NAME, 92 * SECOND)
    assert schedule.due({NAME: True}, 390 * SECOND) == []
