"""A line under a simulated clock: what is asked, what ends a socket, who takes over, how late it is tried again."""

import itertools
import json
import random

import pytest

from streams.venues.frames import Kind
from streams.venues.market.feeds import BINANCE, BYBIT, FEEDS, KUCOIN, OKX, Feed
from streams.venues.market.line import Close, Command, Line, Lost, Open, Send
from streams.venues.market.service import Wanted

NOW = 1_790_000_000_000
HOUR = 3_600_000
MARKS = frozenset({"btcusdt@markPrice@1s"})


class World:
    """A venue that opens every socket and, unless mute, tells a price a second."""

    def __init__(self, feed: Feed = BINANCE, route: str = "market", topics: frozenset[str] = MARKS) -> None:
        self.line, self.now_ms = Line(feed, route, random.Random(5)), NOW
        self.open: list[int] = []
        self.said: list[Command] = []
        self.mute, self.refuses, self.pongs = False, False, True
        self.opened_ms: list[int] = []
        self._do(self.line.want(topics, NOW))

    def _do(self, commands: list[Command]) -> None:
        for command in commands:
            self.said.append(command)
            if isinstance(command, Open):
                self.opened_ms.append(self.now_ms)
                if self.refuses:
                    self._do(self.line.closed(command.link, "refused", self.now_ms))
                else:
                    self.open.append(command.link)
                    self._do(self.line.opened(command.link, self.now_ms))
            elif isinstance(command, Close):
                self.open.remove(command.link)
            elif isinstance(command, Send) and "ping" in command.text and self.pongs:
                self._do(self.line.heard(command.link, Kind.PONG, self.now_ms))

    def run(self, ms: int, step_ms: int = 1_000) -> None:
        """Time passes; the line is stepped when it is due, and told prices."""
        end = self.now_ms + ms
        while self.now_ms < end:
            due = self.line.due()
            self.now_ms = min(end, self.now_ms + step_ms, max(due, self.now_ms + 1) if due else end)
            self._do(self.line.ticked(self.now_ms))
            for link in () if self.mute else tuple(self.open):
                self._do(self.line.heard(link, None, self.now_ms))

    def cut(self) -> None:
        link = self.open.pop()
        self._do(self.line.closed(link, "code none", self.now_ms))

    def texts(self) -> list[str]:
        return [command.text for command in self.said if isinstance(command, Send)]


def test_what_is_wanted_is_asked_once_and_what_is_not_no_more() -> None:
    world = World()
    world.run(5_000)
    assert [json.loads(text)["params"] for text in world.texts()] == [sorted(MARKS)]
    world._do(world.line.want({"ethusdt@markPrice@1s"}, world.now_ms))
    world.run(5_000)
    assert [json.loads(text)["method"] for text in world.texts()] == ["SUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE"]
    world._do(world.line.want((), world.now_ms))
    assert (world.open, world.line.due()) == ([], None), "nothing is wanted: no socket"


def test_before_its_day_is_over_another_socket_takes_over_without_a_gap() -> None:
    world = World()
    for _ in range(30):
        world.run(HOUR, step_ms=10_000)
        assert len(world.open) == 1
    assert len(world.opened_ms) == 2
    assert 20 * HOUR <= world.opened_ms[1] - NOW < 24 * HOUR
    order = [type(command) for command in world.said if not isinstance(command, Send)]
    assert order == [Open, Open, Close], "the new one told a price before the old one went"


def test_a_mute_socket_is_replaced_though_it_answers() -> None:
    world = World(BYBIT, "linear", frozenset({"tickers.BTCUSDT"}))
    world.mute = True
    world.run(31_000)
    lost = [command.text for command in world.said if isinstance(command, Lost)]
    assert lost == ["expected a price within 30000 ms, was none"]
    world.mute = False
    world.run(10_000)
    assert len(world.open) == 1


def test_a_socket_without_a_pong_is_dead() -> None:
    world = World(OKX, "business", frozenset({"candle1m:X"}))
    world.mute, world.pongs = True, False
    world.run(46_000)
    assert [command.text for command in world.said if isinstance(command, Lost)] == ["expected a frame or pong within 45000 ms, was none"]


