"""Topics on the broker: created with their partitions and settings, and refused where the broker has other counts."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streams import topics
from streams.config import Config
from streams.engine.boot import CHANGELOG_CONFIGS, MIB
from streams.stack.process import StackError

LEDGERS = ("accounts", "orders")


class Wanted(NamedTuple):
    """A topic as the broker should have it."""

    name: str
    partitions: int
    configs: dict[str, str]


def wanted(config: Config) -> list[Wanted]:
    """Every topic of the product, the changelogs of its ledgers and the record of its generations."""
    found = [Wanted(topic.name, topic.partitions or config.partitions, dict(topic.configs())) for topic in topics.ALL]
    for topic in found:
        if topic.name == topics.DEAD_LETTERS:  # a dead letter is larger than the record it holds
            topic.configs["max.message.bytes"] = str(2 * MIB)
    found.append(Wanted(generations(config), 1, {"cleanup.policy": "compact"}))
    return found + [Wanted(changelog(config, ledger), config.partitions, dict(CHANGELOG_CONFIGS)) for ledger in LEDGERS]


def group(config: Config) -> str:
    """The consumer group of the engine's workers."""
    return f"{config.app_id}-g{config.generation}"


def changelog(config: Config, ledger: str) -> str:
    """Name of a ledger's changelog, as Faust derives it from app and table."""
    return f"{group(config)}-{ledger}-changelog"


def generations(config: Config) -> str:
    """The topic that says which topics the rows of a generation rest on: see `streams.stack.generation`."""
    return f"{config.app_id}-generations"


def create(config: Config) -> None:
    """Creates what is missing, then verifies; raises `StackError`."""
    asyncio.run(_with_admin(config, _create))


def verify(config: Config) -> list[str]:
    """What is missing or has another partition count, a line each; raises `StackError` where the broker does not answer."""
    return asyncio.run(_with_admin(config, _differences))


async def _with_admin(config: Config, action: Callable[[AIOKafkaAdminClient, Config], Awaitable[list[str]]]) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=config.kafka_bootstrap, request_timeout_ms=20_000)
    try:
        await admin.start()
        return await action(admin, config)
    except KafkaError as error:
        raise StackError(f"kafka at {config.kafka_bootstrap}: expected an answer, was {error!r}") from None
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, config: Config) -> list[str]:
    there = set(await admin.list_topics())
    missing = [NewTopic(topic.name, topic.partitions, config.replication, topic_configs=topic.configs)
               for topic in wanted(config) if topic.name not in there]
    if missing:
        response = await admin.create_topics(missing, timeout_ms=20_000)
        for name, code, *_ in response.topic_errors:
            error = for_code(code)
            if code != 0 and error is not TopicAlreadyExistsError:
                raise StackError(f"topic {name}: expected to be created, was refused: {error.__name__}")
    if differences := await _settled(admin, config):
        raise StackError("; ".join(differences))
    return []


async def _settled(admin: AIOKafkaAdminClient, config: Config) -> list[str]:
    """The differences once the brokers' metadata has caught up with the controller."""
    differences: list[str] = []
    for _ in range(100):
        differences = await _differences(admin, config)
        if not any("was none" in line for line in differences):
            break
        await asyncio.sleep(0.1)
    return differences


async def _differences(admin: AIOKafkaAdminClient, config: Config) -> list[str]:
    described = await admin.describe_topics([topic.name for topic in wanted(config)])
    counts = {topic["topic"]: len(topic["partitions"]) for topic in described if topic["error_code"] == 0}
    return [f"topic {topic.name}: expected {topic.partitions} partitions, was {counts.get(topic.name, 'none')}"
            for topic in wanted(config) if counts.get(topic.name) != topic.partitions]
