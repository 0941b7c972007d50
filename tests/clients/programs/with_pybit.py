"""pybit, unmodified, base addresses only: snapshot, private topics, heartbeat."""

import time

import pybit._http_manager
import pybit.unified_trading
from protocol import goodbye_thread, say, settings

_WHAT = {"order": "order", "execution": "execution", "position": "position", "wallet": "balance"}


def main() -> None:
    """Snapshot first, then streams until told to stop."""
    given = settings()
    pybit._http_manager.HTTP_URL = given["rest"]
    pybit.unified_trading.PRIVATE_WSS = f"{given['ws']}/v5/private"
    rest = pybit.unified_trading.HTTP(api_key=given["key"], api_secret=given["secret"])
    say("snapshot", {"wallet": rest.get_wallet_balance(accountType="UNIFIED"),
                     "orders": rest.get_open_orders(category="linear", settleCoin="USDT"),
                     "positions": rest.get_positions(category="linear", settleCoin="USDT"),
                     "fills": rest.get_executions(category="linear"), "key": rest.get_api_key_information()})
    stream = pybit.unified_trading.WebSocket(testnet=False, channel_type="private", api_key=given["key"], api_secret=given["secret"],
                                             ping_interval=5, ping_timeout=4, private_auth_expire=10)  # busy machines
    for subscribe in (stream.order_stream, stream.execution_stream, stream.position_stream, stream.wallet_stream):
        subscribe(callback=lambda frame: say(_WHAT[frame["topic"]], frame))
    goodbye_thread().join()
    time.sleep(5.5)  # a heartbeat
    say("alive", stream.is_connected())
    stream.exit()


main()
