"""House books: fills and liquidation steps move position and balance in one fold."""

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from schemas import names
from schemas.engine_pb2 import Transaction
from schemas.keys import HOUSE, instrument_key
from schemas.money import ONE, ZERO, parse, say
from schemas.user_data_pb2 import QtyUnit, Side, UserDataOrderUpdateEvent
from tables.draft import Draft, transaction
from tables.fills import Filled, Overfilled, fill, rounded
from tables.invariants import Broken
from tables.positions import side_of
from tables.quarantine import refuse
from tables.rows import Account, Output, PlanStep, Position, User, position_key
from tables.sequences import admit
from tables.venues import account_of
from tables.wallet import credit

BASE, CONTRACTS = "BASE", "CONTRACTS"  # the unit of a house position, kept as its product


class Unknowable(ValueError):
    """A fill whose realised PnL in the account's currency neither it nor the row tells."""


class Deal(NamedTuple):
    """How a step was executed: price per unit, fee paid in the account's currency, units per quantity, quote to account currency, ms."""

    price: Decimal
    fee: Decimal = ZERO
    contract_size: Decimal = ONE
    rate: Decimal = ONE
    time_ms: int = 0


class Change(NamedTuple):
    """One balance change of a fill or a step; `amount` signed."""

    cause: str
    kind: str
    asset: str
    amount: Decimal


def fold_fill(draft: Draft, event: UserDataOrderUpdateEvent) -> None:
    """A fill of the house book: by number where `meta.exchange_seq` is one, else by trade id within a bounded memory.

    Quantities are in base units unless `qty_unit` says contracts, of which the instrument's rule knows the size.
    """
    account = _account(draft, event)
    if account is None or not event.HasField("fill") or event.fill.lite or (account.venue == HOUSE and account.execution != HOUSE):
        return
    if account.venue != HOUSE:
        apply_fill(draft, event)  # it refuses
    elif _numbered(event):
        admit(draft, f"house-fills/{event.meta.account_id}", int(event.meta.exchange_seq))
    elif (trade := f"{event.symbol}/{event.fill.trade_id}") not in account.recent_fills:
        draft.put(replace(account, recent_fills=(*account.recent_fills, trade)[-draft.policy.recent_fills_max:]))
        apply_fill(draft, event)


def apply_fill(draft: Draft, event: UserDataOrderUpdateEvent) -> None:
    """Moves position and balance by an admitted fill; refused: an overfill of a LONG or SHORT position, money that nobody can tell."""
    account = _account(draft, event)
    if account is None or account.venue != HOUSE:
        refuse(draft, event.meta.account_id, "fill_refused", f"expected a house account, was {event.meta.account_id!r}")
        return
    known = _position(account, event)
    deal, sign = event.fill, 1 if event.side == Side.BUY else -1
    try:
        filled = fill(_in_unit(known, event), sign * parse(deal.qty), parse(deal.price))
        pnl = _realised(account, event, filled)
    except (Overfilled, Unknowable) as refused:
        refuse(draft, account.account_id, "fill_refused", f"fill {deal.trade_id!r}: {refused}")
        return
    fee = parse(deal.fee) if deal.fee else ZERO
    now_ms = draft.fact.time_ms
    account = replace(account, unfunded=account.unfunded or not account.balances)  # a wallet fact, even of zero, leaves a balance
    account = _moved(account, known, filled.position and replace(filled.position, updated_ms=now_ms), pnl)
    cause = f"fill/{account.account_id}/{event.symbol}/{deal.trade_id}" + (f"/{event.meta.exchange_seq}" if _numbered(event) else "")
    for change in (Change(cause, "realised_pnl", account.currency, pnl), Change(cause, "fee", deal.fee_asset or account.currency, -fee)):
        if change.amount:
            account = credit(account, change.asset, change.amount, now_ms)
            draft.book(_booked(draft.user.user_id, account, change, now_ms))
    draft.put(account)
    draft.check(account.account_id, "fill")


