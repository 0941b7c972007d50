"""Price shocks as people write them: a symbol, or all, moved by a share of its price; a range is a grid of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from schemas import money
from schemas.money import ONE, ZERO, say_short

ALL = "all"
SCENARIOS_MAX = 1_000


class BadShock(ValueError):
    """A shock nobody can apply."""


class Scenario(NamedTuple):
    """`shocks` by instrument, by symbol or `ALL`, each a share of the price above -1; what is not named stays."""

    text: str
    shocks: Mapping[str, Decimal]

    def factor(self, instrument: str) -> Decimal:
        """What the instrument's prices are multiplied by: its own shock goes before its symbol's, that before all."""
        for name in (instrument, instrument.partition(":")[2], ALL):
            if name in self.shocks:
                return ONE + self.shocks[name]
        return ONE

    @property
    def size(self) -> Decimal:
        """The largest shock, without its sign."""
        return max((abs(shock) for shock in self.shocks.values()), default=ZERO)


NOW = Scenario("now", {})


def scenarios(texts: Iterable[str]) -> list[Scenario]:
    """`NOW`, then those of `BTCUSDT=-0.1,all=-0.05` or with one range, `all=-0.3:0.3:0.05`. Raises `BadShock`."""
    found = [NOW]
    for text in texts:
        found += _read(text)
    if len(found) > SCENARIOS_MAX:
        raise BadShock(f"shocks: expected at most {SCENARIOS_MAX - 1} scenarios, was {len(found) - 1}")
    return found


def _read(text: str) -> list[Scenario]:
    parts: dict[str, list[Decimal]] = {}
    for part in text.split(","):
        name, equals, value = part.strip().rpartition("=")
        if not equals or not name or name in parts:
            raise BadShock(f"shock: expected symbol=share, such as BTCUSDT=-0.1 or all=-0.3:0.3:0.05, each once, was {part.strip()[:80]!r}")
        parts[name] = _range(name, value)
    ranges = [name for name, values in parts.items() if len(values) > 1]
    if len(ranges) > 1:
        raise BadShock(f"shock: expected one range, was {', '.join(ranges)}")
    steps = parts[ranges[0]] if ranges else [ZERO]
    return [_scenario({name: step if name in ranges else values[0] for name, values in parts.items()}) for step in steps]


def _scenario(shocks: Mapping[str, Decimal]) -> Scenario:
    return Scenario(",".join(f"{name}={say_short(shock)}" for name, shock in sorted(shocks.items())), shocks)


def _range(name: str, text: str) -> list[Decimal]:
    numbers = [_number(part, name) for part in text.split(":")]
    if len(numbers) == 1:
        return numbers
    if len(numbers) != 3 or numbers[2] <= 0 or numbers[1] < numbers[0]:
        raise BadShock(f"{name}: expected from:to:step with a step above 0, was {text[:80]!r}")
    count = int((numbers[1] - numbers[0]) / numbers[2]) + 1
    if count > SCENARIOS_MAX:
        raise BadShock(f"{name}: expected at most {SCENARIOS_MAX} steps, was {count}")
    return [numbers[0] + at * numbers[2] for at in range(count)]


def _number(text: str, name: str) -> Decimal:
    try:
        found = money.parse(text, name)
    except money.BadNumber as error:
        raise BadShock(str(error)) from None
    if found <= -1:
        raise BadShock(f"{name}: expected a share above -1, was {found}")
    return found
