"""What the supervisor writes down is read back by a shell and by later commands."""

import subprocess
from pathlib import Path

import pytest

from streams.config import Config, load
from streams.stack import supervisor
from streams.stack.supervisor import State, lines_to_paste, located


@pytest.mark.parametrize("dsn", ["postgresql://a@127.0.0.1:1/b", "postgresql://a:p@h/b?sslmode=require&x=y", "host=h dbname=d"])
def test_addresses_survive_a_shell(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(data_dir=str(tmp_path / "my data"))
    addresses = {"MARGINSTREAM_POSTGRES_DSN": dsn, "MARGINSTREAM_API_TOKEN": "", "MARGINSTREAM_DATA_DIR": config.data_dir}
    supervisor._save(config, State([], addresses))
    script = 'set -a; source "$1"; printf "%s\\n" "$MARGINSTREAM_POSTGRES_DSN" "$MARGINSTREAM_API_TOKEN" "$MARGINSTREAM_DATA_DIR"'
    done = subprocess.run(["bash", "-c", script, "-", str(tmp_path / "my data" / "env")], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == (f"{dsn}\n\n{config.data_dir}\n", "")
    monkeypatch.delenv("MARGINSTREAM_POSTGRES_DSN", raising=False)
    assert located(config).postgres_dsn == dsn
    assert (tmp_path / "my data" / "env").stat().st_mode & 0o077 == 0


def test_lines_to_paste_are_one_word_an_address() -> None:
    [_, line] = lines_to_paste(Config(postgres_dsn="postgresql://a@h/b?x=1&y=2"))
    assert line.endswith(" 'postgresql://a@h/b?x=1&y=2'")


def test_plain_addresses_stay_plain(tmp_path: Path) -> None:
    config = Config(data_dir=str(tmp_path))
    supervisor._save(config, State([], {"ONE": "redis://127.0.0.1:5/0", "TWO": "http://a:1,http://b:2"}))
    assert (tmp_path / "env").read_text() == "ONE=redis://127.0.0.1:5/0\nTWO=http://a:1,http://b:2\n"


@pytest.mark.parametrize(("own", "said", "theirs"), [
    (["redis_url"], "redis://127.0.0.1:5/0", set()),  # `env` was sourced
    (["redis_url"], "redis://127.0.0.1:6/0", {"redis_url"}),
    ([], "redis://127.0.0.1:5/0", {"redis_url"}),
    (["redis_url"], "", set()),
])
def test_who_sourced_the_addresses_does_not_name_foreign_servers(
    own: list[str], said: str, theirs: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in supervisor.ADDRESSES:
        monkeypatch.delenv(f"MARGINSTREAM_{name.upper()}", raising=False)
    monkeypatch.setenv("MARGINSTREAM_REDIS_URL", said)
    state = State(addresses={"MARGINSTREAM_REDIS_URL": "redis://127.0.0.1:5/0"}, own=own)
    assert supervisor._theirs(load(), state) == theirs
