"""What `marginstream bench` runs."""

import argparse
import json
from collections.abc import Iterator, Mapping

from streams.bench import results
from streams.bench.engine import Load, bench
from streams.bench.systems import BARE, SYSTEMS
from streams.stack.process import StackError


def run(options: argparse.Namespace) -> int:
    """Prints a line of JSON a run; 0."""
    if options.name == "figures":
        from streams.bench.figures import show

        return show(write=options.write)
    for figures in _runs(options):
        row = results.stamped(figures)
        print(json.dumps(row), flush=True)
        if options.results:
            results.append(options.results, row)
    return 0


def _runs(options: argparse.Namespace) -> Iterator[Mapping[str, object]]:
    if options.name == "engine":
        systems = options.system or [BARE, *SYSTEMS]
        if wrong := set(systems) - {BARE, *SYSTEMS}:
            raise StackError(f"system: expected one of {', '.join((BARE, *SYSTEMS))}, was {', '.join(sorted(wrong))}")
        yield from bench(systems, Load(options.deltas, options.rate or (), options.seconds), options.rounds)
        return
    held = {"risk": _risk, "recovery": _recovery, "soak": _soak, "profile": _profile, "growth": _growth, "mirror": _mirror,
            "ingest": _ingest}
    if options.name in held:
        yield from held[options.name](options)
        return
    for _ in range(options.rounds):
        for rate in options.rate or (1_000,):
            if options.name == "mirrors":
                from streams.bench.mirrors import mirrors

                yield mirrors(rate, options.seconds)
            else:
                from streams.bench.ticks import ticks

                yield ticks(rate, options.seconds)


def _mirror(options: argparse.Namespace) -> Iterator[Mapping[str, object]]:
    from streams.bench.mirror import mirror

    for _ in range(options.rounds):
        yield from mirror(options.users, options.figures)


def _risk(options: argparse.Namespace) -> Iterator[Mapping[str, object]]:
    from streams.bench.risk import risk

    for _ in range(options.rounds):
        yield from risk(options.accounts, options.ticks)


def _ingest(options: argparse.Namespace) -> Iterator[Mapping[str, object]]:
    from streams.bench.ingest import idle, load

    for _ in range(options.rounds):
        yield from load(options.accounts, options.rate or (1_000, 2_000, 3_000, 4_000, 5_000, 6_000), options.seconds, options.profile)
        if options.idle:
            yield idle(options.idle)


def _recovery(options: argparse.Namespace) -> Iterator[Mapping[str, object]]:
    from streams.bench.recovery import recover

    for _ in range(options.rounds):
        yield recover(options.users)


def _soak(options: argparse.Namespace) -> Iterator[Mapping[str, object]]:
    from streams.bench.soak import Soak, soak

    for _ in range(options.rounds):
        yield soak(Soak(seconds=options.seconds, warm_s=options.warm))


def _profile(options: argparse.Namespace) -> Iterator[Mapping[str, object]]:
    from streams.bench.profile import profile

    for _ in range(options.rounds):
        yield from profile(Load(options.deltas, options.rate or (5_000,), options.seconds))


def _growth(options: argparse.Namespace) -> Iterator[Mapping[str, object]]:
    from streams.bench.growth import GROWTH, grow

    for _ in range(options.rounds):
        for workers, partitions in GROWTH:
            yield grow(workers, partitions, (options.rate, options.seconds))
