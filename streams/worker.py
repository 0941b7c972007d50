"""The engine worker: `faust -A streams.worker worker`."""

import faulthandler
import logging
import os
import sys
import threading

from mode.threads import WorkerThread

from streams.app import create_app
from streams.config import Config, load
from streams.stack.generation import admit


class Topics:
    """Refuses to start on topics that are missing, recreated or of another shape; comes before everything that reads them."""

    def __init__(self, config: Config) -> None:
        self.config = config

    async def start(self) -> None:
        """Raises `StackError` with a line of differences; the worker exits with 1."""
        await admit(self.config)


config = load()
app = create_app(config)
app.services_first = [Topics(config), *app.services_first]


def main() -> None:
    """Run this worker until it is told to stop; where it stopped by itself the exit code is 1 and its last line says why.

    A thread that does not end keeps no process: aiokafka's may wait for ever for a rebalance that nobody answers any more, and the
    keeper for the process.
    """
    faulthandler.enable()  # a crash of a compiled part says where it was
    level = app.log_level.lower()
    sys.argv = ["faust", "-L", "uvloop", "worker", "-l", level, "--without-web"]
    try:
        app.main()
    finally:
        hung = [one.name for one in threading.enumerate() if isinstance(one, WorkerThread)]
        if hung:
            print(f"marginstream worker: ends over {', '.join(hung)}", file=sys.stderr, flush=True)
        if app.stopped_by:
            print(f"marginstream worker: {app.stopped_by}", file=sys.stderr, flush=True)
        if hung or app.stopped_by:  # skips the interpreter's own end: after its work one worker ended by SIGSEGV, once
            logging.shutdown()
            sys.stdout.flush()
            os._exit(1)
