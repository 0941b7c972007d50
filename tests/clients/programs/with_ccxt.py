"""ccxt.pro, unmodified, base addresses only: snapshot, orders, positions, balance, keep alive, on any of the four venues."""

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


async def main() -> None:
    """Snapshot first, then streams until told to stop."""
    given = settings()
    exchange = _exchange(given)
    await exchange.load_markets()
    params = {"type": "swap"} if given["venue"] == "okx_v5" else {}
    say("snapshot", {"balance": (await exchange.fetch_balance())["total"], "orders": await exchange.fetch_open_orders(_SYMBOL),
                     "positions": await exchange.fetch_positions([_SYMBOL])})
    watches = [asyncio.create_task(_watch("order", exchange.watch_orders, _SYMBOL)),
               asyncio.create_task(_watch("position", exchange.watch_positions, [_SYMBOL])),
               asyncio.create_task(_watch("balance", exchange.watch_balance, params))]
    await goodbye()
    if given["venue"] == "binance_usdm":
        await exchange.keep_alive_listen_key({"type": "future"})
    say("alive")
    for watch in watches:
        watch.cancel()
    await exchange.close()


asyncio.run(main())
