"""A seeded market of 20 instruments: their rules, and prices that wander in whole ticks while two of them sink on a script."""

import random
from decimal import Decimal
from typing import NamedTuple

from schemas import engine_pb2 as engine
from schemas import money
from schemas.keys import HOUSE

BINANCE = "binance_usdm"
GROUP = "standard"
_MILLION = 1_000_000
_WANDER_PPM = 60  # largest step of a price within one tick
_HOME = 400  # a price is pulled back by 1/400 of its distance: a restarted market is never far from where the last one was
_SINK_PPM = 35_000
_CYCLE_MS = 60_000


class Instrument(NamedTuple):
    """`key` = venue:symbol; `quote` is also what it settles in."""

    key: str
    base: str
    quote: str
    price: Decimal
    tick: Decimal
    step: Decimal
    calc_mode: str = ""
    sinks: bool = False

    @property
    def venue(self) -> str:
        return self.key.partition(":")[0]

    @property
    def symbol(self) -> str:
        return self.key.partition(":")[2]


def _coin(base: str, price: str, tick: str, step: str, *, sinks: bool = False) -> Instrument:
    return Instrument(f"{BINANCE}:{base}USDT", base, "USDT", Decimal(price), Decimal(tick), Decimal(step), sinks=sinks)


def _house(symbol: str, price: str, tick: str, step: str, mode: str = "FOREX") -> Instrument:
    return Instrument(f"{HOUSE}:{symbol}", symbol[:3], symbol[3:], Decimal(price), Decimal(tick), Decimal(step), mode, symbol == "XAUUSD")


INSTRUMENTS: tuple[Instrument, ...] = (
    _coin("BTC", "60000", "0.10", "0.001"),
    _coin("ETH", "2600", "0.01", "0.001"),
    _coin("SOL", "150", "0.010", "1", sinks=True),
    _coin("BNB", "580", "0.010", "0.01"),
    _coin("XRP", "0.6000", "0.0001", "0.1"),
    _coin("DOGE", "0.12000", "0.00001", "1"),
    _coin("ADA", "0.36000", "0.00010", "1"),
    _coin("AVAX", "27.000", "0.0010", "1"),
    _coin("LINK", "11.500", "0.001", "0.01"),
    _coin("LTC", "66.00", "0.01", "0.001"),
    _coin("DOT", "4.300", "0.001", "0.1"),
    _coin("BCH", "340.00", "0.01", "0.001"),
    _house("EURUSD", "1.08500", "0.00001", "1000"),
    _house("GBPUSD", "1.29500", "0.00001", "1000"),
    _house("AUDUSD", "0.66500", "0.00001", "1000"),
    _house("NZDUSD", "0.60500", "0.00001", "1000"),
    _house("USDJPY", "150.000", "0.001", "1000"),
    _house("XAUUSD", "2650.00", "0.01", "1", "CFD_LEVERAGE"),
    _house("XAGUSD", "31.500", "0.001", "50", "CFD_LEVERAGE"),
    _house("WTIUSD", "71.00", "0.01", "10", "CFD_LEVERAGE"),
)
BY_KEY = {instrument.key: instrument for instrument in INSTRUMENTS}
HOUSE_INSTRUMENTS = tuple(instrument for instrument in INSTRUMENTS if instrument.venue == HOUSE)

# (notional floor, maintenance rate, largest leverage) of Binance's public tables, shortened; the amounts follow from them.
_MAJOR = (("0", "0.004", "125"), ("50000", "0.005", "100"), ("600000", "0.0065", "75"), ("3000000", "0.01", "50"),
          ("12000000", "0.02", "25"), ("70000000", "0.05", "10"))
_MINOR = (("0", "0.005", "75"), ("20000", "0.0065", "60"), ("100000", "0.01", "50"), ("800000", "0.02", "25"),
          ("4000000", "0.025", "20"), ("8000000", "0.05", "10"))


