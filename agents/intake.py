"""An evaluation's input as values of the law: book, market, thresholds."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from agents import fields
from agents.fields import BadInput, Json
from agents.risk import shipped
from agents.risk.law import MODELS, Book
from agents.risk.market import Market
from agents.risk.rules import CALC_MODES, Instrument, Thresholds, check_thresholds, default_thresholds
from agents.risk.ticks import stale
from agents.risk.tiers import Bracket, validate
from agents.risk.world import Mark
from schemas.money import ONE
from tables.rows import RUNG_NAMES, Order, Position, position_key

_TOP = "model currency balances positions orders prices rules rates collateral_weights leverage credit previous_rung now_ms thresholds"
_POSITION = "id symbol side quantity entry_price margin_mode isolated_wallet leverage open_rate swap commission"
_ORDER = "symbol side position_side quantity price reduce_only"
_RULE = (
    "brackets tier_policy tier_unit base quote settle contract_size taker_fee calc_mode margin_rate hedged_factor hedged_mode tick_size"
    " tick_value initial_margin maintenance_margin quantity_step min_quantity price_tick stale_after_ms"
)
_BRACKET = "floor cap rate amount max_leverage"


class Intake(NamedTuple):
    """`ids` are the positions' own ids by key."""

    book: Book
    market: Market
    thresholds: Thresholds
    previous: int
    ids: dict[str, object]


def read(obj: object) -> Intake:
    """Reads the whole input; raises `BadInput` or `BadRule` with the field named."""
    top = fields.only(obj, _TOP, "")
    model = fields.choice(top, "model", "", " ".join(MODELS))
    venue = "house" if model == "mt5" else model
    currency = fields.text(top, "currency", "", "USD" if model == "mt5" else "USDT")
    positions, ids = _positions(top, venue)
    balances = {asset: fields.number(value, f"balances.{asset}") for asset, value in fields.mapping(top, "balances").items()}
    book = Book(
        model,
        currency,
        balances,
        positions,
        _orders(top, venue),
        fields.positive(top, "leverage", ""),
        credit=fields.amount(top, "credit", ""),
    )
    for asset, value in fields.mapping(top, "collateral_weights").items():
        if not 0 <= (weight := fields.number(value, f"collateral_weights.{asset}")) <= 1:
            raise BadInput(f"collateral_weights.{asset}: expected 0 to 1, was {weight}")
    rungs = {name: number for number, name in RUNG_NAMES.items() if number in (1, 2, 3, 4)}
    return Intake(book, _market(top, venue), _thresholds(top, model), rungs[fields.choice(top, "previous_rung", "", " ".join(rungs))], ids)


def _positions(top: Json, venue: str) -> tuple[dict[str, Position], dict[str, object]]:
    found: dict[str, Position] = {}
    ids: dict[str, object] = {}
    for at, raw in enumerate(fields.rows(top, "positions")):
        where = f"positions[{at}]."
        row = fields.only(raw, _POSITION, where[:-1])
        symbol = _symbol(row, where)
        side = fields.choice(row, "side", where, "BOTH LONG SHORT")
        quantity = fields.amount(row, "quantity", where)
        if side != "BOTH" and quantity < 0:
            raise BadInput(f"{where}quantity: expected 0 or more for {side}, was {quantity}")
        ident = row.get("id")
        if isinstance(ident, bool) or not isinstance(ident, str | int | None):
            raise BadInput(f"{where}id: expected text or a whole number, was {ident!r}")
        position = Position(
            f"{venue}:{symbol}",
            side,
            quantity,
            fields.positive(row, "entry_price", where) or Decimal(0),
            fields.choice(row, "margin_mode", where, "cross isolated"),
            fields.optional(row, "isolated_wallet", where),
            fields.positive(row, "leverage", where),
            "" if ident is None else str(ident),
            fields.positive(row, "open_rate", where),
            fields.amount(row, "swap", where),
            fields.amount(row, "commission", where),
        )
        if quantity and not position.entry_price:
            raise BadInput(f"{where}entry_price: expected a price, was none")
        key = position_key(position.instrument, side, position.position_id)
        key = key if venue != "house" and key not in found else f"{key}#{at:06d}"
        found[key], ids[key] = position, ident
    return found, ids


def _orders(top: Json, venue: str) -> tuple[Order, ...]:
    found = []
    for at, raw in enumerate(fields.rows(top, "orders")):
        where = f"orders[{at}]."
        row = fields.only(raw, _ORDER, where[:-1])
        reduce_only = row.get("reduce_only") or False
        if not isinstance(reduce_only, bool):
            raise BadInput(f"{where}reduce_only: expected true or false, was {reduce_only!r}")
        found.append(
            Order(
                "",
                f"{venue}:{_symbol(row, where)}",
                str(at),
                side=fields.choice(row, "side", where, "BUY SELL"),
                position_side=fields.choice(row, "position_side", where, "BOTH LONG SHORT"),
                quantity=fields.not_negative(row, "quantity", where),
                price=fields.positive(row, "price", where) or Decimal(0),
                reduce_only=reduce_only,
            )
        )
    return tuple(found)


def _symbol(row: Json, where: str) -> str:
    found = fields.text(row, "symbol", where)
    if not found:
        raise BadInput(f"{where}symbol: expected a symbol, was none")
    return found


