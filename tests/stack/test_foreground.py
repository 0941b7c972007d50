"""What `run` answers: differences, deaths and an end by the user, each with the stack taken down."""

import signal

import pytest

from streams.config import Config
from streams.stack import board, foreground, selfcheck, supervisor

UP, DEAD = ("worker-0", True, "pid 1"), ("worker-0", False, "died")


@pytest.mark.parametrize(("found", "expected", "says"), [
    (([], [UP], False), 0, "self-check: all agree"),
    (([], [UP], True), 0, "self-check: all agree"),
    ((["row of live:1"], [UP], False), 1, "differs: row of live:1"),
    (([], [DEAD], False), 1, "differs: worker-0: died"),
])
def test_status(
    found: tuple[list[str], list[tuple[str, bool, str]], bool], expected: int, says: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    differs, rows, interrupted = found
    ended: list[str] = []

    def show(config: Config, seconds: float) -> int:
        if interrupted:
            raise KeyboardInterrupt
        return 0

    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(supervisor, "up", lambda config: config)
    monkeypatch.setattr(supervisor, "status", lambda _: rows)
    monkeypatch.setattr(supervisor, "stop_one", lambda _, name: ended.append(name))
    monkeypatch.setattr(supervisor, "down", lambda _: ended.append("all"))
    monkeypatch.setattr(board, "run_board", show)
    monkeypatch.setattr(selfcheck, "self_check", lambda _: differs)
    assert foreground.run(Config()) == expected
    assert says in capsys.readouterr().out
    assert ended[-1] == "all"
