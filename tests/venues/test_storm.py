"""Two hundred accounts lose their lines at once behind one egress address: within the venue's budget, positions first; simulated clock."""

from collections.abc import Callable

import pytest

from streams.venues import binance
from streams.venues.weights import Weights
from streams.venues.words import Call, Close, Command, Open
from tests.venues.world import World

ACCOUNTS, EXPOSED, STEP_MS, MINUTE = 200, 50, 250, 60_000


class Address:
    """One egress address: who asks or connects waits for its turn. `went` are (ms, weight, urgent, connect), in order."""

    def __init__(self) -> None:
        record = binance.venue()
        self.weights, self.allowed = Weights(record.weight_per_min, record.connects_per_min), record.weight_per_min
        self.waiting: dict[int, tuple[tuple[int, bool, bool], Callable[[], None]]] = {}
        self.went: list[tuple[int, int, bool, bool]] = []
        self.crowded = False

    def enter(self, asked: tuple[int, bool, bool], go: Callable[[], None]) -> int:
        if not self.crowded:
            go()
            return 0
        number = self.weights.want(*asked)
        self.waiting[number] = asked, go
        return number

    def leave(self, number: int) -> None:
        if self.waiting.pop(number, None):
            self.weights.forget(number)

    def admit(self, now_ms: int) -> None:
        for number in self.weights.admitted(now_ms):
            asked, go = self.waiting.pop(number)
            self.went.append((now_ms, *asked))
            go()


class Guest(World):
    """A world that asks and connects through the address; `live_ms` is when it was live again."""

    def __init__(self, seed: int, address: Address) -> None:
        self._address, self.live_ms, self._turns = address, 0, dict[int, int]()  # turns by socket
        super().__init__(seed)

    def _call(self, command: Call) -> None:
        self._address.enter((command.request.weight, command.urgent, False), lambda: World._call(self, command))

    def _open(self, command: Open) -> None:
        asked = 0, self.session.memory.exposed, True
        self._turns[command.socket] = self._address.enter(asked, lambda: World._open(self, command))

    def _do(self, command: Command) -> None:
        if isinstance(command, Close):  # as the shell: who opens is cancelled, and leaves the line
            self._address.leave(self._turns.pop(command.socket, 0))
        super()._do(command)


def _gathered(address: Address) -> list[Guest]:
    """All are live, a quarter with positions or orders, at one time."""
    guests = [Guest(seed, address) for seed in range(ACCOUNTS)]
    for number, guest in enumerate(guests):
        guest.start()
        guest.run(5_000)
        while number % (ACCOUNTS // EXPOSED) == 0 and not guest.session.memory.exposed:
            guest.act()
            guest.run(1_000)
        assert guest.session.ready
    now_ms = max(guest.now_ms for guest in guests)
    for guest in guests:
        guest.run(now_ms - guest.now_ms)
    return guests


@pytest.fixture(scope="module")
def storm() -> tuple[Address, list[Guest]]:
    """Every line is cut, and time passes until all are live again."""
    address = Address()
    guests = _gathered(address)
    address.crowded, now_ms = True, guests[0].now_ms
    for guest in guests:
        guest.cut()
    end_ms = now_ms + 60 * MINUTE
    while not all(guest.live_ms for guest in guests) and now_ms < end_ms:
        now_ms += STEP_MS
        for guest in guests:
            guest.run(STEP_MS)
            if guest.session.ready and not guest.live_ms and guest.session.links > 1:
                guest.live_ms = now_ms
        address.admit(now_ms)
    return address, guests


def test_every_minute_stays_within_the_budget(storm: tuple[Address, list[Guest]]) -> None:
    address, _ = storm
    assert sum(weight for _, weight, _, _ in address.went) > 4 * address.allowed  # it was a storm
    for begun, *_ in address.went:
        within = [(weight, connect) for at, weight, _, connect in address.went if begun <= at < begun + MINUTE]
        assert sum(weight for weight, _ in within) <= address.allowed
        assert sum(connect for _, connect in within) <= 60


def test_those_with_positions_are_live_first(storm: tuple[Address, list[Guest]]) -> None:
    _, guests = storm
    exposed = sorted(guest.live_ms for number, guest in enumerate(guests) if number % (ACCOUNTS // EXPOSED) == 0)
    idle = sorted(guest.live_ms for number, guest in enumerate(guests) if number % (ACCOUNTS // EXPOSED))
    assert len([at for at in idle if at < exposed[-1]]) <= 3  # who stood in line before any of them
    assert exposed[-1] < idle[len(idle) // 4]


def test_nobody_waits_for_ever(storm: tuple[Address, list[Guest]]) -> None:
    _, guests = storm
    assert all(guest.live_ms for guest in guests)
    assert {guest.session.links for guest in guests} == {2}
