"""A recording replays to the same state on every run, from zero and from rows, and under other rules to what those decide."""

import os
import random
import subprocess
import sys
import tracemalloc
from pathlib import Path

import msgspec
import pytest

from schemas import engine_pb2 as pb
from streams import topics
from streams.replay.history import History, Start
from streams.replay.otherwise import alternative
from streams.replay.recording import MANIFEST, Manifest, Recording, write_manifest
from streams.replay.rows import check_begin, rows_of
from streams.replay.summary import changes, state_hash, summary
from streams.stack.process import StackError
from tests.replay.stories import BEGIN_MS, Cut, Log, change, generated, replayed, with_verdicts, write
from tests.tables.facts import VENUE, balance, meta

MIDDLE_MS = BEGIN_MS + 10_000


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return write(generated(), tmp_path_factory.mktemp("recordings") / "whole")


@pytest.fixture(scope="module")
def history(recorded: Recording) -> History:
    return replayed(recorded)


def _hash_elsewhere(folder: Path, seed: str) -> str:
    words = [sys.executable, "-m", "streams", "replay", str(folder), "--json"]
    done = subprocess.run(words, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True, text=True)
    found = msgspec.json.decode(done.stdout)
    return f"{found['state_hash']} {found['verdict_hash']}"


def test_the_story_is_worth_replaying(history: History) -> None:
    found = summary(history)
    kinds = {one["kind"] for one in found["verdicts"]}
    assert {"margin_call", "ordered", "completed"} <= kinds
    assert found["outputs"][topics.TRANSACTIONS] > 100
    assert found["dead_letters"] == {}


def test_two_runs_in_processes_of_their_own_come_to_the_same(recorded: Recording, history: History) -> None:
    expected = f"{state_hash(history)} {history.told.hash}"
    assert [_hash_elsewhere(recorded.folder, seed) for seed in ("1", "77")] == [expected, expected]


def test_the_order_of_the_files_does_not_matter(recorded: Recording, history: History) -> None:
    files = list(recorded.manifest.files)
    random.Random(3).shuffle(files)
    shuffled = Recording(recorded.folder)
    shuffled.manifest = msgspec.structs.replace(recorded.manifest, files=tuple(files))
    assert summary(replayed(shuffled)) == summary(history)


def test_steps_of_the_house_are_in_the_rows(history: History) -> None:
    """What was closed is gone from the position, and its loss from the balance."""
    done = [one for one in summary(history)["verdicts"] if one["kind"] == "completed"]
    assert done
    user = done[-1]["id"].partition("/")[0]
    row = history.accounts.state_of(user.encode(), 0)
    assert row.accounts["house"].margin.step or row.accounts["house"].margin.episode
    assert row.accounts["house"].realised_pnl < 0


def test_exported_rows_are_a_start_for_the_rest(tmp_path: Path, history: History) -> None:
    log = generated()
    first = replayed(write(log, tmp_path / "first", Cut(to_ms=MIDDLE_MS)))
    second = write(log, tmp_path / "second", Cut(from_ms=MIDDLE_MS), {"accounts": first.accounts, "orders": first.orders})
    check_begin(second, second)
    rest = replayed(second, Start(MIDDLE_MS, 1, rows_of(second, "accounts"), rows_of(second, "orders")))
    assert state_hash(rest) == state_hash(history)
    both = {**first.told.verdicts, **rest.told.verdicts}
    assert both == history.told.verdicts
    assert rest.told.verdicts
    assert rest.told.verdicts.keys().isdisjoint(first.told.verdicts.keys())


def test_facts_that_rows_have_are_not_folded_again(tmp_path: Path, history: History) -> None:
    log = generated()
    first = replayed(write(log, tmp_path / "first", Cut(to_ms=MIDDLE_MS)))
    books = {"accounts": first.accounts, "orders": first.orders}
    overlapping = write(log, tmp_path / "second", Cut(from_ms=MIDDLE_MS - 2_000), books)
    rest = replayed(overlapping, Start(MIDDLE_MS, 1, rows_of(overlapping, "accounts"), rows_of(overlapping, "orders")))
    assert rest.accounts.skipped > 0
    assert state_hash(rest) == state_hash(history)


