"""The three commands as a person or a script runs them: what is printed, and one line and exit 1 for what is bad."""

import json
from pathlib import Path
from typing import Any

import pytest

from streams.__main__ import main
from streams.replay import progress
from streams.stack import process
from tests.replay.stories import BEGIN_MS, Cut, Log, generated, replayed, with_verdicts, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with verdicts."""
    return with_verdicts(generated(seconds=12), tmp_path_factory.mktemp("commands")).folder


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    status = main(list(words))
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found | {"status": status}


def test_replay_prints_counts_rungs_verdicts_and_a_hash(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = _json(capsys, "replay", str(folder), "--json")
    assert found["status"] == 0
    assert found["verdicts"]
    assert len(found["state_hash"]) == 32
    assert found["rungs"]["normal"] > 0
    assert main(["replay", str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"state_hash: {found['state_hash']}"
    assert any(line.startswith("rungs: ") for line in lines)
    assert [line for line in lines if found["verdicts"][0]["id"] in line]


def test_replay_under_other_thresholds_shows_what_changes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = _json(capsys, "replay", str(folder), "--json", "--thresholds", "mt5:warning=9000,margin_call=100,release=9000")
    assert found["changes"]["added"]
    assert found["recorded"]["state_hash"] != found["state_hash"]
    main(["replay", str(folder), "--thresholds", "mt5:warning=9000,release=9000"])
    assert "added: " in capsys.readouterr().out


def test_verify_says_what_differs_by_its_exit(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = _json(capsys, "verify", str(folder), "--json")
    assert (found["status"], found["differs"], found["marks_gone"]) == (0, [], [])
    assert found["verdicts"] > 0
    log = generated(seconds=12)
    with_verdicts(log, tmp_path / "story")
    place = next(place for (topic, _), place in log.places.items() if topic == "margin-calls" and place)
    place[0] = place[0]._replace(value=b"\xff")
    assert main(["verify", str(write(log, tmp_path / "bad").folder)]) == 1
    out = capsys.readouterr().out.splitlines()
    assert any(line.startswith("margin-calls[") for line in out)
    assert "1 differ" in out[-1] or "differ" in out[-1]


def test_replay_from_the_rows_of_a_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log, middle = generated(seconds=12), BEGIN_MS + 6_000
    first = replayed(write(log, tmp_path / "first", Cut(to_ms=middle)))
    rest = write(log, tmp_path / "rest", Cut(from_ms=middle), {"accounts": first.accounts, "orders": first.orders})
    whole = _json(capsys, "replay", str(write(log, tmp_path / "whole").folder), "--json")
    found = _json(capsys, "replay", str(rest.folder), "--from-rows", "--json")
    assert found["state_hash"] == whole["state_hash"]
    assert main(["replay", str(rest.folder), "--from-rows", str(rest.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state_hash"] == whole["state_hash"]
    assert main(["replay", str(rest.folder)]) == 0
    assert "without rows" in capsys.readouterr().err


@pytest.mark.parametrize(("words", "says"), [
    (["replay", "none"], "expected the manifest of a recording"),
    (["verify", "none"], "expected the manifest of a recording"),
    (["replay", "{folder}", "--live"], "was both"),
    (["replay", "{folder}", "--from-rows"], "expected a recording made with --rows"),
    (["replay", "{folder}", "--rules", "none.json"], "expected lines of rules"),
    (["verify", "{folder}", "--rows", "{folder}"], "expected a recording made with --rows"),
    (["record", "--topics", "nonsense", "--out", "new"], "expected some of"),
    (["record", "--from", "5", "--to", "5", "--out", "new"], "expected a time after"),
    (["record", "--rows", "--from", "5", "--out", "new"], "within the last hour"),
    (["record", "--out", "{folder}"], "expected a new or empty folder"),
])
def test_what_is_bad_is_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([word.format(folder=folder) for word in words]) == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert says in error[0]


@pytest.mark.parametrize("words", [["replay", "--from", "yesterday"], ["replay", "--step", "0"], ["record", "--to", "-1"]])
def test_bad_usage_is_exit_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    assert "expected" in capsys.readouterr().err


def test_no_broker_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    [port] = process.free_ports(1)
    monkeypatch.setenv("MARGINSTREAM_KAFKA_BOOTSTRAP", f"127.0.0.1:{port}")
    monkeypatch.chdir(tmp_path)
    assert main(["verify"]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_recording_without_verdicts_cannot_be_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = write(Log(), tmp_path / "inputs", names=("wallet-deltas",))
    assert main(["verify", str(recording.folder)]) == 1
    assert "expected a recording of" in capsys.readouterr().err


def test_a_person_sees_a_bar_and_a_file_does_not(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar("replay", 10) as say:
        say(10)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.bar("replay", 20_000) as say:
        say(10_000)
    assert "replay" in capsys.readouterr().err
