"""Settings: one frozen record, read once from the environment (and `.env`), each with the text it was refused for."""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

PREFIX = "MARGINSTREAM_"


class BadSetting(ValueError):
    """A setting that cannot be used."""


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting; the variable is the field's name in capitals behind `MARGINSTREAM_`. Times in ms unless the name says s."""

    kafka_bootstrap: str = "127.0.0.1:9092"
    redis_url: str = "redis://127.0.0.1:6379/0"
    postgres_dsn: str = "postgresql://marginstream@127.0.0.1:5432/marginstream"
    app_id: str = "marginstream"
    generation: int = 1  # of the source topics: a recreated topic needs the next one
    partitions: int = 4
    replication: int = 1
    default_user_type: str = "live"
    data_dir: str = ".marginstream"
    cache: str = ""  # of what is fetched once; "" = ~/.cache/marginstream
    workers: int = 1  # processes that `up` starts
    worker_name: str = "worker-0"
    worker_instance_id: str = ""  # static membership: one name a worker, kept across restarts
    session_timeout_s: float = 6.0
    bundle_records_max: int = 500
    fetch_wait_ms: int = 20
    commit_interval_s: float = 0.5
    row_bytes_max: int = 524_288
    settle_ms_max: int = 5_000
    gap_held_max: int = 1_000
    mark_stale_ms: int = 10_000
    check_slice_ms: int = 2
    check_report_ms: int = 1_000
    cooldown_ms: int = 1_000
    report_ms_max: int = 60_000
    web_host: str = "127.0.0.1"
    web_port: int = 6066
    web_url: str = ""  # of a worker, as other workers reach it; "" = from host and port
    worker_urls: str = ""  # of the workers, comma-separated, as the admin API asks them
    admin_host: str = "127.0.0.1"
    admin_port: int = 6070  # 0 = any free one
    health_port: int = 0  # of a bridge; 0 = any free one
    api_token: str = ""
    api_tokens: str = ""  # name:token,...: further ones, by whose the audit log says who did it
    audit_s: float = 600.0  # between audits of the mirrors; 0 = none
    webhook_url: str = ""  # told of liquidations and of an audit that finds something; "" = nobody
    webhook_secret: str = ""  # signs what it is told
    log_level: str = "INFO"
    log_format: str = "text"  # or json: an object a line
    watchdog_s: float = 30.0
    accept_loss: bool = False
    queue_margin_check_max: int = 1_000
    portfolio_interval_ms: int = 200
    portfolio_users_per_s: int = 20_000  # a worker's write budget
    market_feed: str = "in"  # house prices from Redis; "out": to Redis; "off"
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 6075  # 0 = any free one
    grpc_tls_cert: str = ""  # files of a PEM chain and its key; both or none
    grpc_tls_key: str = ""
    vault_file: str = ""  # of the keys of sealed secrets; "" = vault.json in data_dir
    venue_hosts: str = ""  # venue=rest|stream,...: instead of the venues' own addresses
    ingest_buffer_max: int = 50_000  # facts that wait for Kafka
    execute_dry_run: bool = False
    execute_step_notional_max: int = 0  # in the contracts' quote currency; 0 = no bound
    execute_hour_notional_max: int = 0  # of an account
    execute_keep_days: float = 90.0  # that a step which has ended is in `executions`; 0 = for good
    websocket_enabled: bool = False  # whether ingestion also reads market data of what its accounts hold
    websocket_stream_types: str = "kline,markPrice,ticker,trade"
    monitor_stop_pct: float = 1.0  # of the mark: how near a conditional order's trigger is said to approach
    monitor_age_hours: float = 72.0  # an older position is said to be old; 0 = never
    monitor_funding_minutes: float = 60.0  # how long before funding its cost is looked at; 0 = never
    monitor_funding_pct: float = 1.0  # of the position's initial margin: less is not said
    run_seconds: float = 0.0
    seed: int = 1
    generator_users: int = 1_000
    generator_events_per_s: int = 300
    generator_ticks_per_s: int = 200
    simulator_url: str = ""  # control address of the simulated venues whose accounts the generator lets trade
    simulator_users: int = 3  # that `run` and `up` give an account at each venue
    simulator_events_per_s: float = 8.0  # orders of all of them together


_POSITIVE = ("partitions", "workers", "replication", "generation", "session_timeout_s", "bundle_records_max", "commit_interval_s",
             "row_bytes_max", "settle_ms_max", "report_ms_max", "gap_held_max", "mark_stale_ms", "check_slice_ms", "check_report_ms",
             "portfolio_interval_ms", "portfolio_users_per_s")
