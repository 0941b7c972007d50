"""How the market stands around positions, by REST and apart from any socket: marks, and what funding will cost when."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from schemas.keys import instrument_key
from schemas.money import ZERO, BadNumber, parse_optional
from streams.venues.frames import Unreadable
from streams.venues.normalise.fields import Fields, read, rows
from streams.venues.venue import Access, Pairs, Request


class Mark(NamedTuple):
    """An instrument's mark, and at which rate its next funding is due when (ms); None: not said."""

    price: Decimal | None = None
    rate: Decimal | None = None
    funding_ms: int | None = None


class Question(NamedTuple):
    """A public question, where its rows lie, and which fields say what; `wait` says in how many ms instead of when."""

    request: Request
    path: tuple[str, ...]
    symbol: str
    mark: str = ""
    rate: str = ""
    funding: str = ""
    wait: str = ""


def _public(path: str, params: Pairs = (), weight: int = 1) -> Request:
    return Request(path.rpartition("/")[2], path, params, weight=weight, access=Access.PUBLIC)


QUESTIONS: Mapping[str, Sequence[Question]] = {
    "binance_usdm": (Question(_public("/fapi/v1/premiumIndex", weight=10), (), "symbol", "markPrice", "lastFundingRate",
                              "nextFundingTime"),),
    "bybit_v5": (Question(_public("/v5/market/tickers", (("category", "linear"),)), ("result", "list"), "symbol", "markPrice",
                          "fundingRate", "nextFundingTime"),),
    "okx_v5": (Question(_public("/api/v5/public/mark-price", (("instType", "SWAP"),)), ("data",), "instId", "markPx"),
               Question(_public("/api/v5/public/funding-rate", (("instId", "ANY"),)), ("data",), "instId", "", "fundingRate",
                        "fundingTime")),
    "kucoin_futures": (Question(_public("/api/v1/contracts/active", weight=3), ("data",), "symbol", "markPrice", "fundingFeeRate",
                                wait="nextFundingRateTime"),),
}


def read_marks(venue: str, question: Question, body: bytes, now_ms: int) -> dict[str, Mark]:
    """By instrument; rows that say no sane number are left out. Raises `Unreadable`."""
    found = read(body)
    for name in question.path:
        if not isinstance(found, dict) or name not in found:
            raise Unreadable(f"answer: expected {'.'.join(question.path)}, was without {name}")
        found = found[name]
    marks: dict[str, Mark] = {}
    for row in rows(found, "marks"):
        try:
            row.must(question.symbol)
            marks[instrument_key(venue, row.said(question.symbol))] = _mark(question, row, now_ms)
        except (BadNumber, Unreadable):
            continue
    return marks


def joined(before: Mark, after: Mark) -> Mark:
    """What either says."""
    return before._replace(**{name: value for name, value in after._asdict().items() if value is not None})


def _minute(at_ms: int) -> int:
    """The nearest one: what is said in ms to go must name the same moment every time."""
    return (at_ms + 30_000) // 60_000 * 60_000


def _mark(question: Question, row: Fields, now_ms: int) -> Mark:
    price = parse_optional(row.said(question.mark)) if question.mark else None
    if price is not None and price <= ZERO:
        raise BadNumber(f"mark: expected a price above 0, was {price}")
    rate = parse_optional(row.said(question.rate)) if question.rate else None
    wait_ms = row.whole(question.wait) if question.wait else None
    at_ms = _minute(now_ms + wait_ms) if wait_ms is not None else row.moment(question.funding) if question.funding else None
    return Mark(price, rate, at_ms)
