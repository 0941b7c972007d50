"""`make run`: the stack, the board, the self-check and the end, in the foreground."""

import signal
from collections.abc import Callable
from types import FrameType

from streams.config import Config
from streams.stack import supervisor


def run(config: Config) -> int:
    """Until Ctrl-C or `run_seconds`; 1 where the self-check finds a difference or a process died."""
    from streams.stack.board import run_board
    from streams.stack.selfcheck import self_check

    signal.signal(signal.SIGTERM, _interrupt)
    config = supervisor.up(config)
    try:
        shown = _until_interrupted(config, run_board)
        died = [f"{name}: {text}" for name, living, text in supervisor.status(config) if not living]
        for name, living, text in supervisor.status(config):
            if living and "started again" in text:
                print(f"{name}: {text}")
        supervisor.stop_one(config, "generator")
        print("checking rows, Redis, Postgres and verdicts against the oracle ...")
        differences = died + self_check(config)
    finally:
        supervisor.down(config)
    for line in differences[:50]:
        print(f"differs: {line}")
    print(f"self-check: {len(differences)} differences" if differences else "self-check: all agree")
    return 1 if differences or shown else 0


def _until_interrupted(config: Config, run_board: Callable[[Config, float], int]) -> int:
    try:
        return run_board(config, config.run_seconds)
    except KeyboardInterrupt:
        return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
