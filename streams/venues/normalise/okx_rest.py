"""OKX v5: the answers of its REST snapshot and of the questions about a gap."""

from schemas import user_data_pb2 as data
from schemas.names import ACCOUNT_CONFIG, BALANCE_UPDATES, ORDER_UPDATES, POSITION_UPDATES, VENUE_MARGIN_CALLS
from streams.venues.frames import Unreadable
from streams.venues.normalise.answers import Answers, Rest, each
from streams.venues.normalise.derived import inverse_call
from streams.venues.normalise.fields import is_zero, put, rows
from streams.venues.normalise.okx_orders import read_algo, read_fill, read_order
from streams.venues.normalise.okx_rows import EXCHANGE, LEGS, MODES, read_account, read_position

_WARNS_AT = "3"


def _answer(part: str, found: object) -> object:
    if not isinstance(found, dict) or str(found.get("code")) != "0":
        raise Unreadable(f"{part}: expected code 0, was {str(found)[:160]}")
    return found.get("data")


def _balance(answers: Answers, found: object) -> None:
    """An account; in danger by the ratio at which OKX pushes its own warnings, it is a margin call, too."""
    each(read_account)(answers, found)
    rows_told = [message for message in answers.told() if isinstance(message, data.UserDataBalanceUpdateEvent)]
    for call in (inverse_call(row, "mgnRatio", _WARNS_AT) for row in rows_told):
        if call is not None:
            answers.tell(call)


def _config(answers: Answers, found: object) -> None:
    [row] = rows(found, "config")
    row.must("acctLv", "posMode")
    level = data.UserDataAccountConfigEvent()
    put(level, row, {"account_level_raw": "acctLv"})
    hedge = data.UserDataAccountConfigEvent(hedge_mode=row.said("posMode") == "long_short_mode")
    answers.tell(hedge)
    answers.tell(level, row)


def _leverage(answers: Answers, found: object) -> None:
    for row in rows(found, "leverage-info"):
        row.must("instId")
        if is_zero(row.text("lever")):
            continue
        side = row.choice("posSide", LEGS, data.BOTH)
        change = data.LeverageChange(symbol=row.said("instId"), leverage=row.said("lever"), position_side=side,
                                     margin_mode=row.choice("mgnMode", MODES, data.MARGIN_MODE_UNSPECIFIED))
        answers.tell(data.UserDataAccountConfigEvent(leverage=change), row)


REST = Rest(EXCHANGE, "", _answer, {
    "balance": _balance, "positions": each(read_position),
    "orders-pending": each(read_order), "orders-algo-pending": each(read_algo),
    "config": _config, "leverage-info": _leverage, "fills": each(read_fill, gap=True),
    "order": each(read_order, gap=True), "orders-history": each(read_order, gap=True),
    "order-algo": each(read_algo, gap=True), "orders-algo-history": each(read_algo, gap=True),
}, {BALANCE_UPDATES: ({"balance"},), VENUE_MARGIN_CALLS: ({"balance"},), POSITION_UPDATES: ({"positions"},),
    ORDER_UPDATES: ({"orders-pending", "orders-algo-pending"},),
    ACCOUNT_CONFIG: ({"config"},)})
