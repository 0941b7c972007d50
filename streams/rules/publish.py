"""From Postgres to the topic: every rule that is not acknowledged, under its key; saying one again changes nothing."""

import asyncio
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas import engine_pb2 as pb
from streams.config import Config
from streams.rules import store
from streams.rules.reading import key_of
from streams.stack.process import StackError
from streams.topics import RISK_RULES


def publish(config: Config, *, again: bool = False) -> int:
    """Sends what waits, with `again` everything that is kept; the count. The rows are locked meanwhile: a later change is a later record.

    A crash between the topic's acknowledgement and the note of it sends them again. Raises `StackError`.
    """
    with store.connected(config.postgres_dsn) as connection:
        rules = store.waiting(connection, again=again)
        if rules:
            try:
                asyncio.run(_send(config, rules))
            except KafkaError as error:
                raise StackError(f"kafka at {config.kafka_bootstrap}: expected an answer, was {error!r};"
                                 " the rules are kept: marginstream rules publish sends them") from None
            store.published(connection, rules)
    return len(rules)


async def _send(config: Config, rules: Sequence[pb.RiskRule]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all", enable_idempotence=True)
    try:
        await producer.start()
        for rule in rules:
            await producer.send_and_wait(RISK_RULES, rule.SerializeToString(), key=key_of(rule).encode(), partition=0)
    finally:
        await producer.stop()
