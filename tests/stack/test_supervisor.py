"""What the supervisor writes down is read back by a shell and by later commands."""

import subprocess
from pathlib import Path

import pytest
import yaml

from streams.config import Config, load
from streams.stack import process, supervisor
from streams.stack.process import Command, Running
from streams.stack.supervisor import State, lines_to_paste, located

ROOT = Path(__file__).parents[2]


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


def started_by_up(config: Config, monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, ...]]:
    """The commands of the processes that are started, each said to be ready at once, workers and ports left out."""
    words: list[tuple[str, ...]] = []

    def start(command: Command, logs: Path) -> Running:
        words.append(tuple(map(str, command.words[3:])))
        address = Path(config.data_dir) / "run" / "grpc.address"
        address.parent.mkdir(parents=True, exist_ok=True)
        address.write_text("127.0.0.1:1\n")
        return Running(command.name, 0, "", str(logs / command.name))

    monkeypatch.setattr(process, "start", start)
    monkeypatch.setattr(process, "alive", lambda running: True)
    monkeypatch.setattr(supervisor, "ready", lambda port: True)
    supervisor._start_processes(config, State(own=list(supervisor.ADDRESSES)), False, lambda text: None)
    return set(words) - {()}  # the keeper is started by its module


def test_what_up_starts_is_what_containers_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers, topics and the keeper are the containers' own affair; the generator is a profile there, an option here."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    contained = {tuple(service["command"]) for service in services.values() if "build" in service and "profiles" not in service}
    started = started_by_up(Config(data_dir=str(tmp_path)), monkeypatch)
    assert started >= {("ingest",), ("execute",), ("worker",), ("admin",)}
    assert contained - {("up", "--bare")} == started


def test_who_opens_secrets_finds_the_keys_that_the_setup_made() -> None:
    """Without them an executor does not start, and each would make keys of its own that nobody else opens."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for name in ("setup", "admin", "ingest", "execute"):
        service = compose["services"][name]
        assert service["volumes"] == ["keys:/app/keys"], name
        assert service["environment"]["MARGINSTREAM_VAULT_FILE"] == "/app/keys/vault.json", name
    assert "mkdir .marginstream keys && chown marginstream .marginstream keys" in (ROOT / "Dockerfile").read_text()
