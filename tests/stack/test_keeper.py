"""What ends is started again, later each time and not for ever; a port that was taken meanwhile is given up for another."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import yaml

from streams.config import Config
from streams.stack import keeper, process, supervisor
from streams.stack.keeper import Now, Patience
from streams.stack.process import StackError
from streams.stack.supervisor import Part, State

ROOT = Path(__file__).resolve().parents[2]
SLEEP = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
SERVER = [sys.executable, "-c", """
import http.server, os
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["MARGINSTREAM_WEB_PORT"])), Ready).serve_forever()
"""]


def looks(patience: Patience, *, living: bool, seconds: range) -> list[tuple[int, Now]]:
    found = [(at, patience.look(living, at)) for at in seconds]
    return [(at, now) for at, now in found if now is not Now.NOTHING]


def test_one_that_lives_is_left_alone() -> None:
    assert looks(Patience(), living=True, seconds=range(100)) == []


def test_each_end_is_told_once_and_the_waits_grow() -> None:
    patience, at, waits = Patience(), 0.0, []
    for _ in range(keeper.ENDS_MAX):
        assert patience.look(living=False, now_s=at) is Now.ENDED
        waits.append(patience.wait_s)
        assert patience.look(living=False, now_s=at + waits[-1] - 0.01) is Now.NOTHING
        assert patience.look(living=False, now_s=at + waits[-1]) is Now.START
        at += waits[-1] + 1
        assert patience.look(living=True, now_s=at) is Now.NOTHING
        at += 1
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert looks(patience, living=False, seconds=range(int(at), int(at) + 500)) == [(int(at), Now.GIVE_UP)]


def test_one_that_stayed_begins_anew() -> None:
    patience = Patience()
    for at in (0, 10, 20):
        assert looks(patience, living=False, seconds=range(at, at + 3, 2)) == [(at, Now.ENDED), (at + 2, Now.START)]
        looks(patience, living=True, seconds=range(at + 5, at + 10))
    assert patience.ends == 3
    looks(patience, living=True, seconds=range(30, 30 + int(keeper.STEADY_S)))
    assert (patience.look(living=False, now_s=500), patience.ends) == (Now.ENDED, 1)


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    found = Config(data_dir=str(tmp_path))
    yield found
    supervisor.down(found, say=lambda text: None)


def started(config: Config, *parts: Part) -> None:
    with supervisor.changing(config) as state:
        state.parts = list(parts)
        for part in parts:
            supervisor.launch(config, state, part)


def pid_of(config: Config, name: str) -> int:
    [one] = [one for one in supervisor.load_state(config).running if one.name == name]
    return one.pid


def told(config: Config) -> str:
    return (Path(config.data_dir) / "logs" / "keeper.log").read_text()


def test_a_killed_process_comes_back_and_down_ends_all(config: Config) -> None:
    started(config, Part("worker-0", SLEEP), Part("bridge-redis", SLEEP))
    other, killed = pid_of(config, "bridge-redis"), pid_of(config, "worker-0")
    with supervisor.changing(config) as state:
        state.addresses["MARGINSTREAM_DATA_DIR"] = config.data_dir
        supervisor.launch(config, state, Part(supervisor.KEEPER, [sys.executable, "-m", "streams.stack.keeper"]))
    assert process.wait_until(lambda: "here" in (Path(config.data_dir) / "logs" / "worker-0.log").read_text(), 30)
    os.kill(killed, signal.SIGKILL)
    assert process.wait_until(lambda: pid_of(config, "worker-0") != killed, 30)
    rows = {name: (living, text) for name, living, text in supervisor.status(config)}
    again = pid_of(config, "worker-0")
    assert rows["worker-0"] == (True, f"pid {again}, started again 1 times")
    assert rows["bridge-redis"] == (True, f"pid {other}")
    assert f"worker-0 (pid {killed}) ended, starts again in 0.5 s; see " in told(config)
    assert "here" in told(config)
    supervisor.down(config, say=lambda text: None)
    assert [process.started_at(pid) for pid in (again, other)] == [None, None]
    time.sleep(3 * keeper.LOOK_S)
    assert supervisor.load_state(config).running == []


def test_one_that_does_not_stay_is_given_up(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    for level in ("info", "warning", "error"):  # not by caplog: other tests set up logging for the whole process
        monkeypatch.setattr(keeper.log, level, lambda text, *words: said.append(text % words))
    monkeypatch.setattr(keeper, "ENDS_MAX", 2)
    started(config, Part("worker-0", [sys.executable, "-c", "raise SystemExit('no broker')"]))
    looking = keeper.Keeper(config)
    for second in range(0, 400, 40):
        assert process.wait_until(lambda: not any(process.alive(one) for one in supervisor.load_state(config).running), 20)
        looking.look(second)
    assert [text.partition(";")[0] for text in said if "given up" in text] == ["worker-0 ended 3 times in a row: given up"]
    assert all("no broker" in text for text in said if "ended" in text)
    assert [part.restarts for part in supervisor.load_state(config).parts] == [2]


def worker_on(port: int, words: list[str]) -> Part:
    return Part("worker-0", words, supervisor._settings("worker-0", port))


def test_a_worker_that_lost_its_port_takes_another(config: Config) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupant:
        taken = int(occupant.getsockname()[1])
        part, state = worker_on(taken, SERVER), State()
        supervisor.launch(config, state, part)
        try:
            supervisor._wait_ready(config, state, part)
            assert part.port not in {taken, None}
            assert part.settings["WORKER_INSTANCE_ID"] == f"worker-0-{part.port}"
            assert supervisor.ready(part.port or 0)
            assert len(state.running) == 1
        finally:
            supervisor._stop_all(state)


def test_a_worker_that_dies_for_another_reason_is_not_tried_again(config: Config) -> None:
    [port] = process.free_ports(1)
    part, state = worker_on(port, [sys.executable, "-c", "raise SystemExit('no broker')"]), State()
    supervisor.launch(config, state, part)
    with pytest.raises(StackError, match=r"worker-0: expected /readyz 200 .* was dead; .* no broker"):
        supervisor._wait_ready(config, state, part)
    assert part.port == port


@pytest.mark.parametrize("port", [65_535, 65_534])
def test_ports_end_where_they_end(port: int) -> None:
    found = supervisor.worker_ports(Config(web_port=port, workers=3))
    assert len(set(found)) == 3
    assert max(found) <= 65_535


def test_who_changes_the_state_is_alone(config: Config) -> None:
    script = ("import sys, time; from streams.config import Config; from streams.stack.supervisor import changing\n"
              "with changing(Config(data_dir=sys.argv[1])) as state:\n"
              "    print('in', flush=True); sys.stdin.read(); state.addresses['ONE'] = 'theirs'\n")
    command = [sys.executable, "-c", script, config.data_dir]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"in\n"
        release = _later(other.stdin.close)
        with supervisor.changing(config) as state:
            assert state.addresses == {"ONE": "theirs"}
            state.addresses["TWO"] = "ours"
        release()
    assert supervisor.load_state(config).addresses == {"ONE": "theirs", "TWO": "ours"}


def _later(act: Callable[[], None]) -> Callable[[], None]:
    import threading

    timer = threading.Timer(1.0, act)
    timer.start()
    return timer.join


def test_a_state_of_an_older_stack_is_read(config: Config) -> None:
    (Path(config.data_dir) / "state.json").write_bytes(msgspec.json.encode({"running": [], "addresses": {"ONE": "1"}}))
    assert supervisor.load_state(config).parts == []


def test_containers_are_started_again_too() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    engine = [name for name in services if name.startswith(("worker-", "bridge-"))]
    assert len(engine) > 2
    assert {name: services[name].get("restart") for name in engine} == dict.fromkeys(engine, "on-failure")
