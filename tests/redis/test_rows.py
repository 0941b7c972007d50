"""Every row of the reference of Redis keys, on one server and on a Cluster of three: names, types, times to live, fields, messages."""

from collections.abc import Callable
from typing import NamedTuple

import orjson
import pytest

from schemas.engine_pb2 import NORMAL, UserState
from streams.bridges.redis_follow import sweep
from streams.bridges.redis_texts import moment
from streams.cache import keys
from tests.redis.conftest import Client
from tests.redis.states import hearing, run, state, write

USER = "live:123"
CONFIG, PORTFOLIO = "user:{live:123}:config", "user:{live:123}:portfolio"
ADMIN_KEYS = ("user_margin_calc", "user_stats", "user_summary", "user_group_config", "margin_requirements", "spread_config")


def judged(version: int = 1, **said: object) -> UserState:
    found = state(version, **said)  # type: ignore[arg-type]
    margin = found.accounts["house"].margin
    margin.rung, margin.since_ms, margin.figures.equity, margin.figures.initial_margin = NORMAL, 1_705_314_600_000, "90", "40"
    margin.figures.free_margin, margin.figures.margin_level_pct, margin.figures.unrealised_pnl = "50", "225", "-10"
    return found


class Row(NamedTuple):
    """A row of the table of state: its key, its type, what it holds after `write`."""

    key: str
    kind: str
    states: list[UserState]
    expected: object


def updated(version: int) -> str:
    return moment(state(version).updated_ms)


WHOLE = {"wallet_balance": "100", "margin": "0", "net_profit": "0", "last_balance_update": updated(1), "group": "standard",
         "leverage": "50", "status": "active", "is_active": "true", "kyc": "true", "risk_tier": "high", "currency": "USD"}
ROWS = {
    "config": Row(CONFIG, "hash", [state()], WHOLE),
    "config after a change of group": Row(CONFIG, "hash", [state(), state(2, group="VIP")], WHOLE | {
        "group": "VIP", "last_group_update": updated(2), "last_balance_update": updated(2)}),
    "config after an admin": Row(CONFIG, "hash", [state(), state(2, operations=2)], WHOLE | {
        "last_admin_update": updated(2), "last_balance_update": updated(2)}),
    "balance": Row("user_balance:live:123", "string", [state()], "100"),
    "no portfolio without figures": Row(PORTFOLIO, "none", [state()], None),
    "portfolio": Row(PORTFOLIO, "hash", [judged(), state(2, "90", group="VIP")], {
        "equity": "90", "margin": "40", "free_margin": "50", "margin_level": "225", "unrealised_pnl": "-10",
        "calculated_at": "2024-01-15T10:30:00.000Z", "wallet_balance": "90", "balance_updated_at": updated(2), "group": "VIP",
        "group_updated_at": updated(2)}),
    "user_wallets": Row("user_wallets", "hash", [state(), state(user="demo:7", balance="5"), state(2, "90.50")],
                        {"123": "90.50", "demo:7": "5"}),
    "user_metadata": Row("user_metadata", "hash", [state()], {"123": '{"kyc":true,"risk":"high","leverage":"50"}'}),
    "symbol_holders": Row("symbol_holders:EURUSD:live", "set", [
        state(symbols=("EURUSD", "GBPUSD")), state(user="live:1001", symbols=("EURUSD",)), state(2, symbols=("GBPUSD",))], {"live:1001"}),
    "symbol_holders still held": Row("symbol_holders:GBPUSD:live", "set", [state(symbols=("EURUSD", "GBPUSD")),
                                                                          state(2, symbols=("GBPUSD",))], {"live:123"}),
    "margin check": Row("QUEUE:MARGIN:CHECK:live:123", "list", [state(), state(2, "90"), state(3, "90", group="VIP")], ["123", "123"]),
}
READ: dict[str, Callable[[Client, str], object]] = {
    "hash": lambda client, key: client.hgetall(key), "string": lambda client, key: client.get(key),
    "set": lambda client, key: client.smembers(key), "list": lambda client, key: client.lrange(key, 0, -1),
    "none": lambda client, key: None}


@pytest.mark.parametrize("name", ROWS)
def test_a_key_is_as_the_reference_says(url: str, client: Client, name: str) -> None:
    row = ROWS[name]
    write(url, *row.states)
    assert client.type(row.key) == row.kind
    assert READ[row.kind](client, row.key) == row.expected
    write(url, *row.states, row.states[0])  # delivered again, and one late
    assert READ[row.kind](client, row.key) == row.expected


