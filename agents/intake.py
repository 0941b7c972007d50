"""An evaluation's input as values of the law: book, market, thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from agents import fields
from agents.fields import BadInput, Json
from agents.risk import shipped
from agents.risk.law import MODELS, Book
from agents.risk.market import Market
from agents.risk.policies import BASE, MODEL_POLICIES, WEIGHTED, Model, policies_of, settle_of
from agents.risk.rules import CALC_MODES, Instrument, Thresholds, check_thresholds, default_thresholds
from agents.risk.ticks import stale
from agents.risk.tiers import Bracket, validate
from agents.risk.world import Mark
from agents.symbols import pair_of
from schemas.keys import HOUSE
from schemas.money import ONE
from tables.rows import RUNG_NAMES, Order, Position, position_key

_TOP = "model currency balances positions orders prices rules rates collateral_weights leverage credit previous_rung now_ms thresholds"
_POSITION = "id symbol side quantity entry_price margin_mode isolated_wallet leverage open_rate swap commission"
_ORDER = "symbol side position_side quantity price reduce_only"
_RULE = (
    "brackets tier_policy tier_unit base quote settle contract_size taker_fee calc_mode margin_rate hedged_factor hedged_mode tick_size"
    " tick_value initial_margin maintenance_margin quantity_step min_quantity price_tick stale_after_ms"
)
_AMOUNTS = "tick_size tick_value initial_margin taker_fee hedged_factor quantity_step min_quantity price_tick"
_VENUES = {"mt5": HOUSE, "binance_usdm_multi_asset": "binance_usdm"}  # whose instruments a model's are, where it is not of the same name
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
    venue = _VENUES.get(model, model)
    positions, ids = _positions(top, venue)
    balances = {asset: fields.number(value, f"balances.{asset}") for asset, value in fields.mapping(top, "balances").items()}
    book = Book(
        model,
        fields.text(top, "currency", "", _currency(model, balances)),
        balances,
        positions,
        _orders(top, venue),
        fields.positive(top, "leverage", ""),
        credit=fields.amount(top, "credit", ""),
        venue=venue,
        weights=_weights(top),
    )
    if model != "mt5":
        _check_exchange(book)
    rungs = {name: number for number, name in RUNG_NAMES.items() if number in (1, 2, 3, 4)}
    return Intake(book, _market(top, book), _thresholds(top, model), rungs[fields.choice(top, "previous_rung", "", " ".join(rungs))], ids)


def _currency(model: str, balances: Mapping[str, Decimal]) -> str:
    """What an account counts in that does not say so: USD, USDT, the one coin of a coin-margined one."""
    if model in MODEL_POLICIES and MODEL_POLICIES[model].settles_in != BASE:
        return "USDT"
    return next(iter(balances)) if model in MODEL_POLICIES and len(balances) == 1 else "USD"


def _weights(top: Json) -> dict[str, Decimal]:
    found = {}
    for asset, value in fields.mapping(top, "collateral_weights").items():
        found[asset] = weight = fields.number(value, f"collateral_weights.{asset}")
        if not 0 <= weight <= 1:
            raise BadInput(f"collateral_weights.{asset}: expected 0 to 1, was {weight}")
    return found


def _check_exchange(book: Book) -> None:
    """An instrument has one leverage at a venue; a weighted pool carries cross positions only."""
    known: dict[str, Decimal] = {}
    for at, position in enumerate(book.positions.values()):
        leverage = position.leverage or book.leverage
        if position.quantity and leverage is not None and known.setdefault(position.instrument, leverage) != leverage:
            raise BadInput(f"positions[{at}].leverage: expected {known[position.instrument]}, as its other leg has, was {leverage}")
        if position.margin_mode == "isolated" and MODEL_POLICIES[book.model].pooling == WEIGHTED:
            raise BadInput(f"positions[{at}].margin_mode: expected cross with {book.model}, was isolated")


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


def _market(top: Json, book: Book) -> Market:
    venue = book.venue
    marks: dict[str, Mark] = {}
    for symbol, raw in fields.mapping(top, "prices").items():
        where = f"prices.{symbol}."
        row = fields.only(raw, "bid ask last mark time_ms", where[:-1])
        bid, ask, last, mark = (fields.positive(row, name, where) for name in ("bid", "ask", "last", "mark"))
        marks[f"{venue}:{symbol}"] = Mark(f"{venue}:{symbol}", bid, ask, last, mark, -1, fields.whole(row, "time_ms", where) or 0)
    rules = {f"{venue}:{symbol}": _rule(raw, symbol, book) for symbol, raw in fields.mapping(top, "rules").items()}
    rates = {}
    for pair, value in fields.mapping(top, "rates").items():
        source, _, target = pair.partition("/")
        rate = fields.number(value, f"rates.{pair}")
        if not source or not target or "/" in target or rate <= 0:
            raise BadInput(f"rates.{pair}: expected 'EUR/USD': a rate above 0, was {value!r}")
        rates[source, target] = rate
    now_ms = fields.whole(top, "now_ms", "")

    def instrument(name: str) -> Instrument | None:
        return rules.get(name) or _absent(name, book.model)

    def freshness(mark: Mark, rule: Instrument | None) -> str:
        bound = rule.stale_after_ms if rule else 0
        return stale(mark, now_ms, rule, bound) if now_ms is not None and bound and mark.append_ms else ""

    pairs = {(venue, base, quote): name for name in sorted(marks) for base, quote in [_pair(name, instrument(name))] if base and quote}
    return Market(marks, instrument, pairs, rates, freshness)


def _pair(name: str, rule: Instrument | None) -> tuple[str, str]:
    """Base and quote of a price: as its rule says, else as its name does."""
    venue, _, symbol = name.partition(":")
    if rule and rule.base and rule.quote:
        return rule.base, rule.quote
    return pair_of(symbol, forex=venue == HOUSE) or ("", "")


def _absent(name: str, model: str) -> Instrument | None:
    """Without a rule: the shipped table of the model, or for FX a standard lot of a pair whose name says its currencies."""
    venue, _, symbol = name.partition(":")
    if venue != HOUSE:
        return shipped.instrument(symbol) if venue == "binance_usdm" else None
    pair = pair_of(symbol, forex=True)
    return Instrument(name, pair.base, pair.quote, pair.quote, Decimal(100_000)) if pair else None


def _default(name: str, book: Book) -> Instrument:
    """What a rule's absent fields are: the shipped rule's, else what the symbol and the model say."""
    found, model = _absent(name, book.model), MODEL_POLICIES.get(book.model)
    if found is not None or model is None:
        return found or Instrument(name)
    pair = pair_of(name.partition(":")[2])
    return Instrument(name, pair.base, pair.quote) if pair else Instrument(name)


def _rule(raw: object, symbol: str, book: Book) -> Instrument:
    where = f"rules.{symbol}."
    row, name, model = fields.only(raw, _RULE, where[:-1]), f"{book.venue}:{symbol}", MODEL_POLICIES.get(book.model)
    default = _default(name, book)
    base, quote = fields.text(row, "base", where) or default.base, fields.text(row, "quote", where) or default.quote
    settle = fields.text(row, "settle", where) or ("" if fields.text(row, "quote", where) else default.settle)
    found = replace(default, base=base, quote=quote, settle=settle)
    if model is not None:
        found = _tiered(row, replace(found, settle=settle_of(found, model, book.currency)), model, where)
    fields.optional(row, "maintenance_margin", where)  # of FUTURES: their venue's; thresholds here go by the initial margin
    return replace(
        found,
        contract_size=fields.positive(row, "contract_size", where) or (default.contract_size if book.venue == HOUSE else ONE),
        calc_mode=fields.choice(row, "calc_mode", where, " ".join(CALC_MODES)),
        **_margin_rates(row, where),
        stale_after_ms=fields.whole(row, "stale_after_ms", where) or 0,
        hedged_mode=fields.choice(row, "hedged_mode", where, "factor larger"),
        **_amounts(row, where),
    )


def _tiered(row: Json, rule: Instrument, model: Model, where: str) -> Instrument:
    """The rule with its table, by the policies of its kind of contract where the table does not say."""
    policies = policies_of(rule, model)
    policy = fields.choice(row, "tier_policy", where, f"{policies.tier_policy} progressive flat")
    unit = fields.choice(row, "tier_unit", where, f"{policies.tier_unit} notional contracts settle")
    brackets = tuple(_bracket(found, f"{where}brackets[{at}]") for at, found in enumerate(fields.rows(row, "brackets", where)))
    if not brackets and rule.brackets:
        return rule
    return replace(rule, tier_policy=policy, tier_unit=unit, brackets=validate(brackets, policy, where[:-1], first_amount_zero=False))


def _margin_rates(row: Json, where: str) -> dict[str, Decimal]:
    rates = row.get("margin_rate")
    two = fields.only(rates, "long short", f"{where}margin_rate") if isinstance(rates, dict) else {"long": rates, "short": rates}
    return {
        "margin_rate": fields.not_negative(two, "long", f"{where}margin_rate.", "1"),
        "margin_rate_short": fields.not_negative(two, "short", f"{where}margin_rate.", "1"),
    }


def _amounts(row: Json, where: str) -> dict[str, Decimal]:
    """The amounts that a rule names; absent ones stay as they are."""
    found = {}
    for field in _AMOUNTS.split():
        value = fields.optional(row, field, where)
        if value is not None:
            if value < 0:
                raise BadInput(f"{where}{field}: expected 0 or more, was {value}")
            found[field] = value
    return found


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
