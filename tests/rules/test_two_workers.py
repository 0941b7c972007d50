"""A rule changes while two workers run on a real broker: each judges again whom it touches, and nobody else."""

import os
import sys
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from google.protobuf.message import Message

from schemas import engine_pb2 as pb
from schemas.keys import partition_of
from streams.config import PREFIX, Config
from streams.stack import process, supervisor
from streams.stack.process import Command, Running
from streams.stack.topics import create
from streams.topics import ACCOUNT_UPDATES, MARGIN_CHECKS, RISK_RULES, WALLET_DELTAS
from tests.chaos.cluster import owned_at

USERS = {f"live:{number}": ("vip", "standard", "other")[number % 3] for number in range(1, 25)}
LIMIT_S = 120.0


@pytest.fixture(scope="module")
def config(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """Two workers, each of which owns a partition."""
    folder = tmp_path_factory.mktemp("workers")
    config = Config(kafka_bootstrap=kafka, partitions=2, check_report_ms=1, data_dir=str(folder))
    create(config)
    tell(config, *((RISK_RULES, f"group:{name}", group(name, "100")) for name in set(USERS.values())))
    tell(config, *facts())
    running: list[Running] = []
    ports = process.free_ports(2)
    try:
        for number, port in enumerate(ports):
            values = {PREFIX + field.upper(): str(getattr(config, field)) for field in Config.__struct_fields__}
            own = {**values, f"{PREFIX}WORKER_NAME": f"worker-{number}", f"{PREFIX}WEB_PORT": str(port),
                   f"{PREFIX}WORKER_INSTANCE_ID": f"rules-{number}"}
            running.append(process.start(Command(f"worker-{number}", [sys.executable, "-m", "streams", "worker"], own), folder / "logs"))
        # Whoever takes a partition over judges all of it because it took over, not because of a rule that came meanwhile.
        assert process.wait_until(lambda: all(map(supervisor.ready, ports)) and sorted(map(sorted, map(owned_at, ports))) == [[0], [1]],
                                  LIMIT_S), "expected each worker ready with a partition of its own"
        yield config
    finally:
        for one in running:
            process.stop(one)


def group(name: str, leverage: str) -> pb.RiskRule:
    return pb.RiskRule(rule_id=f"group:{name}", group=pb.RiskRule.Group(group=name, leverage=leverage))


def facts() -> Iterator[tuple[str, str, Message]]:
    now = time.time_ns() // 1_000_000
    for user, name in USERS.items():
        ident = user.partition(":")[2]
        profile = pb.AccountUpdate(id="p", user_id=ident, source="test", time_ms=now)
        profile.profile.group = name
        yield ACCOUNT_UPDATES, user, profile
        yield WALLET_DELTAS, user, pb.WalletDelta(id="d", user_id=ident, account_id="house", asset="USD", amount="100", source="test",
                                                  kind=pb.WalletDelta.DEPOSIT, time_ms=now)


def tell(config: Config, *records: tuple[str, str, Message]) -> None:
    producer = Producer({"bootstrap.servers": config.kafka_bootstrap, "partitioner": "murmur2_random", "acks": "all"})
    for topic, key, message in records:
        producer.produce(topic, message.SerializeToString(), f"{key}@0" if topic == RISK_RULES else key)
    assert producer.flush(30) == 0


class Checks:
    """What the workers said of checks since the last question."""

    def __init__(self, config: Config) -> None:
        self._consumer = Consumer({"bootstrap.servers": config.kafka_bootstrap, "group.id": f"test-{os.getpid()}",
                                   "enable.auto.commit": False})
        self._consumer.assign([TopicPartition(MARGIN_CHECKS, number, 0) for number in range(config.partitions)])

    def take(self) -> list[pb.MarginCheck]:
        found = []
        while (record := self._consumer.poll(0.5)) is not None:
            if record.error() is None:
                found.append(pb.MarginCheck.FromString(record.value() or b""))
        return found

    def by_rules(self, wanted: set[str]) -> set[str]:
        """Users that were judged because of rules: at least until all of `wanted` were, and for a while after."""
        found: set[str] = set()
        quiet_at = time.monotonic() + LIMIT_S
        while time.monotonic() < quiet_at:
            found |= {check.user_id for check in self.take() if "rules" in check.causes}
            if wanted <= found and quiet_at > time.monotonic() + 3.0:
                quiet_at = time.monotonic() + 2.0
        return found


def owners_of(users: set[str]) -> set[int]:
    return {partition_of(user.encode(), 2) for user in users}


def test_each_worker_judges_again_those_a_rule_touches_and_only_them(config: Config) -> None:
    checks, seen, end = Checks(config), set[str](), time.monotonic() + LIMIT_S
    while seen != USERS.keys() and time.monotonic() < end:
        seen |= {check.user_id for check in checks.take()}
    assert seen == USERS.keys()
    for name, leverage in (("vip", "50"), ("standard", "20")):
        touched = {user for user, own in USERS.items() if own == name}
        assert owners_of(touched) == {0, 1}
        tell(config, (RISK_RULES, f"group:{name}", group(name, leverage)))
        assert checks.by_rules(touched) == touched
    tell(config, (RISK_RULES, "group:vip", group("vip", "50")))  # the same said again
    tell(config, (RISK_RULES, "group:nobody", group("nobody", "50")))
    tell(config, (RISK_RULES, "group:other", pb.RiskRule(rule_id="group:other", withdrawn=True)))
    assert checks.by_rules(others := {user for user, own in USERS.items() if own == "other"}) == others
