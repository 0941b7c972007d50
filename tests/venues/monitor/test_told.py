"""What was told is kept as it stands: amounts, wallets, triggers that wait, leverage; and differences are those that are no race."""

from decimal import Decimal

import pytest

from streams.venues.decode import VENUES, snapshot
from streams.venues.frames import Asked
from streams.venues.monitor.compare import SCOPES, Difference, Scope, compared, differences, lasting, repairing
from streams.venues.monitor.told import Told
from streams.venues.places import venue_of
from tests.venues import corpus
from tests.venues.answers import ANSWERS
from tests.venues.corpus import Frame
from tests.venues.payloads import RECEIPT, changed, events

NOW = 1_790_000_000_000
OKX_POSITION = corpus.OKX[2]


def _told(venue: str, *frames: Frame, told_ms: int = NOW) -> Told:
    told = Told()
    for frame in frames:
        told.note(events(venue, frame), told_ms)
    return told


def test_a_position_keeps_its_beginning_until_it_is_flat_or_turns() -> None:
    told = Told()
    opened: list[int] = []
    for at, amount in enumerate(("-3", "-5", "2", "0", "4")):
        frame = changed(changed(OKX_POSITION, "data.0.pos", amount), "data.0.cTime", str(NOW + at))
        told.note(events("okx_v5", changed(frame, "data.0.posSide", "net")), NOW + at)
        [position] = [one for one in told.positions.values() if one.told_ms == NOW + at]
        opened.append(position.opened_ms - NOW)
    assert opened == [0, 0, 2, 3, 4]


@pytest.mark.parametrize("venue", VENUES)
def test_a_snapshot_does_not_differ_from_itself(venue: str) -> None:
    says, told = Told(), Told()
    found = snapshot(venue, ANSWERS[venue], RECEIPT, Asked(NOW, "s"))
    says.note(found, NOW)
    told.note(found, NOW)
    assert told.positions
    assert told.wallets
    assert differences(says, told, NOW + 1, SCOPES.get(venue, Scope())) == ()


def test_waiting_triggers_are_kept_until_they_fire_or_a_snapshot_lacks_them() -> None:
    told = Told()
    told.note(snapshot("binance_usdm", ANSWERS["binance_usdm"], RECEIPT, Asked(NOW, "s")), NOW)
    assert {ident: str(stop.trigger) for ident, stop in told.stops.items()} == {"2148627": "50000"}
    assert told.leverages["binance_usdm:BTCUSDT"] == Decimal(21)
    none = {**ANSWERS["binance_usdm"], "openAlgoOrders": b"[]"}
    told.note(snapshot("binance_usdm", none, RECEIPT, Asked(NOW, "t")), NOW)
    assert told.stops == {}


def _difference(told_ms: int, before_ms: int) -> tuple[Difference, ...]:
    says = _told("okx_v5", changed(OKX_POSITION, "data.0.pos", "-4"))
    return differences(says, _told("okx_v5", OKX_POSITION, told_ms=told_ms), before_ms, Scope())


def test_what_differs_is_said_both_ways_and_a_race_is_none() -> None:
    [found] = _difference(NOW, NOW + 1)
    assert (found.field, found.expected, found.was, found.told_ms) == ("amount", "-4", "-3", NOW)
    assert _difference(NOW, NOW) == (), "told since then: the answer may be older"


def test_what_is_lacking_is_zero_on_either_side() -> None:
    nothing = Told()
    held = _told("okx_v5", OKX_POSITION)
    assert [(one.expected, one.was) for one in differences(held, nothing, NOW + 1, Scope())] == [("-3", "0")]
    assert [(one.expected, one.was) for one in differences(nothing, held, NOW + 1, Scope())] == [("0", "-3")]


def test_what_the_answers_do_not_cover_is_not_missed() -> None:
    kucoin = Told()
    kucoin.note(snapshot("kucoin_futures", ANSWERS["kucoin_futures"], RECEIPT, Asked(NOW, "s")), NOW)
    kucoin.wallets["SOL"] = kucoin.wallets[min(kucoin.wallets)]
    says = Told()
    says.note(snapshot("kucoin_futures", ANSWERS["kucoin_futures"], RECEIPT, Asked(NOW, "s")), NOW)
    assert differences(says, kucoin, NOW + 1, SCOPES["kucoin_futures"]) == ()
    linear, inverse = corpus.BYBIT[3], changed(corpus.BYBIT[3], "data.0.category", "inverse")
    assert differences(Told(), _told("bybit_v5", inverse), NOW + 1, SCOPES["bybit_v5"]) == ()
    assert len(differences(Told(), _told("bybit_v5", linear), NOW + 1, SCOPES["bybit_v5"])) == 1


def test_a_difference_must_last() -> None:
    one, two = Difference("a", "amount", "1", "2", 3), Difference("b", "amount", "1", "2", 3)
    assert lasting((one, two), (two._replace(expected="9"),)) == (two,)
    assert lasting((one,), ()) == ()


@pytest.mark.parametrize(("venue", "parts", "weight"), [
    ("binance_usdm", ["account"], 5), ("bybit_v5", ["wallet-balance", "position:linear", "position:linear"], 3),
    ("okx_v5", ["balance", "positions"], 2),
    ("kucoin_futures", ["account-overview:USDT", "account-overview:USDC", "account-overview:XBT", "positions"], 17),
])
def test_a_look_is_cheap_and_a_repair_tells_all_but_orders(venue: str, parts: list[str], weight: int) -> None:
    record = venue_of(venue, "mainnet", {})
    assert [request.part for request in compared(record)] == parts
    assert sum(request.weight for request in compared(record)) == weight
    assert set(compared(record)) <= set(repairing(record)) < set(record.snapshot)
    assert not [request for request in repairing(record) if "rder" in request.part]
