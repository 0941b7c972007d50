"""The bracket table that comes with the project, for symbols without a rule of their own."""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path

from agents.risk.rules import Instrument, instrument_of
from agents.risk.tiers import PROGRESSIVE, Bracket, amounts, validate
from schemas import engine_pb2 as pb
from schemas.money import say_short

_FILE = Path(__file__).with_name("data") / "binance_usdm_brackets.json"


@cache
def _tables() -> dict[str, list[list[str]]]:
    """symbol -> rows of floor, cap, rate, max leverage; amounts follow from the recurrence."""
    found: dict[str, list[list[str]]] = json.loads(_FILE.read_text())["symbols"]
    return found


def symbols() -> tuple[str, ...]:
    return tuple(sorted(_tables()))


@cache
def instrument(symbol: str) -> Instrument | None:
    """The shipped rule of `binance_usdm:symbol`; None where the table does not know it."""
    return instrument_of(message(symbol)) if symbol in _tables() else None


def message(symbol: str) -> pb.RiskRule.Instrument:
    """The shipped rule as it goes on `risk-rules`; raises KeyError for an unknown symbol."""
    rows = _tables()[symbol]
    pair = symbol.partition("_")[0]  # BTCUSDT_241227 is a delivery contract
    quote = next(name for name in ("USDT", "USDC", "BTC") if pair.endswith(name))
    found = pb.RiskRule.Instrument(instrument=f"binance_usdm:{symbol}", base=pair.removesuffix(quote), quote=quote, settle=quote,
                                   tier_policy=PROGRESSIVE, tier_unit="notional")
    floors, rates = ([Decimal(row[at]) for row in rows] for at in (0, 2))
    for (floor, cap, rate, leverage), amount in zip(rows, amounts(floors, rates), strict=True):
        found.brackets.add(floor=floor, cap=cap, rate=rate, amount=say_short(amount), max_leverage=leverage)
    return found


__all__ = ["Bracket", "instrument", "message", "symbols", "validate"]