def apply_house_step(user: User, account_id: str, step: PlanStep, deal: Deal) -> tuple[User, Decimal, list[Output]]:
    """Closes `step.quantity` (absolute; at most what is open) of the step's position at the deal's price.

    Returns the user (its version one higher: the transactions name it), the realised PnL in the account's currency before the fee, and the
    `transactions`. Raises `Broken` where the account or the position is not there: the plan was made from this very row.
    """
    account = user.accounts.get(account_id)
    known = account.positions.get(position_key(step.instrument, step.side, step.position_id)) if account is not None else None
    if account is None or known is None:
        raise Broken(f"step {step.step_id}: expected a position {step.instrument}/{step.side} in {user.user_id}/{account_id}, was none")
    short = known.side == "SHORT" or known.quantity < 0
    closing = min(abs(step.quantity), abs(known.quantity))
    filled = fill(known, closing if short else -closing, deal.price, deal.contract_size)
    pnl = rounded(filled.pnl * deal.rate)
    account = _moved(account, known, filled.position and replace(filled.position, updated_ms=deal.time_ms), pnl)
    outputs = []
    for kind, amount in (("realised_pnl", pnl), ("fee", -rounded(deal.fee))):
        if amount:
            change = Change(step.step_id, kind, account.currency, amount)
            account = credit(account, change.asset, amount, deal.time_ms)
            message = _booked(user.user_id, account, change, deal.time_ms)
            message.version = user.version + 1
            outputs.append(Output(names.TRANSACTIONS, message.SerializeToString()))
    updated_ms = max(user.updated_ms, deal.time_ms)
    user = replace(user, accounts={**user.accounts, account_id: account}, version=user.version + 1, updated_ms=updated_ms)
    return user, pnl, outputs


def _account(draft: Draft, event: UserDataOrderUpdateEvent) -> Account | None:
    return draft.user.accounts.get(event.meta.account_id) or account_of(draft, event.meta)


def _numbered(event: UserDataOrderUpdateEvent) -> bool:
    return event.meta.exchange_seq.isascii() and event.meta.exchange_seq.isdigit()


def _in_unit(position: Position, event: UserDataOrderUpdateEvent) -> Position:
    """The position with the fill's unit; raises `Unknowable` where it was opened in the other one."""
    unit = CONTRACTS if event.qty_unit == QtyUnit.CONTRACTS else BASE
    if position.product not in ("", unit):
        raise Unknowable(f"qty_unit: expected {position.product} as of the open position, was {unit}")
    return replace(position, product=unit)


def _realised(account: Account, event: UserDataOrderUpdateEvent, filled: Filled) -> Decimal:
    """In the account's currency, as told; computed only where the fact alone shows it. A rate or a contract size is a rule's matter."""
    if event.fill.realized_pnl:
        return parse(event.fill.realized_pnl)
    if filled.pnl and (event.qty_unit == QtyUnit.CONTRACTS or not event.symbol.endswith(account.currency)):
        raise Unknowable(f"realized_pnl: expected an amount in {account.currency}, which {event.symbol} does not tell, was none")
    return filled.pnl


def _position(account: Account, event: UserDataOrderUpdateEvent) -> Position:
    instrument, side = instrument_key(HOUSE, event.symbol), side_of(event.position_side, event.position_idx)
    return account.positions.get(position_key(instrument, side)) or Position(instrument, side)


def _moved(account: Account, known: Position, position: Position | None, pnl: Decimal) -> Account:
    item = position_key(known.instrument, known.side, known.position_id)
    positions = {name: other for name, other in account.positions.items() if name != item}
    if position is not None:
        positions[item] = position
    return replace(account, positions=positions, realised_pnl=account.realised_pnl + pnl)


def _booked(user: str, account: Account, change: Change, time_ms: int) -> Transaction:
    message = transaction(user, account, change.asset, say(change.amount))
    message.delta_id, message.kind, message.source = f"{change.cause}/{change.kind}", change.kind, "engine"
    message.time_ms, message.cause = time_ms, change.cause
    return message
