"""python-okx, unmodified, base addresses only: snapshot, private channels, heartbeat."""

import asyncio
import json

from okx import Account, Trade
from okx.websocket.WsPrivateAsync import WsPrivateAsync
from protocol import goodbye, say, settings

_WHAT = {"orders": "order", "positions": "position", "account": "balance"}


def _heard(text: str) -> None:
    if text == "pong":
        say("alive")
        return
    frame = json.loads(text)
    if "data" in frame:
        say(_WHAT[frame["arg"]["channel"]], frame)
    elif frame["event"] == "error":
        say("error", frame)


async def main() -> None:
    """Snapshot first, then streams until told to stop."""
    given = settings()
    words = {"flag": "0", "domain": given["rest"]}
    account = Account.AccountAPI(given["key"], given["secret"], given["passphrase"], **words)
    trade = Trade.TradeAPI(given["key"], given["secret"], given["passphrase"], **words)
    say("snapshot", {"balance": account.get_account_balance(), "positions": account.get_positions(), "config": account.get_account_config(),
                     "orders": trade.get_order_list(instType="SWAP"), "fills": trade.get_fills(instType="SWAP")})
    stream = WsPrivateAsync(given["key"], given["passphrase"], given["secret"], f"{given['ws']}/ws/v5/private")
    await stream.connect()
    await stream.subscribe([{"channel": "orders", "instType": "ANY"}, {"channel": "positions", "instType": "ANY"}, {"channel": "account"}],
                           _heard)
    listening = asyncio.create_task(stream.consume())
    await goodbye()
    await stream.websocket.send("ping")
    await asyncio.sleep(1)
    listening.cancel()


asyncio.run(main())
