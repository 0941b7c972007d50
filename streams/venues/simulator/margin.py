"""Margin of a simulated account: PnL, maintenance, initial margin, what is available; a cross pool per settle asset, isolated apart."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from schemas.money import ONE, ZERO
from streams.venues.simulator.books import Account, Bracket, Instrument, Order, Position

DEFAULT_LEVERAGE = 20


class Market(NamedTuple):
    """What figures are computed from: instruments and their marks."""

    instruments: Mapping[str, Instrument]
    marks: Mapping[str, Decimal]


class Pool(NamedTuple):
    """Figures of one settle asset; cross parts exclude isolated positions."""

    wallet: Decimal
    cross_wallet: Decimal
    unrealised: Decimal
    cross_unrealised: Decimal
    maintenance: Decimal
    cross_maintenance: Decimal
    position_margin: Decimal
    order_margin: Decimal
    available: Decimal


def bracket(instrument: Instrument, notional: Decimal) -> Bracket:
    """The tier of a notional; past the last cap the last one."""
    return next((one for one in instrument.brackets if notional <= one.cap), instrument.brackets[-1])


def notional(position: Position, market: Market) -> Decimal:
    """Absolute value at the mark, in the settle asset."""
    return abs(position.amount) * market.marks[position.symbol] * market.instruments[position.symbol].contract_size


def unrealised(position: Position, market: Market) -> Decimal:
    """PnL at the mark."""
    return position.amount * (market.marks[position.symbol] - position.entry) * market.instruments[position.symbol].contract_size


def maintenance(position: Position, market: Market) -> Decimal:
    """Maintenance margin by bracket."""
    size = notional(position, market)
    tier = bracket(market.instruments[position.symbol], size)
    return max(ZERO, size * tier.rate - tier.amount)


def leverage(account: Account, symbol: str) -> int:
    """As set, else the venue's default."""
    return account.leverage.get(symbol, DEFAULT_LEVERAGE)


def initial(account: Account, position: Position, market: Market) -> Decimal:
    """Initial margin at the mark."""
    return notional(position, market) / leverage(account, position.symbol)


def break_even(position: Position, instrument: Instrument) -> Decimal:
    """The price at which fees paid and PnL made of this stay are even."""
    if not position.amount:
        return ZERO
    return position.entry + position.spent / (position.amount * instrument.contract_size)


def order_margin(account: Account, orders: Iterable[Order], market: Market) -> Decimal:
    """What open orders hold; those that only reduce hold nothing."""
    held = (order.left * (order.price or market.marks[order.symbol]) * market.instruments[order.symbol].contract_size
            / leverage(account, order.symbol) for order in orders if not order.reduce_only and not _closes(account, order))
    return sum(held, ZERO)


def _closes(account: Account, order: Order) -> bool:
    position = account.positions.get((order.symbol, order.position_side))
    if position is None or not position.amount:
        return False
    return (position.amount > 0) != (order.side == "BUY") and order.left <= abs(position.amount)


def pool(account: Account, asset: str, market: Market) -> Pool:
    """Figures of one asset; zeros where the account never had it."""
    held = [one for one in account.positions.values() if one.amount and market.instruments[one.symbol].quote == asset]
    cross = [one for one in held if not one.isolated]
    orders = [order for order in account.open_orders() if market.instruments[order.symbol].quote == asset]
    wallet = account.balances[asset].wallet if asset in account.balances else ZERO
    cross_wallet = wallet - _total(lambda one: one.isolated_wallet, held)
    cross_pnl, of_orders = _total(lambda one: unrealised(one, market), cross), order_margin(account, orders, market)
    cross_margin = _total(lambda one: initial(account, one, market), cross)
    return Pool(wallet, cross_wallet, _total(lambda one: unrealised(one, market), held), cross_pnl,
                _total(lambda one: maintenance(one, market), held), _total(lambda one: maintenance(one, market), cross),
                _total(lambda one: initial(account, one, market), held), of_orders,
                max(ZERO, cross_wallet + cross_pnl - cross_margin - of_orders))


def _total(figure: Callable[[Position], Decimal], positions: Iterable[Position]) -> Decimal:
    return sum(map(figure, positions), ZERO)


def liquidation_price(account: Account, position: Position, market: Market) -> Decimal:
    """Where this position alone, all other marks standing still, brings its pool to maintenance; 0 where no price does."""
    if not position.amount:
        return ZERO
    instrument = market.instruments[position.symbol]
    whole = pool(account, instrument.quote, market)
    mine, need = unrealised(position, market), maintenance(position, market)
    if position.isolated:
        rest, others = position.isolated_wallet, ZERO
    else:
        rest, others = whole.cross_wallet + whole.cross_unrealised - mine, whole.cross_maintenance - need
    tier = bracket(instrument, notional(position, market))
    units = position.amount * instrument.contract_size
    # rest + units x (p - entry) = others + |units| x p x rate - amount
    slope = units - abs(units) * tier.rate
    return max(ZERO, (others - tier.amount - rest + units * position.entry) / slope)


def ratio(account: Account, asset: str, market: Market) -> Decimal:
    """Maintenance over equity of the cross pool; breach at 1 and above, 0 without positions."""
    whole = pool(account, asset, market)
    equity = whole.cross_wallet + whole.cross_unrealised
    if not whole.cross_maintenance:
        return ZERO
    return whole.cross_maintenance / equity if equity > 0 else ONE


def isolated_ratio(position: Position, market: Market) -> Decimal:
    """As `ratio`, of one isolated position."""
    equity = position.isolated_wallet + unrealised(position, market)
    return maintenance(position, market) / equity if equity > 0 else ONE

