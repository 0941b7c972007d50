"""The arguments of `marginstream ingest`, `execute`, `accounts` and `marginstream keys`, apart from what they run."""

import argparse
from collections.abc import Callable


def describe_processes(add: Callable[[str, str], object]) -> None:
    """Those that work at venues: name and text."""
    add("ingest", "reads the accounts of users at their venues into the fact topics")
    add("execute", "carries out liquidations at the venues of accounts that opted in: reduce-only, each step once")


def describe_accounts(parser: argparse.ArgumentParser) -> None:
    """The arguments of `marginstream accounts`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="user, account, venue, state of the stream and until when it is complete, one a line")
    new = actions.add_parser("add", help='register or change one: {"api_key", "api_secret", "passphrase"?} as JSON on stdin')
    new.add_argument("user")
    new.add_argument("account")
    new.add_argument("venue", help="such as binance_usdm")
    new.add_argument("--demo", action="store_true", help="the venue's demo environment")
    new.add_argument("--model", help="which law judges it; the venue's own where nothing is said")
    new.add_argument("--currency", help="what it is judged in: USDT where nothing is said")
    new.add_argument("--execution", choices=("external", "venue"), help="who carries out its liquidations: external where nothing is said")
    new.add_argument("--auto-reduce", action="store_true", default=None, help="act before the venue would")
    new.add_argument("--execute", action="store_true", help="let `marginstream execute` reduce it: its liquidations are carried out here")
    opt = actions.add_parser("execute", help="let `marginstream execute` reduce it, before its venue would; --off: no more")
    opt.add_argument("user")
    opt.add_argument("account")
    opt.add_argument("--off", action="store_true", help="opt out: the engine orders no more steps either")
    old = actions.add_parser("remove", help="read it no more and forget its secrets")
    old.add_argument("user")
    old.add_argument("account")


def describe_keys(parser: argparse.ArgumentParser) -> None:
    """The arguments of `marginstream keys`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("rotate", help="make a new key, seal every secret under it while readers go on, drop keys nothing is under")
