"""What a session hears and what it says: the events and commands of the pure machine; sockets and calls are numbers."""

from enum import StrEnum
from typing import NamedTuple

from streams.venues.frames import Event
from streams.venues.secret import Secret
from streams.venues.venue import Judged, Key, Request


class State(StrEnum):
    """Where a session is; with a live socket at hand the later ones are a rotation and facts flow."""

    IDLE = "idle"
    KEY = "key"
    CONNECTING = "connecting"
    BUFFERING = "buffering"
    SNAPSHOT = "snapshot"
    GAPFILL = "gapfill"
    MERGE = "merge"
    LIVE = "live"
    HELD = "held"  # Kafka takes nothing: wait until it does
    AUTH_FAILED = "auth_failed"
    STOPPED = "stopped"


class Started(NamedTuple):
    """Begin."""


class Stopped(NamedTuple):
    """Let go of everything; the venue's key stays."""


class Ticked(NamedTuple):
    """Time has come to `due()`."""


class Opened(NamedTuple):
    socket: int


class Received(NamedTuple):
    socket: int
    frame: bytes
    received_ns: int


class Closed(NamedTuple):
    """A socket ended or never opened, whoever wanted it; `judged` where the venue refused the handshake."""

    socket: int
    text: str = ""
    judged: Judged | None = None


class Answered(NamedTuple):
    call: int
    body: bytes


class Failed(NamedTuple):
    call: int
    judged: Judged


class Acknowledged(NamedTuple):
    """All facts received until then are safe in Kafka, and so is every gap that they closed: said only while no fact is on its way."""

    until_ms: int


class Overflowed(NamedTuple):
    """Facts of this session found no room: Kafka is away."""


class Drained(NamedTuple):
    """There is room again."""


class Changed(NamedTuple):
    """The user's credentials are others now."""


class Doubted(NamedTuple):
    """Somebody found that what was told differs from the venue: read everything again, the live socket stays meanwhile."""

    text: str


class Polled(NamedTuple):
    """What REST said, by part, of an account whose stream was down when it was asked, after so many links."""

    parts: tuple[tuple[str, bytes], ...]
    as_of_ms: int
    links: int


Happened = (Started | Stopped | Ticked | Opened | Received | Closed | Answered | Failed | Acknowledged | Overflowed | Drained | Changed
            | Doubted | Polled)


class Call(NamedTuple):
    """Ask by REST; `urgent` where money is at risk: those go first when the budget is short."""

    call: int
    request: Request
    urgent: bool


class Open(NamedTuple):
    socket: int
    url: Secret


class Close(NamedTuple):
    socket: int


class Send(NamedTuple):
    socket: int
    text: str


class Login(NamedTuple):
    """Send the login frame: who holds the credentials makes it."""

    socket: int


class Publish(NamedTuple):
    """Facts in order."""

    events: tuple[Event, ...]
    received_ms: int


class Save(NamedTuple):
    """Keep the key for the next start."""

    key: Key


class Report(NamedTuple):
    """Something people or metrics should know; `alert` where somebody has to act."""

    kind: str
    text: str = ""
    alert: bool = False


Command = Call | Open | Close | Send | Login | Publish | Save | Report
