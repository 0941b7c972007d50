"""From a row to what the law judges: the book of an account, its thresholds, and its figures as the row keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from agents.risk.ladder import worst_pool
from agents.risk.law import Book, Evaluation
from agents.risk.rules import Group, Rules, Thresholds
from tables.rows import Account, Figures, Orders, User

FALLBACK_LEVERAGE = Decimal(100)  # of an FX account whose user and group name none
_PLACES = Decimal(1).scaleb(-12)


def book_of(user: User, account: Account, group: Group, orders: Orders | None, weights: Mapping[str, Decimal] | None = None) -> Book:
    """The account as the law sees it; its open orders from the other ledger, where given; `weights` of collateral per asset."""
    known = sorted(orders.orders.items()) if orders else ()
    own = tuple(order for _, order in known if order.account_id == account.account_id and order.instrument.startswith(account.venue + ":"))
    balances = {asset: balance.wallet_balance for asset, balance in account.balances.items()}
    leverage = user.profile.leverage or group.leverage or (FALLBACK_LEVERAGE if account.model == "mt5" else None)
    return Book(model_of(account), account.currency, balances, account.positions, own, leverage, account.leverages, venue=account.venue,
                weights=weights or {})


def weights_of(account: Account, rules: Rules, now_ms: int) -> dict[str, Decimal]:
    """Collateral weights into the account's currency that hold now."""
    found = {asset: rules.weight(f"{account.currency}/{asset}", now_ms) for asset in account.balances}
    return {asset: weight for asset, weight in found.items() if weight is not None}


def model_of(account: Account) -> str:
    """The model that judges: a Binance account in multi-assets mode is judged as one."""
    multi = account.multi_assets and account.model == "binance_usdm"
    return "binance_usdm_multi_asset" if multi else account.model


def thresholds_for(account: Account, group: Group) -> Thresholds:
    """The group's thresholds for the account's model; who opted into `auto_reduce` is liquidated there, before the venue would."""
    found = group.thresholds_of(account.model)
    return found.early() if account.auto_reduce else found


def figures_of(evaluation: Evaluation, thresholds: Thresholds) -> Figures:
    """Figures in the account's currency, to 12 decimals; the ratio is the worst pool's."""
    worst = worst_pool(evaluation, thresholds)
    ratio = worst.ratio if worst and thresholds.mode != "money" else None
    level = evaluation.level_pct
    return Figures(rounded(evaluation.equity), rounded(evaluation.initial_margin), rounded(evaluation.maintenance_margin),
                   rounded(evaluation.free_margin), rounded(evaluation.unrealised_pnl), None if ratio is None else rounded(ratio),
                   None if level is None else rounded(level))


def rounded(number: Decimal) -> Decimal:
    """At most 12 decimals: a quotient must not outgrow what a row can be read back from."""
    exponent = number.as_tuple().exponent
    return number.quantize(_PLACES) if isinstance(exponent, int) and exponent < -12 else number
