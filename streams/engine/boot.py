"""The Faust app with the settings that belong to the engine, in one place."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

import faust
from faust.app.base import BootStrategy
from mode import Service

from streams.config import Config
from streams.engine import runtime, transport
from streams.ops import logs

MIB = 1_048_576
COORDINATOR_S = 1.0  # between two looks at the group membership
STOP_S_MAX = 20.0  # a stop without a broker ends here: what was not written is folded again by the next owner
CHANGELOG_CONFIGS = {
    "cleanup.policy": "compact",
    "min.compaction.lag.ms": "3600000",  # a paused owner's row must not displace a good one before the owner notices
    "max.message.bytes": str(2 * MIB),
}


class Boot(BootStrategy):
    """Faust's own web server stays off, whatever the command line says: ours is on its port."""

    enable_web = False


class EngineApp(faust.App):
    """The Faust app, with services that start before the first recovery (stock starts services after it)."""

    BootStrategy = Boot
    services_first: Sequence[Any] = ()
    accept_loss = False
    log_level = "INFO"
    stopped_by: BaseException | None = None  # what made the worker end by itself

    def _create_directories(self) -> None:
        """None: rows live in memory and the changelog (stock makes three, and a killed worker leaves them)."""

    async def on_first_start(self) -> None:
        await super().on_first_start()
        try:
            for service in self.services_first:
                if isinstance(service, Service):
                    await self.add_runtime_dependency(service)
                else:
                    await service.start()
        except Exception as error:
            self.stopped_by = error
            raise
        self.add_future(self._watch_coordinator())

    async def stop(self) -> None:
        """As stock, which waits for ever for a broker that is away, for so long."""
        limit = threading.Timer(STOP_S_MAX, _end)
        limit.daemon = True
        limit.start()
        try:
            await super().stop()
        finally:
            limit.cancel()

    async def crash(self, reason: BaseException) -> None:
        self.stopped_by = self.stopped_by or reason
        await super().crash(reason)

    async def _watch_coordinator(self) -> None:
        """Stop when the group's coordinator gave up: aiokafka keeps the error for a poll, which never comes without an assignment."""
        consumer: Any = self.consumer
        while not self.should_stop:
            await asyncio.sleep(COORDINATOR_S)
            if error := _coordinator_error(getattr(consumer._thread, "_consumer", None)):
                await consumer.halt(error)
                return


def _end() -> None:
    print(f"marginstream worker: expected its stop within {STOP_S_MAX:g} s, was none: ends over it", file=sys.stderr, flush=True)
    os._exit(1)


def _coordinator_error(consumer: Any) -> BaseException | None:
    """What ended the membership of an aiokafka consumer; None while it lives, or closes."""
    coordinator: Any = getattr(consumer, "_coordinator", None)
    task = getattr(coordinator, "_coordination_task", None)
    if task is None or coordinator._closing.done():
        return None
    found = task.exception() if task.done() and not task.cancelled() else getattr(coordinator, "_pending_exception", None)
    return RuntimeError(f"consumer group: expected a membership, was {found}") if found else None


def create_faust(config: Config) -> EngineApp:
    """The app: one consumer group of generation and id, memory rows, idempotent producer, our transport."""
    runtime.tune()
    transport.Transport.fetch_wait_ms = config.fetch_wait_ms
    transport.Transport.bundle_records_max = config.bundle_records_max
    app = EngineApp(
        f"{config.app_id}-g{config.generation}",
        broker=[f"safe://{server}" for server in config.kafka_bootstrap.split(",")],
        store="memory://",
        topic_partitions=config.partitions,
        topic_replication_factor=config.replication,
        topic_allow_declare=False,  # created and checked by `streams.stack.topics`
        topic_disable_leader=True,
        table_standby_replicas=0,  # memory standbys are merged into the owner's rows
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        stream_buffer_maxsize=64,  # counts bundles
        broker_commit_interval=config.commit_interval_s,
        broker_commit_every=10_000_000,
        broker_max_poll_records=20 * config.bundle_records_max,
        broker_max_poll_interval=1e6,  # a spare must stay in the group
        broker_session_timeout=config.session_timeout_s,
        broker_heartbeat_interval=min(1.0, config.session_timeout_s / 4),
        broker_check_crcs=False,
        consumer_auto_offset_reset="earliest",
        consumer_group_instance_id=config.worker_instance_id or None,
        producer_max_batch_size=MIB - 8192,
        producer_max_request_size=2 * MIB,
        producer_linger=0,  # the group is the batch
        cython_optimizations=True,
        logging_config=logs.json_config(config.log_level, config.worker_name) if config.log_format == "json" else None,
        web_enabled=False,
        web_host=config.web_host,
        web_port=config.web_port,
        canonical_url=config.web_url or f"http://{config.web_host}:{config.web_port}",  # by which others find its rows
    )
    app.accept_loss, app.log_level = config.accept_loss, config.log_level
    app.on_worker_init.connect(_quiet, weak=False)
    return app


def _quiet(*_: Any, **__: Any) -> None:
    """Mode leaves the loggers below the root open: every aiokafka debug line would build a LogRecord."""
    for name in ("aiokafka", "asyncio", "faust", "mode"):
        logging.getLogger(name).setLevel(logging.WARNING)
