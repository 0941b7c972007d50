"""Child processes by pid and start time: started detached, found again by a later command, stopped only if still the same process."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

import msgspec

KILL_AFTER_S = 15.0


class StackError(RuntimeError):
    """The stack cannot do what was asked; the text is the one line an operator reads."""


class Running(msgspec.Struct, frozen=True):
    """A process the stack started. `started` is its start time as the system tells it: a reused pid is not ours."""

    name: str
    pid: int
    started: str
    log: str
    stop_signal: int = signal.SIGTERM


class Command(msgspec.Struct, frozen=True):
    """What to start. `user` None: as ourselves."""

    name: str
    words: Sequence[str | Path]
    env: Mapping[str, str] | None = None
    user: str | None = None
    stop_signal: int = signal.SIGTERM


def start(command: Command, logs: Path) -> Running:
    """Starts it in its own session with both outputs appended to `logs/<name>.log`."""
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{command.name}.log"
    with log.open("ab") as out:
        child = subprocess.Popen(
            [str(word) for word in command.words], stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, **command.env} if command.env else None, user=command.user, group=_group(command.user),
            extra_groups=[] if command.user else None)
    child.returncode = 0  # not ours to wait for: it outlives this command, and `alive` reaps it if it does not
    return Running(command.name, child.pid, started_at(child.pid) or "", str(log), command.stop_signal)


def _group(user: str | None) -> int | None:
    if user is None:
        return None
    import pwd  # not on every system

    return pwd.getpwnam(user).pw_gid


def started_at(pid: int) -> str | None:
    """Start time of a live process as text; None where it is gone or a zombie."""
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            return None if fields[0] in "ZX" else fields[19]
        return None
    found = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return None if not found or found.startswith("Z") else found.partition(" ")[2]


def alive(running: Running) -> bool:
    """Whether that very process still runs."""
    with suppress(ChildProcessError):
        os.waitpid(running.pid, os.WNOHANG)
    return running.started != "" and started_at(running.pid) == running.started


def stop(running: Running, timeout_s: float = KILL_AFTER_S) -> None:
    """Asks it to end and waits; kills its session after `timeout_s`."""
    send(running, running.stop_signal)
    if not wait_until(lambda: not alive(running), timeout_s):
        kill(running)


def kill(running: Running) -> None:
    """SIGKILL to it and its session; returns when it is gone."""
    if alive(running):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(running.pid, signal.SIGKILL)
    wait_until(lambda: not alive(running), KILL_AFTER_S)


def send(running: Running, number: int) -> None:
    """A signal, if it is still the same process."""
    if alive(running):
        with suppress(ProcessLookupError):
            os.kill(running.pid, number)


def wait_until(condition: Callable[[], bool], timeout_s: float, interval_s: float = 0.05) -> bool:
    """True once the condition holds, False if it did not in time."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(interval_s)
    return condition()


def wait_port(port: int, running: Running, timeout_s: float = 60.0) -> None:
    """Returns when 127.0.0.1:`port` accepts; raises `StackError` with the log's end where the process ends before."""
    wait_until(lambda: not alive(running) or accepts(port), timeout_s)
    if not (alive(running) and accepts(port)):
        raise StackError(f"{running.name}: expected port {port} open within {timeout_s:.0f} s, was closed; {log_end(running)}")


def log_end(running: Running, lines: int = 3) -> str:
    """The last lines of its log, for an error's text."""
    text = Path(running.log).read_text(errors="replace").strip().splitlines() if Path(running.log).exists() else []
    return f"see {running.log}: " + " | ".join(line.strip()[:300] for line in text[-lines:])


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something listens there."""
    try:
        socket.create_connection((host, port), 1).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Distinct free ports of 127.0.0.1."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def keep_port(stored: Path) -> int:
    """The port of the last start where it is still free, else a new one, remembered in `stored`."""
    if stored.exists() and bindable(int(stored.read_text())):
        return int(stored.read_text())
    port = free_ports(1)[0]
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.write_text(str(port))
    return port


def bindable(port: int) -> bool:
    """Whether a server could listen there."""
    with closing(socket.socket()) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
