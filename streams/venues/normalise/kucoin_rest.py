"""KuCoin Futures: the answers of its REST snapshot and of the questions about a gap; `account-overview:XBT` is one currency's."""

from schemas import user_data_pb2 as data
from schemas.names import ACCOUNT_CONFIG, BALANCE_UPDATES, ORDER_UPDATES, POSITION_UPDATES, VENUE_MARGIN_CALLS
from streams.venues.frames import Unreadable
from streams.venues.normalise.answers import Answers, Rest, each
from streams.venues.normalise.derived import margin_call
from streams.venues.normalise.fields import is_zero, put, rows
from streams.venues.normalise.kucoin_orders import read_resting, read_resting_stop, read_trade
from streams.venues.normalise.kucoin_rows import EXCHANGE, MODES, read_position

_OVERVIEW = {
    "asset": "currency", "wallet_balance": "marginBalance", "available_balance": "availableBalance", "equity": "accountEquity",
    "unrealized_pnl": "unrealisedPNL", "locked": "frozenFunds", "order_margin": "orderMargin", "position_margin": "positionMargin",
    "margin_ratio": "riskRatio",
}


def _answer(part: str, found: object) -> object:
    """The data of an answer, or the items of its page."""
    if not isinstance(found, dict) or str(found.get("code")) != "200000":
        raise Unreadable(f"{part}: expected code 200000, was {str(found)[:160]}")
    inner = found.get("data")
    return inner.get("items") if isinstance(inner, dict) and isinstance(inner.get("items"), list) else inner


def _overview(answers: Answers, found: object) -> None:
    """A currency's account; near liquidation by its own ratio it is a margin call, too: the classic socket has none."""
    for row in rows(found, "account-overview"):
        balance = data.UserDataBalanceUpdateEvent()
        put(balance, row, _OVERVIEW)
        row.must("currency")
        call = margin_call(balance, "riskRatio")
        balance.meta.business_key = f"bal:{balance.asset}:{answers.asked.as_of_ms}"
        answers.tell(balance, row)
        if call is not None:
            call.meta.business_key = f"call:{balance.asset}:{answers.asked.as_of_ms}"
            answers.tell(call)


def _positions(answers: Answers, found: object) -> None:
    for row in rows(found, "positions") if found is not None else ():
        row.must("symbol", "currentQty")
        read_position(answers, row, asked_ms=answers.asked.as_of_ms)


def _margin_modes(answers: Answers, found: object) -> None:
    """A symbol's mode, or a map of them."""
    for row in rows(found, "margin-mode"):
        pairs = {row.said("symbol"): "marginMode"} if row.has("symbol") else {symbol: symbol for symbol in row.found}
        for symbol, name in pairs.items():
            mode = row.choice(name, MODES, data.MARGIN_MODE_UNSPECIFIED)
            answers.tell(data.UserDataAccountConfigEvent(
                margin_mode=data.MarginModeChange(symbol=symbol, mode=mode, mode_raw=row.said(name))))


def _leverages(answers: Answers, found: object) -> None:
    for row in rows(found, "cross-leverage"):
        if row.has("symbol") and not is_zero(row.text("leverage")):
            change = data.LeverageChange(symbol=row.said("symbol"), leverage=row.said("leverage"), margin_mode=data.CROSS)
            answers.tell(data.UserDataAccountConfigEvent(leverage=change))


def _position_mode(answers: Answers, found: object) -> None:
    """0: one way, 1: hedge."""
    [row] = rows(found, "position-mode")
    row.must("positionMode")
    answers.tell(data.UserDataAccountConfigEvent(hedge_mode=row.said("positionMode") == "1"))


REST = Rest(EXCHANGE, "", _answer, {
    "account-overview": _overview, "positions": _positions, "orders": each(read_resting), "stopOrders": each(read_resting_stop),
    "margin-mode": _margin_modes, "cross-leverage": _leverages, "position-mode": _position_mode,
    "fills": each(read_trade, gap=True), "order": each(read_resting, gap=True), "done-orders": each(read_resting, gap=True),
}, {BALANCE_UPDATES: ({"account-overview"},), VENUE_MARGIN_CALLS: ({"account-overview"},), POSITION_UPDATES: ({"positions"},),
    ORDER_UPDATES: ({"orders", "stopOrders"},),
    ACCOUNT_CONFIG: ({"position-mode"},)})
