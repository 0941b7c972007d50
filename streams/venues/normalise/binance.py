"""Binance USD-M: the events of its user data stream. Facts: developers.binance.com, USDS-margined futures, user data streams."""

import re
from collections.abc import Callable, Mapping

from schemas import user_data_pb2 as data
from streams.venues.frames import Event, Kind, Normalised, Receipt, Signal, Unreadable
from streams.venues.normalise.binance_orders import POSITION_SIDES, read_algo, read_lite, read_order, read_reject
from streams.venues.normalise.fields import Fields, put, read
from streams.venues.normalise.telling import Telling, dead_letter, like_key, masked

EXCHANGE, PRODUCT = data.BINANCE_USDM, "USDM"
_BALANCE = {"asset": "a", "wallet_balance": "wb", "cross_wallet_balance": "cw", "balance_change": "bc"}
_POSITION = {"symbol": "s", "amount": "pa", "entry_price": "ep", "breakeven_price": "bep", "accumulated_realized": "cr",
             "unrealized_pnl": "up", "isolated_wallet": "iw", "margin_asset": "ma"}
_CALLED = {"symbol": "s", "amount": "pa", "isolated_wallet": "iw", "mark_price": "mp", "unrealized_pnl": "up", "maint_margin": "mm"}
_COIN_MARGINED = re.compile("[A-Z]USD_(PERP|[0-9]{6})$")  # of accounts that have both; BTCUSDT_210326 is not
_NO_TOPIC = {"STRATEGY_UPDATE", "GRID_UPDATE"}  # of the venue's own robots: none of our facts


def normalise(frame: bytes, receipt: Receipt) -> Normalised:
    """One frame, bare or wrapped in a stream's name. Raises `Unreadable`."""
    found = read(frame)
    if not isinstance(found, dict):
        raise Unreadable(f"frame: expected an object, was {type(found).__name__}")
    envelope = Fields(found)
    if "data" in found and "stream" in found:
        event, stream = envelope.inner("data"), envelope.text("stream")
    else:
        event, stream = envelope, None
    name = event.text("e")
    if not name:
        return _answered(envelope)
    if name == "listenKeyExpired":
        event.whole("E")
        return Normalised(signal=Signal(Kind.KEY_EXPIRED, name))
    if name == "serverShutdown":
        return Normalised(signal=Signal(Kind.CLOSING, name))
    telling = Telling(EXCHANGE, receipt, name, frame, masked(frame, event.text("listenKey"), like_key(stream)))
    return _read(telling, event, frame)


def margin_mode(text: str | None) -> data.MarginMode:
    """cross, crossed, CROSSED; isolated, ISOLATED."""
    low = (text or "").lower()
    return data.CROSS if low.startswith("cross") else data.ISOLATED if low.startswith("isolated") else data.MARGIN_MODE_UNSPECIFIED


def _read(telling: Telling, event: Fields, frame: bytes) -> Normalised:
    reader = _EVENTS.get(telling.name)
    if reader is None:
        error = f"event {telling.name[:80]!r}: expected one of the five topics' own, was none of them"
        unknown = None if telling.name in _NO_TOPIC else Signal(Kind.UNKNOWN, telling.name[:80])
        return Normalised((dead_letter(EXCHANGE, frame, telling.receipt, error),), unknown)
    telling.event_ms = event.moment("E")
    transaction_ms = event.moment("T")
    reader(telling, event)
    for message in telling.messages():
        message.meta.product_raw = PRODUCT
        if isinstance(message, data.UserDataOrderUpdateEvent | data.UserDataPositionUpdateEvent) and _COIN_MARGINED.search(message.symbol):
            message.meta.product_raw, message.qty_unit = "COINM", data.CONTRACTS
        if transaction_ms is not None:
            message.meta.transaction_time_ms = transaction_ms
    told: tuple[Event, ...] = telling.events(event)
    return Normalised(told, None if told else Signal(Kind.INFO, telling.name, text="no rows"))


