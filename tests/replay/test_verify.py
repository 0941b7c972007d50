"""Every verdict of a log derives again from its stamp; a changed fact, mark or verdict is found, and so is a changed byte of a file."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas import engine_pb2 as pb
from streams import topics
from streams.replay.derive import Difference, Verifier
from streams.replay.recording import MANIFEST, BadRecording, Recorded, Recording
from streams.stack.process import StackError
from tests.replay.stories import BEGIN_MS, Cut, Log, change, generated, replayed, with_verdicts, write

MIDDLE_MS = BEGIN_MS + 10_000
Change = Callable[[pb.MarginCall], None]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Log:
    """A log with its verdicts."""
    log = generated()
    with_verdicts(log, tmp_path_factory.mktemp("told"))
    return log


@pytest.fixture
def log(told: Log) -> Log:
    """A copy to change."""
    found = Log()
    for name, place in told.places.items():
        found.places[name] = list(place)
    return found


def differences(log: Log, folder: Path) -> list[Difference]:
    return list(Verifier(write(log, folder / "changed"), None).differences())


def test_all_verdicts_derive_again(told: Log, tmp_path: Path) -> None:
    verifier = Verifier(write(told, tmp_path / "whole"), None)
    assert list(verifier.differences()) == []
    assert verifier.verdicts == sum(len(told.places[topic, number]) for topic in (topics.MARGIN_CALLS, topics.LIQUIDATIONS)
                                    for number in range(2)) > 10
    assert verifier.marks_gone == []
    assert verifier.before_rows == 0


def test_facts_are_held_no_longer_than_needed(told: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With next to nothing held the same is found: verdicts are derived while facts pass."""
    monkeypatch.setattr("streams.replay.derive._HELD_MAX", 1)
    verifier = Verifier(write(told, tmp_path / "whole"), None)
    assert list(verifier.differences()) == []
    assert verifier.checks > 5


def test_a_verdict_twice_on_the_log_is_one(log: Log, tmp_path: Path) -> None:
    place = next(place for (topic, _), place in log.places.items() if topic == topics.MARGIN_CALLS and place)
    place.append(place[0]._replace(offset=len(place)))
    assert differences(log, tmp_path) == []


def _call(change_it: Change) -> Callable[[Recorded], bytes | None]:
    def found(record: Recorded) -> bytes | None:
        call = pb.MarginCall.FromString(record.value or b"")
        change_it(call)
        return call.SerializeToString(deterministic=True)

    return found


def _rung(call: pb.MarginCall) -> None:
    call.after = pb.LIQUIDATION


def _equity(call: pb.MarginCall) -> None:
    call.figures.equity += "1"


def _fence(call: pb.MarginCall) -> None:
    call.stamp.fences[topics.WALLET_DELTAS] = 1 << 40


def _no_fence(call: pb.MarginCall) -> None:
    call.stamp.fences[topics.ORDER_UPDATES] = -1


def _no_topic(call: pb.MarginCall) -> None:
    call.stamp.fences["wallet-delta"] = 1


def _price(call: pb.MarginCall) -> None:
    call.stamp.marks[0].bid = "1"


def _late(call: pb.MarginCall) -> None:
    call.stamp.marks[0].append_time_ms += 1


def _other_tick(call: pb.MarginCall) -> None:
    call.stamp.marks[0].offset += 1


def _rules(call: pb.MarginCall) -> None:
    call.stamp.rules_offset = 500


def _account(call: pb.MarginCall) -> None:
    call.account_id = "hous"


def _no_id(call: pb.MarginCall) -> None:
    call.id = ""


def _no_number(call: pb.MarginCall) -> None:
    call.stamp.marks[0].bid = "x"


@pytest.mark.parametrize("change_it", [_rung, _equity, _fence, _no_fence, _no_topic, _price, _late, _other_tick, _rules, _account, _no_id,
                                       _no_number])
def test_a_changed_verdict_is_found(log: Log, tmp_path: Path, change_it: Change) -> None:
    changed = pb.MarginCall.FromString(change(log, topics.MARGIN_CALLS, _call(change_it)).value or b"")
    found = differences(log, tmp_path)
    assert found
    assert not changed.id or any(one.id.startswith((changed.user_id, topics.MARGIN_CALLS)) for one in found), found


@pytest.mark.parametrize("value", [b"", b"garbage", b"\xff\xff"])
def test_an_unreadable_verdict_is_found(log: Log, tmp_path: Path, value: bytes) -> None:
    record = change(log, topics.LIQUIDATIONS, lambda record: value)
    assert (f"liquidations[{record.partition}]@{record.offset}", True) in [
        (one.id, one.what.startswith("expected a verdict")) for one in differences(log, tmp_path)]


def test_a_verdict_that_is_missing_beside_others_of_its_check_is_found(log: Log, tmp_path: Path) -> None:
    number, place = next((number, place) for (topic, number), place in log.places.items() if topic == topics.LIQUIDATIONS and place)
    gone = pb.Liquidation.FromString(place[-1].value or b"")
    log.places[topics.LIQUIDATIONS, number] = place[:-1]
    assert any(gone.id in one.what for one in differences(log, tmp_path))


def _delta(user: str) -> Callable[[Recorded], bytes | None]:
    def found(record: Recorded) -> bytes | None:
        delta = pb.WalletDelta.FromString(record.value or b"")
        if delta.user_id != user or delta.asset != "USD":
            return None
        delta.amount = f"{delta.amount}1" if "." in delta.amount else f"{delta.amount}.01"
        return delta.SerializeToString()

    return found


