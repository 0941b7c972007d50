"""The engine worker: `faust -A streams.worker worker`."""

import asyncio
import sys

from streams.app import create_app
from streams.config import Config, load
from streams.stack.process import StackError
from streams.stack.topics import verify


class Topics:
    """Refuses to start on topics that are missing or have other partition counts; comes before everything that reads them."""

    def __init__(self, config: Config) -> None:
        self.config = config

    async def start(self) -> None:
        """Raises `StackError` with a line of differences; the worker exits with 1."""
        if differences := await asyncio.to_thread(verify, self.config):
            raise StackError("; ".join(differences) + "; 'marginstream up --bare' creates missing ones")


config = load()
app = create_app(config)
app.services_first = [Topics(config), *app.services_first]


def main() -> None:
    """Run this worker until it is told to stop; the exit code is 1 where it stopped by itself."""
    level = app.log_level.lower()
    sys.argv = ["faust", "-L", "uvloop", "worker", "-l", level, "--without-web"]
    app.main()
