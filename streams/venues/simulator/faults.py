"""The script of faults: what goes wrong, where, how often; taken by the REST gate and by the sockets when it fits."""

import fnmatch
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

# REST: an answer instead of (or after) the effect, slowness, or a view of the past.
HTTP, SLOW, LAG = "http", "slow", "lag"
# Frames on their way out.
DUPLICATE, DELAY, DROP = "duplicate", "delay", "drop"
# Connections: cut with or without a close frame, reset, nothing more without a word, refuse the handshake.
CUT, RESET, HALF_OPEN, SILENT, REFUSE = "cut", "reset", "half_open", "silent", "refuse"
KINDS = frozenset({HTTP, SLOW, LAG, DUPLICATE, DELAY, DROP, REFUSE})


@dataclass(slots=True)
class Fault:
    """One entry of the script; empty patterns fit everything.

    `kind` is one of KINDS. `method` and `path` (shell pattern) choose REST calls; `account` a name; `event` a frame's event or topic.
    `times` is how often it happens (0: until removed), `skip` how many fitting occasions pass first. `http` answers `status` with
    `body` ("" = the venue's own for that status) and `headers`, `after_effect` once the call was carried out. `ms` is the length of
    `slow`, `lag` and `delay`; a delay of no certain `event` is a slow line: what comes behind waits, too, and order is kept.
    """

    kind: str
    venue: str = ""
    method: str = ""
    path: str = ""
    account: str = ""
    event: str = ""
    times: int = 1
    skip: int = 0
    status: int = 503
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    after_effect: bool = False
    ms: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault: expected one of {', '.join(sorted(KINDS))}, was {self.kind!r}")

    def fits(self, place: Mapping[str, str]) -> bool:
        """Whether it belongs to this venue, method, path, account, event."""
        return all(not wanted or fnmatch.fnmatchcase(place.get(name, ""), wanted)
                   for name, wanted in (("venue", self.venue), ("method", self.method), ("path", self.path), ("account", self.account),
                                        ("event", self.event)))


class Faults:
    """The script. `taken` counts what really happened, by kind."""

    def __init__(self) -> None:
        self.script: list[Fault] = []
        self.taken: dict[str, int] = {}

    def add(self, fault: Fault) -> None:
        """One more, after those that are there."""
        self.script.append(fault)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self.script.clear()

    def take(self, kind: str, **place: str) -> Fault | None:
        """The first fault of a kind that fits and is due; it counts as happened."""
        for fault in self.script:
            if fault.kind != kind or not fault.fits(place):
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            if fault.times:
                fault.times -= 1
                if not fault.times:
                    self.script.remove(fault)
            self.taken[kind] = self.taken.get(kind, 0) + 1
            return fault
        return None

    def told(self) -> list[dict[str, object]]:
        """What is still to come."""
        return [asdict(fault) for fault in self.script]


def parse(given: Mapping[str, object]) -> Fault:
    """A fault from JSON; unknown fields raise ValueError."""
    known = set(Fault.__dataclass_fields__)
    if unknown := set(given) - known:
        raise ValueError(f"fault: expected fields among {', '.join(sorted(known))}, was {', '.join(sorted(map(str, unknown)))}")
    return Fault(**given)  # type: ignore[arg-type]
