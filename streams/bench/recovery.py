"""`bench recovery`: a worker takes over the rows of many users from a real broker; rows a second, users a second, bytes a user."""

import random
import sys
import tempfile
from pathlib import Path

import msgspec
from confluent_kafka import Producer

from schemas.keys import partition_of
from streams.app import plans
from streams.bench.holdings import POSITIONS, users
from streams.bench.recovering import Took
from streams.bench.workload import SEED
from streams.config import PREFIX, Config
from streams.engine.rows import CLAIM, SENT, Codec, Row
from streams.stack import process, topics
from streams.stack.kafka import start_kafka
from streams.stack.market import rules
from streams.stack.process import Command, StackError
from streams.topics import RISK_RULES

LIMIT_S = 300.0
_OFFSET_MAX = 2_000_000
Figures = dict[str, object]


def fill(config: Config, count: int, seed: int) -> int:
    """Rows of `count` users in the changelog of `accounts`, as an owner left them whose outputs were delivered; their bytes."""
    plan = plans(config)[0]
    codec, draw = Codec(len(plan.sources), plan.dump, plan.load), random.Random(f"offsets {seed}")
    topic = f"{config.app_id}-g{config.generation}-accounts-changelog"
    producer = Producer({"bootstrap.servers": config.kafka_bootstrap, "acks": "all", "linger.ms": 20, "enable.idempotence": True,
                         "queue.buffering.max.messages": 2 * count + 100})
    for number in range(config.partitions):
        producer.produce(topic, b"", CLAIM, number)
    total = 0
    for user in users(count, seed):
        key = user.user_id.encode()
        data, _ = codec.encode(Row(user, [draw.randrange(_OFFSET_MAX) for _ in plan.sources]), 0)
        total += len(data)
        producer.produce(topic, data, key, partition_of(key, config.partitions))
        producer.poll(0)
    for number in range(config.partitions):
        producer.produce(topic, (0).to_bytes(8, "big"), SENT, number)
    for rule in rules():
        producer.produce(RISK_RULES, rule.SerializeToString(), f"{rule.rule_id}@{rule.effective_from_ms}")
    if left := producer.flush(LIMIT_S):
        raise StackError(f"recovery: expected every row acknowledged, was {left} without")
    return total


def recover(count: int, seed: int = SEED) -> Figures:
    """Figures of one takeover, on a broker of its own."""
    with tempfile.TemporaryDirectory(prefix="marginstream-recovery-") as name:
        folder = Path(name)
        kafka = start_kafka(folder / "kafka")
        try:
            [port] = process.free_ports(1)
            config = Config(kafka_bootstrap=kafka.bootstrap, app_id="recovery", web_port=port, data_dir=str(folder))
            topics.create(config)
            size = fill(config, count, seed)
            return {"run": "recovery", "positions": POSITIONS, "row_bytes": round(size / count), **_figures(take_over(config, folder))}
        finally:
            kafka.stop()


def take_over(config: Config, folder: Path) -> Took:
    """What a worker that finds these rows says of itself; raises `StackError` where it ends or does not come through."""
    values = {PREFIX + field.upper(): str(getattr(config, field)) for field in Config.__struct_fields__}
    told = folder / "took.json"
    running = process.start(Command("worker", [sys.executable, "-m", "streams.bench.recovering", told], values), folder / "logs")
    try:
        process.wait_until(lambda: told.exists() or not process.alive(running), LIMIT_S, 0.1)
        if not told.exists():
            raise StackError(f"recovery: expected a worker with its book filled within {LIMIT_S:.0f} s, was none; "
                             f"{process.log_end(running, 20)}")
        return msgspec.json.decode(told.read_bytes(), type=Took)
    finally:
        process.stop(running)


def _figures(took: Took) -> Figures:
    grown = (took.filled_kib - took.before_kib) * 1024
    untouched = (took.read_kib - took.before_kib) * 1024
    return {"users": took.users, "rows": took.rows, "ledgers_s": round(took.ledgers_s, 2), "rows_per_s": round(took.rows / took.ledgers_s),
            "rows_per_cpu_s": round(took.rows / took.ledgers_cpu_s), "book_s": round(took.book_s, 2),
            "users_per_s": round(took.users / took.book_s), "users_per_cpu_s": round(took.users / took.book_cpu_s),
            "figures_s": round(took.figures_s, 2), "bytes_per_user": round(grown / took.users),
            "bytes_per_user_untouched": round(untouched / took.users)}
