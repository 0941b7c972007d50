"""OKX v5: a row of an account, a position, or a liquidation warning; streams and REST answers have the same."""

from collections.abc import Sequence

from schemas import user_data_pb2 as data
from streams.venues.normalise.fields import Fields, flipped, put
from streams.venues.normalise.telling import Teller

EXCHANGE = data.OKX_V5
SIDES = {"BUY": data.BUY, "SELL": data.SELL}
LEGS = {"NET": data.BOTH, "LONG": data.LONG, "SHORT": data.SHORT}
MODES = {"CROSS": data.CROSS, "ISOLATED": data.ISOLATED, "CASH": data.CASH, "SPOT_ISOLATED": data.ISOLATED}
_TOTAL = {
    "equity": "totalEq", "available_balance": "availEq", "unrealized_pnl": "upl", "initial_margin": "imr", "maint_margin": "mmr",
    "margin_ratio": "mgnRatio", "order_margin": "ordFroz", "usd_value": "notionalUsd",
}
_DETAIL = {
    "asset": "ccy", "wallet_balance": "cashBal", "available_balance": "availBal", "equity": "eq", "unrealized_pnl": "upl",
    "locked": "frozenBal", "borrowed": "liab", "accrued_interest": "interest", "initial_margin": "imr", "maint_margin": "mmr",
    "usd_value": "eqUsd", "margin_ratio": "mgnRatio", "order_margin": "ordFrozen", "bonus": "rewardBal",
}
_POSITION = {
    "symbol": "instId", "position_id": "posId", "entry_price": "avgPx", "breakeven_price": "bePx", "mark_price": "markPx",
    "liquidation_price": "liqPx", "unrealized_pnl": "upl", "accumulated_realized": "realizedPnl", "closed_pnl": "pnl",
    "funding_fee": "fundingFee", "margin_asset": "ccy", "leverage": "lever", "initial_margin": "imr", "maint_margin": "mmr",
    "margin_ratio": "mgnRatio", "position_value": "notionalUsd", "adl_rank": "adl", "available_amount": "availPos", "open_time_ms": "cTime",
}
_CALLED = {"symbol": "instId", "mark_price": "markPx", "margin_ratio": "mgnRatio", "leverage": "lever"}


def read_account(teller: Teller, row: Fields) -> None:
    """An account: its totals in dollars, then its currencies."""
    details = row.rows("details")
    total = data.UserDataBalanceUpdateEvent()
    put(total, row, _TOTAL)
    _timed(total.meta, row, "bal:")
    if any(map(row.has, _TOTAL.values())):
        teller.tell(total, row)
    for detail in details:
        balance = data.UserDataBalanceUpdateEvent()
        put(balance, detail, _DETAIL)
        detail.must("ccy")
        _timed(balance.meta, detail, f"bal:{balance.asset}")
        teller.tell(balance, detail)


def read_both(teller: Teller, row: Fields) -> None:
    """balance_and_position: what changed, with the reason in `eventType`; cash balances and positions without their risk."""
    reason, told_ms = row.said("eventType"), row.moment("pTime")
    for detail in row.rows("balData"):
        balance = data.UserDataBalanceUpdateEvent(reason_raw=reason)
        put(balance, detail, {"asset": "ccy", "wallet_balance": "cashBal"})
        detail.must("ccy")
        if told_ms:
            balance.meta.event_time_ms = told_ms
        _timed(balance.meta, detail, f"bal:{balance.asset}")
        teller.tell(balance, detail)
    for held in row.rows("posData"):
        _tell_position(teller, held, reason, told_ms)


def read_position(teller: Teller, row: Fields) -> None:
    """A position as it stands."""
    _tell_position(teller, row, "", row.moment("pTime"))