def test_a_changed_fact_is_found(log: Log, tmp_path: Path) -> None:
    judged = {record.user for (topic, _), place in log.places.items() if topic == topics.LIQUIDATIONS for record in place}
    user = min(judged)
    change(log, topics.WALLET_DELTAS, _delta(user))
    assert {one.id.partition("/")[0] for one in differences(log, tmp_path)} == {user}


def test_a_changed_mark_is_found(log: Log, tmp_path: Path) -> None:
    first = next(record for (topic, _), place in sorted(log.places.items()) if topic == topics.MARGIN_CALLS for record in place)
    call = pb.MarginCall.FromString(first.value or b"")
    mark = next(mark for mark in call.stamp.marks if mark.bid)

    def found(record: Recorded) -> bytes | None:
        tick = pb.PriceTick.FromString(record.value or b"")
        tick.ask = f"{tick.ask}1" if "." in tick.ask else f"{tick.ask}.1"
        return tick.SerializeToString() if (tick.instrument, record.offset) == (mark.instrument, mark.offset) else None

    change(log, topics.PRICE_TICKS, found)
    assert (call.id, True) in [(one.id, one.what.startswith(f"mark {mark.instrument}@{mark.offset}")) for one in differences(log, tmp_path)]


def test_a_mark_that_compaction_took_is_named_and_no_difference(log: Log, tmp_path: Path) -> None:
    first = next(record for (topic, _), place in sorted(log.places.items()) if topic == topics.MARGIN_CALLS for record in place)
    mark = pb.MarginCall.FromString(first.value or b"").stamp.marks[0]
    for (topic, number), place in list(log.places.items()):
        if topic == topics.PRICE_TICKS:
            log.places[topic, number] = [record for record in place if (record.key or b"").decode() != mark.instrument
                                         or record.offset != mark.offset]
    verifier = Verifier(write(log, tmp_path / "compacted"), None)
    assert list(verifier.differences()) == []
    assert verifier.marks_gone == [f"mark {mark.instrument}@{mark.offset}"]


def test_verdicts_derive_from_exported_rows(told: Log, tmp_path: Path) -> None:
    first = replayed(write(told, tmp_path / "first", Cut(to_ms=MIDDLE_MS)))
    rest = write(told, tmp_path / "rest", Cut(from_ms=MIDDLE_MS - 1_000), {"accounts": first.accounts, "orders": first.orders})
    with pytest.raises(StackError, match="expected facts from offset 0"):
        Verifier(rest, None)
    verifier = Verifier(rest, rest)
    assert list(verifier.differences()) == []
    assert verifier.checks > 0


def test_verdicts_before_the_rows_are_counted(told: Log, tmp_path: Path) -> None:
    whole = write(told, tmp_path / "whole")
    first = replayed(write(told, tmp_path / "first", Cut(to_ms=MIDDLE_MS)))
    rows = write(told, tmp_path / "rows", Cut(from_ms=MIDDLE_MS), {"accounts": first.accounts, "orders": first.orders})
    verifier = Verifier(whole, rows)
    assert list(verifier.differences()) == []
    assert verifier.before_rows == sum(len(place) for (topic, _), place in told.places.items() if topic in (
        topics.MARGIN_CALLS, topics.LIQUIDATIONS) for place in [[one for one in place if one.timestamp < MIDDLE_MS]]) > 0


def _flip(path: Path, seed: int) -> None:
    data = bytearray(path.read_bytes())
    at = random.Random(seed).randrange(len(data) * 8)
    data[at // 8] ^= 1 << at % 8
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("topic", [topics.WALLET_DELTAS, topics.PRICE_TICKS, topics.MARGIN_CALLS, topics.LIQUIDATIONS])
def test_a_flipped_bit_of_a_file_is_found(told: Log, tmp_path: Path, topic: str, seed: int) -> None:
    recording = write(told, tmp_path / "flipped")
    file = max(recording.files([topic]), key=lambda file: file.records)
    _flip(recording.folder / file.name, seed)
    with pytest.raises(BadRecording, match=f"{file.name}: expected digest"):
        Recording(recording.folder)


@pytest.mark.parametrize("seed", range(8))
def test_a_flipped_bit_of_the_manifest_is_found(tmp_path: Path, seed: int) -> None:
    recording = write(Log(), tmp_path / "flipped")
    _flip(recording.folder / MANIFEST, seed)
    try:
        again = Recording(recording.folder)
    except BadRecording:
        return
    assert again.manifest == recording.manifest  # white space between values says nothing


def test_bad_folders_are_told_in_one_line(tmp_path: Path) -> None:
    recording = write(generated(seconds=2), tmp_path / "cut")
    file = max(recording.manifest.files, key=lambda file: file.records)
    path = recording.folder / file.name
    whole = gzip.decompress(path.read_bytes())
    for data in (path.read_bytes()[:-9], gzip.compress(whole[:-3]), gzip.compress(whole + whole), gzip.compress(b"\xff" * 100), b"no gzip"):
        path.write_bytes(data)
        with pytest.raises(BadRecording, match=r"expected") as error:
            list(recording.read(file))
        assert "\n" not in str(error.value)
    path.unlink()
    with pytest.raises(BadRecording, match="expected a recorded file"):
        Recording(recording.folder)
