"""Every recorded verdict derived again from its stamp: facts pass in the order of time, each user's are held until its next verdict."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from google.protobuf.message import DecodeError

from agents.facts import Reading
from agents.rederive import world_of
from agents.risk.rules import Rules
from agents.risk.world import Control
from schemas import engine_pb2 as pb
from streams.app import plans
from streams.engine.rows import Codec
from streams.replay.folded import Begun, StreamedRows
from streams.replay.known import Known
from streams.replay.marks import Marks
from streams.replay.progress import bar
from streams.replay.recording import BadRecording, Recorded, Recording, Say
from streams.replay.rows import check_begin, rows_of
from streams.stack.oracle import Seen
from streams.stack.oracle_verdicts import VERDICTS, Sent, checks_of
from streams.stack.selfcheck import repeated
from streams.topics import ACCOUNT_SOURCES, CONTROL, MARGIN_CALLS, PRICE_TICKS, RISK_RULES
from tables.codec import load_margin
from tables.policy import Policy

_HELD_MAX = 200  # facts of a user: then what can be judged is judged
_NEEDED = (*VERDICTS, *ACCOUNT_SOURCES, PRICE_TICKS, RISK_RULES, CONTROL)


class Difference(NamedTuple):
    """A verdict's id, or where it lies, and what is not as its stamp says."""

    id: str
    what: str


class _Case:
    """A user, with the checks that are still to be derived."""

    def __init__(self, rows: StreamedRows, checks: Iterable[Sent]) -> None:
        self.rows, self.checks = rows, deque(checks)


