"""Settings: where they come from, which one wins, and what is said of one that cannot be used."""

from pathlib import Path

import pytest

from streams.config import BadSetting, Config, given, load

NONE = Path("/nonexistent/.env")


def test_without_settings_the_defaults_hold() -> None:
    assert load({}, NONE) == Config()
    assert given({}, NONE) == frozenset()


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("# MARGINSTREAM_SEED=9\nMARGINSTREAM_PARTITIONS = '8'\nMARGINSTREAM_SEED=2\nno setting\nOTHER=1\n")
    found = load({"MARGINSTREAM_SEED": "3"}, dotenv)
    assert (found.partitions, found.seed) == (8, 3)
    assert given({"MARGINSTREAM_SEED": "3"}, dotenv) == {"partitions", "seed"}


def test_an_empty_variable_is_none() -> None:
    assert load({"MARGINSTREAM_PARTITIONS": ""}, NONE) == Config()


@pytest.mark.parametrize(("environment", "expected"), [
    ({"RUN_SECONDS": "5"}, 5.0),
    ({"RUN_SECONDS": "5", "MARGINSTREAM_RUN_SECONDS": "7"}, 7.0),
])
def test_the_short_name_of_run_seconds(environment: dict[str, str], expected: float) -> None:
    assert load(environment, NONE).run_seconds == expected


def test_the_settings_of_market_data_go_by_their_bare_names() -> None:
    found = load({"WEBSOCKET_ENABLED": "true", "WEBSOCKET_STREAM_TYPES": "markPrice,bookTicker"}, NONE)
    assert (found.websocket_enabled, found.websocket_stream_types) == (True, "markPrice,bookTicker")
    assert not load({"WEBSOCKET_ENABLED": "true", "MARGINSTREAM_WEBSOCKET_ENABLED": "0"}, NONE).websocket_enabled
    with pytest.raises(BadSetting, match="WEBSOCKET_STREAM_TYPES: expected kline"):
        load({"WEBSOCKET_STREAM_TYPES": "markPrice,depth"}, NONE)


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_a_switch(text: str, expected: bool) -> None:
    assert load({"MARGINSTREAM_ACCEPT_LOSS": text}, NONE).accept_loss is expected


@pytest.mark.parametrize(("name", "text", "says"), [
    ("PARTITIONS", "four", "`int`"), ("SESSION_TIMEOUT_S", "soon", "`float`"), ("ACCEPT_LOSS", "perhaps", "`bool`"),
    ("WEB_PORT", "0", "expected 1..65535, was 0"), ("WEB_PORT", "65536", "expected 1..65535, was 65536"),
    ("HEALTH_PORT", "-1", "expected 0..65535, was -1"),
    ("RUN_SECONDS", "nan", "expected a number from 0, was nan"), ("RUN_SECONDS", "-1", "expected a number from 0, was -1"),
    ("WATCHDOG_S", "inf", "expected a number from 0, was inf"), ("COOLDOWN_MS", "-1", "expected a number from 0, was -1"),
    ("KAFKA_BOOTSTRAP", "a:b", "expected host:port, comma-separated, was 'a:b'"), ("KAFKA_BOOTSTRAP", "a:1,", "was 'a:1,'"),
    ("KAFKA_BOOTSTRAP", "kafka://a:1", "expected host:port"), ("DEFAULT_USER_TYPE", "A B", "was 'A B'"),
    ("LOG_LEVEL", "LOUD", "expected DEBUG, INFO, WARNING, ERROR or CRITICAL, was 'LOUD'"),
    ("WEB_URL", "worker-0:6066", "expected http://host:port"),
    ("API_TOKENS", "secret", "expected name:token"), ("API_TOKENS", "ann:secret,", "comma-separated"),
    ("API_TOKENS", "ann:secret,bob", "another text"), ("API_TOKENS", "ann:secret", "expected MARGINSTREAM_API_TOKEN beside it"),
    ("REDIS_URL", "secret", "expected redis://"), ("POSTGRES_DSN", "secret", "expected postgresql://"),
    ("COMMIT_INTERVAL_S", "nan", "above 0, was nan"), ("SESSION_TIMEOUT_S", "inf", "above 0, was inf"),
    ("PARTITIONS", "0", "above 0, was 0"), ("COMMIT_INTERVAL_S", "-1", "above 0, was -1.0"),
])
def test_a_bad_setting_is_named(name: str, text: str, says: str) -> None:
    with pytest.raises(BadSetting, match=f"MARGINSTREAM_{name}: ") as refused:
        load({f"MARGINSTREAM_{name}": text}, NONE)
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(("name", "text"), [
    ("KAFKA_BOOTSTRAP", "one"), ("KAFKA_BOOTSTRAP", "one:1,two.example:2"), ("KAFKA_BOOTSTRAP", "[::1]:9092"), ("LOG_LEVEL", "debug"),
    ("REDIS_URL", "rediss://:p@h:1/0"), ("REDIS_URL", "unix:///run/redis.sock"), ("POSTGRES_DSN", "host=h dbname=d"),
    ("POSTGRES_DSN", "postgres://u:p@h/d?sslmode=require"), ("DEFAULT_USER_TYPE", "demo_2"),
    ("WEB_URL", "http://worker-0:6066"),
])
def test_a_good_setting_is_taken(name: str, text: str) -> None:
    assert getattr(load({f"MARGINSTREAM_{name}": text}, NONE), name.lower()) == text


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(BadSetting, match=r"\.env: expected lines KEY=value"):
        load({}, tmp_path / ".env")
