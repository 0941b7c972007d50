"""A Redis of the stack keeps what it was told over an orderly stop."""

from pathlib import Path

import redis

from streams.stack import process
from streams.stack.redis import start_redis


def test_a_stopped_redis_remembers(tmp_path: Path) -> None:
    url, running = start_redis(tmp_path / "redis")
    with redis.Redis.from_url(url) as client:
        client.set("kept", "1")
    process.stop(running)
    url, running = start_redis(tmp_path / "redis")
    try:
        with redis.Redis.from_url(url) as client:
            assert client.get("kept") == b"1"
    finally:
        process.stop(running)