_PORTS = {"web_port": 1, "health_port": 0, "admin_port": 0, "grpc_port": 0}  # the least; a worker's is in its address: not 0
PORT_MAX = 65_535
_HOST = r"(\[[0-9A-Fa-f:]+\]|[^\s:,/\[\]]+)(:\d{1,5})?"
_STREAM = "(kline|markPrice|ticker|trade|bookTicker)"
_BARE = ("run_seconds", "websocket_enabled", "websocket_stream_types")  # also without the prefix, which goes first
_TEXTS = {  # field -> pattern, and its words
    "kafka_bootstrap": (rf"{_HOST}(,{_HOST})*", "host:port, comma-separated"),
    "redis_url": (r"(rediss?|unix)://\S+", "redis://host:port/number"),
    "postgres_dsn": (r"postgres(ql)?://\S+|\w+\s*=.+", "postgresql://user@host:port/database"),
    "web_url": (r"(https?://[^\s/]+/?)?", "http://host:port"),
    "webhook_url": (r"(https?://[^\s]+)?", "https://host/path"),
    "log_format": (r"text|json", "text or json"),
    "api_tokens": (r"([A-Za-z0-9][A-Za-z0-9_.@-]{0,63}:[\x21-\x2b\x2d-\x7e]+(,(?=.)|$))*", "name:token, comma-separated"),
    "default_user_type": (r"[a-z][a-z0-9_]{0,31}", "a to z, 0 to 9 and _, a letter first"),
    "market_feed": (r"in|out|off", "in, out or off"),
    "websocket_stream_types": (rf"{_STREAM}(,{_STREAM})*", "kline, markPrice, ticker, trade, bookTicker, comma-separated"),
    "log_level": (r"(?i:debug|info|warning|error|critical)", "DEBUG, INFO, WARNING, ERROR or CRITICAL"),
}
_SECRET = ("redis_url", "postgres_dsn", "webhook_url", "api_tokens")  # may hold a password: never said


def load(environment: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Config:
    """The settings of the environment over those of `.env`; raises `BadSetting` naming the variable."""
    found = _found(environment, dotenv)
    values = {field: found[PREFIX + field.upper()] for field in Config.__struct_fields__ if found.get(PREFIX + field.upper(), "") != ""}
    for field in _BARE:
        if text := found.get(field.upper(), ""):
            values.setdefault(field, text)
    try:
        config = msgspec.convert(values, Config, strict=False)
    except msgspec.ValidationError as error:
        raise BadSetting(f"setting {PREFIX}{str(error).rpartition('$.')[2].rstrip('`').upper()}: {error}") from None
    for field in Config.__struct_fields__:
        if words := _refused(field, getattr(config, field)):
            raise BadSetting(f"setting {PREFIX}{field.upper()}: {words}")
    if config.api_tokens and not config.api_token:
        raise BadSetting(f"setting {PREFIX}API_TOKENS: expected {PREFIX}API_TOKEN beside it (processes ask each other with it), was none")
    return config


def _refused(field: str, value: object) -> str:
    """Why not, or nothing."""
    if field in _PORTS and not (isinstance(value, int) and _PORTS[field] <= value <= PORT_MAX):
        return f"expected {_PORTS[field]}..{PORT_MAX}, was {value}"
    if isinstance(value, int | float) and not ((value > 0 if field in _POSITIVE else value >= 0) and value < math.inf):
        return f"expected a number {'above' if field in _POSITIVE else 'from'} 0, was {value}"
    pattern, words = _TEXTS.get(field, (".*", ""))
    if isinstance(value, str) and not re.fullmatch(pattern, value, re.DOTALL):
        return f"expected {words}, was {'another text' if field in _SECRET else repr(value)}"
    return ""


def given(environment: Mapping[str, str] | None = None, dotenv: Path | None = None) -> frozenset[str]:
    """The fields that the environment or `.env` sets."""
    found = _found(environment, dotenv)
    return frozenset(field for field in Config.__struct_fields__ if found.get(PREFIX + field.upper(), "") != "")


def _found(environment: Mapping[str, str] | None, dotenv: Path | None) -> dict[str, str]:
    return {**_dotenv(dotenv or Path(".env")), **(os.environ if environment is None else environment)}


def _dotenv(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise BadSetting(f"{path}: expected lines KEY=value in UTF-8, was {error}") from None
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {key.strip(): value.strip().strip("'\"") for key, value in pairs}
