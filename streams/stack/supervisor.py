"""The stack and the engine's processes in the background: up, down, status; what died is shown, what was started again is counted."""

import fcntl
import os
import shlex
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from streams.config import PORT_MAX, PREFIX, Config, given
from streams.stack import process
from streams.stack.postgres import psql, remove_data, start_postgres
from streams.stack.process import Command, Running, StackError, free_ports
from streams.stack.redis import redis_cli, start_redis

Say = Callable[[str], None]
READY_S = 120.0
ADDRESSES, VENUE_HOSTS = ("kafka_bootstrap", "redis_url", "postgres_dsn"), "venue_hosts"  # where set, another's: not started here
KEEPER = "keeper"
PORTS_TRIED_MAX = 5


class Part(msgspec.Struct):
    """A process that is started again where it ends (`streams.stack.keeper`): its command, and settings besides the addresses."""

    name: str
    words: list[str]
    settings: dict[str, str] = {}
    restarts: int = 0

    @property
    def port(self) -> int | None:
        """Where a worker listens; None of the others."""
        return int(self.settings["WEB_PORT"]) if "WEB_PORT" in self.settings else None


class State(msgspec.Struct):
    """What a stack started, kept in `{data_dir}/state.json`, in the order of starting; `addresses` as in `{data_dir}/env`."""

    running: list[Running] = []
    addresses: dict[str, str] = {}
    parts: list[Part] = []
    own: list[str] = []  # the addresses of servers that were started here


def folder(config: Config) -> Path:
    return Path(config.data_dir).resolve()


def load_state(config: Config) -> State:
    """The last stack's state, empty where there was none."""
    stored = folder(config) / "state.json"
    return msgspec.json.decode(stored.read_bytes(), type=State) if stored.exists() else State()


def located(config: Config) -> Config:
    """The settings with the addresses of the stack that runs here, where the environment does not say otherwise."""
    addresses, set_ones = load_state(config).addresses, given()
    found = {field: addresses[PREFIX + field.upper()] for field in ADDRESSES
             if field not in set_ones and PREFIX + field.upper() in addresses}
    return msgspec.structs.replace(config, **found)


@contextmanager
def changing(config: Config) -> Iterator[State]:
    """The state, alone: other commands and the keeper wait. It is saved at the end, also after an error."""
    folder(config).mkdir(parents=True, exist_ok=True)
    with _alone(folder(config) / "state.lock"):
        state = load_state(config)
        try:
            yield state
        finally:
            if state != load_state(config):
                _save(config, state)


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with file.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # released with the file, also where we are killed
        yield


def stop_one(config: Config, name: str) -> None:
    """Stops one process of the stack and forgets it; the others go on."""
    with changing(config) as state:
        state.parts = [part for part in state.parts if part.name != name]
        for one in [one for one in state.running if one.name == name]:
            process.stop(one)
            state.running.remove(one)


def _save(config: Config, state: State) -> None:
    home = folder(config)
    home.mkdir(parents=True, exist_ok=True)
    scratch = home / "state.json.new"
    scratch.write_bytes(msgspec.json.encode(state))
    scratch.replace(home / "state.json")
    lines = home / "env"
    lines.touch(mode=0o600)
    lines.write_text("".join(f"{key}={shlex.quote(value) if value else ''}\n" for key, value in state.addresses.items()))


def up(config: Config, generator: bool = True, bare: bool = False, say: Say = print) -> Config:
    """Starts servers, topics, schema and (unless `bare`) the processes; the config with the addresses. Raises `StackError`."""
    with changing(config) as state:
        if living := [one.name for one in state.running if process.alive(one)]:
            raise StackError(f"expected a stopped stack, was running: {', '.join(living)}; use 'marginstream down' first")
        theirs = _theirs(config, state)
        state.running, state.addresses, state.parts = [], {}, []
        state.own = [name for name in (*ADDRESSES, VENUE_HOSTS) if name not in theirs]
        try:
            config = _start_servers(config, state, say)
            _prepare(config, say)
            if not bare:
                _start_processes(config, state, generator, say)
        except BaseException:
            _stop_all(state)
            state.running, state.parts = [], []
            raise
    return msgspec.structs.replace(config, data_dir=str(folder(config)))


