"""A hand-written loop on confluent-kafka: consume, add, produce to changelog and output; flush, then commit, once a second.

It keeps no promise: changelog, output and commit are three steps, and a crash between them applies twice."""

import os
import time
from decimal import Decimal

import orjson
from confluent_kafka import Consumer, Producer

ENV = os.environ
SOURCE, OUTPUT, LOG = ENV["IN_TOPIC"], ENV["OUT_TOPIC"], ENV["APP_ID"] + "-changelog"
BASE = {"bootstrap.servers": ENV["KAFKA_BOOTSTRAP"]}


def main() -> None:
    """Until it is told to end; it starts empty, as recovery is not what is measured."""
    producer = Producer({**BASE, "acks": "all", "queue.buffering.max.messages": 1_000_000})
    consumer = Consumer({**BASE, "group.id": ENV["APP_ID"], "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    consumer.subscribe([SOURCE])
    balances: dict[tuple[bytes, str], Decimal] = {}
    last, dirty = time.monotonic(), False
    while True:
        first = consumer.poll(0.1)  # wait for one, then take whatever is already here
        for message in [first, *consumer.consume(1999, 0)] if first else ():
            if message.error():
                raise SystemExit(message.error())
            delta, user, part = orjson.loads(message.value()), message.key(), message.partition()
            key = user, delta["asset"]
            balance = balances.get(key, Decimal(0)) + Decimal(delta["amount"])
            balances[key] = balance
            text = str(balance)
            producer.produce(LOG, text, user + b"|" + delta["asset"].encode(), part)
            producer.produce(OUTPUT, orjson.dumps({"user_id": delta["user_id"], "asset": delta["asset"], "balance": text,
                                                   "seq": delta["seq"], "ts": delta["ts"]}), user, part)
            dirty = True
        producer.poll(0)
        if dirty and time.monotonic() - last > 1.0:
            if producer.flush(30):
                raise SystemExit("flush")
            consumer.commit(asynchronous=False)
            last, dirty = time.monotonic(), False


main()
