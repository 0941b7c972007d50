"""The command line: exit status, one line on stderr, never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.__main__ import main, parser

COMMANDS = ("up", "down", "status", "run", "worker", "bridge", "admin", "grpc", "rebuild", "ingest", "execute", "accounts", "keys",
            "generator", "inject", "doctor", "migrate", "evaluate", "decode",
            "rules", "stress", "check", "record", "replay", "verify", "simulate", "bench")


def _run(tmp_path: Path, *words: str, stdin: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "MARGINSTREAM_DATA_DIR": str(tmp_path), **settings}
    return subprocess.run([sys.executable, "-m", "streams", *words], input=stdin, capture_output=True, text=True, env=env, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert command in capsys.readouterr().out


def test_the_list_here_is_the_list_there() -> None:
    found = parser()._subparsers
    assert found is not None
    [choices] = [action.choices for action in found._group_actions]
    assert tuple(choices or ()) == COMMANDS


@pytest.mark.parametrize("words", [[], ["nope"], ["bridge", "oracle"], ["inject"], ["up", "--nope"]])
def test_bad_usage_is_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2


@pytest.mark.parametrize(("words", "settings", "says"), [
    (["status"], {"MARGINSTREAM_PARTITIONS": "x"}, "MARGINSTREAM_PARTITIONS"),
    (["up"], {"MARGINSTREAM_WORKERS": "0"}, "MARGINSTREAM_WORKERS: expected a number above 0, was 0"),
    (["inject", "nope"], {}, "topic: expected one of"),
    (["inject", "wallet-deltas"], {"MARGINSTREAM_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "kafka at 127.0.0.1:1"),
    (["check"], {"MARGINSTREAM_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "kafka at 127.0.0.1:1"),
    (["check", "a b"], {}, "user: expected 'type:id', was 'a b'"),
    (["check", ""], {}, "user: expected 'type:id', was ''"),
    (["up"], {"MARGINSTREAM_DATA_DIR": "/dev/null/x"}, "/dev/null"),
    (["evaluate"], {}, "input: expected JSON"),
])
def test_failure_is_1_with_one_line(tmp_path: Path, words: list[str], settings: dict[str, str], says: str) -> None:
    done = _run(tmp_path, *words, **settings)
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_broken_state_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    done = _run(tmp_path, "status")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "Traceback" in _run(tmp_path, "status", MARGINSTREAM_LOG_LEVEL="DEBUG").stderr


@pytest.mark.parametrize("encoding", [{}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}])
def test_bytes_that_are_no_text_are_a_bad_line_among_good_ones(tmp_path: Path, encoding: dict[str, str]) -> None:
    env = {**os.environ, "MARGINSTREAM_DATA_DIR": str(tmp_path), **encoding}
    command = [sys.executable, "-m", "streams", "evaluate", "--lines"]
    done = subprocess.run(command, input=b"{}\n\xff\xfe\n{}\n", capture_output=True, env=env, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
    assert [b"error" in line for line in done.stdout.splitlines()] == [False, True, False]


def test_who_stops_reading_ends_us_quietly(tmp_path: Path) -> None:
    command = f"yes '{{}}' | head -20000 | {sys.executable} -m streams evaluate --lines | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


def test_a_closed_stdin_is_an_empty_one(tmp_path: Path) -> None:
    done = subprocess.run(["bash", "-c", f"{sys.executable} -m streams evaluate <&-"], capture_output=True, text=True, check=False)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def test_down_and_status_of_nothing(tmp_path: Path) -> None:
    assert "nothing was running" in _run(tmp_path, "down").stdout
    assert _run(tmp_path, "status").returncode == 1
