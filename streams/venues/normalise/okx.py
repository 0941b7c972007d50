"""OKX v5: the channels of its private and business sockets. Facts: www.okx.com/docs-v5, trading account and order book trading."""

from collections.abc import Callable, Mapping

from streams.venues.frames import Kind, Normalised, Receipt, Signal, Unreadable
from streams.venues.normalise.fields import Fields, read
from streams.venues.normalise.okx_orders import read_algo, read_fill, read_order
from streams.venues.normalise.okx_rows import EXCHANGE, read_account, read_both, read_position, read_warning
from streams.venues.normalise.telling import Teller, Telling, dead_letter

_LOGIN_CODES = {"60004", "60005", "60006", "60007", "60009", "60022", "60024", "60031", "60032"}
_CLOSING = "64008"


def normalise(frame: bytes, receipt: Receipt) -> Normalised:
    """One frame, also the bare text `pong`. Raises `Unreadable`."""
    if frame.strip() == b"pong":
        return Normalised(signal=Signal(Kind.PONG))
    found = read(frame)
    if not isinstance(found, dict):
        raise Unreadable(f"frame: expected an object, was {type(found).__name__}")
    envelope = Fields(found)
    if envelope.has("event") or envelope.has("op"):
        return Normalised(signal=_happened(envelope))
    argument = envelope.inner("arg")
    channel = argument.said("channel")
    if not channel:
        raise argument.wrong("channel", "a channel's name")
    reader = _CHANNELS.get(channel)
    if reader is None:
        error = f"channel {channel[:80]!r}: expected one of {', '.join(_CHANNELS)}, was none of them"
        return Normalised((dead_letter(EXCHANGE, frame, receipt, error),), Signal(Kind.UNKNOWN, channel[:80]))
    telling = Telling(EXCHANGE, receipt, channel, frame, frame)
    if not isinstance(envelope.found.get("data"), list):
        raise envelope.wrong("data", "a list")
    reader(telling, envelope.rows("data"))
    argument.text("instType")
    for message in telling.messages():  # eventType, curPage and lastPage of the larger channels
        message.meta.extra.update(envelope.left())
    events = telling.events(argument, "arg.")
    return Normalised(events, None if events else Signal(Kind.INFO, channel, text="no rows"))


def _happened(envelope: Fields) -> Signal:
    """What is about the socket: logins, subscriptions, errors, notices."""
    event, code, text = envelope.said("event"), envelope.said("code"), envelope.said("msg")[:200]
    argument = envelope.found.get("arg")
    channel = str(argument.get("channel", "")) if isinstance(argument, dict) else envelope.said("channel")
    if event == "login":
        return Signal(Kind.LOGGED_IN if code == "0" else Kind.LOGIN_FAILED, event, code, text)
    if event == "error":
        return Signal(Kind.LOGIN_FAILED if code in _LOGIN_CODES else Kind.REFUSED, channel, code, text)
    if event == "notice":
        return Signal(Kind.CLOSING if code == _CLOSING else Kind.INFO, event, code, text)
    if event == "channel-conn-count-error":
        return Signal(Kind.REFUSED, channel, code or event, text or envelope.said("connCount"))
    if event == "channel-conn-count":
        return Signal(Kind.INFO, event, text=envelope.said("connCount"))
    if envelope.has("op") and code != "0":
        return Signal(Kind.REFUSED, envelope.said("op"), code, text)
    return Signal(Kind.SUBSCRIBED if event == "subscribe" else Kind.INFO, channel or event or envelope.said("op"), code, text)


def _each(read_row: Callable[[Teller, Fields], None]) -> Callable[[Telling, list[Fields]], None]:
    def read_all(telling: Telling, rows: list[Fields]) -> None:
        for row in rows:
            read_row(telling, row)

    return read_all


_CHANNELS: Mapping[str, Callable[[Telling, list[Fields]], None]] = {
    "orders": _each(read_order), "fills": _each(read_fill), "orders-algo": _each(read_algo), "algo-advance": _each(read_algo),
    "account": _each(read_account), "balance_and_position": _each(read_both), "positions": _each(read_position),
    "liquidation-warning": read_warning,
}
