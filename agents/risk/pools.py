"""The pools of an exchange account: a cross pool per settle asset or one weighted pool of all, and one per isolated position."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from agents.risk.law import Book, Collateral, Leg, Pool
from agents.risk.market import Market
from agents.risk.policies import REACHED, WEIGHTED, Model
from schemas.money import ONE, ZERO

CROSS, ISOLATED = "cross", "isolated"
WHOLE = "cross:"  # name of a weighted pool


def pools_of(book: Book, legs: Sequence[Leg], orders: Mapping[str, Decimal], around: tuple[Market, Model]) -> tuple[list[Leg], list[Pool]]:
    """(legs, pools); the legs know the pool they stand in and the rate to the account's currency."""
    market, model = around
    needed = {leg.asset for leg in legs}
    names = sorted({*book.balances, *orders, *needed, book.currency})
    rates = {asset: _rate(asset, book, market, needed=asset in needed) for asset in names}
    crossed: dict[str, list[Leg]] = {asset: [] for asset in names}
    isolated: dict[str, list[Leg]] = {}
    wallets = {asset: book.balances.get(asset, ZERO) for asset in names}
    for leg in legs:
        if leg.position.margin_mode == ISOLATED:
            isolated.setdefault(leg.pool, []).append(leg)
            wallets[leg.asset] -= leg.position.isolated_wallet or ZERO
        else:
            crossed[leg.asset].append(leg)
    pools = []
    if model.pooling == WEIGHTED:
        pools.append(_weighted(book, (wallets, rates), crossed, orders))
        legs = [leg._replace(pool=WHOLE, conversion=rates[leg.asset] or ZERO) for leg in legs]
    else:
        for asset in names:
            rate = rates[asset]
            if rate is not None:
                pools.append(_pool((f"{WHOLE}{asset}", asset, None), wallets[asset], crossed[asset], (rate, model), orders.get(asset, ZERO)))
    for name, group in isolated.items():
        asset = group[0].asset
        wallet = sum((leg.position.isolated_wallet or ZERO for leg in group), ZERO)
        pools.append(_pool((name, asset, group[0].key), wallet, group, (rates[asset] or ZERO, model)))
    return list(legs), pools


def _pool(
    what: tuple[str, str, str | None], wallet: Decimal, legs: Sequence[Leg], at: tuple[Decimal, Model], orders: Decimal = ZERO
) -> Pool:
    name, asset, position = what
    rate, model = at
    pnl, initial, maintenance, required = ZERO, orders, ZERO, ZERO
    for leg in legs:
        pnl += leg.unrealised_pnl
        initial += leg.initial_margin
        maintenance += leg.maintenance_margin
        required += leg.requirement
    kind = ISOLATED if position else CROSS
    return Pool(name, kind, asset, position, wallet, wallet + pnl, initial, maintenance, required, rate, model.linear.boundary == REACHED)


def _weighted(
    book: Book, held: tuple[Mapping[str, Decimal], Mapping[str, Decimal | None]], crossed: Mapping[str, Sequence[Leg]],
    orders: Mapping[str, Decimal],
) -> Pool:
    """One pool in the account's currency: each asset's balance with its PnL, by weight where it is above zero."""
    wallets, rates = held
    total = [ZERO, ZERO, ZERO, ZERO]
    collateral = {}
    for asset, legs in crossed.items():
        rate = rates[asset]
        if rate is None:
            continue
        balance = wallets[asset] + sum((leg.unrealised_pnl for leg in legs), ZERO)
        collateral[asset] = Collateral(balance, rate, book.weights.get(asset, ONE))
        total[0] += wallets[asset] * rate
        total[1] += (sum((leg.initial_margin for leg in legs), ZERO) + orders.get(asset, ZERO)) * rate
        total[2] += sum((leg.maintenance_margin for leg in legs), ZERO) * rate
        total[3] += sum((leg.requirement for leg in legs), ZERO) * rate
    equity = sum((found.value for found in collateral.values()), ZERO)
    return Pool(WHOLE, CROSS, book.currency, None, total[0], equity, total[1], total[2], total[3], collateral=collateral)


def _rate(asset: str, book: Book, market: Market, *, needed: bool) -> Decimal | None:
    """To the account's currency; an asset that cannot be converted and carries no position is left out of the totals, and said."""
    if asset == book.currency:
        return ONE
    if not needed and not market.convertible(asset, book.currency, book.venue):
        market.notes.add(f"unconverted:{asset}")
        return None
    return market.rate(asset, book.currency, buying=book.balances.get(asset, ZERO) < 0, venue=book.venue) or (ZERO if needed else None)
