"""Figures for people into `user:{...}:portfolio`: the newest of each user, one pipeline a batch; late ones are dropped."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError

from schemas.engine_pb2 import Portfolios
from schemas.keys import BadKey, user_key
from streams.bridges import redis_metrics as metrics
from streams.bridges.consume import Batch
from streams.bridges.letters import LeftOut, Record
from streams.bridges.redis_texts import moment
from streams.cache import keys, scripts
from streams.cache.store import Call, Store
from streams.topics import PORTFOLIOS

_LATE_MS = 60_000  # what lay here while Redis was away: newer ones follow
_FALLBACKS = {0: "", 1: "figures", 2: "ratio"}
_PLACES_OF_LEVEL = 2


class Figures(NamedTuple):
    """Of one user: integers of 10^-`digits`."""

    user: str
    version: str
    time: str
    equity: int
    margin: int
    pnl: int
    digits: int
    fallback: int


class PortfolioBridge:
    """Writes batches of the topic `portfolios`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def write(self, batch: Batch) -> list[LeftOut]:
        """The newest figures of every user in `batch`; answers what nobody can read. Raises one of `AWAY`."""
        left_out: list[LeftOut] = []
        newest: dict[str, Figures] = {}
        oldest_ms = time.time() * 1000 - _LATE_MS
        for record in batch:
            if record.timestamp < oldest_ms:
                metrics.FIGURES.labels("late").inc()
                continue
            try:
                for figures in read_figures(record):
                    newest[figures.user] = figures  # a partition's records come in order, and a user is in one
            except (DecodeError, BadKey, ValueError, OverflowError) as error:
                left_out.append(LeftOut(record, error))
        answers = await self._store.call([call_of(figures) for figures in newest.values()])
        metrics.FIGURES.labels("written").inc(sum(answer == 1 for answer in answers))
        return left_out


def read_figures(record: Record) -> Iterator[Figures]:
    """The users of a record; raises `DecodeError`, `BadKey`, ValueError where its columns differ in length, OverflowError."""
    found = Portfolios.FromString(record.value or b"")
    version, said = f"{found.epoch} {found.calculated_ms}", moment(found.calculated_ms)
    rows = zip(found.users, found.equity, found.margin, found.unrealised_pnl, found.digits, found.fallback, strict=True)
    for user, equity, margin, pnl, digits, fallback in rows:
        if user_key(user, "") != user:
            raise BadKey(f"user: expected 'type:id', was {user[:160]!r}")
        yield Figures(user, version, said, equity, margin, pnl, min(digits, 18), fallback)


def call_of(figures: Figures) -> Call:
    """The guarded write of a user's figures. No margin: no level."""
    user, digits = figures.user, figures.digits
    level = text_of(figures.equity * 10_000 // figures.margin, _PLACES_OF_LEVEL) if figures.margin > 0 else ""
    names = keys.versions(user), keys.portfolio(user), keys.config(user)
    return Call(scripts.PORTFOLIO, names, (
        PORTFOLIOS, figures.version, figures.time, "equity", text_of(figures.equity, digits), "margin", text_of(figures.margin, digits),
        "free_margin", text_of(figures.equity - figures.margin, digits), "margin_level", level,
        "unrealised_pnl", text_of(figures.pnl, digits), "fallback", _FALLBACKS.get(figures.fallback, "figures")))


def text_of(number: int, digits: int) -> str:
    """Decimal text of an integer of 10^-`digits`."""
    if not digits:
        return str(number)
    whole = f"{abs(number):0{digits + 1}d}"
    return f"{'-' if number < 0 else ''}{whole[:-digits]}.{whole[-digits:]}"
