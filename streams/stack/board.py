"""The live board of `make run`: what flows, who is in trouble, how far the mirrors are behind, and where to look."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from rich.console import Console
from rich.live import Live

from streams.config import PREFIX, Config
from streams.stack import board_view
from streams.stack.board_sources import Sample, Sources
from streams.stack.board_view import Shown
from streams.stack.supervisor import load_state

_LOOK_S = 1.0
_LINE_S = 5.0


def run_board(config: Config, seconds: float, console: Console | None = None) -> int:
    """Shows the board for `seconds` (0 = until Ctrl-C), then prints a summary; a line each 5 s where there is no terminal. Returns 0."""
    board = Board(config, console or Console())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(board.show(seconds))
    board.summarise()
    return 0


class Board:
    """One showing; rates are over the last looks."""

    def __init__(self, config: Config, console: Console) -> None:
        self._config, self._console = config, console
        self._urls = worker_urls(config)
        self._sources = Sources(config, self._urls)
        self._began_s = time.monotonic()
        self._looks: list[tuple[float, Sample]] = []
        self._first: Sample | None = None

    async def show(self, seconds: float) -> None:
        """Until `seconds` have passed (0 = for ever)."""
        await self._sources.open()
        try:
            if self._console.is_terminal:
                with Live(console=self._console, auto_refresh=False, screen=False) as live:
                    async for shown in self._looking(seconds, _LOOK_S):
                        live.update(board_view.render(shown), refresh=True)
            else:
                for text in board_view.where(self._config, self._urls):
                    self._say(text)
                async for shown in self._looking(seconds, _LINE_S):
                    self._say(board_view.line(shown))
        finally:
            await self._sources.close()

    def summarise(self) -> None:
        """The rates over all, the rungs, the last lines."""
        if not self._looks or self._first is None:
            return
        now_s, last = self._looks[-1]
        spent = max(now_s - self._began_s, 0.001)
        self._say(f"{spent:.0f} s: {last.events - self._first.events:,} events ({(last.events - self._first.events) / spent:,.0f}/s), "
                  f"{last.ticks - self._first.ticks:,} ticks, {last.verdicts - self._first.verdicts:,} verdicts, "
                  f"{board_view.sessions(last.sessions)}, "
                  f"to Postgres p50 {board_view.latency(last, 0.5)} p99 {board_view.latency(last, 0.99)}")
        for name, texts in (("margin call", self._sources.calls), ("liquidation", self._sources.liquidations)):
            for text in list(texts)[:3]:
                self._say(f"last {name}: {text}")

    async def _looking(self, seconds: float, every_s: float) -> AsyncIterator[Shown]:
        while True:
            yield await self._look()
            left = seconds - (time.monotonic() - self._began_s) if seconds else every_s
            if left <= 0:
                return
            await asyncio.sleep(min(every_s, left))

    async def _look(self) -> Shown:
        sample = await self._sources.sample()
        now_s = time.monotonic()
        self._first = self._first or sample
        self._looks = [*self._looks[-5:], (now_s, sample)]
        then_s, before = self._looks[0]
        spent = max(now_s - then_s, 0.001)
        return Shown(sample, (sample.events - before.events) / spent, (sample.ticks - before.ticks) / spent, now_s - self._began_s,
                     tuple(self._sources.calls), tuple(self._sources.liquidations), board_view.where(self._config, self._urls),
                     (sample.sessions.frames - before.sessions.frames) / spent)

    def _say(self, text: str) -> None:
        # soft_wrap: a line that is to be pasted stays one line.
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def worker_urls(config: Config) -> tuple[str, ...]:
    """The workers of the stack that runs here, else the configured port."""
    found = load_state(config).addresses.get(f"{PREFIX}WORKER_URLS", "")
    return tuple(url for url in found.split(",") if url) or (f"http://{config.web_host}:{config.web_port}",)