def read_warning(teller: Teller, rows: Sequence[Fields]) -> None:
    """liquidation-warning: the positions in danger, as one margin call."""
    call = data.UserDataMarginCallEvent(level_raw="LIQUIDATION_WARNING")
    latest, seen = 0, list[str]()
    for row in rows:
        called = call.positions.add(margin_mode=row.choice("mgnMode", MODES, data.MARGIN_MODE_UNSPECIFIED))
        put(called, row, _CALLED)
        row.must("instId")
        called.position_side = row.choice("posSide", LEGS, data.POSITION_SIDE_UNSPECIFIED)
        if row.has("pos"):
            called.amount = _amount(row, called.position_side)
        latest = max(latest, row.moment("uTime") or 0)
        call.meta.event_time_ms = max(call.meta.event_time_ms, row.moment("pTime") or latest)
        name_of = called.symbol if called.symbol not in seen else f"{called.symbol}/{len(seen)}"  # both legs of a hedge
        seen.append(called.symbol)
        call.meta.extra.update({f"{name_of}.{name}": text for name, text in row.left().items()})
    if latest:
        call.meta.transaction_time_ms = latest
    call.meta.business_key = f"call:{call.meta.event_time_ms}"
    if rows:
        teller.tell(call)


def contracts(product: str) -> data.QtyUnit:
    """Spot and margin count the base coin, all else contracts."""
    return data.BASE if product in ("SPOT", "MARGIN") else data.CONTRACTS


def product_of(row: Fields, pair: str = "SPOT") -> str:
    """The kind of instrument: said, or by its name (BTC-USDT is a `pair`, BTC-USD-SWAP, BTC-USD-210430, BTC-USD-210430-50000-C)."""
    if row.has("instType"):
        return row.said("instType")
    parts = str(row.found.get("instId") or "").split("-")
    return {1: "", 2: pair, 3: "SWAP" if parts[-1] == "SWAP" else "FUTURES"}.get(len(parts), "OPTION")


def attach(message: data.UserDataOrderUpdateEvent | data.UserDataPositionUpdateEvent, row: Fields, name: str) -> None:
    """The one take profit and the one stop loss in a list of conditional orders, where the row itself says none; of several, none."""
    found = row.found.get(name)
    listed = [Fields(child, f"{name}.") for child in found if isinstance(child, dict)] if isinstance(found, list) else []
    for column, trigger in (("take_profit", "tpTriggerPx"), ("stop_loss", "slTriggerPx")):
        said = [child.said(trigger) for child in listed if child.has(trigger)]
        if len(said) == 1 and not getattr(message, column):
            setattr(message, column, said[0])


def _tell_position(teller: Teller, row: Fields, reason: str, told_ms: int | None) -> None:
    position = data.UserDataPositionUpdateEvent(reason_raw=reason)
    put(position, row, _POSITION)
    row.must("instId", "pos")
    position.meta.product_raw = product_of(row, "MARGIN")
    position.qty_unit = data.QUOTE if _is_margin_short(row) else contracts(position.meta.product_raw)
    position.position_side = row.choice("posSide", LEGS, data.BOTH)
    position.amount = _amount(row, position.position_side)
    attach(position, row, "closeOrderAlgo")
    position.margin_mode = row.choice("mgnMode", MODES, data.MARGIN_MODE_UNSPECIFIED)
    if position.margin_mode == data.ISOLATED and row.has("margin"):
        position.isolated_wallet = row.said("margin")
    if told_ms:
        position.meta.event_time_ms = told_ms
    _timed(position.meta, row, f"pos:{position.symbol}:{data.PositionSide.Name(position.position_side)}")
    teller.tell(position, row)


def _amount(row: Fields, side: data.PositionSide) -> str:
    """Short legs of the long/short mode count up from zero, as margin of either direction does: ours are below it."""
    amount = row.said("pos")
    is_short = side == data.SHORT or _is_margin_short(row)
    return (flipped(amount) or "") if is_short and not amount.startswith("-") else amount


def _is_margin_short(row: Fields) -> bool:
    """Margin counts what is held: of a short that is the quote coin that the borrowed coin was sold for."""
    base, _, quote = str(row.found.get("instId")).partition("-")
    return bool(base and quote) and row.found.get("posCcy") == quote


def _timed(meta: data.EventMeta, row: Fields, key: str) -> None:
    time = row.moment("uTime")
    if time is not None:
        meta.transaction_time_ms = time
    meta.business_key = f"{key}:{time or meta.event_time_ms}"
