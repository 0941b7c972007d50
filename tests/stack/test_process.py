"""Processes by pid and start time: only our own are stopped."""

import signal
import sys
from pathlib import Path

import msgspec
import pytest

from streams.stack import process
from streams.stack.process import Command, StackError

SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(60)"]
STUBBORN = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"]


def _started(tmp_path: Path, words: list[str]) -> process.Running:
    running = process.start(Command("one", words), tmp_path)
    assert process.wait_until(lambda: "here" in Path(running.log).read_text(), 10)
    return running


def test_a_stopped_process_is_gone(tmp_path: Path) -> None:
    running = _started(tmp_path, SLEEP)
    assert process.alive(running)
    process.stop(running)
    assert not process.alive(running)


def test_one_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    running = _started(tmp_path, STUBBORN)
    process.stop(running, timeout_s=0.2)
    assert not process.alive(running)


def test_a_reused_pid_is_left_alone(tmp_path: Path) -> None:
    running = _started(tmp_path, SLEEP)
    stranger = msgspec.structs.replace(running, started="1")
    assert not process.alive(stranger)
    process.stop(stranger)
    process.kill(stranger)
    process.send(stranger, signal.SIGKILL)
    assert process.alive(running)
    process.kill(running)


def test_one_that_died_says_its_last_words(tmp_path: Path) -> None:
    running = process.start(Command("one", [sys.executable, "-c", "raise SystemExit('no disk')"]), tmp_path)
    [port] = process.free_ports(1)
    with pytest.raises(StackError, match=rf"one: expected port {port} open .* no disk"):
        process.wait_port(port, running, 10)


def test_the_port_of_the_last_start_is_kept_while_free(tmp_path: Path) -> None:
    import socket

    port = process.keep_port(tmp_path / "port")
    assert process.keep_port(tmp_path / "port") == port
    with socket.create_server(("127.0.0.1", port)):
        assert process.keep_port(tmp_path / "port") != port


def test_a_process_gets_its_environment(tmp_path: Path) -> None:
    words = [sys.executable, "-c", "import os; print('here', os.environ['ONE'], flush=True)"]
    running = process.start(Command("one", words, env={"ONE": "two"}), tmp_path)
    assert process.wait_until(lambda: "here two" in Path(running.log).read_text(), 10)
