"""`bench engine`: every system on one workload, a backlog drained or a steady rate, interleaved, each run on a broker of its own."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer

from streams.bench.latency import pace
from streams.bench.measure import Sample, cores, look, rss_kib
from streams.bench.peers import PEERS
from streams.bench.systems import BARE, Run, outputs
from streams.bench.workload import deltas, differences
from streams.stack.kafka import start_kafka
from streams.stack.process import StackError

_STILL_S, _GIVEN_UP_S, _MOST_S = 1.5, 60.0, 180.0

Figures = dict[str, object]


class Load(NamedTuple):
    """`deltas` to drain, 0: none; then each of `rates` a second for `seconds`, measured after a warm-up."""

    deltas: int
    rates: Sequence[int]
    seconds: float


class Broker(NamedTuple):
    """Where it listens, and its process."""

    bootstrap: str
    pid: int


def drain(run: Run, count: int, broker: Broker) -> Figures:
    """Everything lies on the source before the worker starts; time between the broker's append times of the first and last output."""
    producer = run.producer(**{"linger.ms": 20})
    for delta in deltas(count):
        run.send(producer, delta, time.time_ns() // 1000)
    producer.flush()
    consumer = run.consumer()
    with run.worker() as pid:
        samples = list(_watched(run, consumer, count, (pid, broker.pid)))
        rss = rss_kib(pid) // 1024
    consumer.assign(run.places)
    messages = [message for _, message in outputs(run, consumer, count)]
    consumer.close()
    stamps = sorted(message.timestamp()[1] for message in messages)
    told = [run.read(message.value() or b"") for message in sorted(messages, key=lambda one: (one.partition() or 0, one.offset() or 0))]
    first = next(sample for sample in samples if sample.outputs)
    last = next(sample for sample in samples if sample.outputs == samples[-1].outputs)
    between = max(1, last.outputs - first.outputs)
    return {"run": "drain", "system": run.system, "deltas": count,
            "events_per_s": round((count - 1) / max(1, stamps[-1] - stamps[0]) * 1000),
            "cpu_s_per_million": round((last.worker_s - first.worker_s) / between * 1e6, 1),
            "cpu_s_per_million_with_start": round(samples[-1].worker_s / count * 1e6, 1),
            "broker_cpu_s_per_million": round((last.broker_s - first.broker_s) / between * 1e6, 1),
            "rss_mib": rss, **cores(first, last), **differences(count, told)}


def _watched(run: Run, consumer: Consumer, count: int, pids: tuple[int, int]) -> Iterator[Sample]:
    """Samples until `count` outputs stand still; raises `StackError` where fewer do, or time runs out."""
    ends, moved, began = -1, time.monotonic(), time.monotonic()
    while ends < count or time.monotonic() - moved < _STILL_S:
        time.sleep(0.1)
        found = sum(consumer.get_watermark_offsets(place, 10, cached=False)[1] for place in run.places)
        ends, moved = (found, moved) if found == ends else (found, time.monotonic())
        if time.monotonic() - (moved if ends else began) > _GIVEN_UP_S or time.monotonic() - began > _MOST_S:
            raise StackError(f"bench {run.system}: expected {count} outputs, was {ends}")
        yield look(ends, *pids)


def bench(systems: Sequence[str], load: Load, rounds: int) -> Iterator[Figures]:
    """Figures of every run, interleaved."""
    for _ in range(rounds):
        for system in systems:
            if load.deltas and system != BARE:
                with on_broker() as (folder, broker):
                    count = min(load.deltas, PEERS[system].most) if system in PEERS else load.deltas
                    yield drain(Run(system, broker.bootstrap, folder), count, broker)
            for rate in load.rates:
                with on_broker() as (folder, broker):
                    yield pace(Run(system, broker.bootstrap, folder), (rate, load.seconds), broker.pid)


@contextmanager
def on_broker() -> Iterator[tuple[Path, Broker]]:
    with tempfile.TemporaryDirectory(prefix="marginstream-bench-", ignore_cleanup_errors=True) as name:
        kafka = start_kafka(Path(name) / "kafka")
        try:
            yield Path(name), Broker(kafka.bootstrap, kafka.running[1].pid)
        finally:
            kafka.stop()
