"""Reads what the four venues say: a private frame, the answers of a snapshot; pure, and the one door to the normalisers."""

from collections.abc import Mapping

from streams.venues.frames import Asked, Event, Normalised, Receipt

VENUES = ("binance_usdm", "bybit_v5", "okx_v5", "kucoin_futures")


def normalise(venue: str, frame: bytes, receipt: Receipt) -> Normalised:
    """The facts of one private frame, numbered as parts of it, and its signal. Raises `Unreadable` for bytes that are none."""
    raise NotImplementedError


def snapshot(venue: str, parts: Mapping[str, bytes], receipt: Receipt, asked: Asked) -> tuple[Event, ...]:
    """The facts of a venue's REST answers (by the part's name), then an end on each topic that they cover whole.

    Raises `Unreadable` naming the part. What is in `asked.held` and in none of the answers is told as zero, and counted among the rows.
    Fills and ended orders (`userTrades`, `orders`, ...) are told as REST_GAP_FILL, apart from the snapshot.
    """
    raise NotImplementedError
