"""What a venue is to a session: hosts, questions, login, heartbeats, signing and how its answers are judged; a record each."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from streams.venues.secret import Secret


class Reason(StrEnum):
    """Why a question got no answer, by what is to be done."""

    AUTH = "auth_failed"  # key, secret, address or permission: permanent until the user changes something
    CLOCK = "clock"  # our timestamp: measure the offset, ask again
    KEY_GONE = "key_gone"  # the stream's key is no more: make one, read everything again
    LIMITED = "limited"  # too much from this address
    BANNED = "banned"  # the address is shut out for a while
    TRANSIENT = "transient"  # the network, 5xx: the outcome is unknown
    REFUSED = "refused"  # anything else: asked again later, said aloud


class Judged(NamedTuple):
    """A refusal: its reason, how long the venue wants us to wait, and its words with secrets left out."""

    reason: Reason
    retry_after_ms: int = 0
    text: str = ""
    code: str = ""  # the venue's own


class Access(StrEnum):
    """How a question is authorised."""

    PUBLIC = "public"
    KEY = "key"  # the API key in a header, no signature
    SIGNED = "signed"


Pairs = tuple[tuple[str, str], ...]


class Request(NamedTuple):
    """A REST question; `part` is the answer's name, as the normaliser knows it. `body` is JSON text, or empty.

    What is not `told` is asked for the session's own use.
    """

    part: str
    path: str
    params: Pairs = ()
    method: str = "GET"
    body: str = ""
    weight: int = 1
    access: Access = Access.SIGNED
    told: bool = True


class Signed(NamedTuple):
    """What goes out: the query exactly as it was signed, and headers; never to be logged."""

    query: str
    headers: Mapping[str, str]


class Credentials(NamedTuple):
    """An API key of a user; an RSA or Ed25519 key is its PEM text in `secret`."""

    key: Secret
    secret: Secret
    passphrase: Secret = Secret("")


class Route(NamedTuple):
    """One socket: where, what is sent once it may be, and how many acknowledgements that brings."""

    url: Secret
    subscriptions: tuple[str, ...] = ()
    acknowledgements: int = 0
    login: bool = False
    welcome: bool = False  # the venue greets first


class Key(NamedTuple):
    """A session's way in: its sockets, and where the venue gives one the token with its end and the heartbeat it asks for."""

    routes: tuple[Route, ...]
    token: Secret = Secret("")
    expires_ms: int | None = None
    ping_every_ms: int | None = None


class Hosts(NamedTuple):
    """Where the venue answers; all but the scheme and host belongs to the record."""

    rest: str
    stream: str


class Gap(NamedTuple):
    """What may have happened unseen: since when (ms), in symbols held or with orders, and orders thought open that the snapshot lacks.

    Asked in rounds, from 0: `answers` are those of the rounds before, by part.
    """

    round: int
    since_ms: int
    symbols: tuple[str, ...]
    orders: tuple[tuple[str, str, bool], ...]  # symbol, order id, whether conditional
    answers: tuple[tuple[str, bytes], ...]


class Venue(NamedTuple):
    """What differs between venues, and nothing else. Times in ms; None: the venue has no such thing."""

    name: str
    hosts: Hosts
    clock: Request
    read_clock: Callable[[bytes], int]
    read_key: Callable[[Hosts, bytes, int], Key]  # the answer to `create` (or nothing) and now
    sign: Callable[[Credentials, Request, int], Signed]
    judge: Callable[[int, Mapping[str, str], bytes], Judged | None]  # status, headers, body; None: an answer
    snapshot: tuple[Request, ...]
    gap: Callable[[Gap], Sequence[Request]]  # a round's questions; none: all is known
    watch: Request  # what shows cheaply that something changed
    newest_ms: Callable[[bytes], int]
    next_page: Callable[[Request, bytes], Request | None] = lambda _request, _body: None
    merge: Callable[[Sequence[bytes]], bytes] = lambda pages: pages[0]
    create: Request | None = None
    renew: Callable[[Key], Request] | None = None
    delete: Callable[[Key], Request] | None = None  # never used unless somebody asks: the key is shared with the user's own programs
    renewed: Callable[[bytes], Secret | None] = lambda _body: None
    renew_every_ms: int = 0
    key_life_ms: int = 0
    key_age_ms_max: int = 0  # not renewed for so long: it is believed gone
    complete: Callable[[int], Request] | None = None  # fills since then, where the stream tells them without fee and profit
    login: Callable[[Credentials, int], str] | None = None
    ping: Callable[[int], str] | None = None
    ping_every_ms: int = 0
    repeats: bool = False  # it tells positions and balances again that did not change: no facts
    quiet_ms_max: int = 0  # nothing at all, not even a pong, for so long: the socket is dead
    life_ms: tuple[int, int] = (20 * 3_600_000, 23 * 3_600_000 + 1_800_000)  # a new socket is opened between these
    used_header: str = ""  # what this address has used of the budget, as the venue counts
    weight_per_min: int = 1_200
    connects_per_min: int = 60
