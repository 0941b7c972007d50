"""An account as the engine's row has it beside the same account as it must be, a line for each balance or position that differs."""

from decimal import Decimal

from schemas.engine_pb2 import AccountState
from schemas.money import say_short
from streams.stack.oracle import Expected


def state_of(account: AccountState) -> Expected:
    """Balances and open positions as the row has them."""
    return Expected({asset: Decimal(balance.wallet_balance or "0") for asset, balance in account.balances.items()},
                    {f"{held.instrument}/{held.side}": (Decimal(held.quantity), Decimal(held.entry_price or "0"))
                     for held in account.positions.values() if Decimal(held.quantity or "0")})


def account_differences(expected: Expected | None, found: Expected | None) -> list[str]:
    """One line a balance or position that is not exactly as expected; an empty account and none are the same."""
    ours, theirs = expected or Expected({}, {}), found or Expected({}, {})
    zero = Decimal(0)
    lines = [f"balance {asset}: expected {ours.balances.get(asset, zero)}, was {theirs.balances.get(asset, zero)}"
             for asset in sorted(ours.balances.keys() | theirs.balances.keys())
             if ours.balances.get(asset, zero) != theirs.balances.get(asset, zero)]
    return lines + [
        f"position {what}: expected {_held(ours, what)}, was {_held(theirs, what)}"
        for what in sorted(ours.positions.keys() | theirs.positions.keys())
        if ours.positions.get(what) != theirs.positions.get(what)
    ]


def _held(account: Expected, what: str) -> str:
    quantity, entry = account.positions.get(what, (Decimal(0), Decimal(0)))
    return f"{say_short(quantity)} @ {say_short(entry)}" if quantity else "none"