def test_a_balance_lives_an_hour(url: str, client: Client) -> None:
    write(url, state())
    assert 3_590 <= int(str(client.ttl("user_balance:live:123"))) <= 3_600


def test_who_is_in_a_shared_hash_under_the_typed_name_stays_there(url: str, client: Client) -> None:
    client.hset("user_wallets", mapping={"live:123": "1", "55": "7"})
    write(url, state(balance="2"))
    assert client.hgetall("user_wallets") == {"live:123": "2", "55": "7"}


CHANGES: dict[str, tuple[UserState, set[str]]] = {
    "deposit": (state(2, "150", operations=2), {"user_margin_calc", "user_stats", "user_summary", "financial_summary"}),
    "group": (state(2, group="VIP", operations=2), {"user_margin_calc", "user_group_config", "margin_requirements", "spread_config",
                                                   "user_stats", "user_summary"}),
    "leverage": (state(2, leverage="10", operations=2), {"user_margin_calc", "user_stats", "user_summary"}),
    "status": (state(2, status="closed", operations=2), {"user_margin_calc", "user_stats", "user_summary"}),
    "another field": (state(2, kyc=False, operations=2), {"user_stats", "user_summary"}),
    "trading": (state(2, "150"), set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_each_trigger_clears_its_own_list(url: str, client: Client, change: str) -> None:
    last, expected = CHANGES[change]
    last.accounts["house"].balances["USD"].updated_ms = state().updated_ms if change != "deposit" else last.updated_ms
    first = state()
    first.accounts["house"].balances["USD"].updated_ms = first.updated_ms
    write(url, first)
    kept = [f"{name}:live:124" for name in ADMIN_KEYS] + ["financial_summary:live:1234:2024", "financial_summary:live:123x"]
    ours = [f"{name}:live:123" for name in ADMIN_KEYS] + ["financial_summary:live:123:2024-01", "financial_summary:live:123:all"]
    for key in (*kept, *ours):
        client.set(key, "cached")
    write(url, last)
    run(url, sweep)
    assert {key.partition(":")[0] for key in ours if not client.exists(key)} == expected
    assert [key for key in kept if not client.exists(key)] == []
    for key in ours:
        client.set(key, "cached again")
    write(url, last)  # delivered again: nothing is cleared twice
    assert run(url, sweep) == 0
    assert [key for key in ours if not client.exists(key)] == []


MESSAGES: dict[str, tuple[UserState, dict[str, str], str]] = {
    "trading": (state(2, "90"), {"user_updates": "user_update", "balance_updates": "balance_update"}, "margin_engine"),
    "an admin's deposit": (state(2, "150", operations=2), {
        "user_updates": "user_update", "balance_updates": "balance_update", "admin_user_updates": "admin_user_update"}, "admin_operation"),
    "an admin's group": (state(2, group="VIP", operations=2), {
        "user_updates": "user_update", "admin_user_updates": "admin_user_update", "group_updates": "group_change"}, "admin_operation"),
}


@pytest.mark.parametrize("change", MESSAGES)
def test_channels_say_what_changed(url: str, client: Client, change: str) -> None:
    last, expected, source = MESSAGES[change]
    write(url, state())
    with hearing(client) as heard:
        write(url, last)
        said = heard()
        write(url, last, state())
        assert heard() == []
    assert {channel: message["event_type"] for channel, message in said} == expected
    for _, message in said:
        assert message.keys() == {"user_id", "user_type", "updated_fields", "group_changed", "event_type", "timestamp", "source"}
        assert (message["user_id"], message["user_type"], message["source"]) == (123, "live", source)
        assert message["group_changed"] is (last.profile.group == "VIP")
        assert message["timestamp"] == updated(2)


def test_an_id_that_is_no_number_stays_a_text(url: str, client: Client) -> None:
    with hearing(client, keys.USER_UPDATES) as heard:
        write(url, state(user="live:test-user-1"))
        assert [message["user_id"] for _, message in heard()] == ["test-user-1"]


def test_metadata_is_json(url: str, client: Client) -> None:
    write(url, state())
    text = client.hget("user_metadata", "123")
    assert orjson.loads(str(text)) == {"kyc": True, "risk": "high", "leverage": "50"}
