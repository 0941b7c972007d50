"""`bench ticks`: latency from the price tick that moves 10,000 users' mark to the verdicts that rest on it.

A tenth of the users hold much of one instrument, whose price sinks a step every quarter of a second, said again by every tick between;
a verdict's stamp names the price, and the first tick that said this price was meant to be sent at a known time."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer
from confluent_kafka import Consumer, Producer, TopicPartition

from schemas import money
from schemas.engine_pb2 import MarginCall, PriceTick, Rung
from schemas.keys import HOUSE, partition_of
from streams import topics
from streams.bench.measure import cores, look, quantiles
from streams.bench.systems import Run, started
from streams.bench.workload import SEED, USERS
from streams.stack.generator import send
from streams.stack.generator_house import HouseBook, Record
from streams.stack.kafka import start_kafka
from streams.stack.market import INSTRUMENTS, Instrument, rules
from streams.stack.process import Command, StackError, wait_until

_STEP_S, _SINK = 0.25, Decimal("0.045")
_HELD = tuple(instrument for instrument in INSTRUMENTS if instrument.venue == HOUSE)
_JUDGED = (Rung.WARNING, Rung.MARGIN_CALL, Rung.LIQUIDATION)


class Orders(msgspec.Struct):
    """What the sender, a process of its own, is to do: from `at_ms` on, `rate` ticks a second for `seconds`."""

    bootstrap: str
    partitions: int
    at_ms: int
    rate: int
    seconds: float


def ticks(rate: int, seconds: float) -> dict[str, object]:
    """A paced run of the product on ticks."""
    with tempfile.TemporaryDirectory(prefix="marginstream-bench-", ignore_cleanup_errors=True) as name:
        kafka = start_kafka(Path(name) / "kafka")
        try:
            return _measured(Run("product", kafka.bootstrap, Path(name)), kafka.running[1].pid, (rate, seconds))
        finally:
            kafka.stop()


def _measured(run: Run, broker: int, paced: tuple[int, float]) -> dict[str, object]:
    rate, seconds = paced
    consumer = run.consumer()
    with run.worker() as worker:
        asyncio.run(_open(run))
        _settle(run, consumer)
        consumer.assign([TopicPartition(topics.MARGIN_CALLS, number, 0) for number in range(run.config.partitions)])
        orders = Orders(run.config.kafka_bootstrap, run.config.partitions, time.time_ns() // 1_000_000 + 3_000, rate, seconds)
        with started(Command("ticks", [sys.executable, "-m", "streams.bench.ticks", msgspec.json.encode(orders).decode()]),
                     run.folder / "logs") as sender:
            time.sleep(3)
            first = look(0, worker, broker, (sender.pid,))
            came = list(_verdicts(consumer, seconds))
            last = look(len(came), worker, broker)
    consumer.close()
    said_ms = {price: due_ms for due_ms, instrument, price in reversed(list(_path(orders))) if instrument.sinks}
    late = [at_ms - said_ms[Decimal(mark.price)] for at_ms, call in came if call.after in _JUDGED
            for mark in call.stamp.marks if Decimal(mark.price) in said_ms]
    return {"run": "ticks", "system": "product", "rate": rate, "seconds": seconds, "users": USERS, **cores(first, last),
            "to": {f"verdict, {USERS:,} users, from the tick that moved the price": quantiles(late)}}


def _path(orders: Orders) -> Iterator[tuple[int, Instrument, Decimal]]:
    """(due ms, instrument, price) of every tick; only one instrument moves."""
    steps = int(orders.seconds / _STEP_S)
    for at in range(int(orders.rate * orders.seconds)):
        due_s, instrument = at / orders.rate, _HELD[at % len(_HELD)]
        sunk = _SINK * int(due_s / _STEP_S) / steps if instrument.sinks else money.ZERO
        yield orders.at_ms + int(due_s * 1000), instrument, instrument.tick * int(instrument.price * (1 - sunk) / instrument.tick)


def _tick(due_ms: int, instrument: Instrument, price: Decimal) -> PriceTick:
    return PriceTick(instrument=instrument.key, bid=money.say(price), ask=money.say(price), last=money.say(price), mark=money.say(price),
                     time_ms=due_ms, source="bench")


def _opening(now_ms: int, prices: Mapping[str, Decimal]) -> Iterator[Record]:
    for at in range(USERS):
        yield from HouseBook(f"live:{1000 + at}", "bench", reckless=at % 10 == 0, seed=SEED).open(now_ms, prices)


async def _open(run: Run) -> None:
    """Rules, first prices, money, then fills."""
    now_ms = time.time_ns() // 1_000_000
    prices = {instrument.key: instrument.price for instrument in INSTRUMENTS}
    opening = list(_opening(now_ms, prices))
    producer = AIOKafkaProducer(bootstrap_servers=run.config.kafka_bootstrap, acks="all", enable_idempotence=True, linger_ms=2,
                                max_batch_size=131_072)
    await producer.start()
    try:
        await send(producer, [(topics.RISK_RULES, f"{rule.rule_id}@{rule.effective_from_ms}", rule) for rule in rules()])
        await send(producer, [(topics.PRICE_TICKS, one.key, _tick(now_ms, one, one.price)) for one in INSTRUMENTS])
        await send(producer, [record for record in opening if record[0] != topics.ORDER_UPDATES])
        await asyncio.sleep(2)
        await send(producer, [record for record in opening if record[0] == topics.ORDER_UPDATES])
    finally:
        await producer.stop()


def _settle(run: Run, consumer: Consumer) -> None:
    """Returns when every user has a state and no more are written."""
    ends = [0]

    def still() -> bool:
        places = [TopicPartition(topics.ACCOUNT_STATES, number) for number in range(run.config.partitions)]
        ends.append(sum(consumer.get_watermark_offsets(place, 10, cached=False)[1] for place in places))
        return ends[-1] >= USERS and len(ends) > 4 and ends[-1] == ends[-4]

    if not wait_until(still, 120, 1.0):
        raise StackError(f"bench ticks: expected the states of {USERS} users to rest within 120 s, was at {ends[-1]}")


def _verdicts(consumer: Consumer, seconds: float) -> Iterator[tuple[int, MarginCall]]:
    """(ms at which it came, verdict), until no more come after the last tick."""
    end = time.monotonic() + seconds + 5
    while time.monotonic() < end:
        message = consumer.poll(0.2)
        if message and not message.error():
            yield time.time_ns() // 1_000_000, MarginCall.FromString(message.value() or b"")


def _send(orders: Orders) -> None:
    producer = Producer({"bootstrap.servers": orders.bootstrap, "acks": "all", "linger.ms": 0})
    producer.list_topics(topics.PRICE_TICKS, timeout=10)
    for due_ms, instrument, price in _path(orders):
        while (wait_ms := due_ms - time.time() * 1000) > 0:
            producer.poll(0)
            time.sleep(max(wait_ms, 4) / 1000)  # a request for each tick would spend a core of the broker
        key = instrument.key.encode()
        producer.produce(topics.PRICE_TICKS, _tick(due_ms, instrument, price).SerializeToString(), key,
                         partition_of(key, orders.partitions))
    producer.flush()


if __name__ == "__main__":
    _send(msgspec.json.decode(sys.argv[1], type=Orders))
