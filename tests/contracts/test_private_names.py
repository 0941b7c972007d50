"""What the engine overrides and uses of Faust and aiokafka beyond their public surface is still there, as it was."""

import inspect
from importlib.metadata import version
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.message_accumulator import BatchBuilder
from faust import App
from faust.assignor.partition_assignor import PartitionAssignor
from faust.tables.manager import TableManager
from faust.tables.recovery import Recovery
from faust.tables.table import Table
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.transport.producer import ProducerBuffer

from streams.engine import transport
from streams.engine.boot import EngineApp
from streams.engine.ledger import Ledger

SIGNATURES: list[tuple[Any, str, str]] = [
    (App, "on_first_start", "self"),
    (App, "crash", "self, reason"),
    (App, "_create_directories", "self"),
    (App, "stop", "self"),
    (driver.AIOKafkaConsumerThread, "on_thread_stop", "self"),
    (driver.Consumer, "_new_consumer_thread", "self"),
    (driver.Consumer, "_getmany", "self, active_partitions, timeout"),
    (driver.Consumer, "_to_message", "self, tp, record"),
    (driver.Consumer, "_wait_next_records", "self, timeout"),
    (driver.Consumer, "_get_active_partitions", "self"),
    (driver.Consumer, "perform_seek", "self"),
    (driver.Consumer, "stop_flow", "self"),
    (driver.Consumer, "_add_gap", "self, tp, offset_from, offset_to"),
    (driver.Consumer, "_new_offset", "self, tp"),
    (driver.Consumer, "commit", "self, topics, start_new_transaction"),
    (driver.Consumer, "_commit_offsets", "self, offsets, start_new_transaction"),
    (driver.Consumer, "on_partitions_revoked", "self, revoked"),
    (driver.Consumer, "maybe_wait_for_commit_to_finish", "self"),
    (driver.Consumer, "_is_changelog_tp", "self, tp"),
    (driver.AIOKafkaConsumerThread, "_create_worker_consumer", "self, transport"),
    (driver.AIOKafkaConsumerThread, "_ensure_consumer", "self"),
    (driver.AIOKafkaConsumerThread, "seek_to_committed", "self"),
    (driver.AIOKafkaConsumerThread, "call_thread", "self, fun, args, kwargs"),
    (driver.AIOKafkaConsumerThread, "getmany", "self, active_partitions, timeout"),
    (driver.AIOKafkaConsumerThread, "_fetch_records", "self, consumer, active_partitions, timeout, max_records"),
    (driver.Consumer, "_drain_messages", "self, fetcher"),
    (driver.Consumer, "getmany", "self, timeout"),
    (driver.Consumer, "wait_first", "self, coros, timeout"),
    (driver.Producer, "_settings_extra", "self"),
    (driver.Producer, "flush", "self"),
    (ProducerBuffer, "put", "self, fut"),
    (ProducerBuffer, "flush", "self"),
    (ProducerBuffer, "_send_pending", "self, fut"),
    (Table, "on_rebalance", "self, assigned, revoked, newly_assigned, generation_id"),
    (Table, "on_recovery_completed", "self, active_tps, standby_tps"),
    (Table, "persisted_offset", "self, tp"),
    (Table, "apply_changelog_batch", "self, batch"),
    (TableManager, "add", "self, table"),
    (Recovery, "revoke", "self, tp"),
    (PartitionAssignor, "assigned_actives", "self"),
    (GroupCoordinator, "fetch_committed_offsets", "self, partitions"),
    (Fetcher, "fetched_records", "self, partitions, timeout, max_records"),
    (AIOKafkaConsumer, "beginning_offsets", "self, partitions"),
    (AIOKafkaProducer, "create_batch", "self"),
    (AIOKafkaProducer, "send_batch", "self, batch, topic, partition"),
    (BatchBuilder, "append", "self, timestamp, key, value, headers"),
    (BatchBuilder, "record_count", "self"),
]
OVERRIDES = [
    (EngineApp, App, ("on_first_start", "crash", "_create_directories", "stop")),
    (transport.Consumer, driver.Consumer, ("_new_consumer_thread", "_getmany", "_to_message", "_wait_next_records", "perform_seek",
                                           "_add_gap", "_new_offset", "commit", "_commit_offsets", "on_partitions_revoked")),
    (transport.ConsumerThread, driver.AIOKafkaConsumerThread, ("_create_worker_consumer", "on_thread_stop", "seek_to_committed")),
    (transport.Producer, driver.Producer, ("_settings_extra", "flush")),
    (transport.Buffer, ProducerBuffer, ("put", "flush", "_send_pending")),
    (Ledger, Table, ("on_rebalance", "on_recovery_completed", "persisted_offset", "apply_changelog_batch", "on_start")),
]


@pytest.mark.parametrize(("package", "pinned"), [("faust-streaming", "0.15.3"), ("aiokafka", "0.14.0")])
def test_the_pinned_version_is_installed(package: str, pinned: str) -> None:
    assert version(package) == pinned


@pytest.mark.parametrize(("owner", "name", "expected"), SIGNATURES, ids=lambda value: value if isinstance(value, str) else value.__name__)
def test_a_private_name_has_its_signature(owner: Any, name: str, expected: str) -> None:
    assert ", ".join(inspect.signature(getattr(owner, name)).parameters) == expected


@pytest.mark.parametrize(("ours", "stock", "names"), OVERRIDES, ids=lambda value: getattr(value, "__name__", ""))
def test_an_override_replaces_something_and_takes_what_it_took(ours: type, stock: type, names: tuple[str, ...]) -> None:
    for name in names:
        new, old = getattr(ours, name), getattr(stock, name)
        assert new is not old, name
        assert inspect.iscoroutinefunction(new) == inspect.iscoroutinefunction(old), name
        needed = [one for one in inspect.signature(old).parameters.values() if one.default is one.empty]
        inspect.signature(new).bind(*needed)


@pytest.mark.parametrize(("owner", "attributes"), [
    (driver.Consumer, ("self._acked", "self._acked_index", "self._unacked_messages", "self._active_partitions", "self._buffered_partitions",
                       "self.flow_active", "self.can_resume_flow", "self._thread")),
    (driver.Producer, ("self._producer", "self.buffer")),
    (AIOKafkaConsumer, ("self._fetch_max_wait_ms", "self._coordinator")),
    (GroupCoordinator, ("self._coordination_task", "self._pending_exception", "self._closing")),
])
def test_a_private_attribute_is_still_set(owner: type, attributes: tuple[str, ...]) -> None:
    source = "".join(inspect.getsource(one) for one in owner.__mro__ if one.__module__.startswith(("faust", "aiokafka")))
    assert [name for name in attributes if name not in source] == []


def test_the_scheme_finds_our_transport() -> None:
    assert TRANSPORTS.by_name("safe") is transport.Transport
