"""Bybit v5: the topics of its private stream. Facts: bybit-exchange.github.io/docs/v5/websocket/private."""

from collections.abc import Callable, Mapping

from streams.venues.frames import Kind, Normalised, Receipt, Signal, Unreadable
from streams.venues.normalise.bybit_rows import EXCHANGE, read_execution, read_order, read_position, read_wallet
from streams.venues.normalise.fields import Fields, read
from streams.venues.normalise.telling import Telling, dead_letter

_KINDS = {"auth": (Kind.LOGGED_IN, Kind.LOGIN_FAILED), "subscribe": (Kind.SUBSCRIBED, Kind.REFUSED)}


def normalise(frame: bytes, receipt: Receipt) -> Normalised:
    """One frame. Raises `Unreadable`."""
    found = read(frame)
    if not isinstance(found, dict):
        raise Unreadable(f"frame: expected an object, was {type(found).__name__}")
    envelope = Fields(found)
    topic = envelope.said("topic")
    if not topic:
        return _answered(envelope)
    name = topic.partition(".")[0]
    if name not in _TOPICS:
        error = f"topic {topic[:80]!r}: expected order, execution, position or wallet, was none of them"
        return Normalised((dead_letter(EXCHANGE, frame, receipt, error),), Signal(Kind.UNKNOWN, topic[:80]))
    telling = Telling(EXCHANGE, receipt, topic, frame, frame)
    telling.event_ms = envelope.moment("creationTime")
    envelope.text("id")
    if not isinstance(envelope.found.get("data"), list):
        raise envelope.wrong("data", "a list")
    for row in envelope.rows("data"):
        _TOPICS[name](telling, row)
    if name == "wallet":  # its rows have no time of their own
        for message in telling.messages():
            message.meta.business_key += f":{telling.event_ms or 0}"
    events = telling.events(envelope)
    return Normalised(events, None if events else Signal(Kind.INFO, topic, text="no rows"))


def _answered(envelope: Fields) -> Normalised:
    """What has no topic: the answer to a request."""
    op, text = envelope.said("op"), envelope.said("ret_msg") or envelope.said("retMsg")
    if op == "pong" or (op == "ping" and text == "pong"):
        return Normalised(signal=Signal(Kind.PONG))
    if envelope.found.get("type") == "COMMAND_RESP":  # as the sockets of options answer
        op = "subscribe"
    if not op:
        raise Unreadable("topic: expected the topic's name or an answer's op, was neither")
    right = envelope.flag("success")
    if right is None:
        right = envelope.said("retCode") == "0"
    kind = _KINDS.get(op, (Kind.INFO, Kind.REFUSED))[0 if right else 1]
    return Normalised(signal=Signal(kind, envelope.said("req_id"), envelope.said("retCode"), "" if right else text[:200]))


_TOPICS: Mapping[str, Callable[[Telling, Fields], None]] = {
    "order": read_order, "execution": read_execution, "position": read_position, "wallet": read_wallet,
}
