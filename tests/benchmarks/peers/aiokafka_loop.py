"""The same hand-written loop on aiokafka, with uvloop, larger batches and a shorter fetch wait; it keeps no promise either."""

import asyncio
import os
import time
from decimal import Decimal

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

ENV = os.environ
SOURCE, OUTPUT, LOG = ENV["IN_TOPIC"], ENV["OUT_TOPIC"], ENV["APP_ID"] + "-changelog"


async def main() -> None:
    """Until it is told to end; it starts empty, as recovery is not what is measured."""
    producer = AIOKafkaProducer(bootstrap_servers=ENV["KAFKA_BOOTSTRAP"], acks="all", max_batch_size=262_144)
    consumer = AIOKafkaConsumer(SOURCE, bootstrap_servers=ENV["KAFKA_BOOTSTRAP"], group_id=ENV["APP_ID"], enable_auto_commit=False,
                                auto_offset_reset="earliest", fetch_max_wait_ms=20)
    await producer.start()
    await consumer.start()
    balances: dict[tuple[bytes, str], Decimal] = {}
    sent, last = [], time.monotonic()
    while True:
        for place, messages in (await consumer.getmany(timeout_ms=100, max_records=2000)).items():
            for message in messages:
                delta, user = orjson.loads(message.value), message.key
                key = user, delta["asset"]
                balance = balances.get(key, Decimal(0)) + Decimal(delta["amount"])
                balances[key] = balance
                text = str(balance)
                sent.append(await producer.send(LOG, text.encode(), user + b"|" + delta["asset"].encode(), place.partition))
                sent.append(await producer.send(OUTPUT, orjson.dumps({"user_id": delta["user_id"], "asset": delta["asset"], "balance": text,
                                                                      "seq": delta["seq"], "ts": delta["ts"]}), user, place.partition))
        if sent and time.monotonic() - last > 1.0:
            await asyncio.gather(*sent)
            await consumer.commit()
            sent, last = [], time.monotonic()


uvloop.run(main())
