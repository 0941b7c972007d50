"""The options of `record`, `replay` and `verify`."""

import argparse


def describe(record: argparse.ArgumentParser, replay: argparse.ArgumentParser, verify: argparse.ArgumentParser) -> None:
    """The options of the three."""
    record.add_argument("--out", metavar="DIR", help="a new folder; none: recording-DATE-TIME")
    record.add_argument("--topics", metavar="A,B", help="none: all that goes in, and verdicts, transactions, anomalies, dead letters")
    record.add_argument("--rows", action="store_true", help="rows as they stood at --from (none: now), with fences: a start for a replay")
    for one in (replay, verify):
        one.add_argument("folder", nargs="?", metavar="DIR", help="what `record` wrote; none: the broker's topics as they are")
        one.add_argument("--json", action="store_true", help="JSON on stdout")
    for one in (record, replay):
        one.add_argument("--from", dest="from_ms", type=_time, metavar="MS", help="append time; none: the log's beginning")
        one.add_argument("--to", dest="to_ms", type=_time, metavar="MS", help="append time; none: the log's present end")
    replay.add_argument("--live", action="store_true", help="the broker's topics, which is what no DIR means, too")
    replay.add_argument("--rules", metavar="FILE", help="lines as `inject risk-rules` takes them, in the place of the recorded ones")
    replay.add_argument("--thresholds", action="append", default=[], metavar="[MODEL:]NAME=N,..",
                        help="mode, warning, margin_call, liquidation, release, auto_reduce of every group; no model: all but mt5")
    replay.add_argument("--from-rows", nargs="?", const="", metavar="DIR", help="begin at exported rows, of DIR or of the recording itself")
    replay.add_argument("--step", type=_step, default=1, metavar="MS",
                        help="checks after every so many ms of simulated time [1]; a worker under load checks about every 20")
    verify.add_argument("--rows", metavar="DIR", help="exported rows to begin at, where the log no longer has the facts before them")


def _time(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected milliseconds, was {text!r}")
    return int(text)


def _step(text: str) -> int:
    if not 1 <= (found := _time(text)) <= 1_000:
        raise argparse.ArgumentTypeError(f"expected 1 to 1000 ms, was {text!r}")
    return found
