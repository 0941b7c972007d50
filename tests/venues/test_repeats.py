"""Repeats are dropped by what they say, a frame at a time, and never when something else was told between."""

import random

from streams.venues import bybit
from streams.venues.attempts import Policy
from streams.venues.decode import snapshot
from streams.venues.frames import Asked, Receipt
from streams.venues.repeats import Repeats
from streams.venues.session import Session
from streams.venues.words import Answered, Call, Open, Opened, Publish, Received, Started
from tests.venues import corpus
from tests.venues.answers import ANSWERS
from tests.venues.corpus import Frame
from tests.venues.payloads import RECEIPT, changed, events, raw

POSITION = corpus.OKX[2]
BOTH = corpus.OKX[3]


def _fresh(repeats: Repeats, frame: Frame, venue: str = "okx_v5") -> int:
    return len(repeats.fresh(events(venue, frame)))


def test_the_same_state_at_a_later_time_is_a_repeat() -> None:
    repeats = Repeats()
    assert _fresh(repeats, POSITION) == 1
    assert _fresh(repeats, changed(POSITION, "data.0.pTime", str(corpus.TIME + 5_000))) == 0
    assert _fresh(repeats, changed(POSITION, "data.0.pos", "4")) == 1
    assert _fresh(repeats, POSITION) == 1, "and back again"


def test_a_change_of_anything_said_is_none() -> None:
    repeats = Repeats()
    for path, value in (("data.0.upl", "-0.2"), ("data.0.markPx", "1002"), ("data.0.margin", "30"), ("data.0.tomorrow", "x")):
        assert _fresh(repeats, POSITION) == 1
        assert _fresh(repeats, changed(POSITION, path, value)) == 1


def test_a_frame_goes_whole_or_not_at_all() -> None:
    repeats = Repeats()
    assert _fresh(repeats, BOTH) == 2
    assert _fresh(repeats, changed(BOTH, "data.0.balData.0.cashBal", "999")) == 2
    assert _fresh(repeats, changed(BOTH, "data.0.balData.0.cashBal", "999")) == 0


def test_orders_fills_settings_and_partial_facts_are_never_repeats() -> None:
    repeats = Repeats()
    for venue, frame in (("okx_v5", corpus.OKX_ORDER), ("bybit_v5", corpus.EXECUTIONS), ("binance_usdm", corpus.MODE),
                         ("kucoin_futures", corpus.KUCOIN[3]), ("kucoin_futures", corpus.KUCOIN[5]), ("binance_usdm", corpus.BINANCE[4]),
                         ("binance_usdm", corpus.ACCOUNT)):
        first = _fresh(repeats, frame, venue)
        assert (first > 0, _fresh(repeats, frame, venue)) == (True, first)


def test_a_snapshot_that_says_otherwise_lets_the_stream_say_it_again() -> None:
    repeats = Repeats()
    assert _fresh(repeats, POSITION) == 1
    flat = ANSWERS["okx_v5"]["positions"].replace(b'"pos":"-3"', b'"pos":"0"').replace(b'"net"', b'"short"')
    repeats.note(snapshot("okx_v5", {"positions": flat}, RECEIPT, Asked(1, "s")))
    assert _fresh(repeats, POSITION) == 1


def _live_bybit() -> tuple[Session, int]:
    """A session of Bybit that is live, and its socket."""
    session = Session(Receipt("live:1", "a1"), bybit.venue(), random.Random(1), policy=Policy(rest_lag_ms=0))
    said = session.step(Started(), corpus.TIME)
    socket = next(one.socket for one in said if isinstance(one, Open))
    said = session.step(Opened(socket), corpus.TIME)
    for answer in ({"success": True, "op": "auth"}, {"success": True, "op": "subscribe"}):
        said = session.step(Received(socket, raw(answer), 1), corpus.TIME)
    while calls := [one for one in said if isinstance(one, Call)]:
        said = []
        for call in calls:
            kind = call.request.part.partition(":")[0]
            body = ANSWERS["bybit_v5"].get(kind, b'{"retCode":0,"result":{"category":"linear","list":[]}}')
            said += session.step(Answered(call.call, body), corpus.TIME)
    assert session.ready
    return session, socket


def test_a_session_tells_no_repeats_and_stays_alive_by_them() -> None:
    session, socket = _live_bybit()
    frame = corpus.BYBIT[3]

    def told(frame: Frame, at_ms: int) -> int:
        said = session.step(Received(socket, raw(frame), at_ms * 1_000_000), at_ms)
        return sum(len(one.events) for one in said if isinstance(one, Publish))

    first = told(frame, corpus.TIME + 1_000)
    assert first > 0
    assert told(changed(frame, "creationTime", corpus.TIME + 2_000), corpus.TIME + 2_000) == 0
    assert session.live is not None
    assert session.live.frame_ms == corpus.TIME + 2_000, "it tells: no silence"
    assert told(changed(frame, "data.0.size", "0.6"), corpus.TIME + 3_000) == first
    assert told(frame, corpus.TIME + 4_000) == first
