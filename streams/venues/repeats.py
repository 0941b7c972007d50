"""Repeats: venues push positions on every order, or every few seconds, whether they changed or not."""

from collections.abc import Iterable, Mapping

from google.protobuf.message import Message

from schemas.user_data_pb2 import UserDataBalanceUpdateEvent, UserDataPositionUpdateEvent
from streams.venues.frames import Event

Key = tuple[str, str, int, str]
_THINGS_MAX = 4_096  # of an account; past it all is forgotten, and told once more


class Repeats:
    """What was last told of each position and balance of an account, times and versions aside."""

    def __init__(self) -> None:
        self._told: dict[Key, bytes] = {}

    def fresh(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """A frame's events, or none where each of them says of its thing what was said last: part of a frame is never left out."""
        states = [_state(event) for event in events]
        repeated = all(state is not None and self._told.get(state[0]) == state[1] for state in states)
        self.note(events)
        return () if repeated else events

    def note(self, events: Iterable[Event]) -> None:
        """What a snapshot, or anything else, has told."""
        for state in map(_state, events):
            if state is not None:
                self._told[state[0]] = state[1]
        if len(self._told) > _THINGS_MAX:
            self._told.clear()


def _state(event: Event) -> tuple[Key, bytes] | None:
    """(the thing, all that is said of it); None for what is no state: orders, fills, settings, calls, partial positions, changes."""
    message = event.message
    if isinstance(message, UserDataPositionUpdateEvent) and message.symbol and not message.partial:
        return (event.topic, message.symbol, int(message.position_side), message.position_id), _said(message, message.meta.extra)
    if isinstance(message, UserDataBalanceUpdateEvent) and message.wallet_balance and not message.HasField("balance_change"):
        return (event.topic, message.asset, 0, ""), _said(message, message.meta.extra)
    return None


def _said(message: Message, extra: Mapping[str, str]) -> bytes:
    plain = type(message)()
    plain.CopyFrom(message)
    plain.ClearField("meta")
    return plain.SerializeToString(deterministic=True) + "\0".join(f"{name}={text}" for name, text in sorted(extra.items())).encode()
