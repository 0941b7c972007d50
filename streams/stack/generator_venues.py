"""The simulated venues as the generator has them: their rules, their marks as price ticks, and the pace at which their accounts trade."""

import logging
from decimal import Decimal

import aiohttp

from schemas import engine_pb2 as engine
from schemas import money
from schemas.keys import instrument_key
from streams import topics
from streams.stack.generator_house import Record
from streams.venues.simulator.books import Instrument
from streams.venues.simulator.catalogue import VENUES, instruments

log = logging.getLogger(__name__)
LOOK_S = 0.2  # between two looks at the marks
_RENEW_S = 2.0  # a mark that stands still is told again: its age is what makes it stale
_TIMEOUT = aiohttp.ClientTimeout(total=5)


def rules() -> list[engine.RiskRule]:
    """A rule for every instrument the simulated venues list, with the brackets they themselves judge by."""
    return [_rule(venue, one) for venue in VENUES for one in instruments(venue).values()]


def _rule(venue: str, one: Instrument) -> engine.RiskRule:
    key = instrument_key(venue, one.symbol)
    tiers = [engine.Bracket(floor=money.say(tier.floor), cap=money.say(tier.cap), rate=money.say(tier.rate), amount=money.say(tier.amount),
                            max_leverage=str(tier.leverage_max)) for tier in one.brackets]
    rule = engine.RiskRule.Instrument(
        instrument=key, base=one.base, quote=one.quote, settle=one.quote, contract_size=money.say(one.contract_size),
        price_tick=money.say(one.tick), quantity_step=money.say(one.step), min_quantity=money.say(one.step), margin_rate="1",
        taker_fee=money.say(one.taker_fee), tier_policy="progressive", tier_unit="notional", brackets=tiers)
    return engine.RiskRule(rule_id=f"instrument:{key}", instrument=rule)


class SimulatedVenues:
    """At the control address of `marginstream simulate`; one that does not answer is said, and asked again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        self._ticks = {venue: {symbol: one.tick for symbol, one in instruments(venue).items()} for venue in VENUES}
        self._told: dict[str, str] = {}
        self._looked_s = self._renewed_s = float("-inf")

    async def pace(self, per_second: float) -> None:
        """How often the accounts of this run do something; 0: they rest."""
        try:
            async with self._session.post(f"{self._url}/traders", json={"per_second": per_second}) as answer:
                answer.raise_for_status()
        except (aiohttp.ClientError, TimeoutError) as error:
            log.error("simulator at %s: expected an answer, was %s", self._url, type(error).__name__)

    async def ticks(self, now_s: float, now_ms: int) -> list[Record]:
        """The marks that moved since the last look, now and then all of them; none where it is too early for another look."""
        if now_s - self._looked_s < LOOK_S:
            return []
        self._looked_s = now_s
        try:
            async with self._session.get(f"{self._url}/prices") as answer:
                marks: dict[str, dict[str, str]] = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.error("simulator at %s: expected its marks, was %s", self._url, type(error).__name__)
            return []
        if now_s - self._renewed_s >= _RENEW_S:
            self._told, self._renewed_s = {}, now_s
        now = {instrument_key(venue, symbol): (mark, self._ticks[venue][symbol])
               for venue, of in marks.items() for symbol, mark in of.items()}
        found = [_tick(key, mark, step, now_ms) for key, (mark, step) in now.items() if self._told.get(key) != mark]
        self._told = {key: mark for key, (mark, _) in now.items()}
        return found

    async def close(self) -> None:
        """The accounts rest from now on."""
        await self.pace(0)
        await self._session.close()


def _tick(key: str, mark: str, step: Decimal, now_ms: int) -> Record:
    price = Decimal(mark)
    return topics.PRICE_TICKS, key, engine.PriceTick(
        instrument=key, bid=money.say(price - step), ask=money.say(price + step), last=mark, mark=mark, time_ms=now_ms, source="simulator")