def _answered(envelope: Fields) -> Normalised:
    """What is no event: the answer to a request."""
    if "id" not in envelope.found and "error" not in envelope.found and "code" not in envelope.found:
        raise Unreadable("e: expected the event's name, was none")
    ident = envelope.said("id")
    if "error" in envelope.found or "code" in envelope.found:
        error = envelope.inner("error") if isinstance(envelope.found.get("error"), dict) else envelope
        return Normalised(signal=Signal(Kind.REFUSED, ident, error.said("code"), error.said("msg")[:200]))
    status = envelope.whole("status")
    if status is not None and status != 200:
        return Normalised(signal=Signal(Kind.REFUSED, ident, str(status)))
    return Normalised(signal=Signal(Kind.SUBSCRIBED if status is None else Kind.INFO, ident))


def _account(telling: Telling, event: Fields) -> None:
    """ACCOUNT_UPDATE: what changed, balances first, as the venue tells them."""
    account = event.inner("a")
    reason, time = account.said("m"), event.moment("T") or event.moment("E") or 0
    related = account.text("S")
    for row in account.rows("B"):
        balance = data.UserDataBalanceUpdateEvent(reason_raw=reason, related_symbol=related)
        put(balance, row, _BALANCE)
        row.must("a", "wb")
        balance.meta.business_key = f"bal:{balance.asset}:{time}"
        _keep(balance.meta, account)
        telling.tell(balance, row)
    for row in account.rows("P"):
        position = data.UserDataPositionUpdateEvent(reason_raw=reason, qty_unit=data.BASE)
        put(position, row, _POSITION)
        position.position_side = row.choice("ps", POSITION_SIDES, data.POSITION_SIDE_UNSPECIFIED)
        position.margin_mode = margin_mode(row.text("mt"))
        position.meta.business_key = f"pos:{position.symbol}:{data.PositionSide.Name(position.position_side)}:{time}"
        _keep(position.meta, account)
        telling.tell(position, row)
        if reason == "MARGIN_TYPE_CHANGE":
            mode = data.MarginModeChange(symbol=position.symbol, mode=position.margin_mode, mode_raw=row.said("mt"))
            telling.tell(_config(data.UserDataAccountConfigEvent(margin_mode=mode), f"margin_mode:{position.symbol}:{time}"))


def _margin_call(telling: Telling, event: Fields) -> None:
    call = data.UserDataMarginCallEvent(level_raw="MARGIN_CALL")
    put(call, event, {"cross_wallet_balance": "cw"})
    for row in event.rows("p"):
        side = row.choice("ps", POSITION_SIDES, data.POSITION_SIDE_UNSPECIFIED)
        called = call.positions.add(position_side=side, margin_mode=margin_mode(row.text("mt")))
        put(called, row, _CALLED)
        row.must("s")
        call.meta.extra.update({f"p.{called.symbol}.{name}": text for name, text in row.left().items()})
    call.meta.business_key = f"call:{event.moment('E') or 0}"
    telling.tell(call)


def _settings(telling: Telling, event: Fields) -> None:
    time = event.moment("T") or event.moment("E") or 0
    if event.has("ac"):
        change = event.inner("ac")
        change.must("s", "l")
        leverage = data.LeverageChange(symbol=change.said("s"), leverage=change.said("l"))
        telling.tell(_config(data.UserDataAccountConfigEvent(leverage=leverage), f"leverage:{leverage.symbol}:{time}"), change)
    if event.has("ai"):
        change = event.inner("ai")
        multi = change.flag("j")
        if multi is None:
            raise change.wrong("j", "true or false")
        telling.tell(_config(data.UserDataAccountConfigEvent(multi_assets_mode=multi), f"multi_assets:{time}"), change)
    if not telling.messages():
        raise Unreadable(f"{telling.name}: expected 'ac' or 'ai', was neither")


def _config(event: data.UserDataAccountConfigEvent, key: str) -> data.UserDataAccountConfigEvent:
    event.meta.business_key = f"config:{key}"
    return event


def _keep(meta: data.EventMeta, account: Fields) -> None:
    meta.extra.update({f"a.{name}": text for name, text in account.left().items()})


_EVENTS: Mapping[str, Callable[[Telling, Fields], None]] = {
    "ORDER_TRADE_UPDATE": read_order, "ACCOUNT_UPDATE": _account, "ALGO_UPDATE": read_algo, "TRADE_LITE": read_lite,
    "CONDITIONAL_ORDER_TRIGGER_REJECT": read_reject, "MARGIN_CALL": _margin_call, "ACCOUNT_CONFIG_UPDATE": _settings,
}
