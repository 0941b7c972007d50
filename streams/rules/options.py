"""The arguments of `marginstream rules`, apart from what they run: every command describes itself fast."""

import argparse


def describe(parser: argparse.ArgumentParser) -> None:
    """The arguments of `marginstream rules`."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="id, time, author and publication of every rule that is kept, one a line")
    one = actions.add_parser("show", help="every version of a rule as JSON, one a line; 'shipped': the tables that come with the project")
    one.add_argument("rule_id", help="such as instrument:house:EURUSD, group:standard, weight:USDT/BTC")
    change = actions.add_parser("apply", help="validate, show, keep and publish the rules of a file")
    change.add_argument("file", help="JSON of the message RiskRule, a list or one a line; '-': standard input")
    end = actions.add_parser("withdraw", help="end a rule by a version of it that says so; a later version may begin it again")
    end.add_argument("rule_id", help="as in show")
    end.add_argument("--from", dest="from_ms", type=int, metavar="MS", help="when it ends; none: now")
    for one in (change, end):
        one.add_argument("--dry-run", action="store_true", help="only show whose rung would move, on the live accounts")
        one.add_argument("--force", action="store_true", help="also where users would be liquidated or could not be judged")
    again = actions.add_parser("publish", help="send the rules that the topic has not acknowledged")
    again.add_argument("--all", action="store_true", help="every rule that is kept")
