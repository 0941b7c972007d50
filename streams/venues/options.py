"""What `marginstream decode` can be told."""

import argparse


def describe(decode: argparse.ArgumentParser) -> None:
    """Adds the arguments."""
    decode.add_argument("venue", choices=("binance_usdm", "bybit_v5", "okx_v5", "kucoin_futures"))
    decode.add_argument("--user", default="123", help="whose frame it is: type:id, or an id")
    decode.add_argument("--account", default="decoded", help="the exchange account's id")
    decode.add_argument("--received-ns", type=int, default=0, help="when it was received, ns since 1970")
    decode.add_argument("--lines", action="store_true", help="JSON lines in and out")
