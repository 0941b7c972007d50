"""An evaluation's input as values of the law: book, market, thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from msgspec import structs

from agents import fields
from agents.fields import BadInput, Json
from agents.intake_rules import absent, currencies, rule_of
from agents.risk.law import MODELS, Book
from agents.risk.market import Market
from agents.risk.policies import BASE, MODEL_POLICIES, WEIGHTED
from agents.risk.rules import EXCHANGE_THRESHOLDS, FX_THRESHOLDS, Instrument, Thresholds, check_thresholds, default_thresholds
from agents.risk.ticks import stale
from agents.risk.world import Mark
from schemas.keys import HOUSE
from tables.rows import RUNG_NAMES, Order, Position, position_key

_TOP = "model currency balances positions orders prices rules rates collateral_weights leverage credit previous_rung now_ms thresholds"
_POSITION = "id symbol side quantity entry_price margin_mode isolated_wallet leverage open_rate swap commission"
_ORDER = "symbol side position_side quantity price reduce_only"
_VENUES = {"mt5": HOUSE, "binance_usdm_multi_asset": "binance_usdm"}  # whose instruments a model's are, where it is not of the same name


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
    market = _market(top, book)
    book = book if top.get("currency") else _own(book, market)
    return Intake(book, market, _thresholds(top, model), rungs[fields.choice(top, "previous_rung", "", " ".join(rungs))], ids)


def _currency(model: str, balances: Mapping[str, Decimal]) -> str:
    """What an account counts in that does not say so: USD, USDT, the one coin of a coin-margined one."""
    if model in MODEL_POLICIES and MODEL_POLICIES[model].settles_in != BASE:
        return "USDT"
    return next(iter(balances)) if model in MODEL_POLICIES and len(balances) == 1 else "USD"


def _own(book: Book, market: Market) -> Book:
    """A book that names no currency counts in the one asset it has, where nothing converts that."""
    asset = next(iter(book.balances)) if len(book.balances) == 1 else book.currency
    return book if market.convertible(asset, book.currency, book.venue) else structs.replace(book, currency=asset)


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
        quantity = fields.required(row, "quantity", where)
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
        reduce_only = row.get("reduce_only")
        if reduce_only is not None and not isinstance(reduce_only, bool):
            raise BadInput(f"{where}reduce_only: expected true or false, was {reduce_only!r}")
        quantity = fields.required(row, "quantity", where)
        if quantity < 0:
            raise BadInput(f"{where}quantity: expected 0 or more, was {quantity}")
        if row.get("side") is None:
            raise BadInput(f"{where}side: expected BUY or SELL, was none")
        found.append(
            Order(
                "",
                f"{venue}:{_symbol(row, where)}",
                str(at),
                side=fields.choice(row, "side", where, "BUY SELL"),
                position_side=fields.choice(row, "position_side", where, "BOTH LONG SHORT"),
                quantity=quantity,
                price=fields.positive(row, "price", where) or Decimal(0),
                reduce_only=bool(reduce_only),
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
    marks = _marks(top, venue)
    rules = {f"{venue}:{symbol}": rule_of(raw, symbol, book) for symbol, raw in fields.mapping(top, "rules").items()}
    rates = {}
    for pair, value in fields.mapping(top, "rates").items():
        source, _, target = pair.partition("/")
        rate = fields.number(value, f"rates.{pair}")
        if not source or not target or "/" in target or rate <= 0:
            raise BadInput(f"rates.{pair}: expected 'EUR/USD': a rate above 0, was {value!r}")
        rates[source, target] = rate
    now_ms = fields.whole(top, "now_ms", "")

    def instrument(name: str) -> Instrument | None:
        return rules.get(name) or absent(name, book.model)

    def freshness(mark: Mark, rule: Instrument | None) -> str:
        bound = rule.stale_after_ms if rule else 0
        return stale(mark, now_ms, rule, bound) if now_ms is not None and bound and mark.append_ms else ""

    pairs = {(venue, base, quote): name for name in sorted(marks) for base, quote in [currencies(name, instrument(name))] if base and quote}
    return Market(marks, instrument, pairs, rates, freshness)


def _marks(top: Json, venue: str) -> dict[str, Mark]:
    found = {}
    for symbol, raw in fields.mapping(top, "prices").items():
        where, name = f"prices.{symbol}.", f"{venue}:{symbol}"
        row = fields.only(raw, "bid ask last mark time_ms", where[:-1])
        bid, ask, last, mark = (fields.positive(row, price, where) for price in ("bid", "ask", "last", "mark"))
        if bid is not None and ask is not None and bid > ask:
            raise BadInput(f"{where}bid: expected at or below ask {ask}, was {bid}")
        found[name] = Mark(name, bid, ask, last, mark, -1, fields.whole(row, "time_ms", where) or 0)
    return found


def _thresholds(top: Json, model: str) -> Thresholds:
    default = default_thresholds(model)
    raw = top.get("thresholds")
    if raw is None:
        return default
    row = fields.only(raw, "mode warning margin_call liquidation release auto_reduce", "thresholds")
    mode = fields.choice(row, "mode", "thresholds.", f"{default.mode} ratio percent money")
    names = ("warning", "margin_call", "liquidation", "release")
    values = [fields.optional(row, name, "thresholds.") for name in names]
    if mode == "money" and None in values:
        raise BadInput(f"thresholds: expected {', '.join(names)} with mode money")
    default = FX_THRESHOLDS if mode == "percent" else EXCHANGE_THRESHOLDS
    a, b, c, d = (getattr(default, name) if value is None else value for name, value in zip(names, values, strict=True))
    return check_thresholds(Thresholds(mode, a, b, c, d, fields.optional(row, "auto_reduce", "thresholds.")), "thresholds")
