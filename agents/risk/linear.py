"""Binance USD-M: linear contracts at the mark price, brackets, a cross pool per asset and a pool per isolated position."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agents.risk import reduce
from agents.risk.ladder import rung, worst_pool
from agents.risk.law import Book, Close, Evaluation, Leg, Pool, Prices, signed_cost, signed_quantity
from agents.risk.market import Market
from agents.risk.rules import Instrument, Thresholds
from agents.risk.tiers import maintenance
from agents.risk.walk import Line, roots
from schemas.money import ONE, ZERO
from tables.rows import LIQUIDATION, Order, Position


class Linear:
    """Equity = wallet + PnL at the mark; maintenance = notional x rate - amount; breach where maintenance reaches equity."""

    def evaluate(self, book: Book, market: Market, thresholds: Thresholds) -> Evaluation:
        """Figures of the book; a notional above the final cap is refused, as the venue would not carry it."""
        legs, refused = _legs(book, market)
        order_margin = _order_margin(book, legs, market)
        pools = _pools(book, legs, order_margin, market)
        total = [
            sum((getattr(pool, field) * pool.rate for pool in pools), ZERO)
            for field in ("wallet", "equity", "initial_margin", "maintenance_margin")
        ]
        free = sum(((pool.equity - pool.initial_margin) * pool.rate for pool in pools if pool.kind == "cross"), ZERO)
        rates = {pool.name: pool.rate for pool in pools}
        pnl = sum((leg.unrealised_pnl * rates[leg.pool] for leg in legs), ZERO)
        return Evaluation(total[0], total[1], pnl, total[2], total[3], free, pools, tuple(legs), refused)

    def prices(self, leg: Leg, evaluation: Evaluation, thresholds: Thresholds) -> Prices:
        """Where the pool's maintenance reaches its equity as this instrument alone moves; both legs of a hedge share them."""
        pool = next(pool for pool in evaluation.pools if pool.name == leg.pool)
        moving = [found for found in evaluation.legs if found.pool == leg.pool and found.rule.name == leg.rule.name]
        sizes = [found.signed * found.rule.contract_size for found in moving]
        worth = sum((size * found.price for size, found in zip(sizes, moving, strict=True)), ZERO)
        still = pool.equity - worth
        others = pool.maintenance_margin - sum((found.maintenance_margin for found in moving), ZERO)
        lines = [Line(size, found.rule.brackets, found.rule.tier_policy) for size, found in zip(sizes, moving, strict=True)]
        below, above = roots(still - others, lines, leg.price)
        net = sum(sizes, ZERO)
        gone = -still / net if net else ZERO
        return Prices(below, above, gone if gone > 0 else None)

    def plan(self, evaluation: Evaluation, thresholds: Thresholds) -> tuple[Close, ...]:
        """Per breached pool the reductions that bring its ratio to `release`, the largest requirement first.

        Where none is breached any more the worst one goes on to `release`: it is what keeps the account on its rung.
        """
        found: list[Close] = []
        breached = [pool for pool in evaluation.pools if rung(pool, thresholds) == LIQUIDATION]
        worst = worst_pool(evaluation, thresholds)
        for pool in breached or ([worst] if worst else []):
            if pool.ratio is None or pool.ratio > thresholds.release:
                found += reduce.to_ratio(pool, [leg for leg in evaluation.legs if leg.pool == pool.name], thresholds.release)
        return tuple(found)


def _leg(key: str, position: Position, book: Book, market: Market) -> Leg | str | None:
    rule = market.instrument(position.instrument)
    price = market.price(position.instrument, "mark")
    if rule is None or price is None:
        return None
    if not rule.brackets:
        market.unknown.add(f"missing_rule:{position.instrument}")
        return None
    if not position.entry_price:
        market.unknown.add(f"missing_entry:{position.instrument}")
    signed = signed_quantity(position)
    notional = abs(signed) * rule.contract_size * price
    required = maintenance(rule.brackets, rule.tier_policy, notional)
    if required.beyond:
        return f"notional above final cap: {position.instrument}"
    asset = rule.settle or rule.quote or book.currency
    isolated = position.margin_mode == "isolated"
    if isolated and position.isolated_wallet is None:
        market.unknown.add(f"missing_isolated_wallet:{position.instrument}")
    return Leg(
        key,
        position,
        rule,
        key if isolated else f"cross:{asset}",
        signed,
        price,
        notional,
        (signed * price - signed_cost(position)) * rule.contract_size,
        notional / _leverage(position, book),
        required.amount,
        required.rate,
    )


def _leverage(position: Position, book: Book) -> Decimal:
    return position.leverage or book.leverages.get(position.instrument) or book.leverage or ONE


