"""KuCoin Futures: the topics of its classic private socket and the channels of its Pro one. Facts: www.kucoin.com/docs-new."""

from collections.abc import Callable, Mapping

from streams.venues.frames import Kind, Normalised, Receipt, Signal, Unreadable
from streams.venues.normalise.fields import Fields, read
from streams.venues.normalise.kucoin_orders import read_order, read_stop
from streams.venues.normalise.kucoin_pro import read_pro
from streams.venues.normalise.kucoin_rows import EXCHANGE, read_config, read_position, read_settlement, read_tier, read_wallet
from streams.venues.normalise.telling import Telling, dead_letter

_SOCKET = {"welcome": Kind.WELCOME, "pong": Kind.PONG, "ping": Kind.PING, "ack": Kind.SUBSCRIBED, "error": Kind.REFUSED}


def normalise(frame: bytes, receipt: Receipt) -> Normalised:
    """One frame of either socket. Raises `Unreadable`."""
    found = read(frame)
    if not isinstance(found, dict):
        raise Unreadable(f"frame: expected an object, was {type(found).__name__}")
    envelope = Fields(found)
    if "T" in found:
        return _pro(envelope, frame, receipt)
    topic, subject = envelope.said("topic"), envelope.said("subject")
    envelope.text("type")
    if not topic:
        return Normalised(signal=_happened(envelope))
    reader = _SUBJECTS.get(subject) if topic.startswith("/contract") else None  # spot has subjects of the same names
    if reader is None:
        return _unknown(frame, receipt, subject or topic)
    telling = Telling(EXCHANGE, receipt, subject, frame, frame)
    reader(telling, envelope.inner("data"), topic if subject == "user.config" else topic.partition(":")[2])
    events = telling.events(envelope)
    return Normalised(events, None if events else Signal(Kind.INFO, subject, text="no rows"))


def _pro(envelope: Fields, frame: bytes, receipt: Receipt) -> Normalised:
    channel = envelope.said("T")
    telling = Telling(EXCHANGE, receipt, channel, frame, frame)
    telling.event_ms = envelope.moment("P")
    name, _, product = channel.partition(".")
    if not read_pro(telling, name, product, envelope):
        return _unknown(frame, receipt, channel)
    events = telling.events(envelope)
    return Normalised(events, None if events else Signal(Kind.INFO, channel, text="no rows"))


def _unknown(frame: bytes, receipt: Receipt, name: str) -> Normalised:
    letter = dead_letter(EXCHANGE, frame, receipt, f"subject {name[:80]!r}: expected one of {', '.join(_SUBJECTS)}, was none of them")
    return Normalised((letter,), Signal(Kind.UNKNOWN, name[:80]))


def _happened(envelope: Fields) -> Signal:
    """What is about the socket; the Pro one answers requests with a result, and greets with its session."""
    kind, ident, code = envelope.said("type"), envelope.said("id"), envelope.said("code")
    text = str(envelope.found.get("data") or envelope.found.get("msg") or "")[:200]
    if kind in _SOCKET:
        return Signal(_SOCKET[kind], ident, code, text)
    if kind:
        return Signal(Kind.INFO, kind, code, text)
    if "result" in envelope.found:
        return Signal(Kind.SUBSCRIBED if envelope.flag("result") else Kind.REFUSED, ident, code, text)
    if envelope.found.get("pong") or envelope.found.get("op") == "pong":
        return Signal(Kind.PONG)
    if "sessionId" in envelope.found or envelope.found.get("data") == "welcome":
        return Signal(Kind.WELCOME, text=envelope.said("pingInterval"))
    raise Unreadable("topic: expected a topic, a channel or an answer, was none of them")


_SUBJECTS: Mapping[str, Callable[[Telling, Fields, str], None]] = {
    "symbolOrderChange": read_order, "orderChange": read_order, "stopOrder": read_stop, "position.change": read_position,
    "position.settlement": read_settlement, "position.adjustRiskLimit": read_tier, "walletBalance.change": read_wallet,
    "availableBalance.change": read_wallet, "orderMargin.change": read_wallet, "withdrawHold.change": read_wallet,
    "user.config": read_config,
}
