"""The commands `record`, `replay` and `verify`: what they do and print."""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streams.config import Config
from streams.replay.derive import Verifier
from streams.replay.history import SOURCES, History, Start
from streams.replay.otherwise import Alternative, alternative
from streams.replay.recorder import INPUTS, OUTPUTS, Window
from streams.replay.recorder import record as record_topics
from streams.replay.recording import Recording
from streams.replay.rows import check_begin, rows_of
from streams.replay.summary import changes, lines, summary
from streams.stack.oracle_verdicts import VERDICTS
from streams.stack.process import StackError


def record(options: argparse.Namespace, config: Config) -> int:
    """A window of the topics into a folder; a line a topic."""
    folder = Path(options.out or time.strftime("recording-%Y%m%d-%H%M%S"))
    names = options.topics.split(",") if options.topics else (*INPUTS, *OUTPUTS)
    manifest = record_topics(config, Window(options.from_ms, options.to_ms, options.rows), names, folder)
    for name in names:
        print(f"{name}: {sum(file.records for file in manifest.files if file.topic == name)}")
    if options.rows:
        print(f"rows: {sum(file.records for file in manifest.rows)}")
    print(folder)
    return 0


def replay(options: argparse.Namespace, config: Config) -> int:
    """The recorded history once more, or twice where other rules are asked for."""
    _quiet("agents", "streams")
    live = Window(options.from_ms, options.to_ms, options.from_rows == "")
    other = alternative(Path(options.rules) if options.rules else None, options.thresholds)
    with _recorded(options, config, live, SOURCES) as recording:
        rows = _rows(options.from_rows, recording)
        if rows:
            check_begin(recording, rows)
        elif recording.manifest.from_ms is not None:
            print("replay: from the middle of the log without rows: balances and sequences before it are not known", file=sys.stderr)
        began = time.perf_counter()
        found = _run(recording, rows, Alternative(), options.step)
        print(f"{found.records.total()} records in {time.perf_counter() - began:.1f} s", file=sys.stderr)
        said = summary(found)
        if options.rules or options.thresholds:
            after = _run(recording, rows, other, options.step)
            said = summary(after) | {"changes": changes(found, after), "recorded": {name: said[name] for name in ("rungs", "state_hash")}}
    print(json.dumps(said, indent=1) if options.json else "\n".join(lines(said)))
    return 0


def verify(options: argparse.Namespace, config: Config) -> int:
    """Every verdict derived again; 1 where one differs."""
    _quiet("agents", "streams")
    with _recorded(options, config, Window(), (*SOURCES, *VERDICTS)) as recording:
        verifier = Verifier(recording, _rows(options.rows or ("" if recording.manifest.rows else None), recording))
        differs = sorted(verifier.differences())
        gone = verifier.marks_gone
    if options.json:
        print(json.dumps({"verdicts": verifier.verdicts, "checks": verifier.checks, "before_rows": verifier.before_rows,
                          "differs": [one._asdict() for one in differs], "marks_gone": gone}, indent=1))
    else:
        for one in differs:
            print(f"{one.id}: {one.what}")
        for name in gone:
            print(f"no longer in the log: {name}")
        print(f"{verifier.verdicts} verdicts of {verifier.checks} checks derived again, {len(differs)} differ; "
              f"{verifier.before_rows} before the rows; {len(gone)} marks no longer in the log")
    return 1 if differs else 0


def _run(recording: Recording, rows: Recording | None, other: Alternative, step_ms: int) -> History:
    history = History(recording, other)
    begin_ms = (rows or recording).manifest.from_ms or 0
    found = (rows_of(rows, "accounts"), rows_of(rows, "orders")) if rows else ()
    history.run(Start(begin_ms, step_ms, *found))
    return history


def _rows(folder: str | None, recording: Recording) -> Recording | None:
    """Of another folder, or ("") of the recording itself."""
    return None if folder is None else Recording(Path(folder)) if folder else recording


@contextmanager
def _recorded(options: argparse.Namespace, config: Config, window: Window, names: Sequence[str]) -> Iterator[Recording]:
    """The recording of a folder; without one the broker's, in a folder of its own for as long as it is needed."""
    windowed = getattr(options, "live", False) or window.from_ms is not None or window.to_ms is not None
    if options.folder and windowed:
        raise StackError("expected a recording or a window of the broker's topics, was both")
    if options.folder:
        yield Recording(Path(options.folder))
        return
    with tempfile.TemporaryDirectory(prefix="marginstream-") as folder:
        record_topics(config, window, names, Path(folder))
        yield Recording(Path(folder))


def _quiet(*rooms: str) -> None:
    """What a fold or a tick is refused for was said when it happened; here it is counted."""
    for room in rooms:
        logging.getLogger(room).setLevel(logging.CRITICAL)


