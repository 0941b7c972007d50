"""python-binance, unmodified, base addresses only: snapshot, futures user socket, keep alive."""

import asyncio

from binance import AsyncClient, BinanceSocketManager
from protocol import goodbye, say, settings

_WHAT = {"ORDER_TRADE_UPDATE": "order", "ACCOUNT_UPDATE": "account"}


async def main() -> None:
    """Snapshot first, then the stream until told to stop."""
    given = settings()
    client = AsyncClient(given["key"], given["secret"])
    client.FUTURES_URL = f"{given['rest']}/fapi"
    say("snapshot", {"account": await client.futures_account(), "balance": await client.futures_account_balance(),
                     "positions": await client.futures_position_information(), "orders": await client.futures_get_open_orders(),
                     "trades": await client.futures_account_trades(symbol=given["symbol"])})
    sockets = BinanceSocketManager(client)
    sockets.FSTREAM_URL = f"{given['ws']}/"
    stream = sockets.futures_user_socket()

    async def listen() -> None:
        async with stream as opened:
            while True:
                frame = await opened.recv()
                say(_WHAT.get(frame.get("e"), "other"), frame)

    listening = asyncio.create_task(listen())
    await goodbye()
    key = await client.futures_stream_get_listen_key()
    await client.futures_stream_keepalive(listenKey=key)
    say("alive", await client.futures_stream_get_listen_key() == key)
    listening.cancel()
    await client.close_connection()


asyncio.run(main())
