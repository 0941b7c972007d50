"""The stack and the engine's processes in the background: up, down, status; what died is shown, nothing is restarted silently."""

import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import msgspec

from streams.config import PREFIX, Config, given
from streams.stack import process
from streams.stack.postgres import psql, remove_data, start_postgres
from streams.stack.process import Command, Running, StackError, free_ports
from streams.stack.redis import redis_cli, start_redis

Say = Callable[[str], None]
READY_S = 120.0
ADDRESSES = ("kafka_bootstrap", "redis_url", "postgres_dsn")  # set in the environment: somebody else's server, not started here


class State(msgspec.Struct):
    """What a stack started, kept in `{data_dir}/state.json`, in the order of starting; `addresses` as in `{data_dir}/env`."""

    running: list[Running] = []
    addresses: dict[str, str] = {}


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


def stop_one(config: Config, name: str) -> None:
    """Stops one process of the stack and forgets it; the others go on."""
    state = load_state(config)
    for one in [one for one in state.running if one.name == name]:
        process.stop(one)
        state.running.remove(one)
    _save(config, state)


def _save(config: Config, state: State) -> None:
    home = folder(config)
    home.mkdir(parents=True, exist_ok=True)
    scratch = home / "state.json.new"
    scratch.write_bytes(msgspec.json.encode(state))
    scratch.replace(home / "state.json")
    lines = home / "env"
    lines.touch(mode=0o600)
    lines.write_text("".join(f"{key}={value}\n" for key, value in state.addresses.items()))


def up(config: Config, generator: bool = True, bare: bool = False, say: Say = print) -> Config:
    """Starts servers, topics, schema and (unless `bare`) the processes; the config with the addresses. Raises `StackError`."""
    state = load_state(config)
    if living := [one.name for one in state.running if process.alive(one)]:
        raise StackError(f"up: expected a stopped stack, was running: {', '.join(living)}; use 'marginstream down' first")
    state = State()
    try:
        config = _start_servers(config, state, say)
        _prepare(config, say)
        if not bare:
            _start_processes(config, state, generator, say)
    except BaseException:
        _stop_all(state)
        state.running = []
        _save(config, state)
        raise
    return msgspec.structs.replace(config, data_dir=str(folder(config)))


def _start_servers(config: Config, state: State, say: Say) -> Config:
    home, set_ones = folder(config), given()
    if "kafka_bootstrap" not in set_ones:
        from streams.stack.kafka import start_kafka

        kafka = start_kafka(home / "kafka", cache=config.cache, say=say)
        state.running += kafka.running.values()
        config = msgspec.structs.replace(config, kafka_bootstrap=kafka.bootstrap)
    if "redis_url" not in set_ones:
        url, running = start_redis(home / "redis")
        state.running.append(running)
        config = msgspec.structs.replace(config, redis_url=url)
    if "postgres_dsn" not in set_ones:
        dsn, running = start_postgres(home / "postgres")
        state.running.append(running)
        config = msgspec.structs.replace(config, postgres_dsn=dsn)
    state.addresses = {PREFIX + name.upper(): getattr(config, name) for name in (*ADDRESSES, "api_token")}
    _save(config, state)
    for name in ADDRESSES:
        say(f"{name:<16} {getattr(config, name)}{' (from the environment)' if name in set_ones else ''}")
    return config


def _prepare(config: Config, say: Say) -> None:
    from streams.bridges.migrate import migrate
    from streams.stack import topics

    topics.create(config)
    migrate(config.postgres_dsn)
    say(f"{'topics':<16} {len(topics.wanted(config))} of {config.partitions} partitions; schema of Postgres applied")


def _start_processes(config: Config, state: State, generator: bool, say: Say) -> None:
    ports = worker_ports(config)
    urls = ",".join(f"http://127.0.0.1:{port}" for port in ports)
    state.addresses |= {PREFIX + "WORKER_URLS": urls, PREFIX + "API_URL": urls.partition(",")[0], PREFIX + "DATA_DIR": str(folder(config))}
    # The port is in the static member's name: Faust refuses the assignment of a member that had another URL.
    parts = [(name := f"worker-{at}", ["worker"],
              {"WORKER_NAME": name, "WORKER_INSTANCE_ID": f"{name}-{port}", "WEB_PORT": str(port)}) for at, port in enumerate(ports)]
    parts += [(f"bridge-{mirror}", ["bridge", mirror], {}) for mirror in ("postgres", "redis")]
    for name, words, settings in parts:
        state.running.append(_start(config, state, name, words, settings))
        _save(config, state)
    _wait_ready(state, ports)
    if generator:
        state.running.append(_start(config, state, "generator", ["generator"], {}))
    _save(config, state)
    say(f"{'workers':<16} {urls}")


def _start(config: Config, state: State, name: str, words: list[str], settings: dict[str, str]) -> Running:
    env = {**state.addresses, **{PREFIX + key: value for key, value in settings.items()}, "PYTHONUNBUFFERED": "1"}
    env.pop(PREFIX + "API_URL", None)
    return process.start(Command(name, [sys.executable, "-m", "streams", *words], env), folder(config) / "logs")


def worker_ports(config: Config) -> list[int]:
    """The configured port and those after it where free, else any free ones."""
    usual = list(range(config.web_port, config.web_port + config.workers))
    spare = free_ports(config.workers)
    return [port if process.bindable(port) else spare[at] for at, port in enumerate(usual)]


def _wait_ready(state: State, ports: list[int]) -> None:
    """Returns when every worker says ready; raises `StackError` with the reason where one died or is not in time."""
    by_name = {one.name: one for one in state.running}
    for at, port in enumerate(ports):
        worker = by_name[f"worker-{at}"]
        process.wait_until(lambda port=port, worker=worker: not process.alive(worker) or ready(port), READY_S, 0.2)  # type: ignore[misc]
        if not ready(port):
            reason = "alive" if process.alive(worker) else "dead"
            raise StackError(f"{worker.name}: expected /readyz 200 within {READY_S:.0f} s, was {reason}; {process.log_end(worker)}")


def ready(port: int) -> bool:
    """Whether a process on 127.0.0.1:`port` says it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=3) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def down(config: Config, say: Say = print, forget: bool = False) -> None:
    """Stops what `up` started here, the last started first; its data stays unless `forget`."""
    state = load_state(config)
    stopped = _stop_all(state)
    state.running = []
    if stopped or state.addresses:
        _save(config, state)
    say(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")
    if forget:
        remove_data(folder(config) / "postgres")
        for part in ("kafka", "redis", "run"):
            shutil.rmtree(folder(config) / part, ignore_errors=True)


def _stop_all(state: State) -> list[str]:
    """Producers of facts first, servers last."""
    names = []
    for one in reversed(state.running):
        if process.alive(one):
            names.append(one.name)
            process.stop(one)
    return names


def status(config: Config) -> list[tuple[str, bool, str]]:
    """(name, alive, what to know) of every process started."""
    rows = []
    for one in load_state(config).running:
        living = process.alive(one)
        rows.append((one.name, living, f"pid {one.pid}" if living else f"died; {process.log_end(one, lines=1)}"))
    return rows


def lines_to_paste(config: Config) -> list[str]:
    """Commands that open the stores, with the programs there are; without a program its plain name."""
    return [f"{_program(redis_cli)} -u {config.redis_url}", f"{_program(psql)} {config.postgres_dsn}"]


def _program(find: Callable[[], Path]) -> Path:
    try:
        return find()
    except StackError:
        return Path(find.__name__.replace("_", "-"))