def _legs(book: Book, market: Market) -> tuple[list[Leg], str]:
    """The legs that can be valued, and why the first of the others was refused."""
    found = [_leg(key, position, book, market) for key, position in sorted(book.positions.items()) if position.quantity]
    return [leg for leg in found if isinstance(leg, Leg)], next((leg for leg in found if isinstance(leg, str)), "")


def _pools(book: Book, legs: Sequence[Leg], order_margin: dict[str, Decimal], market: Market) -> tuple[Pool, ...]:
    isolated = [leg for leg in legs if not leg.pool.startswith("cross:")]
    assets = sorted({*book.balances, *order_margin, *(_asset(leg, book) for leg in legs), book.currency})
    found = (_cross_pool(asset, book, legs, (order_margin.get(asset, ZERO), market)) for asset in assets)
    pools = [pool for pool in found if pool is not None]
    for leg in isolated:
        rate = next((pool.rate for pool in pools if pool.asset == _asset(leg, book)), ZERO)
        pools.append(_pool((leg.pool, _asset(leg, book), leg.key), leg.position.isolated_wallet or ZERO, [leg], rate))
    return tuple(pools)


def _cross_pool(asset: str, book: Book, legs: Sequence[Leg], around: tuple[Decimal, Market]) -> Pool | None:
    """The cross pool of an asset: its wallet less the isolated wallets; None where it cannot be converted and nothing needs it."""
    orders, market = around
    here = [leg for leg in legs if _asset(leg, book) == asset]
    own = [leg for leg in here if leg.pool == f"cross:{asset}"]
    wallets = sum((leg.position.isolated_wallet or ZERO for leg in here if leg not in own), ZERO)
    rate = _rate(asset, book.currency, market, needed=bool(here))
    return None if rate is None else _pool((f"cross:{asset}", asset, None), book.balances.get(asset, ZERO) - wallets, own, rate, orders)


def _pool(what: tuple[str, str, str | None], wallet: Decimal, legs: Sequence[Leg], rate: Decimal, orders: Decimal = ZERO) -> Pool:
    name, asset, position = what
    pnl, initial, required = (
        sum((getattr(leg, field) for leg in legs), ZERO) for field in ("unrealised_pnl", "initial_margin", "maintenance_margin")
    )
    return Pool(
        name, "isolated" if position else "cross", asset, position, wallet, wallet + pnl, initial + orders, required, required, rate
    )


def _asset(leg: Leg, book: Book) -> str:
    return leg.rule.settle or leg.rule.quote or book.currency


def _rate(asset: str, currency: str, market: Market, *, needed: bool) -> Decimal | None:
    """To the account's currency; an asset that cannot be converted and carries no position is left out of the totals, and said."""
    if asset == currency:
        return ONE
    if not needed and not market.convertible(asset, currency, "binance_usdm"):
        market.notes.add(f"unconverted:{asset}")
        return None
    return market.rate(asset, currency, buying=False, venue="binance_usdm") or (ZERO if needed else None)


def _order_margin(book: Book, legs: Sequence[Leg], market: Market) -> dict[str, Decimal]:
    """Initial margin of open orders per asset: what max(|position + bids|, |position - asks|) takes above the position itself."""
    found: dict[str, Decimal] = {}
    for name in sorted({order.instrument for order in book.orders}):
        rule, price = market.instrument(name), market.price(name, "mark")
        if rule is None or price is None:
            continue
        asset = rule.settle or rule.quote or book.currency
        extra = _extra(name, rule, price, (book, legs))
        if extra:
            found[asset] = found.get(asset, ZERO) + extra
    return found


def _extra(name: str, rule: Instrument, price: Decimal, held: tuple[Book, Sequence[Leg]]) -> Decimal:
    book, legs = held
    total = ZERO
    for side in ("BOTH", "LONG", "SHORT"):
        leg = next((leg for leg in legs if leg.rule.name == name and leg.position.side == side), None)
        worth = leg.notional.copy_sign(leg.signed) if leg else ZERO
        leverage = _leverage(leg.position, book) if leg else book.leverages.get(name) or book.leverage or ONE
        bids, asks = (_worth(book.orders, (name, side, buy), rule, price) for buy in ("BUY", "SELL"))
        if side == "BOTH":
            total += (max(abs(worth), abs(worth + bids), abs(worth - asks)) - abs(worth)) / leverage
        else:
            total += (bids if side == "LONG" else asks) / leverage
    return total


def _worth(orders: Sequence[Order], wanted: tuple[str, str, str], rule: Instrument, price: Decimal) -> Decimal:
    """Notional of the open orders of one instrument, position side and direction; a market order counts at the mark."""
    open_orders = (
        order for order in orders if not order.reduce_only and (order.instrument, order.position_side or "BOTH", order.side) == wanted
    )
    return sum(((order.quantity - order.filled_quantity) * rule.contract_size * (order.price or price) for order in open_orders), ZERO)
