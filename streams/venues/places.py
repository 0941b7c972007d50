"""Which record reads which venue, and where it answers: mainnet, demo, or an address somebody set."""

from collections.abc import Callable, Mapping

from streams.venues import binance, bybit, kucoin, okx
from streams.venues.venue import Hosts, Venue

_MAKERS: Mapping[str, Callable[[Hosts], Venue]] = {
    "binance_usdm": binance.venue, "bybit_v5": bybit.venue, "okx_v5": okx.venue, "kucoin_futures": kucoin.venue}
_HOSTS: Mapping[tuple[str, str], Hosts] = {
    ("binance_usdm", "mainnet"): binance.MAINNET, ("binance_usdm", "demo"): binance.DEMO, ("bybit_v5", "mainnet"): bybit.MAINNET,
    ("bybit_v5", "demo"): bybit.DEMO, ("okx_v5", "mainnet"): okx.MAINNET, ("okx_v5", "demo"): okx.DEMO,
    ("kucoin_futures", "mainnet"): kucoin.MAINNET}


def read_hosts(text: str) -> dict[str, Hosts]:
    """`venue=rest|stream,...`: addresses that go before the record's own, as of a simulator. Raises `ValueError`."""
    found = {}
    for entry in filter(None, text.split(",")):
        name, _, addresses = entry.partition("=")
        rest, _, stream = addresses.partition("|")
        if name not in _MAKERS or not rest.startswith(("http://", "https://")) or not stream.startswith(("ws://", "wss://")):
            raise ValueError(f"venue hosts: expected venue=http://...|ws://... of {', '.join(_MAKERS)}, was {entry!r}")
        found[name] = Hosts(rest.rstrip("/"), stream.rstrip("/"))
    return found


def venue_of(name: str, environment: str, hosts: Mapping[str, Hosts]) -> Venue:
    """The record. Raises `ValueError` for a venue or environment nobody knows."""
    place = hosts.get(name) or _HOSTS.get((name, environment))
    if place is None:
        raise ValueError(f"venue: expected one of {', '.join(sorted({one for one, _ in _HOSTS}))}, was {name!r} ({environment})")
    return _MAKERS[name](place)