def _theirs(config: Config, state: State) -> set[str]:
    """The addresses that are somebody else's: who sourced `env` names ours, and they are started again."""
    return {name for name in (*ADDRESSES, VENUE_HOSTS) if name in given()
            and not (name in state.own and state.addresses.get(PREFIX + name.upper()) == getattr(config, name))}


def _start_servers(config: Config, state: State, say: Say) -> Config:
    home = folder(config)
    if "kafka_bootstrap" in state.own:
        from streams.stack.kafka import start_kafka

        kafka = start_kafka(home / "kafka", cache=config.cache, say=say)
        state.running += kafka.running.values()
        config = msgspec.structs.replace(config, kafka_bootstrap=kafka.bootstrap)
    if "redis_url" in state.own:
        url, running = start_redis(home / "redis")
        state.running.append(running)
        config = msgspec.structs.replace(config, redis_url=url)
    if "postgres_dsn" in state.own:
        dsn, running = start_postgres(home / "postgres")
        state.running.append(running)
        config = msgspec.structs.replace(config, postgres_dsn=dsn)
    state.addresses = {PREFIX + name.upper(): getattr(config, name) for name in (*ADDRESSES, "api_token")}
    _save(config, state)
    for name in ADDRESSES:
        say(f"{name:<16} {getattr(config, name)}{'' if name in state.own else ' (from the environment)'}")
    return config


def _prepare(config: Config, say: Say) -> None:
    from streams.bridges.migrate import migrate
    from streams.stack import topics
    from streams.venues.vault import vault_file, with_key

    topics.create(config)
    migrate(config.postgres_dsn)
    with_key(vault_file(config))  # who reads and who executes start from it
    say(f"{'topics':<16} {len(topics.wanted(config))} of {config.partitions} partitions; schema of Postgres applied")


def _start_processes(config: Config, state: State, generator: bool, say: Say) -> None:
    from streams.stack import admin, user_service, venues

    state.addresses |= {PREFIX + "DATA_DIR": str(folder(config))}
    # Stacks that start at once on a machine choose their workers' ports one after the other: a chosen port is free until it is bound.
    with _alone(Path(tempfile.gettempdir()) / f"marginstream-{os.getuid()}.lock"):
        state.parts = _parts(worker_ports(config))
        for part in state.parts:
            launch(config, state, part)
            _save(config, state)
        for part in state.parts:
            _wait_ready(config, state, part)
        state.addresses[PREFIX + "WORKER_URLS"] = urls = ",".join(f"http://127.0.0.1:{part.port}" for part in state.parts if part.port)
        state.addresses[PREFIX + "API_URL"] = admin.start_admin(config, state)
        state.addresses[PREFIX + "GRPC_ADDRESS"] = user_service.start_user_service(config, state)
        state.addresses[PREFIX + "INGEST_URL"] = venues.start_venues(config, state, simulated=generator and VENUE_HOSTS in state.own)
    launch(config, state, Part(KEEPER, [sys.executable, "-m", "streams.stack.keeper"]))
    if generator:
        launch(config, state, Part("generator", streams_words("generator")))
    for name, address in (("workers", urls), ("admin", "API_URL"), ("grpc", "GRPC_ADDRESS"), ("ingest", "INGEST_URL")):
        say(f"{name:<16} {state.addresses.get(PREFIX + address, address)}")


def streams_words(*words: str) -> list[str]:
    """The words of one of our own commands."""
    return [sys.executable, "-m", "streams", *words]


def _parts(ports: list[int]) -> list[Part]:
    workers = [Part(f"worker-{at}", streams_words("worker"), _settings(f"worker-{at}", port)) for at, port in enumerate(ports)]
    return workers + [Part(f"bridge-{mirror}", streams_words("bridge", mirror)) for mirror in ("postgres", "redis")]


