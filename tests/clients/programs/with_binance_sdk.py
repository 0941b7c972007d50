"""The official Binance SDK, unmodified, base addresses only: snapshot, user data, keep alive."""

import asyncio

from binance_common.configuration import ConfigurationRestAPI, ConfigurationWebSocketAPI, ConfigurationWebSocketStreams
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures
from protocol import goodbye, say, settings

_WHAT = {"o": "order", "a": "account"}  # the models drop the event's name


def _told(frame: object) -> None:
    actual = getattr(frame, "actual_instance", frame)
    body = actual.to_dict() if hasattr(actual, "to_dict") else actual
    say(next((what for field, what in _WHAT.items() if isinstance(body, dict) and field in body), "other"), body)


async def main() -> None:
    """Snapshot first, then the stream until told to stop."""
    given = settings()
    client = DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(api_key=given["key"], api_secret=given["secret"], base_path=given["rest"]),
        config_ws_api=ConfigurationWebSocketAPI(api_key=given["key"], api_secret=given["secret"], stream_url=f"{given['ws']}/ws-fapi/v1"),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=given["ws"]))
    rest = client.rest_api
    say("snapshot", {"account": rest.account_information_v3().data().to_dict(),
                     "balance": [one.to_dict() for one in rest.futures_account_balance_v3().data()],
                     "positions": [one.to_dict() for one in rest.position_information_v3().data()],
                     "orders": [one.to_dict() for one in rest.current_all_open_orders().data()],
                     "algos": [one.to_dict() for one in rest.current_all_algo_open_orders().data()]})
    key = rest.start_user_data_stream().data().listen_key
    connection = await client.websocket_streams.create_connection()
    stream = await connection.user_data(str(key))
    stream.on("message", _told)
    await goodbye()
    kept = rest.keepalive_user_data_stream().data().listen_key
    say("alive", kept == key)
    await connection.close_connection(close_session=True)


asyncio.run(main())
