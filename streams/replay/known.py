"""Rules and control as they were at any offset of their topics, tombstones included."""

from bisect import bisect_right
from collections.abc import Iterable
from contextlib import suppress

from google.protobuf.message import DecodeError
from msgspec.structs import replace

from agents.risk.rules import BadRule, Rules, rules_with, rules_without
from agents.risk.world import Control, control_with, control_without
from schemas import engine_pb2 as pb
from streams.replay.recording import Recorded


class Known:
    """Every state of both, by the offset that made it; what a worker refused made none."""

    def __init__(self, rules: Iterable[Recorded], control: Iterable[Recorded]) -> None:
        self._rules, self._control = [(-1, Rules())], [(-1, Control())]
        self.ends = [0, 0]  # offsets after the last record of each
        for record in rules:
            self.ends[0] = record.offset + 1
            with suppress(BadRule, DecodeError):
                self._rules.append((record.offset, _ruled(self._rules[-1][1], record)))
        for record in control:
            self.ends[1] = record.offset + 1
            with suppress(DecodeError):
                self._control.append((record.offset, _controlled(self._control[-1][1], record)))

    def at(self, rules_offset: int, control_offset: int) -> tuple[Rules, Control]:
        """The last ones at or before the offsets; they carry these very offsets, for compaction may have taken the records.

        Raises `ValueError` for an offset that the log never had.
        """
        for name, offset, end in zip(("rules", "control"), (rules_offset, control_offset), self.ends, strict=True):
            if not -1 <= offset < end:
                raise ValueError(f"{name} offset: expected -1 to {end - 1}, was {offset}")
        rules = self._rules[bisect_right(self._rules, rules_offset, key=lambda pair: pair[0]) - 1][1]
        control = self._control[bisect_right(self._control, control_offset, key=lambda pair: pair[0]) - 1][1]
        return replace(rules, offset=rules_offset), replace(control, offset=control_offset)


def _ruled(rules: Rules, record: Recorded) -> Rules:
    if record.value is None:
        return rules_without(rules, (record.key or b"").decode(errors="replace"), record.offset)
    return rules_with(rules, pb.RiskRule.FromString(record.value), record.offset)


def _controlled(control: Control, record: Recorded) -> Control:
    if record.value is None:
        return control_without(control, (record.key or b"").decode(errors="replace"), record.offset)
    return control_with(control, pb.Control.FromString(record.value), record.offset)