def test_a_sparse_route_may_be_silent_for_minutes() -> None:
    world = World(BINANCE, "public", frozenset({"btcusdt@trade"}))
    world.mute = True
    world.run(9 * 60_000)
    assert [command for command in world.said if isinstance(command, Lost)] == []


def test_attempts_come_later_each_with_full_jitter_and_the_count_is_reset_after_a_steady_minute() -> None:
    world = World()
    world.refuses = True
    world.cut()
    world.run(20 * 60_000)
    waits = [after - before for before, after in itertools.pairwise(world.opened_ms)]
    assert 20 < len(waits) < 200, "neither hammered nor given up"
    assert max(waits) <= 60_001
    assert max(waits) > 20_000
    world.refuses = False
    world.run(60_000)
    assert world.line._failures > 0
    world.run(61_000)
    assert (world.line._failures, len(world.open)) == (0, 1)


def test_a_venue_that_accepts_and_closes_is_not_hammered() -> None:
    world = World()
    for _ in range(200):
        if world.open:
            world.cut()
        world.run(100)
    assert len(world.opened_ms) < 12, "in 20 s"


def test_a_notice_of_an_end_rotates_at_once() -> None:
    world = World()
    world._do(world.line.heard(world.open[0], Kind.CLOSING, world.now_ms))
    world.run(2_000)
    assert (len(world.opened_ms), len(world.open)) == (2, 1)
    assert not [command for command in world.said if isinstance(command, Lost)]


def test_messages_are_paced() -> None:
    world = World(BYBIT, "linear", frozenset(f"tickers.S{n}USDT" for n in range(40)))
    world.run(1_000, step_ms=10)
    assert len(world.texts()) <= 8
    world.run(10_000, step_ms=50)
    assert len([text for text in world.texts() if "subscribe" in text]) == 40, "a symbol a message: an unknown one costs only itself"


@pytest.mark.parametrize(("feed", "types", "expected"), [
    (BINANCE, ("kline", "markPrice", "ticker", "trade"), {"market": {"btcusdt@kline_1m", "btcusdt@markPrice@1s", "btcusdt@ticker"},
                                                          "public": {"btcusdt@trade"}}),
    (BINANCE, ("bookTicker",), {"market": set(), "public": {"btcusdt@bookTicker"}}),
    (BYBIT, ("markPrice", "ticker"), {"linear": {"tickers.BTCUSDT"}}),
    (OKX, ("kline", "markPrice"), {"public": {"mark-price:BTCUSDT"}, "business": {"candle1m:BTCUSDT"}}),
    (KUCOIN, ("kline", "markPrice"), {"classic": {"/contractMarket/limitCandle:BTCUSDT_1min", "/contract/instrument:BTCUSDT"}}),
])
def test_each_type_has_its_route(feed: Feed, types: tuple[str, ...], expected: dict[str, set[str]]) -> None:
    assert feed.wanted(types, ["BTCUSDT"]) == expected


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_a_message_carries_a_bounded_number_of_topics(feed: Feed) -> None:
    topics = sorted(topic for found in feed.wanted(("kline", "markPrice", "ticker", "trade"), [f"S{n}" for n in range(300)]).values()
                    for topic in found)
    texts = feed.speak(True, topics, 1)
    assert all(len(text) < 21_000 and json.loads(text) for text in texts)
    assert sum(text.count(f"S{n}") > 0 or text.count(f"s{n}") > 0 for n in (0, 150, 299) for text in texts) >= 3


def test_symbols_linger_and_are_bounded() -> None:
    wanted = Wanted(linger_ms=1_000)
    assert wanted.now([("v", frozenset({"A", "B"})), ("v", frozenset({"C"}))], NOW) == {"v": {"A", "B", "C"}}
    assert wanted.now([("v", frozenset({"A"}))], NOW + 900) == {"v": {"A", "B", "C"}}
    assert wanted.now([("v", frozenset({"A"}))], NOW + 1_901) == {"v": {"A"}}
    assert wanted.now([], NOW + 5_000) == {"v": frozenset()}
    many = wanted.now([("v", frozenset(f"S{n}" for n in range(600)))], NOW + 6_000)
    assert len(many["v"]) == 500
