"""Kafka, Redis and Postgres of a chaos run, which can be taken away and brought back."""

import signal
import time
from pathlib import Path

from streams.config import load
from streams.stack import kafka_jars, process
from streams.stack.kafka import start_kafka
from streams.stack.postgres import start_postgres
from streams.stack.process import Running
from streams.stack.redis import start_redis

AFTER_S = 60.0  # how long after a broker was back a worker may still end by what it did not get


class Servers:
    """One broker or three; a Redis; a Postgres. `broken`: a broker is or was lately away."""

    def __init__(self, folder: Path, brokers: int) -> None:
        self._folder, self.brokers = folder, brokers
        self._mirrors: dict[str, Running] = {}
        self._broker_away_s = -AFTER_S
        self.redis_url = self.postgres_dsn = ""

    @property
    def broken(self) -> bool:
        return time.monotonic() - self._broker_away_s < AFTER_S

    def start(self) -> None:
        """All of them; raises `StackError`."""
        self.kafka = start_kafka(self._folder / "kafka", self.brokers, load().cache)
        self.start_mirror("redis")
        self.start_mirror("postgres")

    def start_mirror(self, name: str) -> None:
        """Redis or Postgres, with its data and port of before."""
        if name == "redis":
            self.redis_url, self._mirrors[name] = start_redis(self._folder / name)
        else:
            self.postgres_dsn, self._mirrors[name] = start_postgres(self._folder / name)

    def stop_mirror(self, name: str) -> None:
        process.stop(self._mirrors[name])

    def take_away(self, name: str, how: str, seconds: float) -> None:
        """A server by name is away for `seconds`, or gone and started again after them."""
        if name.startswith("kafka"):
            self.break_broker(int(name.partition("-")[2]), how, seconds)
            return
        self.stop_mirror(name)
        time.sleep(seconds)
        self.start_mirror(name)

    def break_broker(self, number: int, how: str, seconds: float) -> None:
        """`restart` = SIGTERM, `kill` = SIGKILL, each started again after `seconds`; `pause` = SIGSTOP for so long."""
        self._broker_away_s = time.monotonic() + seconds
        running = self.kafka.running[number]
        if how == "pause":
            process.send(running, signal.SIGSTOP)
            time.sleep(seconds)
            process.send(running, signal.SIGCONT)
            return
        (self.kafka.kill_node if how == "kill" else self.kafka.stop_node)(number)
        time.sleep(seconds)
        self.kafka.start_node(number, kafka_jars.fetch(load().cache, print))
        self.kafka.wait(number)
        self._broker_away_s = time.monotonic()

    def stop(self) -> None:
        """All that were started."""
        for one in self._mirrors.values():
            process.stop(one)
        if hasattr(self, "kafka"):
            for one in self.kafka.running.values():
                process.send(one, signal.SIGCONT)
            self.kafka.stop()
