"""Reads what the venues say: a private frame, the answers of a snapshot; pure, and the one door to the normalisers."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from streams.venues.frames import Asked, Event, Normalised, Receipt, Unreadable
from streams.venues.normalise import binance, binance_rest, bybit, bybit_rest, kucoin, kucoin_rest, okx, okx_rest
from streams.venues.normalise.answers import Rest, read_answers
from streams.venues.normalise.telling import dead_letter

Found = TypeVar("Found")
_STREAMS: Mapping[str, Callable[[bytes, Receipt], Normalised]] = {
    "binance_usdm": binance.normalise, "bybit_v5": bybit.normalise, "okx_v5": okx.normalise, "kucoin_futures": kucoin.normalise,
}
_RESTS: Mapping[str, Rest] = {
    "binance_usdm": binance_rest.REST, "bybit_v5": bybit_rest.REST, "okx_v5": okx_rest.REST, "kucoin_futures": kucoin_rest.REST,
}
VENUES = tuple(_STREAMS)


def normalise(venue: str, frame: bytes, receipt: Receipt) -> Normalised:
    """The facts of one private frame, numbered as parts of it, and its signal. Raises `Unreadable` for bytes that are none."""
    try:
        return _known(_STREAMS, venue)(frame, receipt)
    except Unreadable:
        raise
    except ValueError as error:  # lone surrogates, numbers past 64 bits: what protobuf cannot hold
        raise Unreadable(f"frame: {str(error)[:200]}") from None


def snapshot(venue: str, parts: Mapping[str, bytes], receipt: Receipt, asked: Asked) -> tuple[Event, ...]:
    """The facts of a venue's REST answers (by the part's name), then an end on each topic that they cover whole.

    Raises `Unreadable` naming the part. What is in `asked.held` and in none of the answers is told as zero, and counted among the rows.
    Fills and ended orders (`userTrades`, `order`, ...) are told as REST_GAP_FILL, apart from the snapshot; without `asked.snapshot_id`
    there is no end.
    """
    try:
        return read_answers(_known(_RESTS, venue), parts, receipt, asked)
    except Unreadable:
        raise
    except ValueError as error:
        raise Unreadable(f"answers: {str(error)[:200]}") from None


def unreadable(venue: str, frame: bytes, receipt: Receipt, error: str) -> Event:
    """The dead letter of bytes that `normalise` refused: masked, with the error; its record's key is the user, as an event's."""
    return dead_letter(_known(_RESTS, venue).exchange, frame, receipt, error)


def _known(table: Mapping[str, Found], venue: str) -> Found:
    if venue not in table:
        raise Unreadable(f"venue: expected one of {', '.join(table)}, was {venue[:80]!r}")
    return table[venue]
