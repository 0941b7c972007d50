"""What is said while a step of a liquidation is carried out: the step, a venue's desk, commands of a course and what comes back."""

from collections.abc import Callable, Generator
from decimal import Decimal
from typing import NamedTuple

from schemas.engine_pb2 import Liquidation
from schemas.keys import HOUSE, BadKey, client_order_id, instrument_parts
from schemas.money import BadNumber, parse
from streams.venues.venue import Judged, Request

CANCEL, CLOSE = "cancel_orders", "close"
DRY_RUN = "dry run: "  # how the text of a refusal begins that was asked for
BOTH, LONG, SHORT = "BOTH", "LONG", "SHORT"


class Step(NamedTuple):
    """A step as the engine ordered it: `symbol` "" is every symbol, `quantity` is what is closed, as the venue counts it."""

    step_id: str
    user_key: str
    account_id: str
    action: str
    venue: str
    symbol: str
    side: str
    quantity: Decimal
    ordered_ms: int

    @property
    def client_order_id(self) -> str:
        """The same order however often it is sent."""
        return client_order_id(self.step_id)

    @property
    def name(self) -> tuple[str, str]:
        return self.user_key, self.account_id


def read_step(event: Liquidation) -> Step | None:
    """The step of an event; None where it tells something else, or is of a house book. Raises `ValueError` where it cannot be one."""
    if event.WhichOneof("event") != "step_ordered":
        return None
    said = event.step_ordered
    if said.action not in (CANCEL, CLOSE):
        raise ValueError(f"action: expected {CANCEL} or {CLOSE}, was {said.action!r}")
    try:
        venue, symbol = instrument_parts(said.instrument) if said.instrument or said.action == CLOSE else ("", "")
        quantity = parse(said.quantity, "quantity") if said.action == CLOSE else Decimal(0)
    except (BadKey, BadNumber) as error:
        raise ValueError(str(error)) from None
    if said.action == CLOSE and (quantity <= 0 or said.side not in (BOTH, LONG, SHORT)):
        raise ValueError(f"step: expected a quantity above 0 of BOTH, LONG or SHORT, was {said.quantity} of {said.side!r}")
    if venue == HOUSE:
        return None
    return Step(event.id, event.user_id, event.account_id, said.action, venue, symbol, said.side, quantity, event.time_ms)


class Found(NamedTuple):
    """An order as the venue knows it: open, filled or ended (with what was filled until then); `word` is the venue's own."""

    status: str
    filled: Decimal
    price: Decimal | None
    word: str


class Held(NamedTuple):
    """A position: signed amount, value of one unit at the mark, and the margin mode where an order must name it."""

    amount: Decimal
    each: Decimal = Decimal(0)
    mode: str = ""


class Desk(NamedTuple):
    """What differs between venues when positions are reduced, and nothing else. Parsers raise `ValueError`."""

    find: Callable[[Step], tuple[Request, ...]]  # asked in turn until one knows the order
    found: Callable[[bytes], Found | None]
    absent: Callable[[Judged], bool]  # whether a refusal says that there is no such order
    duplicates: frozenset[str]  # codes that say that the client order id was used
    orders: Callable[[str], tuple[Request, ...]]  # open ones, conditional ones too; of a symbol or of all
    cancels: Callable[[str, bytes], list[Request]]  # by part and answer of `orders`; none: nothing is open
    position: Callable[[str], Request]
    held: Callable[[Step, bytes], Held]
    order: Callable[[Step, Held, Decimal], Request]  # reduce-only, at the market
    window_ms: int  # a request older than this is refused by the venue: what is not there by then never comes


class Limits(NamedTuple):
    """What bounds the executor. Times in ms; notional in the contracts' quote currency, 0 = no bound."""

    dry_run: bool = False
    step_notional_max: Decimal = Decimal(0)
    hour_notional_max: Decimal = Decimal(0)
    send_within_ms: int = 30_000  # of the engine's order: later it is refused, the engine plans anew
    answer_within_ms: int = 60_000  # then the engine has given the step up
    ask_within_ms: int = 10_000
    poll_ms: int = 500
    slack_ms: int = 2_000  # beside the venue's window: clocks, and stamps that it takes from a second ahead


class Outcome(NamedTuple):
    """What is reported: `filled`, `completed` and the refusals end the step, `accepted`, `partially_filled` and `unknown` do not."""

    status: str
    filled: Decimal | None = None
    price: Decimal | None = None
    error: str = ""


class Ask(NamedTuple):
    """A question to the venue; one with `as_of_ms` is stamped with that time, so that the venue refuses it when its window has passed."""

    request: Request
    as_of_ms: int = 0


class Recall(NamedTuple):
    """Was this step sent before, and may it be?"""


class Claim(NamedTuple):
    """We are about to send it: written down before, once for each number of attempts before it."""

    notional: Decimal
    attempts: int


class Wait(NamedTuple):
    """Nothing, for so long."""

    ms: int


class Tell(NamedTuple):
    """On the way, no end."""

    outcome: Outcome


Command = Ask | Recall | Claim | Wait | Tell


class Reply(NamedTuple):
    """What came of a command. `refused`: the venue's no, or none; `text`: why we may not; `attempts`, `age_ms`: how often and how long
    ago it was sent; `mine`: the claim is ours; `known`: the venue said that it took the order."""

    now_ms: int
    body: bytes = b""
    refused: Judged | None = None
    text: str = ""
    attempts: int = 0
    age_ms: int = 0
    mine: bool = False
    known: bool = False


Course = Generator[Command, Reply, Outcome]


def proceed(course: Course, reply: Reply | None = None) -> Command | Outcome:
    """What a course asks for next, or its end; it begins without a reply."""
    try:
        return next(course) if reply is None else course.send(reply)
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
