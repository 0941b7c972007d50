"""Positions as plain floats for the screen: one line a position, one a pool; and the zone in which a rung stays."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from agents.risk.rules import Thresholds
from tables.rows import MARGIN_CALL, WARNING

FIXED, DIRECT, INVERSE = 0, 1, -1
LAST = 2  # in a product: times the last price, either side
MARK, BID, ASK, COIN = 0, 1, 2, 3  # the price that moves a line; COIN: -1 / mark, so that inverse contracts are lines, too
NEVER = (0.0, 0.0, float("inf"))


class Conversion(NamedTuple):
    """FIXED: 1; DIRECT: times the price of `instrument`, which may be a product of prices; INVERSE: divided by it."""

    kind: int = FIXED
    instrument: str = ""


UNCONVERTED = Conversion()


class PositionLine(msgspec.Struct, frozen=True, gc=False):
    """`size` and `cost` signed, in contracts x contract size; `margin` before `margin_conversion`, None where tiers say it.

    `share` of its value is required beside that.
    """

    pool: int
    instrument: str
    field: int
    size: float
    cost: float
    conversion: Conversion = UNCONVERTED
    margin: float | None = None
    margin_conversion: Conversion = UNCONVERTED
    share: float = 0.0
    part: int = 0


class Part(NamedTuple):
    """An asset of a weighted pool: what of it no price moves, its weight where it is above zero, its conversion."""

    still: float
    weight: float
    conversion: Conversion = UNCONVERTED


class Zone(NamedTuple):
    """Where the rung stays: above 0 must be a x equity - b x requirement - c (`up`), and b x requirement - a x equity + c (`down`)."""

    up: tuple[float, float, float]
    down: tuple[float, float, float] = NEVER


class AccountLines(msgspec.Struct, frozen=True, gc=False):
    """`pools` are wallets with what does not move in them, only those with positions.

    `always`: no float stands for this account, look at it whenever something it holds moves. `watched`: everything that may move it.
    `parts`: of the one pool whose money is weighed asset by asset; its lines stay in their assets.
    """

    pools: tuple[float, ...]
    positions: tuple[PositionLine, ...]
    zone: Zone
    always: bool
    watched: frozenset[str]
    parts: tuple[Part, ...] = ()


class NoLine(Exception):
    """This account cannot be screened in floats."""


def zone_of(found: Thresholds, rung: int) -> Zone:
    """The zone of an account on this rung; a margin call ends at `release`, a warning where it began."""
    numbers = [float(number) for number in (found.warning, found.margin_call, found.liquidation, found.release)]
    if found.mode == "percent":
        numbers = [100 / number for number in numbers]
    warning, call, liquidation, release = [(1.0, 0.0, number) if found.mode == "money" else (number, 1.0, 0.0) for number in numbers]
    if rung == MARGIN_CALL:
        return Zone(liquidation, release)
    return Zone(call, warning) if rung == WARNING else Zone(warning)