def _settings(name: str, port: int) -> dict[str, str]:
    # The port is in the static member's name: Faust refuses the assignment of a member that had another URL.
    return {"WORKER_NAME": name, "WORKER_INSTANCE_ID": f"{name}-{port}", "WEB_PORT": str(port)}


def launch(config: Config, state: State, part: Part) -> None:
    """Starts a process, in place of the one of its name that was there."""
    env = {**state.addresses, **{PREFIX + key: value for key, value in part.settings.items()}, "PYTHONUNBUFFERED": "1"}
    env.pop(PREFIX + "API_URL", None)
    started = process.start(Command(part.name, part.words, env), folder(config) / "logs")
    names = [one.name for one in state.running]
    if part.name in names:
        state.running[names.index(part.name)] = started
    else:
        state.running.append(started)


def worker_ports(config: Config) -> list[int]:
    """The configured port and those after it where free, else any free ones."""
    usual = list(range(config.web_port, config.web_port + config.workers))
    spare = free_ports(config.workers)
    return [port if port <= PORT_MAX and process.bindable(port) else spare[at] for at, port in enumerate(usual)]


def _wait_ready(config: Config, state: State, part: Part) -> None:
    """Returns when a worker says ready; one that lost its port to another program is started on another.

    Raises `StackError` with the reason where it died otherwise or is not in time.
    """
    for _ in range(PORTS_TRIED_MAX):
        if (port := part.port) is None:
            return
        [worker] = [one for one in state.running if one.name == part.name]
        process.wait_until(lambda port=port, worker=worker: not process.alive(worker) or ready(port), READY_S, 0.2)  # type: ignore[misc]
        living = process.alive(worker)
        if living and ready(port):
            return
        if living or process.bindable(port):
            break
        part.settings = _settings(part.name, free_ports(1)[0])
        launch(config, state, part)
    reason = "alive" if process.alive(worker) else "dead"
    raise StackError(f"{worker.name}: expected /readyz 200 within {READY_S:.0f} s, was {reason}; {process.log_end(worker)}")


def ready(port: int) -> bool:
    """Whether a process on 127.0.0.1:`port` says it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=3) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def down(config: Config, say: Say = print, forget: bool = False) -> None:
    """Stops what `up` started here, the last started first; its data stays unless `forget`."""
    with changing(config) as state:
        stopped = _stop_all(state)
        state.running, state.parts = [], []
    say(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    if forget:
        remove_data(folder(config) / "postgres")
        for part in ("kafka", "redis", "run"):
            shutil.rmtree(folder(config) / part, ignore_errors=True)


def _stop_all(state: State) -> list[str]:
    """The keeper and producers of facts first, servers last."""
    names = []
    keeper = [one for one in state.running if one.name == KEEPER]
    for one in keeper + [one for one in reversed(state.running) if one not in keeper]:
        if process.alive(one):
            names.append(one.name)
            process.stop(one)
    return names


def status(config: Config) -> list[tuple[str, bool, str]]:
    """(name, alive, what to know) of every process started."""
    rows, state = [], load_state(config)
    restarts = {part.name: f", started again {part.restarts} times" for part in state.parts if part.restarts}
    for one in state.running:
        living = process.alive(one)
        said = f"pid {one.pid}" if living else f"died; {process.log_end(one, lines=1)}"
        rows.append((one.name, living, said + restarts.get(one.name, "")))
    return rows


def lines_to_paste(config: Config) -> list[str]:
    """Commands that open the stores, with the programs there are; without a program its plain name."""
    return [f"{_program(redis_cli)} -u {shlex.quote(config.redis_url)}", f"{_program(psql)} {shlex.quote(config.postgres_dsn)}"]


def _program(find: Callable[[], Path]) -> Path:
    try:
        return find()
    except StackError:
        return Path(find.__name__.replace("_", "-"))