def test_facts_between_rows_and_recording_must_be_there(tmp_path: Path) -> None:
    log = generated(seconds=8)
    first = replayed(write(log, tmp_path / "first", Cut(to_ms=BEGIN_MS + 2_000)))
    late = write(log, tmp_path / "late", Cut(from_ms=BEGIN_MS + 6_000), {"accounts": first.accounts, "orders": first.orders})
    with pytest.raises(StackError, match="expected facts from offset"):
        check_begin(late, late)
    with pytest.raises(StackError, match="expected facts from offset 0"):
        check_begin(late, None)


@pytest.mark.parametrize("topic", [topics.WALLET_DELTAS, topics.PRICE_TICKS])
def test_another_fact_or_mark_is_another_state(tmp_path: Path, topic: str, history: History) -> None:
    log = generated()
    seen = 0

    def other(record: object) -> bytes | None:
        nonlocal seen
        value = getattr(record, "value", b"")
        message = pb.WalletDelta.FromString(value) if topic == topics.WALLET_DELTAS else pb.PriceTick.FromString(value)
        if isinstance(message, pb.WalletDelta):
            message.amount = f"{message.amount.rstrip('.')}1"
            return message.SerializeToString()
        seen += 1
        if message.instrument != "house:XAUUSD" or seen < 300:
            return None
        message.bid = "1"
        return message.SerializeToString()

    change(log, topic, other)
    changed = replayed(write(log, tmp_path / "changed"))
    assert state_hash(changed) != state_hash(history)


def test_a_mark_goes_stale_when_its_time_is_over(tmp_path: Path) -> None:
    log = generated(seconds=3)
    until = BEGIN_MS + 3_000 + 60_000
    silent = replayed(write(log, tmp_path / "silent", Cut(to_ms=until)))
    rungs = summary(silent)["rungs"]
    assert rungs["unknown"] > 0
    moved = [one.time_ms for (_, kind), one in silent.told.verdicts.items() if "to unknown" in one.said]
    assert moved
    last_tick = BEGIN_MS + 2_950
    assert all(last_tick + 10_000 < at <= last_tick + 10_500 for at in moved), moved
    assert silent.prices.at_ms == until


