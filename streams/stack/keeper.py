"""The keeper: starts a worker or bridge of the stack again where it ended, each time later, and gives up where it does not stay.

A worker that was replaced, or paused for too long, stops by itself and with it the work of its partitions, unless somebody starts it.
"""

import enum
import logging
import signal
import time
from types import FrameType

from streams.config import Config, load
from streams.stack import process, supervisor
from streams.stack.supervisor import Part, State

log = logging.getLogger(__name__)
LOOK_S = 0.5
FIRST_S, MOST_S = 0.5, 30.0  # before it is started again
STEADY_S = 60.0  # it stayed: the next end is a first one
ENDS_MAX = 10  # in a row


class Now(enum.Enum):
    """What to do about a process."""

    NOTHING = enum.auto()
    ENDED = enum.auto()  # say so, and wait
    START = enum.auto()
    GIVE_UP = enum.auto()


class Patience:
    """With one process; pure, the clock comes with the looks."""

    def __init__(self) -> None:
        self.ends = 0
        self.due_s: float | None = None  # when it is to be started
        self._living_s: float | None = None  # since when it was seen to live

    @property
    def wait_s(self) -> float:
        """From the last end to the next start."""
        return min(MOST_S, FIRST_S * 2.0 ** (self.ends - 1))

    def look(self, living: bool, now_s: float) -> Now:
        """Called again and again; each end is told once."""
        if living:
            self._living_s = now_s if self._living_s is None else self._living_s
            self.ends = 0 if now_s - self._living_s >= STEADY_S else self.ends
            return Now.NOTHING
        if self.ends > ENDS_MAX:
            return Now.NOTHING
        if self.due_s is None:
            self.ends, self._living_s = self.ends + 1, None
            self.due_s = now_s + self.wait_s
            return Now.GIVE_UP if self.ends > ENDS_MAX else Now.ENDED
        if now_s < self.due_s:
            return Now.NOTHING
        self.due_s = None
        return Now.START


class Keeper:
    """Looks after the parts of one stack."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.patience: dict[str, Patience] = {}

    def look(self, now_s: float) -> None:
        """One look at every part."""
        with supervisor.changing(self.config) as state:
            for part in state.parts:
                self._tend(state, part, now_s)

    def _tend(self, state: State, part: Part, now_s: float) -> None:
        [running] = [one for one in state.running if one.name == part.name]
        patience = self.patience.setdefault(part.name, Patience())
        now = patience.look(process.alive(running), now_s)
        if now is Now.ENDED:
            last = process.log_end(running, 1)
            log.warning("%s (pid %d) ended, starts again in %.1f s; %s", part.name, running.pid, patience.wait_s, last)
        elif now is Now.GIVE_UP:
            log.error("%s ended %d times in a row: given up; %s", part.name, patience.ends, process.log_end(running, 1))
        elif now is Now.START:
            part.restarts += 1
            supervisor.launch(self.config, state, part)
            log.warning("%s started again, for the %d. time", part.name, part.restarts)


def main() -> None:
    """Until told to end."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    signal.signal(signal.SIGTERM, _end)
    keeper = Keeper(load())
    while True:
        keeper.look(time.monotonic())
        time.sleep(LOOK_S)


def _end(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise SystemExit  # out of waiting for the state, too: who stops the stack holds it


if __name__ == "__main__":
    main()
