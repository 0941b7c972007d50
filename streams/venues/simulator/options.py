"""Options of `marginstream simulate`."""

import argparse

from streams.venues.simulator.catalogue import VENUES


def describe(parser: argparse.ArgumentParser) -> None:
    """Options."""
    parser.add_argument("--venue", action="append", choices=VENUES, help="only these")
    parser.add_argument("--port", action="append", default=[], metavar="VENUE=N", help="of a venue or of 'control'; else any free one")
    parser.add_argument("--accounts", type=int, default=0, metavar="N", help="accounts a venue that trade by themselves")
    parser.add_argument("--events", type=float, default=2.0, metavar="N", help="orders a second, all accounts together")
    parser.add_argument("--speed", type=float, default=1.0, help="simulated seconds a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--truth", metavar="FILE", help="every change of state as JSON lines")
    parser.add_argument("--lenient", action="store_true", help="as the test network: retired addresses still work")
