"""Options of `marginstream bench`: apart, so that the other commands start fast."""

import argparse
from pathlib import Path


def describe(bench: argparse.ArgumentParser) -> None:
    """Adds them."""
    names = bench.add_subparsers(dest="name", required=True, metavar="NAME")
    engine = names.add_parser("engine", help="wallet deltas through the engine, the product and the peers")
    engine.add_argument("--system", action="append", help="one of them, again for more; none: all")
    engine.add_argument("--deltas", type=int, default=200_000, help="to drain; 0: no drain")
    engine.add_argument("--rate", action="append", type=int, help="a second, paced, for latency; none: no paced runs")
    engine.add_argument("--seconds", type=float, default=20.0, help="of a paced run, after 5 s of warm-up")
    mirrors = names.add_parser("mirrors", help="latency from a delta to the Postgres row and the Redis key")
    mirrors.add_argument("--rate", action="append", type=int, help="a second; none: 1000")
    mirrors.add_argument("--seconds", type=float, default=20.0)
    mirror = names.add_parser("mirror", help="what the bridges write a second, beside row by row and ready-made; people's figures")
    mirror.add_argument("--users", type=int, default=10_000, help="states of as many users")
    mirror.add_argument("--figures", type=int, default=100_000, help="users in a pass of people's figures")
    ticks = names.add_parser("ticks", help="latency from a price tick to the verdict that rests on it")
    ticks.add_argument("--rate", action="append", type=int, help="ticks a second; none: 1000")
    ticks.add_argument("--seconds", type=float, default=20.0)
    risk = names.add_parser("risk", help="the screen and the law: a tick, a crash, a changed account, a verdict")
    risk.add_argument("--accounts", type=int, default=1_000_000, help="of the large world")
    risk.add_argument("--ticks", type=int, default=4_000)
    recovery = names.add_parser("recovery", help="a takeover of many users: rows a second, users a second into the book, bytes a user")
    recovery.add_argument("--users", type=int, default=100_000, help="with three positions each")
    soak = names.add_parser("soak", help="the whole product under a steady load of 10,000 users: what its processes hold must not grow")
    soak.add_argument("--seconds", type=float, default=2_400.0, help="all of it")
    soak.add_argument("--warm", type=float, default=600.0, help="seconds before figures count: what is bounded fills")
    profile = names.add_parser("profile", help="where a worker's CPU time goes: with a backlog, and at a steady rate")
    profile.add_argument("--deltas", type=int, default=200_000, help="of the backlog; 0: none")
    profile.add_argument("--rate", action="append", type=int, help="a second; none: 5000")
    profile.add_argument("--seconds", type=float, default=15.0, help="of a rate, after 5 s of warm-up")
    growth = names.add_parser("growth", help="CPU time and memory of every process with 1, 2 and 4 workers, and with more partitions")
    growth.add_argument("--rate", type=int, default=1_000, help="deltas a second")
    growth.add_argument("--seconds", type=float, default=15.0, help="of each, after 5 s of warm-up")
    for one in (engine, mirrors, mirror, ticks, risk, recovery, soak, profile, growth, _ingest(names)):
        one.add_argument("--rounds", type=int, default=1, help="of all runs, interleaved")
        one.add_argument("--results", type=Path, help="lines of JSON are appended to this file, too")
    figures = names.add_parser("figures", help="the README's tables from the committed results")
    figures.add_argument("--write", action="store_true", help="into the README; else they are printed")


def _ingest(names: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    ingest = names.add_parser("ingest", help="private streams of 200 accounts to acknowledged facts; what 1,000 idle accounts hold")
    ingest.add_argument("--accounts", type=int, default=200)
    ingest.add_argument("--rate", action="append", type=int, help="frames a second; none: 1000 to 6000")
    ingest.add_argument("--seconds", type=float, default=10.0, help="of a rate")
    ingest.add_argument("--idle", type=int, default=1_000, help="idle accounts; 0: none")
    ingest.add_argument("--profile", default="", help="a file for cProfile's findings at the first rate")
    return ingest
