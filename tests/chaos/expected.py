"""The oracle of ids: from facts and prices at each barrier, which transitions and liquidation steps must have been said, each once.

It knows nothing of how a check is made. While the market is muted an account with a position is `unknown` and one without stands on its
balance; when the market speaks each account is judged once, on the row and the prices of the barrier. So every rung it passes is known.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal

from schemas.engine_pb2 import DeadLetter, Liquidation, MarginCall, PriceTick
from schemas.keys import HOUSE, step_id, transition_id
from streams import topics
from streams.stack.oracle import Expected, Seen
from tests.chaos.figures import LIQUIDATION, NAMES, NORMAL, UNKNOWN, Leg, legs_of, reduced, stands, stopped_out, wallet_of

Rows = Mapping[str, Mapping[str, Expected]]
Said = dict[tuple[str, str], str]  # (kind, id) -> what it says, in short


class Standing:
    """What an account's ids are counted from."""

    def __init__(self, user: str, account: str) -> None:
        self.user, self.account = user, account
        self.rung = self.known = NORMAL
        self.episode = self.transition = self.step = 0
        self.plan: dict[str, str] = {}  # ordered and not yet reported: step id -> what

    def move(self, rung: int, said: Said) -> None:
        """To another rung: a transition. An episode is one stay outside normal; `unknown` neither opens nor ends one."""
        if rung == self.rung:
            return
        if rung != UNKNOWN:
            if self.known == NORMAL != rung:
                self.episode, self.transition, self.step = self.episode + 1, 0, 0
            self.known = rung
        self.transition += 1
        ident = transition_id(self.user, self.account, self.episode, self.transition)
        said["margin call", ident] = f"{NAMES[self.rung]} to {NAMES[rung]}"
        self.rung = rung

    def order(self, steps: list[str], said: Said) -> list[str]:
        """A plan: it takes a number, and each of its steps the next. Returns the ids of the steps."""
        whole, *idents = (step_id(self.user, self.account, self.episode, self.step + at) for at in range(len(steps) + 1))
        self.step += 1 + len(steps)
        said["ordered", whole] = f"{len(steps)} steps"
        said.update({("step_ordered", ident): what for ident, what in zip(idents, steps, strict=True)})
        return idents


class Expectation:
    """Cumulative over the barriers of a run."""

    def __init__(self) -> None:
        self.said: Said = {}
        self._standing: dict[tuple[str, str], Standing] = {}

    def muted(self, rows: Rows) -> None:
        """The market is muted and every fact is folded."""
        for standing, row in self._each(rows):
            standing.move(UNKNOWN if row.positions else stands(standing.account, wallet_of(row), [], standing.known), self.said)

    def priced(self, rows: Rows, ticks: Mapping[str, PriceTick]) -> None:
        """The market speaks, at these prices and rows."""
        for standing, row in self._each(rows):
            wallet, legs = wallet_of(row), legs_of(standing.account, row, ticks)
            standing.move(stands(standing.account, wallet, legs, standing.known), self.said)
            if standing.rung == LIQUIDATION:
                self._house(standing, wallet, legs) if standing.account == HOUSE else self._venue(standing, wallet, legs)

    def plans(self) -> list[tuple[str, str, str]]:
        """(user, account, step id) of every step under way."""
        return [(*name, ident) for name, standing in self._standing.items() for ident in standing.plan]

    def reported(self, user: str, account: str, ident: str, status: str) -> None:
        """A step is reported as `completed` or `refused`."""
        what = self._standing[user, account].plan.pop(ident)
        self.said[status, f"{ident}/{status}"] = what

    def differences(self, records: Iterable[Seen]) -> list[str]:
        """What was said and must not have been, or was not and must."""
        found = said_by(records)
        names = sorted(name for name in self.said.keys() | found.keys() if self.said.get(name) != found.get(name))
        return [f"{kind} {ident}: expected {self.said.get((kind, ident), 'none')}, was {found.get((kind, ident), 'none')}"
                for kind, ident in names]

    def _each(self, rows: Rows) -> Iterable[tuple[Standing, Expected]]:
        for user, accounts in sorted(rows.items()):
            for account, row in sorted(accounts.items()):
                yield self._standing.setdefault((user, account), Standing(user, account)), row

    def _house(self, standing: Standing, wallet: Decimal, legs: list[Leg]) -> None:
        """One ticket at a time is closed in the same moment, and the account judged again."""
        rung = standing.rung
        while rung == LIQUIDATION and (worst := stopped_out(wallet, legs)):
            [ident] = standing.order([f"close {worst.instrument}"], self.said)
            self.said["completed", f"{ident}/completed"] = f"{abs(worst.quantity.normalize()):f} {worst.instrument}"
            wallet, legs = wallet + worst.profit, [leg for leg in legs if leg != worst]
            rung = stands(standing.account, wallet, legs, LIQUIDATION)
        standing.move(rung, self.said)

    def _venue(self, standing: Standing, wallet: Decimal, legs: list[Leg]) -> None:
        """An outside order system gets a plan, the next one when it has answered: orders are cancelled first."""
        closes = [] if standing.plan else reduced(wallet, legs)
        if closes:
            whats = ["cancel_orders", *(f"close {leg.instrument}" for leg in closes)]
            standing.plan = dict(zip(standing.order(whats, self.said), whats, strict=True))


