"""The engine worker: `faust -A streams.worker worker`."""

import sys

from streams.app import create_app
from streams.config import load

app = create_app(load())


def main() -> None:
    """Run this worker until it is told to stop; the exit code is 1 where it stopped by itself."""
    level = app.log_level.lower()
    sys.argv = ["faust", "-L", "uvloop", "worker", "-l", level, "--without-web"]
    app.main()
