"""Bybit v5: the answers of its REST snapshot and of the questions about a gap; a part may say its category, as in `position:linear`."""

from schemas import user_data_pb2 as data
from schemas.names import ACCOUNT_CONFIG, BALANCE_UPDATES, ORDER_UPDATES, POSITION_UPDATES, VENUE_MARGIN_CALLS
from streams.venues.frames import Unreadable
from streams.venues.normalise.answers import Answers, Rest, each
from streams.venues.normalise.bybit_rows import EXCHANGE, read_execution, read_order, read_position, read_wallet
from streams.venues.normalise.fields import is_zero, put, rows


def _answer(part: str, found: object) -> object:
    """The rows of an answer, each with the category that stands once beside the list."""
    if not isinstance(found, dict) or found.get("retCode") != 0:
        raise Unreadable(f"{part}: expected retCode 0, was {str(found)[:160]}")
    result = found.get("result")
    if not isinstance(result, dict):
        raise Unreadable(f"{part}: expected a result, was {str(result)[:80]}")
    if "list" not in result:
        return result
    category, listed = result.get("category"), result["list"]
    if not isinstance(listed, list):
        raise Unreadable(f"{part}: expected a list, was {str(listed)[:80]}")
    return [{"category": category, **row} if isinstance(row, dict) and category else row for row in listed]


def _positions(answers: Answers, found: object) -> None:
    for row in rows(found, "position"):
        if row.said("symbol"):
            read_position(answers, row)


def _leverages(answers: Answers, found: object) -> None:
    """Bybit pushes no settings: a position's leverage stands for its symbol's."""
    for row in rows(found, "position"):
        if row.has("symbol") and not is_zero(row.text("leverage")):
            change = data.LeverageChange(symbol=row.said("symbol"), leverage=row.said("leverage"))
            answers.tell(data.UserDataAccountConfigEvent(leverage=change))


def _info(answers: Answers, found: object) -> None:
    [row] = rows(found, "account-info")
    event = data.UserDataAccountConfigEvent()
    put(event, row, {"account_level_raw": "marginMode"})
    row.must("marginMode")
    answers.timed(event, row.moment("updatedTime"), "config:account_level")
    answers.tell(event, row)


def _position_part(answers: Answers, found: object) -> None:
    _positions(answers, found)
    _leverages(answers, found)


REST = Rest(EXCHANGE, "", _answer, {
    "wallet-balance": each(read_wallet), "position": _position_part, "order": each(read_order), "account-info": _info,
    "execution": each(read_execution, gap=True), "order-history": each(read_order, gap=True),
}, {BALANCE_UPDATES: ({"wallet-balance"},), VENUE_MARGIN_CALLS: ({"wallet-balance"},), POSITION_UPDATES: ({"position"},),
    ORDER_UPDATES: ({"order"},),
    ACCOUNT_CONFIG: ({"account-info", "position"},)}, by_product=True)