def said_by(records: Iterable[Seen]) -> Said:
    """What the topics of verdicts say, each id once."""
    found: Said = {}
    for record in records:
        if record.topic == topics.MARGIN_CALLS:
            call = MarginCall.FromString(record.value)
            found["margin call", call.id] = f"{NAMES[call.before]} to {NAMES[call.after]}"
            continue
        event = Liquidation.FromString(record.value)
        kind = event.WhichOneof("event") or ""
        found[kind, event.id] = _what(event, kind)
    return found


def _what(event: Liquidation, kind: str) -> str:
    if kind == "ordered":
        return f"{len(event.ordered.steps)} steps"
    if kind == "step_ordered":
        return f"{event.step_ordered.action} {event.step_ordered.instrument}".strip()
    if kind == "refused":
        return event.refused
    if event.account_id == HOUSE:
        return f"{Decimal(event.completed.quantity).normalize():f} {event.completed.instrument}"
    return f"close {event.completed.instrument}" if event.completed.instrument else "cancel_orders"


def chain_differences(records: Iterable[Seen]) -> list[str]:
    """Where an account's transitions are not 1, 2, 3.. in each episode, or one does not begin where the last ended; likewise steps."""
    calls: dict[tuple[str, str], dict[tuple[int, int], MarginCall]] = defaultdict(dict)
    steps: dict[tuple[str, str, int], set[int]] = defaultdict(set)
    for record in records:
        if record.topic == topics.MARGIN_CALLS:
            call = MarginCall.FromString(record.value)
            calls[call.user_id, call.account_id][call.episode, call.transition] = call
            continue
        event = Liquidation.FromString(record.value)
        if event.WhichOneof("event") in ("ordered", "step_ordered"):
            steps[event.user_id, event.account_id, event.episode].add(event.step)
    lines = [line for name, of in sorted(calls.items()) for line in _broken("/".join(name), of)]
    return lines + [f"steps of {user}/{account}/{episode}: expected 0 to {len(numbers) - 1}, was {sorted(numbers)}"
                    for (user, account, episode), numbers in sorted(steps.items()) if numbers != set(range(len(numbers)))]


def dead_letter_differences(records: Iterable[Seen], poison: set[tuple[str, int, int]]) -> list[str]:
    """Dead letters that are no poison put in, and poison without one."""
    letters = [DeadLetter.FromString(record.value) for record in records]
    found = {(letter.topic, letter.partition, letter.offset) for letter in letters}
    return [f"dead letter {place}: expected {place in poison}, was {place in found}" for place in sorted(found ^ poison)]


def _broken(name: str, calls: Mapping[tuple[int, int], MarginCall]) -> Iterable[str]:
    before, after = (0, 0), NORMAL
    for at, call in sorted(calls.items()):
        if at not in ((before[0], before[1] + 1), (before[0] + 1, 1)) or call.before != after:
            yield (f"transition {name}/{at[0]}/t{at[1]}: expected to follow {before} from {NAMES[after]}, "
                   f"was from {NAMES[call.before]}")
        before, after = at, int(call.after)
