"""House books: fills and liquidation steps move position and balance in one fold."""

from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from schemas import names
from schemas.engine_pb2 import Transaction
from schemas.keys import HOUSE, instrument_key
from schemas.money import ONE, ZERO, parse, say
from schemas.user_data_pb2 import Side, UserDataOrderUpdateEvent
from tables.draft import Draft, transaction
from tables.fills import Overfilled, fill, rounded
from tables.invariants import Broken
from tables.positions import side_of
from tables.rows import Account, Output, PlanStep, Position, User, position_key
from tables.sequences import admit
from tables.venues import account_of
from tables.wallet import credit


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

    Quantities are in base units (contract size 1) and the PnL is in the account's currency, unless the fill tells its realised PnL.
    """
    account = account_of(draft, event.meta)
    if account is None or not event.HasField("fill") or event.fill.lite or (account.venue == HOUSE and account.execution != HOUSE):
        return
    number = event.meta.exchange_seq
    if account.venue != HOUSE:
        apply_fill(draft, event)  # it refuses
    elif number.isascii() and number.isdigit():
        admit(draft, f"house-fills/{event.meta.account_id}", int(number))
    elif (trade := f"{event.symbol}/{event.fill.trade_id}") not in account.recent_fills:
        draft.put(replace(account, recent_fills=(*account.recent_fills, trade)[-draft.policy.recent_fills_max:]))
        apply_fill(draft, event)


def apply_fill(draft: Draft, event: UserDataOrderUpdateEvent) -> None:
    """Moves position and balance by an admitted fill; one that overfills a LONG or SHORT position is refused."""
    account = account_of(draft, event.meta)
    if account is None or account.venue != HOUSE:
        draft.refuse("fill_refused", event.meta.account_id, f"expected a house account, was {event.meta.account_id!r}")
        return
    known = _position(account, event)
    deal, sign = event.fill, 1 if event.side == Side.BUY else -1
    try:
        filled = fill(known, sign * parse(deal.qty), parse(deal.price))
    except Overfilled as refused:
        draft.refuse("fill_refused", account.account_id, f"fill {deal.trade_id!r}: {refused}")
        return
    pnl = parse(deal.realized_pnl) if deal.realized_pnl else filled.pnl
    fee = parse(deal.fee) if deal.fee else ZERO
    now_ms = draft.fact.time_ms
    account = replace(account, unfunded=account.unfunded or not account.balances)  # a wallet fact, even of zero, leaves a balance
    account = _moved(account, known, filled.position and replace(filled.position, updated_ms=now_ms), pnl)
    cause = f"fill/{account.account_id}/{event.symbol}/{deal.trade_id}"
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
