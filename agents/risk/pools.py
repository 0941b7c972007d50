"""The pools of an exchange account: a cross pool per settle asset or one weighted pool of all, and one per isolated position."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from agents.risk.law import Book, Collateral, Leg, Pool
from agents.risk.market import Market
from agents.risk.policies import REACHED, WEIGHTED, Model
from schemas.money import ONE, ZERO

CROSS, ISOLATED = "cross", "isolated"
WHOLE = "cross:"  # name of a weighted pool


def pools_of(book: Book, legs: Sequence[Leg], orders: Mapping[str, Decimal], market: Market, model: Model) -> tuple[list[Leg], list[Pool]]:
    """(legs, pools); the legs know the pool they stand in and, in a weighted one, the rate to the account's currency."""
    needed = _needed(book, legs, model)
    assets = sorted({*book.balances, *orders, *needed, book.currency})
    wallets = dict.fromkeys(assets, ZERO) | dict(book.balances)
    rates = {asset: _rate(asset, book, market, needed=asset in needed) for asset in assets}
    crossed, isolated = _parted(legs, wallets)
    for group in isolated.values():
        wallets[group[0].asset] -= _isolated_wallet(group)
    if model.pooling == WEIGHTED:
        whole = _weighted(book, (wallets, rates), crossed, orders)
        return [leg._replace(pool=WHOLE, conversion=rates[leg.asset] or ZERO) for leg in legs], [_followed(whole, book, market)]
    pools = [_pool((f"{WHOLE}{asset}", asset, None), wallets[asset], crossed[asset], (rate, model), orders.get(asset, ZERO))
             for asset, rate in rates.items() if rate is not None]
    return list(legs), pools + [_isolated_pool(group, rates[group[0].asset], model) for group in isolated.values()]


def _isolated_pool(legs: Sequence[Leg], rate: Decimal | None, model: Model) -> Pool:
    return _pool((legs[0].pool, legs[0].asset, legs[0].key), _isolated_wallet(legs), legs, (rate or ZERO, model))


def _parted(legs: Sequence[Leg], assets: Iterable[str]) -> tuple[dict[str, list[Leg]], dict[str, list[Leg]]]:
    """Cross legs by asset, isolated ones by pool."""
    crossed: dict[str, list[Leg]] = {asset: [] for asset in assets}
    isolated: dict[str, list[Leg]] = {}
    for leg in legs:
        if leg.position.margin_mode == ISOLATED:
            isolated.setdefault(leg.pool, []).append(leg)
        else:
            crossed[leg.asset].append(leg)
    return crossed, isolated


def _isolated_wallet(legs: Sequence[Leg]) -> Decimal:
    return sum((leg.position.isolated_wallet or ZERO for leg in legs), ZERO)


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


def _followed(pool: Pool, book: Book, market: Market) -> Pool:
    """The weighted pool, its collateral with the instrument that each one's worth moves with."""
    follows = {asset: found._replace(via=market.via(asset, book.currency, book.venue)) for asset, found in pool.collateral.items()}
    return pool._replace(collateral=follows)


def _needed(book: Book, legs: Sequence[Leg], model: Model) -> set[str]:
    """Assets without whose rate the account cannot be judged: of positions, debts, collateral of a weighted pool."""
    weighed = {asset for asset in book.balances if model.pooling == WEIGHTED and book.weights.get(asset, ONE) > 0}
    found = {asset for asset, balance in book.balances.items() if balance < 0 or (balance and asset in weighed)}
    return found | {leg.asset for leg in legs}


def _rate(asset: str, book: Book, market: Market, *, needed: bool) -> Decimal | None:
    """To the account's currency; a needed one that is missing is a reason for unknown, any other asset is left out and said."""
    if asset == book.currency:
        return ONE
    if not needed and not market.convertible(asset, book.currency, book.venue):
        if book.balances.get(asset, ONE):
            market.notes.add(f"unconverted:{asset}")
        return None
    return market.rate(asset, book.currency, buying=book.balances.get(asset, ZERO) < 0, venue=book.venue) or (ZERO if needed else None)