def brackets(base: str) -> list[engine.Bracket]:
    """Maintenance brackets of a coin: amount_n = amount_(n-1) + floor_n x (rate_n - rate_(n-1)); the last has no cap."""
    table = _MAJOR if base in {"BTC", "ETH"} else _MINOR
    caps = [row[0] for row in table[1:]] + [""]
    found: list[engine.Bracket] = []
    amount = before = money.ZERO
    for (floor, rate, leverage), cap in zip(table, caps, strict=True):
        amount += Decimal(floor) * (Decimal(rate) - before) if floor != "0" else money.ZERO
        before = Decimal(rate)
        found.append(engine.Bracket(floor=floor, cap=cap, rate=rate, amount=money.say_short(amount), max_leverage=leverage))
    return found


def _instrument_rule(instrument: Instrument) -> engine.RiskRule:
    exchange = instrument.venue == BINANCE
    rule = engine.RiskRule.Instrument(
        instrument=instrument.key, base=instrument.base, quote=instrument.quote, settle=instrument.quote, contract_size="1",
        price_tick=str(instrument.tick), quantity_step=str(instrument.step), min_quantity=str(instrument.step),
        calc_mode=instrument.calc_mode, margin_rate="1", taker_fee="0.0005" if exchange else "0",
        tier_policy="progressive", tier_unit="notional", brackets=brackets(instrument.base) if exchange else [],
        conversion_instrument=instrument.key if instrument.quote == "JPY" else "")
    return engine.RiskRule(rule_id=f"instrument:{instrument.key}", instrument=rule)


def _group_rule() -> engine.RiskRule:
    percent = engine.Threshold(mode="percent", warning="150", margin_call="100", liquidation="50", release="110")
    ratio = engine.Threshold(mode="ratio", warning="0.8", margin_call="0.9", liquidation="1", release="0.75")
    group = engine.RiskRule.Group(group=GROUP, thresholds=percent, leverage="100", by_model={BINANCE: ratio, "mt5": percent})
    return engine.RiskRule(rule_id=f"group:{GROUP}", group=group)


def rules() -> list[engine.RiskRule]:
    """Every rule of the market, effective from 0, always open: the group's thresholds and an instrument each."""
    return [_group_rule(), *(_instrument_rule(instrument) for instrument in INSTRUMENTS)]


class Market:
    """Prices by instrument key; pure: randomness comes from the seed, time from the caller."""

    def __init__(self, seed: int, start_ms: int, instruments: tuple[Instrument, ...] = INSTRUMENTS) -> None:
        self._instruments = instruments
        self._random = random.Random(f"market {seed}")
        self._start_ms = start_ms
        self._ppm = dict.fromkeys(BY_KEY, 0)
        self._turn = 0
        self.prices: dict[str, Decimal] = {instrument.key: instrument.price for instrument in instruments}

    def tick(self, now_ms: int) -> engine.PriceTick:
        """The next price of the next instrument."""
        instrument = self._instruments[self._turn % len(self._instruments)]
        self._turn += 1
        ppm = self._ppm[instrument.key]
        self._ppm[instrument.key] = ppm = ppm + self._random.randint(-_WANDER_PPM, _WANDER_PPM) - ppm // _HOME
        whole = _MILLION + ppm - (self._sunk_ppm(now_ms) if instrument.sinks else 0)
        ticks = int(instrument.price * whole / _MILLION / instrument.tick)
        price = self.prices[instrument.key] = instrument.tick * ticks
        return engine.PriceTick(
            instrument=instrument.key,
            bid=money.say(price - instrument.tick),
            ask=money.say(price + instrument.tick),
            last=money.say(price),
            mark=money.say(price),
            time_ms=now_ms,
            source="market",
        )

    def _sunk_ppm(self, now_ms: int) -> int:
        """How far a sinking instrument is down: a triangle, there and back once a minute."""
        at = (now_ms - self._start_ms) % _CYCLE_MS
        return min(at, _CYCLE_MS - at) * 2 * _SINK_PPM // _CYCLE_MS
