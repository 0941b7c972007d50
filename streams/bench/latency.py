"""A steady rate: latency from the time a delta was meant to be sent to its output at a consumer, and what that takes."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

import msgspec
from confluent_kafka import Consumer, Producer

from schemas.keys import partition_of
from streams.bench.measure import Sample, cores, look, quantiles, rss_kib
from streams.bench.systems import Run, outputs, started
from streams.bench.workload import Told, as_json, as_message, deltas
from streams.stack.process import Command, Running

_TICK_S = 0.005  # a request per delta would spend a core of the broker
WARM_S = 5.0


class Orders(msgspec.Struct):
    """What the sender, a process of its own, is to do: `count` deltas after the first, `rate` a second."""

    bootstrap: str
    source: str
    partitions: int
    messages: bool  # the product's, else JSON
    rate: int
    count: int


def pace(run: Run, paced: tuple[int, float], broker: int) -> dict[str, object]:
    """(rate, seconds) of `run`; `broker` is the broker's process, for what it costs."""
    rate, seconds = paced
    count = int(rate * (seconds + WARM_S))
    consumer = run.consumer()
    with run.worker() as worker:
        wake(run, consumer)
        with sending(run, rate, count) as sender:
            came, samples = collect(run, consumer, count, (rate, worker, broker, sender.pid))
        rss = rss_kib(worker) // 1024 if worker else 0
    consumer.close()
    late = [(at_us - one.sent_us) / 1000 for at_us, one in came if one.seq > rate * WARM_S]
    return {"run": "pace", "system": run.system, "rate": rate, "seconds": seconds, **quantiles(late), "rss_mib": rss,
            **cores(samples[0], samples[-1])}


def wake(run: Run, consumer: Consumer) -> None:
    """Sends the first delta and returns a while after its output came: the system is up, whatever that means for it."""
    consumer.assign(run.places)
    producer = run.producer()
    run.send(producer, next(deltas(1)), time.time_ns() // 1000)
    producer.flush()
    for _ in outputs(run, consumer, 1):
        pass
    time.sleep(2)


@contextmanager
def sending(run: Run, rate: int, count: int) -> Iterator[Running]:
    """A process that sends while the block runs."""
    given = Orders(run.config.kafka_bootstrap, run.source, run.config.partitions, run.system == "product", rate, count)
    orders = msgspec.json.encode(given).decode()
    with started(Command("sender", [sys.executable, "-m", "streams.bench.latency", orders]), run.folder / "logs") as running:
        yield running


def collect(run: Run, consumer: Consumer, count: int, measured: tuple[int, ...]) -> tuple[list[tuple[int, Told]], list[Sample]]:
    """(when it came in microseconds, output) each, and a look after the warm-up and one near the end.

    `measured`: rate, then the processes of worker and broker, then our own.
    """
    rate, worker, broker, *own = measured
    found: list[tuple[int, bytes]] = []
    samples: list[Sample] = []
    least, most = int(rate * WARM_S), count - rate // 2  # the sender is gone soon after the last
    for at_us, message in outputs(run, consumer, count):
        found.append((at_us, message.value() or b""))
        if len(found) in (least, most):
            samples.append(look(len(found), worker, broker, own))
    return [(at_us, run.read(value)) for at_us, value in found], samples


def _send(orders: Orders) -> None:
    producer = Producer({"bootstrap.servers": orders.bootstrap, "acks": "all", "linger.ms": 0})
    producer.list_topics(orders.source, timeout=10)
    record = as_message if orders.messages else as_json
    began, wall_us = time.perf_counter(), time.time_ns() // 1000
    per_tick = max(1, round(orders.rate * _TICK_S))
    for at, delta in enumerate(islice(deltas(orders.count + 1), 1, None)):
        due_s = at // per_tick * per_tick / orders.rate
        while (wait := began + due_s - time.perf_counter()) > 0:
            producer.poll(0)
            time.sleep(wait)
        key = delta.user.encode()
        producer.produce(orders.source, record(delta, wall_us + int(due_s * 1e6)), key, partition_of(key, orders.partitions))
    producer.flush()


if __name__ == "__main__":
    _send(msgspec.json.decode(sys.argv[1], type=Orders))