def test_looks_that_find_nothing_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The grid of the timer is left out where nothing can turn: with every look made the same comes out."""
    log = generated(seconds=3)
    recording = write(log, tmp_path / "silent", Cut(to_ms=BEGIN_MS + 100_000))
    short = summary(replayed(recording))
    monkeypatch.setattr("streams.replay.simulated.SimulatedPrices.next_turn_ms", lambda self, stale_ms: 0)
    assert summary(replayed(recording)) == short


def test_a_changed_threshold_changes_verdicts(recorded: Recording, history: History) -> None:
    same = History(recorded, alternative(None, ["mt5:warning=150"]))
    same.run(Start())
    assert changes(history, same) == {"added": [], "gone": [], "different": []}
    assert state_hash(same) == state_hash(history)
    other = History(recorded, alternative(None, ["mt5:warning=9000,margin_call=8000,liquidation=10,release=8500", "warning=0.001"]))
    other.run(Start())
    found = changes(history, other)
    assert found["added"]
    assert any("to warning" in one["said"] for one in found["added"])
    assert state_hash(other) != state_hash(history)


def test_rules_of_a_file_take_the_place_of_recorded_ones(tmp_path: Path, recorded: Recording, history: History) -> None:
    thresholds = {"mode": "percent", "warning": "30", "margin_call": "20", "liquidation": "10", "release": "25"}
    rule = {"rule_id": "group:standard", "group": {"group": "standard", "leverage": "100", "by_model": {"mt5": thresholds}}}
    file = tmp_path / "rules.jsonl"
    file.write_bytes(msgspec.json.encode({"key": "group:standard@0", "value": rule}) + b"\n\n")
    lax = History(recorded, alternative(file, []))
    lax.run(Start())
    found = changes(history, lax)
    late = {one["id"]: one["time_ms"] - one["was"]["time_ms"] for one in found["different"] if "/house/1/" in one["id"]}
    assert "live:1001/house/1/s1/completed" in late
    assert min(late.values()) > 0  # what is allowed to sink further is closed later
    assert lax.prices.rules.offset == history.prices.rules.offset


@pytest.mark.parametrize(("lines", "thresholds", "says"), [
    ("{", [], "line 1"),
    ('{"key": "a@0", "value": null}', [], "expected a rule, was null"),
    ('{"key": "a@0", "value": {"rule_id": "a"}}', [], "expected an instrument, a group or a collateral weight"),
    ("", ["nonsense=1"], "expected one of mode, warning"),
    ("", ["warning=x"], "warning"),
    ("", ["warning=2"], "in order"),
    ("", ["mt4:warning=2"], "expected a model of"),
])
def test_bad_rules_and_thresholds_are_refused(tmp_path: Path, lines: str, thresholds: list[str], says: str) -> None:
    file = tmp_path / "rules.jsonl"
    file.write_text(lines)
    with pytest.raises(StackError, match=says):
        alternative(file, thresholds)


def test_a_taken_back_rule_is_taken_back(tmp_path: Path) -> None:
    log = generated(seconds=3)
    without = generated(seconds=3)
    without.append(topics.RISK_RULES, "instrument:house:XAUUSD@0", None, BEGIN_MS + 1_000)
    one, other = replayed(write(log, tmp_path / "one")), replayed(write(without, tmp_path / "other"))
    assert other.prices.rules.instrument("house:XAUUSD", BEGIN_MS) is None
    assert summary(one)["rungs"].get("unknown", 0) < summary(other)["rungs"]["unknown"]


def test_a_pause_holds_the_plan_back(tmp_path: Path) -> None:
    log = generated()
    log.send(topics.CONTROL, "global", pb.Control(scope="global", action=pb.Control.PAUSE, reason="test"), BEGIN_MS + 1)
    paused = replayed(write(log, tmp_path / "paused"))
    assert not [kind for _, kind in paused.told.verdicts if kind == "completed"]


def _empty(folder: Path) -> Recording:
    return write(Log(), folder)


def test_a_recording_of_nothing_replays_to_nothing(tmp_path: Path) -> None:
    assert summary(replayed(_empty(tmp_path / "empty")))["users"] == 0


def test_settings_are_those_of_the_recording(tmp_path: Path) -> None:
    recording = write(generated(seconds=3), tmp_path / "one", Cut(to_ms=BEGIN_MS + 20_000))
    patient = msgspec.structs.replace(recording.manifest, settings={**recording.manifest.settings, "mark_stale_ms": 60_000})
    write_manifest(recording.folder, patient)
    assert msgspec.json.decode((recording.folder / MANIFEST).read_bytes(), type=Manifest).config.mark_stale_ms == 60_000
    assert "unknown" not in summary(replayed(Recording(recording.folder)))["rungs"]


def test_verdicts_of_a_recording_are_not_its_input(tmp_path: Path, history: History) -> None:
    assert summary(replayed(with_verdicts(generated(), tmp_path))) == summary(history)


def test_coarser_steps_judge_the_same_history_less_often(recorded: Recording, history: History) -> None:
    coarse = replayed(recorded, Start(step_ms=100))
    assert coarse.records == history.records
    assert coarse.told.outputs[topics.TRANSACTIONS] > 100
    assert {at % 100 for at, _ in coarse.told.verdicts.values()} <= {99, 0, 50}  # the end of a step, or a look of the timer
    assert {name for name, _ in coarse.told.verdicts} & {name for name, _ in history.told.verdicts}


def test_half_a_frame_is_given_up_when_its_time_is_over(tmp_path: Path) -> None:
    """Five seconds of simulated time after its first part, and not before."""
    log = Log()
    half = balance("2", meta(1, part=0, parts=2))
    log.append(half.topic, half.user, half.value, BEGIN_MS)
    for name, ms in (("early", 4_500), ("late", 6_000)):
        found = replayed(write(log, tmp_path / name, Cut(to_ms=BEGIN_MS + ms)))
        assert bool(found.told.outputs[topics.ANOMALIES]) == (name == "late")
        assert bool(found.accounts.state_of(half.user.encode(), 0).accounts[VENUE].quarantines) == (name == "late")


def test_a_recording_is_streamed(tmp_path: Path) -> None:
    """Of twenty MB no more than a few lie in memory at a time."""
    log, chance = Log(), random.Random(1)
    for number in range(20_000):
        log.append(topics.WALLET_DELTAS, f"live:{number % 50}", chance.randbytes(1_000), BEGIN_MS + number)
    recording = write(log, tmp_path / "large")
    log.places.clear()
    tracemalloc.start()
    try:
        count = sum(1 for _ in recording.merged(recording.manifest.files))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 6_000_000
