"""Deaths, pauses and broken records on a real broker: every record counts once, and nobody contradicts."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.engine.wallets import Wallets


@pytest.fixture
def wallets(kafka: str, tmp_path: Path) -> Iterator[Wallets]:
    found = Wallets(kafka, tmp_path)
    yield found
    found.stop()


@pytest.mark.parametrize("point", [{"WALLET_KILL_AT_RECORD": "2500"}, {"WALLET_KILL_AT_OUTPUTS": "5"}], ids=["in a fold", "before outputs"])
def test_a_killed_worker_comes_back_with_every_record_counted_once(wallets: Wallets, point: dict[str, str]) -> None:
    wallets.produce(5_000)
    first = wallets.start(**point)
    assert first.wait(30) == -signal.SIGKILL
    before = len(wallets.outputs())
    assert 0 < before < 5_000  # it died in the middle
    wallets.start()
    wallets.assert_whole()


def test_a_paused_owner_neither_keeps_a_row_nor_contradicts(wallets: Wallets) -> None:
    paused = wallets.start()
    wallets.produce(500)
    wallets.until(lambda: len(wallets.outputs()) == 500, "the first owner to be at work")
    wallets.produce(4_000)
    wallets.until(lambda: len(wallets.outputs()) > 600, "the first owner to be in the middle")
    paused.send_signal(signal.SIGSTOP)
    assert len(wallets.outputs()) < 4_500
    wallets.start()
    wallets.until(lambda: len(wallets.outputs()) == 4_500, "the second worker to take over")
    paused.send_signal(signal.SIGCONT)
    wallets.produce(1_000)
    wallets.assert_whole()


def test_a_step_that_raises_stops_the_worker_and_commits_nothing_above_it(wallets: Wallets) -> None:
    wallets.produce(100)
    worker = wallets.start()
    wallets.until(lambda: sum(max(0, at) for at in wallets.committed().values()) == 100, "the good records to be committed")
    before = wallets.committed()
    producer = Producer({"bootstrap.servers": wallets.bootstrap})
    producer.produce(wallets.source, b"no amount", b"live:1", partition=0)
    assert producer.flush(20) == 0
    assert worker.wait(20) not in (0, None)
    assert wallets.committed() == before
    assert wallets.states() == wallets.sums
    assert "InvalidOperation" in wallets.log(0).read_text()