def _market(top: Json, venue: str) -> Market:
    marks: dict[str, Mark] = {}
    for symbol, raw in fields.mapping(top, "prices").items():
        where = f"prices.{symbol}."
        row = fields.only(raw, "bid ask last mark time_ms", where[:-1])
        bid, ask, last, mark = (fields.positive(row, name, where) for name in ("bid", "ask", "last", "mark"))
        marks[f"{venue}:{symbol}"] = Mark(f"{venue}:{symbol}", bid, ask, last, mark, -1, fields.whole(row, "time_ms", where) or 0)
    rules = {f"{venue}:{symbol}": _rule(raw, symbol, venue) for symbol, raw in fields.mapping(top, "rules").items()}
    rates = {}
    for pair, value in fields.mapping(top, "rates").items():
        source, _, target = pair.partition("/")
        rate = fields.number(value, f"rates.{pair}")
        if not source or not target or "/" in target or rate <= 0:
            raise BadInput(f"rates.{pair}: expected 'EUR/USD': a rate above 0, was {value!r}")
        rates[source, target] = rate
    now_ms = fields.whole(top, "now_ms", "")

    def instrument(name: str) -> Instrument | None:
        return rules.get(name) or _absent(name)

    def freshness(mark: Mark, rule: Instrument | None) -> str:
        bound = rule.stale_after_ms if rule else 0
        return stale(mark, now_ms, rule, bound) if now_ms is not None and bound and mark.append_ms else ""

    known = {name: rule for name in {*marks, *rules} if name in marks and (rule := instrument(name))}
    pairs = {(venue, rule.base, rule.quote): name for name, rule in sorted(known.items()) if rule.base and rule.quote}
    return Market(marks, instrument, pairs, rates, freshness)


def _absent(name: str) -> Instrument | None:
    """Without a rule: the shipped table, or for FX a standard lot of a pair whose name says its currencies."""
    venue, _, symbol = name.partition(":")
    if venue == "binance_usdm":
        return shipped.instrument(symbol)
    if venue == "house" and len(symbol) == 6 and symbol.isalpha() and symbol.isupper():
        return Instrument(name, symbol[:3], symbol[3:], symbol[3:], Decimal(100_000))
    return None


def _rule(raw: object, symbol: str, venue: str) -> Instrument:
    where = f"rules.{symbol}."
    row, name = fields.only(raw, _RULE, where[:-1]), f"{venue}:{symbol}"
    default = _absent(name) or Instrument(name)
    policy = fields.choice(row, "tier_policy", where, "progressive flat")
    rates = row.get("margin_rate")
    two = fields.only(rates, "long short", f"{where}margin_rate") if isinstance(rates, dict) else {"long": rates, "short": rates}
    brackets = tuple(_bracket(found, f"{where}brackets[{at}]") for at, found in enumerate(fields.rows(row, "brackets", where)))
    for unused in ("maintenance_margin", "price_tick"):
        fields.optional(row, unused, where)
    values = {
        field: found
        for field in ("tick_size", "tick_value", "initial_margin", "taker_fee", "hedged_factor", "quantity_step", "min_quantity")
        if (found := fields.optional(row, field, where)) is not None
    }
    for field, found in values.items():
        if found < 0:
            raise BadInput(f"{where}{field}: expected 0 or more, was {found}")
    quote = fields.text(row, "quote", where) or default.quote
    return replace(
        default,
        base=fields.text(row, "base", where) or default.base,
        quote=quote,
        settle=fields.text(row, "settle", where) or fields.text(row, "quote", where) or default.settle,
        contract_size=fields.positive(row, "contract_size", where) or (default.contract_size if venue == "house" else ONE),
        calc_mode=fields.choice(row, "calc_mode", where, " ".join(CALC_MODES)),
        margin_rate=fields.not_negative(two, "long", f"{where}margin_rate.", "1"),
        margin_rate_short=fields.not_negative(two, "short", f"{where}margin_rate.", "1"),
        tier_policy=policy,
        tier_unit=fields.choice(row, "tier_unit", where, "notional contracts settle"),
        brackets=validate(brackets, policy, f"rules.{symbol}", first_amount_zero=False) or default.brackets,
        stale_after_ms=fields.whole(row, "stale_after_ms", where) or 0,
        hedged_mode=fields.choice(row, "hedged_mode", where, "factor larger"),
        **values,
    )


def _bracket(raw: object, where: str) -> Bracket:
    row = fields.only(raw, _BRACKET, where)
    return Bracket(
        fields.amount(row, "floor", f"{where}."),
        fields.optional(row, "cap", f"{where}."),
        fields.number(row.get("rate"), f"{where}.rate"),
        fields.amount(row, "amount", f"{where}."),
        fields.positive(row, "max_leverage", f"{where}."),
    )


def _thresholds(top: Json, model: str) -> Thresholds:
    default = default_thresholds(model)
    raw = top.get("thresholds")
    if raw is None:
        return default
    row = fields.only(raw, "mode warning margin_call liquidation release auto_reduce", "thresholds")
    mode = fields.choice(row, "mode", "thresholds.", f"{default.mode} ratio percent money")
    names = ("warning", "margin_call", "liquidation", "release")
    values = [fields.optional(row, name, "thresholds.") if name in row or mode == default.mode else None for name in names]
    a, b, c, d = (getattr(default, name) if value is None else value for name, value in zip(names, values, strict=True))
    if mode != default.mode and None in values:
        raise BadInput(f"thresholds: expected {', '.join(names)} with mode {mode}")
    return check_thresholds(Thresholds(mode, a, b, c, d, fields.optional(row, "auto_reduce", "thresholds.")), "thresholds")
