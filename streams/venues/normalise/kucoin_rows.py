"""KuCoin Futures: a row of a position, a wallet, a settlement or a setting; streams and REST answers share most fields."""

from schemas import user_data_pb2 as data
from streams.venues.frames import Unreadable
from streams.venues.normalise.fields import Fields, flipped, put
from streams.venues.normalise.telling import Teller, Telling

EXCHANGE = data.KUCOIN_FUTURES
LEGS = {"BOTH": data.BOTH, "LONG": data.LONG, "SHORT": data.SHORT}
MODES = {"CROSS": data.CROSS, "ISOLATED": data.ISOLATED}
_POSITION = {
    "symbol": "symbol", "reason_raw": "changeReason", "amount": "currentQty", "entry_price": "avgEntryPrice", "mark_price": "markPrice",
    "liquidation_price": "liquidationPrice", "unrealized_pnl": "unrealisedPnl", "accumulated_realized": "realisedPnl",
    "margin_asset": "settleCurrency", "leverage": "leverage", "initial_margin": "posInit", "maint_margin": "posMaint",
    "position_value": "markValue", "adl_rank": "delevPercentage", "bankruptcy_price": "bankruptPrice", "closed_pnl": "realisedGrossPnl",
    "risk_limit_raw": "riskLimit", "auto_add_margin": "autoDeposit", "open_time_ms": "openingTimestamp",
}
_WALLET = {
    "asset": "currency", "wallet_balance": "walletBalance", "available_balance": "availableBalance", "equity": "equity",
    "locked": "holdBalance", "order_margin": "orderMargin",
}
_SETTLEMENT = {"symbol": "symbol", "mark_price": "markPrice", "funding_fee": "fundingFee", "margin_asset": "settleCurrency",
               "settle_time_ms": "fundingTime"}


def read_position(teller: Teller, row: Fields, symbol: str = "", asked_ms: int | None = None) -> None:
    """position.change. Without a quantity (markPriceChange) it is partial, and may lack its symbol: the topic may have it.

    REST (`asked_ms`) says the time of its answer, whatever the age of what it answers: no time of the position.
    """
    position = data.UserDataPositionUpdateEvent(qty_unit=data.CONTRACTS)
    put(position, row, _POSITION)
    position.symbol = position.symbol or symbol
    position.partial = not row.has("currentQty")
    position.position_side = row.choice("positionSide", LEGS, data.POSITION_SIDE_UNSPECIFIED if position.partial else data.BOTH)
    count_down(position)
    position.margin_mode = _mode(row)
    if position.margin_mode == data.ISOLATED and row.has("posMargin"):
        position.isolated_wallet = row.said("posMargin")
    if not position.partial and not position.leverage and row.has("realLeverage"):
        position.leverage = row.said("realLeverage")
    time = _timed(position.meta, row, "currentTimestamp") if asked_ms is None else asked_ms
    position.meta.business_key = f"pos:{position.symbol}:{data.PositionSide.Name(position.position_side)}:{time}"
    teller.tell(position, row)


def read_settlement(telling: Telling, row: Fields, symbol: str) -> None:
    """position.settlement: funding. `qty` was held when it was settled, which is not how it stands."""
    position = data.UserDataPositionUpdateEvent(qty_unit=data.CONTRACTS, partial=True, reason_raw="FUNDING_FEE")
    put(position, row, _SETTLEMENT)
    position.symbol = position.symbol or symbol
    position.position_side = row.choice("positionSide", LEGS, data.POSITION_SIDE_UNSPECIFIED)
    position.margin_mode = _mode(row)
    _timed(position.meta, row, "ts")
    position.meta.business_key = f"funding:{position.symbol}:{position.settle_time_ms}"
    telling.tell(position, row)


def read_tier(telling: Telling, row: Fields, symbol: str) -> None:
    """position.adjustRiskLimit: the answer to a change of the risk limit."""
    position = data.UserDataPositionUpdateEvent(partial=True, reason_raw="adjustRiskLimit", symbol=row.said("symbol") or symbol)
    put(position, row, {"risk_limit_raw": "riskLimitLevel", "status_raw": "success"})
    row.must("success")
    telling.tell(position, row)


def read_wallet(teller: Teller, row: Fields, symbol: str = "") -> None:
    """A balance. The older subjects tell one figure of it each; `version` puts the newer ones in order."""
    del symbol  # a wallet has none
    balance = data.UserDataBalanceUpdateEvent()
    put(balance, row, _WALLET)
    row.must("currency")
    if row.has("withdrawHold"):
        balance.locked = row.said("withdrawHold")
    put(balance.meta, row, {"exchange_seq": "version"})
    time = _timed(balance.meta, row, "timestamp")
    balance.meta.business_key = f"bal:{balance.asset}:{time}"
    teller.tell(balance, row)


def read_config(telling: Telling, row: Fields, topic: str) -> None:
    """user.config: a map of symbols, to their leverage in cross mode or to their margin mode."""
    for symbol in row.found:
        event = data.UserDataAccountConfigEvent()
        if topic.startswith("/contract/crossLeverage"):
            inner = row.inner(symbol)
            inner.must("leverage")
            event.leverage.CopyFrom(data.LeverageChange(symbol=symbol, leverage=inner.said("leverage"), margin_mode=data.CROSS))
        elif topic.startswith("/contract/marginMode"):
            mode = row.choice(symbol, MODES, data.MARGIN_MODE_UNSPECIFIED)
            event.margin_mode.CopyFrom(data.MarginModeChange(symbol=symbol, mode=mode, mode_raw=row.said(symbol)))
        else:
            raise Unreadable(f"topic: expected crossLeverage or marginMode, was {topic[:80]!r}")
        event.meta.business_key = f"config:{event.WhichOneof('change')}:{symbol}"
        telling.tell(event)


def count_down(position: data.UserDataPositionUpdateEvent) -> None:
    """A short leg is below zero here, however the venue counts it."""
    if position.position_side == data.SHORT and position.amount and not position.amount.startswith("-"):
        position.amount = flipped(position.amount) or ""


def _mode(row: Fields) -> data.MarginMode:
    """Said by name, or by the older flag."""
    if row.has("marginMode"):
        return row.choice("marginMode", MODES, data.MARGIN_MODE_UNSPECIFIED)
    crossed = row.flag("crossMode")
    return data.MARGIN_MODE_UNSPECIFIED if crossed is None else data.CROSS if crossed else data.ISOLATED


def _timed(meta: data.EventMeta, row: Fields, name: str) -> int:
    time = row.moment(name)
    if time is not None:
        meta.transaction_time_ms = time
    return time or 0
