"""What a venue says by REST against what was told of its stream: differences that are no race, and the snapshot's questions for both."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from schemas.money import ZERO, say
from streams.venues.monitor.told import Told
from streams.venues.venue import Request, Venue

_COMPARED = frozenset({"account", "wallet-balance", "position", "balance", "positions", "account-overview"})
_ORDERS = frozenset({"openOrders", "openAlgoOrders", "order", "orders", "orders-pending", "orders-algo-pending", "stopOrders"})


class Difference(NamedTuple):
    """`thing` is a position's key or an asset; `expected` is the venue's, `was` what was told, at `told_ms` by our clock (0: never)."""

    thing: str
    field: str
    expected: str
    was: str
    told_ms: int


def compared(venue: Venue) -> tuple[Request, ...]:
    """The cheapest questions that tell every amount and wallet; Binance's account has both."""
    return tuple(request for request in venue.snapshot if request.part.partition(":")[0] in _COMPARED)


def repairing(venue: Venue) -> tuple[Request, ...]:
    """All of a snapshot but its orders: what is published where the stream is down."""
    return tuple(request for request in venue.snapshot if request.part.partition(":")[0] not in _ORDERS)


class Scope(NamedTuple):
    """What the answers cover: positions of one product, or all; wallets that they lack are empty, or were not asked for."""

    product: str = ""
    every_wallet: bool = True


SCOPES: Mapping[str, Scope] = {"bybit_v5": Scope(product="linear"), "kucoin_futures": Scope(every_wallet=False)}


def differences(venue_says: Told, told: Told, before_ms: int, scope: Scope) -> tuple[Difference, ...]:
    """What differs and was last told before `before_ms`, by our clock: what was told since then may be newer than the answer."""
    found: list[Difference] = []
    for key in sorted(venue_says.positions.keys() | told.positions.keys()):
        theirs, ours = venue_says.positions.get(key), told.positions.get(key)
        if ours is None or (ours.told_ms < before_ms and scope.product in ("", ours.product)):
            found += _differs((key, "amount"), theirs.amount if theirs else ZERO, ours.amount if ours else ZERO,
                              ours.told_ms if ours else 0)
    for asset in sorted(venue_says.wallets.keys() | told.wallets.keys()):
        said, known = venue_says.wallets.get(asset), told.wallets.get(asset)
        if known is None or (known.told_ms < before_ms and (said or scope.every_wallet)):
            found += _differs((asset, "wallet_balance"), said.amount if said else ZERO, known.amount if known else ZERO,
                              known.told_ms if known else 0)
    return tuple(found)


def lasting(now: Iterable[Difference], before: Iterable[Difference]) -> tuple[Difference, ...]:
    """Of what differs now, what differed before: a frame that was only late has come meanwhile."""
    places = {(one.thing, one.field) for one in before}
    return tuple(one for one in now if (one.thing, one.field) in places)


def _differs(place: tuple[str, str], theirs: Decimal, ours: Decimal, told_ms: int) -> list[Difference]:
    return [] if theirs == ours else [Difference(*place, say(theirs), say(ours), told_ms)]
