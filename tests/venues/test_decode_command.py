"""`marginstream decode`: its output, its exit codes, and what it says of bytes that are no frame."""

import base64
import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from google.protobuf import json_format

from streams.__main__ import main
from streams.topics import BY_NAME
from tests.venues import corpus
from tests.venues.corpus import FRAMES
from tests.venues.payloads import raw

ROOT = Path(__file__).parents[2]


class Done(NamedTuple):
    """What a command left behind."""

    returncode: int
    stdout: bytes
    stderr: bytes


def _decode(stdin: bytes, *words: str) -> Done:
    """The command in this process: a process each would cost a second."""
    out, error, before = io.StringIO(), io.StringIO(), sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            status = main(["decode", *words])
    except SystemExit as left:
        status = int(left.code or 0)
    finally:
        sys.stdin = before
    return Done(status, out.getvalue().encode(), error.getvalue().encode())


def test_it_is_a_command_of_the_program() -> None:
    done = subprocess.run([sys.executable, "-m", "streams", "decode", "okx_v5"], input=b"x", capture_output=True, cwd=ROOT, check=False,
                          timeout=120)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)


def test_a_frame_becomes_a_list_of_events() -> None:
    frame = raw(corpus.ACCOUNT)
    done = _decode(frame + b"\n", "binance_usdm", "--user", "77", "--account", "acc", "--received-ns", "1700000000000000000")
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert [one["topic"] for one in found] == ["user-data-balance-updates"] * 2 + ["user-data-position-updates"]
    assert {one["key"] for one in found} == {"live:77"}
    meta = found[0]["event"]["meta"]
    assert (meta["user_id"], meta["account_id"], meta["receive_time_ns"]) == ("live:77", "acc", "1700000000000000000")
    assert base64.b64decode(meta["raw_payload"]) == frame


@pytest.mark.parametrize("venue", FRAMES)
def test_lines_answer_line_by_line_and_read_back_as_protobuf(venue: str) -> None:
    frames = [raw(frame) for frame in FRAMES[venue]]
    done = _decode(b"\n".join(frames) + b"\n\n", venue, "--lines")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, len(answers)) == (0, len(frames))
    events = [event for answer in answers for event in answer]
    assert events
    for event in events:
        json_format.ParseDict(event["event"], BY_NAME[event["topic"]].message())


def test_a_bad_line_says_so_and_the_next_one_goes_on() -> None:
    done = _decode(b'{"e":\n' + b"\xff\n" + raw(corpus.MODE) + b"\n", "binance_usdm", "--lines")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [sorted(answer) for answer in answers[:2]] == [["error"], ["error"]]
    assert len(answers[2]) == 2


@pytest.mark.parametrize(("stdin", "words", "code", "says"), [
    (b"not json", ("binance_usdm",), 1, "expected JSON"), (b"", ("okx_v5",), 1, "expected JSON"), (b"\xff\xfe", ("bybit_v5",), 1,
        "expected JSON"),
    (b"{}", ("kucoin_futures",), 1, "expected a topic"), (b"{}", ("nowhere",), 2, "invalid choice"), (b"{}", (), 2, "required"),
    (raw(corpus.ORDER), ("binance_usdm", "--user", "a b"), 1, "user"), (raw(corpus.ORDER), ("binance_usdm", "--account", "a/b"), 1,
        "account_id"),
    (raw(corpus.ORDER), ("binance_usdm", "--received-ns", "9" * 30), 1, "decode"), (raw(corpus.ORDER), ("okx_v5",), 1, "arg"),
])
def test_what_cannot_be_read_is_one_line_on_stderr(stdin: bytes, words: tuple[str, ...], code: int, says: str) -> None:
    done = _decode(stdin, *words)
    assert (done.returncode, done.stdout) == (code, b"")
    assert says in done.stderr.decode()
    assert code == 2 or done.stderr.count(b"\n") == 1
    assert b"Traceback" not in done.stderr


def test_help_names_what_it_takes() -> None:
    done = _decode(b"", "-h")
    assert done.returncode == 0
    assert all(word in done.stdout.decode() for word in ("binance_usdm", "--user", "--account", "--received-ns", "--lines"))


def test_a_session_word_is_no_event_and_no_failure() -> None:
    done = _decode(b'{"e":"listenKeyExpired","E":"1"}', "binance_usdm")
    assert (done.returncode, json.loads(done.stdout)) == (0, [])