class Verifier:
    """Verifies one recording; of the facts a few hundred a user are held, of the verdicts those of one partition."""

    def __init__(self, recording: Recording, rows: Recording | None) -> None:
        self.recording, self._rows, config = recording, rows, recording.manifest.config
        if missing := [name for name in _NEEDED if not recording.files([name])]:
            raise BadRecording(f"{recording.folder}: expected a recording of {missing[0]}, was one without")
        check_begin(recording, rows)
        policy = Policy(config.settle_ms_max, config.report_ms_max, config.gap_held_max)
        self._reading = Reading(config.partitions, config.default_user_type, policy)
        self._codecs = [Codec(len(plan.sources), plan.dump, plan.load) for plan in plans(config)]
        self._sources = [plan.sources for plan in plans(config)]
        self._known = Known(self._all(RISK_RULES), self._all(CONTROL))
        self._marks = Marks(config.partitions)
        self._passed: dict[str, int] = {}  # last offset by topic, of the partition that is under way
        self.verdicts = self.checks = self.before_rows = 0  # the last: made before the rows they would have to be derived from

    @property
    def marks_gone(self) -> list[str]:
        """The marks that are no longer in the log."""
        return self._marks.gone()

    def differences(self) -> Iterator[Difference]:
        """Each verdict that does not come out again byte for byte, each that contradicts another, each mark that the log has otherwise."""
        with bar("verify", sum(file.records for file in self.recording.files((*ACCOUNT_SOURCES, PRICE_TICKS)))) as say:
            for number in range(self._reading.partitions):
                yield from self._in_partition(number, say)
            files = self.recording.files([PRICE_TICKS])
            ticks = _told((record for file in files for record in self.recording.read(file)), say)
            for found in self._marks.differences(ticks, {file.partition: file.end for file in files}):
                yield Difference(*found)

    def _all(self, topic: str) -> Iterator[Recorded]:
        return (record for file in self.recording.files([topic]) for record in self.recording.read(file))

    def _in_partition(self, number: int, say: Say) -> Iterator[Difference]:
        seen, bad = self._verdicts(number)
        yield from bad
        yield from (Difference(line.partition(": expected")[0], line) for line in repeated(seen))
        cases = self._cases(number, seen)
        files = [file for file in self.recording.files(ACCOUNT_SOURCES) if file.partition == number]
        self._passed = {}
        for _, record in self.recording.merged(files):
            say(1)
            self._passed[record.topic] = record.offset
            case = cases.get(record.user)
            if case and case.checks:
                case.rows.offer(record)
                if case.rows.held > _HELD_MAX:
                    yield from self._judge(case)
        self._passed = {file.topic: file.end - 1 for file in files}
        for case in cases.values():
            yield from self._judge(case, through=True)

    def _verdicts(self, number: int) -> tuple[list[Seen], list[Difference]]:
        """The verdicts of a partition that can be read, and those that cannot."""
        seen, bad = [], []
        for file in sorted(self.recording.files(VERDICTS), key=lambda file: file.topic):
            for record in self.recording.read(file) if file.partition == number else ():
                self.verdicts += 1
                try:
                    _check_readable(record)
                except (DecodeError, ValueError, ArithmeticError) as error:
                    bad.append(Difference(f"{record.topic}[{number}]@{record.offset}", f"expected a verdict, was {error}"))
                else:
                    seen.append(Seen(record.topic, number, record.offset, record.timestamp, record.key or b"", record.value or b""))
        return seen, bad

    def _cases(self, number: int, seen: Iterable[Seen]) -> dict[str, _Case]:
        sent: dict[str, list[Seen]] = defaultdict(list)
        for record in seen:
            sent[record.user].append(record)
        begun = self._begun(set(sent))
        return {user: _Case(StreamedRows(user, self._reading, begun.get(user, Begun())), checks_of(records))
                for user, records in sorted(sent.items())}

    def _begun(self, users: set[str]) -> dict[str, Begun]:
        found: dict[str, Begun] = {}
        for at, ledger in enumerate(("accounts", "orders") if self._rows else ()):
            assert self._rows is not None
            for key, value in rows_of(self._rows, ledger):
                if (user := key.decode(errors="replace")) in users:
                    row = self._codecs[at].decode(value)
                    fences = {topic: place - 1 for topic, place in zip(self._sources[at], row.positions, strict=True) if place}
                    begun = found.get(user, Begun())
                    found[user] = begun._replace(row=row.state, fences=fences) if at == 0 else begun._replace(
                        orders=row.state, order_fences=fences)
        return found

    def _judge(self, case: _Case, through: bool = False) -> Iterator[Difference]:
        """Derives what can be: all that its stamp's fences name has passed, or everything has."""
        while case.checks and (through or not self._ahead(case.checks[0])):
            sent = case.checks.popleft()
            if case.rows.is_past(sent.account_id, sent.stamp):
                self.before_rows += len(sent.values)
                continue
            self.checks += 1
            yield from self._derive(case.rows, sent) if not (ahead := self._ahead(sent)) else [
                Difference(_id(sent.values[0]), f"expected fences within the log, was {ahead}")]
        if case.checks:
            case.rows.fold_to(case.checks[0].stamp.fences)
        case.rows.forget()

    def _ahead(self, sent: Sent) -> str:
        """Fences of a stamp that nothing has passed yet, as text."""
        fences = sorted(sent.stamp.fences.items())
        return ", ".join(f"{name} {fence}" for name, fence in fences if self._passed.get(_topic(name), -1) < fence)

    def _derive(self, rows: StreamedRows, sent: Sent) -> Iterator[Difference]:
        first = _id(sent.values[0])
        self._marks.rest_on(world_of(sent.stamp, Rules(), Control()).marks.values(), first)
        try:
            known = self._known.at(sent.stamp.rules_offset, sent.stamp.control_offset)
            checked = rows.judge(sent.account_id, sent.stamp, *known)
        except (ValueError, ArithmeticError, KeyError) as error:
            yield Difference(first, f"expected to derive again, was {type(error).__name__}: {error}")
            return
        again = [output.value for output in checked.outputs if output.topic in VERDICTS] if checked else []
        missing, other = [value for value in sent.values if value not in again], [value for value in again if value not in sent.values]
        if missing or other:
            ids = ", ".join(map(_id, other)) or "nothing more"
            yield from (Difference(_id(value), f"expected {ids} from its stamp ({sent.stamp.time_ms}), was this") for value in missing)
            if not missing:
                yield Difference(first, f"expected also {ids} from its stamp ({sent.stamp.time_ms}), was not there")


def _check_readable(record: Recorded) -> None:
    """Raises where a verdict cannot be read, with its stamp and all."""
    kind: type[pb.MarginCall | pb.Liquidation] = pb.MarginCall if record.topic == MARGIN_CALLS else pb.Liquidation
    found = kind.FromString(record.value or b"")
    if not found.id or not found.HasField("stamp"):
        raise ValueError("a message without id or stamp")
    load_margin(found.stamp.margin_before)
    world_of(found.stamp, Rules(), Control())


def _topic(name: str) -> str:
    return name.rpartition("/")[2]


def _id(value: bytes) -> str:
    """Both kinds of message begin with it."""
    size, begins = (value[1], 2) if value[1] < 0x80 else (value[1] & 0x7F | value[2] << 7, 3)  # a varint
    return value[begins : begins + size].decode(errors="replace")


def _told(records: Iterable[Recorded], say: Say) -> Iterator[Recorded]:
    for record in records:
        say(1)
        yield record
