"""`bench growth`: what each process of the product costs at the same load with more workers, and with more partitions."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from streams.bench.latency import WARM_S, sending, wake
from streams.bench.measure import busy_s, cpu_s, quantiles, rss_kib
from streams.bench.mirrors import migrated_postgres
from streams.bench.systems import Run, outputs, started
from streams.config import PREFIX, Config, load
from streams.stack import process, supervisor
from streams.stack.kafka import start_kafka
from streams.stack.process import Command, StackError
from streams.stack.redis import start_redis

GROWTH = ((1, 4), (2, 4), (4, 4), (1, 8), (1, 16))  # workers, partitions
_REST_S = 6.0
Figures = dict[str, object]


def grow(workers: int, partitions: int, paced: tuple[int, float]) -> Figures:
    """Figures at (rate, seconds): by process CPU time a million deltas, cores at rest, memory; latency to the output topic."""
    rate, seconds = paced
    count = int(rate * (seconds + WARM_S))
    with ExitStack() as stack:
        run, pids = _up(stack, workers, partitions)
        rest_s = _spent(pids, _REST_S)
        consumer = run.consumer()
        stack.callback(consumer.close)
        wake(run, consumer)
        late, looks = [], []
        with sending(run, rate, count):
            for number, (at_us, message) in enumerate(outputs(run, consumer, count), 1):
                if number in (int(rate * WARM_S), count - rate // 2):
                    looks.append((number, _cpu(pids), busy_s()))
                if looks:
                    late.append((at_us - run.read(message.value() or b"").sent_us) / 1000)
        (first, before, busy), (last, after, busier) = looks
        took_s, own_s = (last - first) / rate, sum(after.values()) - sum(before.values())
        return {"run": "growth", "system": "product", "workers": workers, "partitions": partitions, "rate": rate, "seconds": seconds,
                **quantiles(late), "other_cores": round((busier - busy - own_s) / took_s, 3),
                "cpu_s_per_million": {name: round((after[name] - before[name]) / (last - first) * 1e6, 1) for name in pids},
                "cores_at_rest": {name: round(spent / _REST_S, 3) for name, spent in rest_s.items()},
                "rss_mib": {name: rss_kib(pid) // 1024 for name, pid in pids.items()}}


def _up(stack: ExitStack, workers: int, partitions: int) -> tuple[Run, dict[str, int]]:
    """Broker, stores, workers and mirrors, all ready; process ids by name."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="marginstream-growth-", ignore_cleanup_errors=True)))
    kafka = start_kafka(folder / "kafka")
    stack.callback(kafka.stop)
    dsn = stack.enter_context(migrated_postgres(folder))
    url, server = start_redis(folder / "redis")
    stack.callback(process.stop, server)
    wanted = msgspec.structs.replace(load(), postgres_dsn=dsn, redis_url=url, data_dir=str(folder), partitions=partitions)
    run = Run("product", kafka.bootstrap, folder, wanted)
    pids = {"broker": kafka.running[1].pid}
    ports = process.free_ports(workers)
    for number, port in enumerate(ports, 1):
        config = msgspec.structs.replace(run.config, web_port=port, worker_name=f"worker-{number}", worker_instance_id=f"worker-{number}")
        pids[f"worker {number}"] = _start(stack, run, config, ["worker"])
        if not process.wait_until(lambda port=port: supervisor.ready(port), supervisor.READY_S, 0.1):  # type: ignore[misc]
            raise StackError(f"bench growth: expected worker {number} ready, was not")
    for mirror in ("postgres", "redis"):
        pids[f"bridge {mirror}"] = _start(stack, run, run.config, ["bridge", mirror])
    if not process.wait_until(lambda: all(map(supervisor.ready, ports)), supervisor.READY_S, 0.1):
        raise StackError(f"bench growth: expected {workers} workers ready, was fewer")
    time.sleep(3)  # the mirrors' groups
    return run, pids


def _start(stack: ExitStack, run: Run, config: Config, words: Sequence[str]) -> int:
    values = {PREFIX + field.upper(): str(getattr(config, field)) for field in Config.__struct_fields__}
    command = Command("-".join([config.worker_name, *words]), [*run.words()[:-1], *words], values)
    return stack.enter_context(started(command, run.folder / "logs")).pid


def _cpu(pids: Mapping[str, int]) -> dict[str, float]:
    return {name: cpu_s(pid) for name, pid in pids.items()}


def _spent(pids: Mapping[str, int], seconds: float) -> dict[str, float]:
    before = _cpu(pids)
    time.sleep(seconds)
    after = _cpu(pids)
    return {name: after[name] - before[name] for name in pids}
