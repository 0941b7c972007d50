"""What a replay says: outputs by topic, verdicts by id with what they decide, and hashes that no order of saying changes."""

import hashlib
from collections import Counter
from typing import NamedTuple

from schemas import engine_pb2 as pb
from streams.engine.rows import OutputLike
from streams.topics import LIQUIDATIONS, MARGIN_CALLS
from tables.rows import RUNG_NAMES

_BITS = 128


class Verdict(NamedTuple):
    """What was decided, when (ms of simulated time)."""

    time_ms: int
    said: str


class Told:
    """Takes every output of a replay."""

    def __init__(self) -> None:
        self.outputs = Counter[str]()
        self.verdicts: dict[tuple[str, str], Verdict] = {}  # by id and kind
        self._sum = 0

    def take(self, key: bytes, output: OutputLike) -> None:
        """One output of a row."""
        self.outputs[output.topic] += 1
        if output.topic not in (MARGIN_CALLS, LIQUIDATIONS):
            return
        self._sum += int.from_bytes(hashlib.blake2b(key + b"\0" + output.value, digest_size=_BITS // 8).digest(), "big")
        name, verdict = read(output.topic, output.value)
        self.verdicts[name] = verdict

    @property
    def hash(self) -> str:
        """Of all verdicts with their stamps: checks of one moment may be made in any order."""
        return f"{self._sum % (1 << _BITS):032x}"


def read(topic: str, value: bytes) -> tuple[tuple[str, str], Verdict]:
    """((id, kind), verdict) of a message of `margin-calls` or `liquidations`. Raises protobuf's `DecodeError`."""
    if topic == MARGIN_CALLS:
        call = pb.MarginCall.FromString(value)
        reasons = f" ({', '.join(call.reasons)})" if call.reasons else ""
        return (call.id, "margin_call"), Verdict(call.stamp.time_ms, f"{RUNG_NAMES[call.before]} to {RUNG_NAMES[call.after]}{reasons}")
    event = pb.Liquidation.FromString(value)
    kind = event.WhichOneof("event") or ""
    return (event.id, kind), Verdict(event.stamp.time_ms, _event(event, kind))


def _event(event: pb.Liquidation, kind: str) -> str:
    if kind == "ordered":
        return f"{len(event.ordered.steps)} steps"
    if kind == "refused":
        return event.refused
    if kind == "completed":
        done = event.completed
        return f"{done.instrument} {done.quantity} at {done.price}, PnL {done.realised_pnl}"
    step = event.step_ordered
    return " ".join(filter(None, (step.action, step.instrument, step.side, step.quantity, step.position_id)))
