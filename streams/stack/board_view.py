"""The board as rich tables, and as one line where there is no terminal."""

from collections.abc import Iterable
from typing import NamedTuple

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.keys import HOUSE
from streams.config import Config
from streams.stack.board_sources import Sample, Sessions, quantile_s
from streams.stack.generator_facts import FIRST_USER
from streams.stack.postgres import psql
from streams.stack.redis import redis_cli

_RUNGS = (("normal", "green"), ("warning", "yellow"), ("margin_call", "dark_orange"), ("liquidation", "red"), ("unknown", "magenta"))


class Shown(NamedTuple):
    """What one drawing of the board needs; rates per second."""

    sample: Sample
    events_per_s: float
    ticks_per_s: float
    seconds: float
    calls: tuple[str, ...] = ()
    liquidations: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    frames_per_s: float = 0.0


def render(shown: Shown) -> RenderableType:
    """The whole board."""
    top = Columns([_figures(shown), _rungs(shown.sample)], padding=(0, 2))
    parts: list[RenderableType] = [top, _lines("last margin calls", shown.calls), _lines("last liquidations", shown.liquidations),
                                   _lines("where to look", shown.where)]
    if shown.sample.down:
        parts.insert(0, Text(f"no answer: {', '.join(shown.sample.down)}", style="bold red"))
    return Panel(Group(*parts), title=f"marginstream, {shown.seconds:.0f} s")


def line(shown: Shown) -> str:
    """The board in one line of text."""
    sample = shown.sample
    rungs = " ".join(f"{name}={sample.rungs.get(name, 0)}" for name, _ in _RUNGS)
    last = f" | {shown.calls[0]}" if shown.calls else ""
    down = f" | no answer: {', '.join(sample.down)}" if sample.down else ""
    return (f"{shown.seconds:4.0f} s | {shown.events_per_s:.0f} events/s {shown.ticks_per_s:.0f} ticks/s lag {sample.lag} | {rungs} | "
            f"{sessions(sample.sessions)}, {shown.frames_per_s:.0f} frames/s | "
            f"to Postgres p50 {latency(sample, 0.5)} p99 {latency(sample, 0.99)}{last}{down}")


def sessions(found: Sessions) -> str:
    """Exchange accounts that are read, in words."""
    return f"{found.live} of {found.accounts} accounts live, {found.reconnects} reconnects, {found.frames:,} frames"


def latency(sample: Sample, part: float) -> str:
    """A quantile of the time from event to Postgres, as text: an upper edge of its bucket."""
    found = quantile_s(sample.buckets, part)
    return "-" if found is None else "over 300 s" if found == float("inf") else f"<= {found * 1000:.0f} ms"


def where(config: Config, worker_urls: Iterable[str]) -> tuple[str, ...]:
    """Lines that work when pasted: pages of the workers, Redis, Postgres."""
    user = f"live:{FIRST_USER}"
    token = ' -H "Authorization: Bearer $MARGINSTREAM_API_TOKEN"' if config.api_token else ""
    pages = [f"curl{token} {url}/inspect/{table}/{user}" for url in list(worker_urls)[:1] for table in ("balances", "positions", "margin")]
    return (*pages, f"{redis_cli()} -u '{config.redis_url}' hgetall 'user:{{{user}}}:config'",
            f"{psql()} '{config.postgres_dsn}' -c 'SELECT * FROM orders ORDER BY updated_at DESC LIMIT 5'",
            f"{psql()} '{config.postgres_dsn}' -c \"SELECT * FROM positions WHERE status = 'open' AND account_id = '{HOUSE}' LIMIT 5\"")


def _figures(shown: Shown) -> Table:
    table = Table(show_header=False, box=None)
    sample = shown.sample
    for name, text in (("events/s", f"{shown.events_per_s:,.0f}"), ("ticks/s", f"{shown.ticks_per_s:,.0f}"), ("lag", f"{sample.lag:,}"),
                       ("events", f"{sample.events:,}"), ("verdicts", f"{sample.verdicts:,}"),
                       ("event to Postgres p50", latency(sample, 0.5)), ("p99", latency(sample, 0.99)),
                       ("exchange accounts live", f"{sample.sessions.live} of {sample.sessions.accounts}"),
                       ("reconnects", f"{sample.sessions.reconnects}"), ("frames/s", f"{shown.frames_per_s:,.1f}")):
        table.add_row(name, text)
    return table


def _rungs(sample: Sample) -> Table:
    table = Table("rung", "users", box=None)
    for name, style in _RUNGS:
        table.add_row(Text(name, style=style), f"{sample.rungs.get(name, 0):,}")
    return table


def _lines(title: str, lines: Iterable[str]) -> RenderableType:
    # Lines to be pasted must not be broken by the drawing: they may run over the edge.
    return Group(
        Text(f"\n{title}", style="bold"), *(Text(f"  {text}", no_wrap=title != "where to look", overflow="fold") for text in lines)
    )
