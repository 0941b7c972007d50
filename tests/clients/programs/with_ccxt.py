"""ccxt.pro, unmodified, base addresses only: snapshot, orders, positions, balance on all given venues at once (importing it takes long)."""

import asyncio

import ccxt.pro
from protocol import goodbye, say, settings

_NAMES = {"binance_usdm": "binanceusdm", "bybit_v5": "bybit", "okx_v5": "okx", "kucoin_futures": "kucoinfutures"}
_SYMBOL = "BTC/USDT:USDT"


def _moved(urls: object, given: dict[str, str]) -> object:
    """The same tree of addresses at another host."""
    if isinstance(urls, dict):
        return {key: _moved(value, given) for key, value in urls.items()}
    scheme, _, rest = str(urls).partition("://")
    _, slash, path = rest.partition("/")
    return f"{given['ws' if scheme == 'wss' else 'rest']}{slash}{path}"


def _exchange(given: dict[str, str]) -> ccxt.pro.Exchange:
    made = getattr(ccxt.pro, _NAMES[given["venue"]])({"apiKey": given["key"], "secret": given["secret"], "password": given["passphrase"]})
    made.urls["api"] = _moved(made.urls["api"], given)
    return made


async def _watch(what: str, call: object, *words: object) -> None:
    while True:
        try:
            found = await call(*words)  # type: ignore[operator]
        except Exception as error:
            say("error", f"{what}: {type(error).__name__}: {error}")
            await asyncio.sleep(0.5)
            continue
        for one in found if isinstance(found, list) else [found]:
            say(what, one)


async def follow(given: dict[str, str], leaving: asyncio.Event) -> None:
    """One venue: snapshot first, then streams until told to stop."""
    exchange, venue = _exchange(given), given["venue"]
    await exchange.load_markets()
    params = {"type": "swap"} if venue == "okx_v5" else {}
    say(f"snapshot {venue}", {"balance": (await exchange.fetch_balance())["total"], "orders": await exchange.fetch_open_orders(_SYMBOL),
                     "positions": await exchange.fetch_positions([_SYMBOL])})
    # watch_positions of KuCoin speaks to another bus, that of unified accounts.
    positions = (exchange.watch_position, _SYMBOL) if venue == "kucoin_futures" else (exchange.watch_positions, [_SYMBOL])
    watches = [asyncio.create_task(_watch(f"order {venue}", exchange.watch_orders, _SYMBOL)),
               asyncio.create_task(_watch(f"position {venue}", *positions)),
               asyncio.create_task(_watch(f"balance {venue}", exchange.watch_balance, params))]
    await leaving.wait()
    if venue == "binance_usdm":
        await exchange.keep_alive_listen_key({"type": "future"})
    say(f"alive {venue}")
    for watch in watches:
        watch.cancel()
    await exchange.close()


async def main() -> None:
    """All venues until told to stop."""
    leaving = asyncio.Event()
    following = [asyncio.create_task(follow(given, leaving)) for given in settings()["venues"]]
    await asyncio.wait([asyncio.create_task(goodbye()), *following], return_when=asyncio.FIRST_COMPLETED)
    leaving.set()
    await asyncio.gather(*following)


asyncio.run(main())
