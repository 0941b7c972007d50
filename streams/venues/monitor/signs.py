"""What lies ahead of an account: a stop near its trigger, a position that grows old, funding that will cost; pure, and each said once."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from schemas.money import ZERO, say, say_short
from streams.config import Config
from streams.venues.monitor.around import Mark
from streams.venues.monitor.told import Told

STOP_APPROACHING, TIME_DECAY, FUNDING_AHEAD = "stop_approaching", "time_decay", "funding_ahead"
_HUNDRED, _PLACES, _HOUR_MS, _MINUTE_MS, _KEPT_MS = Decimal(100), Decimal("0.0001"), 3_600_000, 60_000, 3_600_000


class Bounds(NamedTuple):
    """From when on it is said; 0: never."""

    stop_pct: Decimal  # of the mark
    age_ms: int
    funding_ms: int
    funding_pct: Decimal  # of a position's initial margin

    @classmethod
    def of(cls, config: Config) -> "Bounds":
        """As the settings say."""
        return cls(Decimal(str(config.monitor_stop_pct)), int(config.monitor_age_hours * _HOUR_MS),
                   int(config.monitor_funding_minutes * _MINUTE_MS), Decimal(str(config.monitor_funding_pct)))


class Sign(NamedTuple):
    """`cause` tells one stay from another; `was` is beyond its bound `expected`, both of `field`."""

    kind: str
    cause: str
    instrument: str
    field: str
    expected: str
    was: str
    detail: str


def signs(told: Told, marks: Mapping[str, Mark], now_ms: int, bounds: Bounds) -> Iterator[Sign]:
    """All that stand now."""
    yield from _stops(told, marks, bounds)
    yield from _ages(told, now_ms, bounds)
    yield from _fundings(told, marks, now_ms, bounds)


def _stops(told: Told, marks: Mapping[str, Mark], bounds: Bounds) -> Iterator[Sign]:
    for ident, stop in told.stops.items():
        price = marks.get(stop.instrument, Mark()).price
        if price is None:
            continue
        away = (abs(stop.trigger - price) / price * _HUNDRED).quantize(_PLACES)
        if away <= bounds.stop_pct and bounds.stop_pct:
            yield Sign(STOP_APPROACHING, f"{ident}/{say_short(stop.trigger)}", stop.instrument, "distance_pct",
                       say_short(bounds.stop_pct), say_short(away),
                       f"order {ident}: trigger {say(stop.trigger)}, mark {say(price)}")


def _ages(told: Told, now_ms: int, bounds: Bounds) -> Iterator[Sign]:
    for key, position in told.positions.items():
        age_ms = now_ms - position.opened_ms
        if bounds.age_ms and position.amount and age_ms >= bounds.age_ms:
            yield Sign(TIME_DECAY, f"{key}/{position.opened_ms}", position.instrument, "age_hours", str(bounds.age_ms // _HOUR_MS),
                       str(age_ms // _HOUR_MS), f"{key}: {say(position.amount)} since {position.opened_ms}")


def _fundings(told: Told, marks: Mapping[str, Mark], now_ms: int, bounds: Bounds) -> Iterator[Sign]:
    """Longs pay a positive rate, shorts a negative one; of the initial margin that is the rate times the leverage, whatever the unit."""
    for key, position in told.positions.items():
        mark, leverage = marks.get(position.instrument, Mark()), told.leverages.get(position.instrument)
        if not (leverage and bounds.funding_ms) or mark.rate is None or mark.funding_ms is None:
            continue
        share = abs(mark.rate) * leverage * _HUNDRED
        if position.amount * mark.rate > ZERO and share > bounds.funding_pct and 0 <= mark.funding_ms - now_ms <= bounds.funding_ms:
            yield Sign(FUNDING_AHEAD, f"{key}/{mark.funding_ms}", position.instrument, "margin_pct", say_short(bounds.funding_pct),
                       say_short(share), f"{key}: {say(position.amount)} pays {say(mark.rate)} at leverage {say(leverage)} "
                       f"in {(mark.funding_ms - now_ms) // _MINUTE_MS} min")


class Said:
    """Which stand already: one that goes and comes back within the hour is the same."""

    def __init__(self) -> None:
        self._seen_ms: dict[tuple[str, str], int] = {}

    def fresh(self, standing: Iterable[Sign], now_ms: int) -> list[Sign]:
        """Those not said before."""
        found = []
        for sign in standing:
            if (sign.kind, sign.cause) not in self._seen_ms:
                found.append(sign)
            self._seen_ms[sign.kind, sign.cause] = now_ms
        self._seen_ms = {cause: at for cause, at in self._seen_ms.items() if now_ms - at < _KEPT_MS}
        return found
