"""One account as JSON in, its evaluation as JSON out: the law without the engine."""

from __future__ import annotations

from decimal import Decimal

from agents.fields import BadInput
from agents.intake import Intake, read
from agents.risk import ladder
from agents.risk.law import Evaluation, Law, Leg, NoLaw, Pool
from agents.risk.laws import law_of
from agents.risk.tiers import BadRule
from schemas.money import say_short
from tables.rows import LIQUIDATION, NORMAL, RUNG_NAMES, UNKNOWN

_PLACES = Decimal(1).scaleb(-20)
_FIGURES = ("notional unrealised_pnl initial_margin maintenance_margin bracket_rate equity margin_ratio liquidation_price_below"
            " liquidation_price_above bankruptcy_price")
Json = dict[str, object]
_UNVALUED: Json = dict.fromkeys(_FIGURES.split()) | {"rung": RUNG_NAMES[UNKNOWN]}


def evaluate_json(obj: object) -> Json:
    """The evaluation of one account; raises `BadInput` with a clear text, the field named where it is one."""
    try:
        intake = read(obj)
        law = law_of(intake.book.model)
    except (BadRule, NoLaw) as error:
        raise BadInput(str(error)) from None
    found = law.evaluate(intake.book, intake.market, intake.thresholds)
    if found.refused:
        raise BadInput(found.refused.replace(f"{intake.book.venue}:", ""))
    unknown = bool(intake.market.unknown)
    rungs = (
        dict.fromkeys((pool.name for pool in found.pools), UNKNOWN) if unknown else ladder.rungs(found, intake.thresholds, intake.previous)
    )
    rung = UNKNOWN if unknown else max(rungs.values(), default=NORMAL)
    worst = ladder.worst_pool(found, intake.thresholds)
    ratio = worst.ratio if worst and intake.thresholds.mode != "money" else None
    reasons = {*intake.market.unknown, *intake.market.notes, *(["negative_equity"] if found.equity < 0 else [])}
    return {
        "model": intake.book.model,
        "equity": _say(found.equity),
        "wallet_balance": _say(found.wallet_balance),
        "unrealised_pnl": _say(found.unrealised_pnl),
        "initial_margin": _say(found.initial_margin),
        "maintenance_margin": _say(found.maintenance_margin),
        "free_margin": _say(found.free_margin),
        "margin_ratio": _maybe(ratio),
        "margin_level_pct": _maybe(found.level_pct),
        "rung": RUNG_NAMES[rung],
        "reasons": sorted(_bare(reason) for reason in reasons),
        "pools": [_pool(pool, rungs, intake) for pool in found.pools],
        "positions": _positions(found, (law, intake, rungs)),
        "liquidation_plan": _plan(found, law, intake) if rung == LIQUIDATION else [],
    }


def _pool(pool: Pool, rungs: dict[str, int], intake: Intake) -> Json:
    position = None if pool.position is None else intake.book.positions[pool.position].instrument.partition(":")[2]
    ratio = pool.ratio if intake.thresholds.mode != "money" else None
    return {
        "kind": pool.kind,
        "asset": pool.asset,
        "position": position,
        "equity": _say(pool.equity),
        "initial_margin": _say(pool.initial_margin),
        "maintenance_margin": _say(pool.maintenance_margin),
        "margin_ratio": _maybe(ratio),
        "rung": RUNG_NAMES[rungs[pool.name]],
    }


def _positions(found: Evaluation, with_: tuple[Law, Intake, dict[str, int]]) -> list[Json]:
    """In the input's order; what is held and could not be valued has nulls for figures."""
    intake, legs = with_[1], {leg.key: leg for leg in found.legs}
    held = [key for key in intake.ids if intake.book.positions[key].quantity]
    return [_position(legs[key], found, with_) if key in legs else _named(key, intake) | _UNVALUED for key in held]


def _named(key: str, intake: Intake) -> Json:
    position = intake.book.positions[key]
    return {"id": intake.ids[key], "symbol": position.instrument.partition(":")[2], "side": position.side}


def _position(leg: Leg, found: Evaluation, with_: tuple[Law, Intake, dict[str, int]]) -> Json:
    law, intake, rungs = with_
    pool = next(pool for pool in found.pools if pool.name == leg.pool)
    prices, isolated = law.prices(leg, found, intake.thresholds), pool.kind == "isolated"
    maintenance = leg.maintenance_margin if intake.book.model != "mt5" else leg.initial_margin * _share(found)
    return {
        **_named(leg.key, intake),
        "notional": _say(leg.notional),
        "unrealised_pnl": _say(leg.unrealised_pnl),
        "initial_margin": _say(leg.initial_margin),
        "maintenance_margin": _say(maintenance),
        "bracket_rate": _maybe(leg.bracket_rate),
        "equity": _say(pool.equity) if isolated else None,
        "margin_ratio": _maybe(pool.ratio) if isolated and intake.thresholds.mode != "money" else None,
        "liquidation_price_below": _maybe(prices.below),
        "liquidation_price_above": _maybe(prices.above),
        "bankruptcy_price": _maybe(prices.bankruptcy),
        "rung": RUNG_NAMES[rungs[leg.pool]],
    }


def _share(found: Evaluation) -> Decimal:
    return found.maintenance_margin / found.initial_margin if found.initial_margin else Decimal(0)


def _plan(found: Evaluation, law: Law, intake: Intake) -> list[Json]:
    closes = law.plan(found, intake.thresholds)
    steps: list[Json] = [{"action": "cancel_orders", "symbol": None}] if closes or intake.book.orders else []
    return steps + [{"action": "close", **_named(close.key, intake), "quantity": _say(close.quantity)} for close in closes]


def _bare(reason: str) -> str:
    """`missing_mark:house:EURUSD` as the input names it: `missing_mark:EURUSD`."""
    word, _, name = reason.partition(":")
    return f"{word}:{name.partition(':')[2] or name}" if name else word


def _say(number: Decimal) -> str:
    exponent = number.as_tuple().exponent
    return say_short(number.quantize(_PLACES) if isinstance(exponent, int) and exponent < -20 else number)


def _maybe(number: Decimal | None) -> str | None:
    return None if number is None else _say(number)
