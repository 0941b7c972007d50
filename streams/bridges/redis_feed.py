"""Prices of the house out: the newest tick of each house symbol as its hash, its name on the channel; guarded, so no price goes back."""

import logging
from typing import NamedTuple

from google.protobuf.message import DecodeError
from redis.exceptions import ResponseError

from agents.risk.ticks import Refused, read_tick
from schemas.engine_pb2 import PriceTick
from schemas.keys import HOUSE, instrument_parts
from schemas.money import say
from streams.bridges import redis_metrics as metrics
from streams.bridges.consume import Batch
from streams.bridges.letters import LeftOut, Record
from streams.bridges.redis_market import SOURCE
from streams.bridges.redis_reading import BadMessage, read_symbol
from streams.bridges.redis_texts import moment
from streams.cache import keys, scripts
from streams.cache.store import Call, Store
from streams.topics import PRICE_TICKS

log = logging.getLogger(__name__)


class Priced(NamedTuple):
    """A house price as its hash says it. `source` is the partition it came from: offsets of two have no order."""

    symbol: str
    bid: str
    ask: str
    time: str
    source: str
    offset: int


class Feed:
    """Writes batches of `price-ticks`. A tick that the engine would refuse, too, is counted and left; so is one that came by Redis."""

    def __init__(self, store: Store, generation: int) -> None:
        self._store, self._generation = store, generation

    async def write(self, batch: Batch) -> list[LeftOut]:
        """The newest good price of every house symbol in `batch`; raises one of `AWAY`: the batch may simply be written again."""
        newest = {priced.symbol: priced for record in batch if (priced := _priced(record))}
        found = list(newest.values())
        answers = await self._store.call([self._call(priced) for priced in found])
        for priced, answer in zip(found, answers, strict=True):
            metrics.FEED.labels("written" if answer == 1 else "refused" if isinstance(answer, ResponseError) else "late").inc()
            if isinstance(answer, ResponseError):
                log.error("%s: expected a hash, was %s", keys.market(priced.symbol), answer)
        said = [priced.symbol for priced, answer in zip(found, answers, strict=True) if answer == 1]
        await self._store.call([Call(scripts.TELL, (), (keys.MARKET_PRICE_UPDATES, symbol)) for symbol in said])
        return []

    def _call(self, priced: Priced) -> Call:
        key = keys.market(priced.symbol)
        return Call(scripts.MARKET, (key, keys.companion(key)), (
            priced.source, f"{self._generation} {priced.offset}", priced.bid, priced.ask, priced.time))


def _priced(record: Record) -> Priced | None:
    """None for what is no two-sided price of the house's own; what is broken is counted."""
    try:
        tick = PriceTick.FromString(record.value or b"")
        mark = read_tick(tick, record.offset, record.timestamp)
        if isinstance(mark, Refused):
            raise BadMessage(mark.detail)
        venue, symbol = instrument_parts(mark.instrument)
        if venue != HOUSE or tick.source == SOURCE or mark.bid is None or mark.ask is None:
            return None
        return Priced(read_symbol(symbol), say(mark.bid), say(mark.ask), moment(tick.time_ms or record.timestamp),
                      f"{PRICE_TICKS}/{record.partition}", record.offset)
    except (DecodeError, BadMessage, OverflowError) as error:
        metrics.FEED.labels("refused").inc()
        log.error("%s[%s]@%s: left out: %s", record.topic, record.partition, record.offset, error)
        return None
