"""The Redis mirror on a real server: guarded by version, told once, whole again after the server lost everything."""

import asyncio
import random
from collections.abc import Sequence

import orjson
import pytest
import redis

from schemas.engine_pb2 import NORMAL, UserState
from streams.bridges.compare import canonical_cache, differences, redis_rows
from streams.bridges.letters import LeftOut
from streams.bridges.redis import Bridge
from streams.bridges.redis_texts import moment
from streams.cache import keys, scripts
from streams.cache.store import AWAY, Store
from streams.config import Config
from streams.topics import ACCOUNT_STATES
from tests.bridges.facts import Sent, sent, user_state

QUEUE_MAX = 3


def write(url: str, *batches: Sequence[Sent]) -> list[LeftOut]:
    async def run() -> list[LeftOut]:
        store = Store(url)
        try:
            return [left for batch in batches for left in await Bridge(store, Config(queue_margin_check_max=QUEUE_MAX)).write(batch)]
        finally:
            await store.close()

    return asyncio.run(run())


def client_of(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, decode_responses=True)


def judged(state: UserState, equity: str = "90") -> UserState:
    house = state.accounts["house"]
    house.margin.rung, house.margin.since_ms = NORMAL, 1_705_314_600_000
    house.margin.figures.equity, house.margin.figures.initial_margin, house.margin.figures.free_margin = equity, "40", "50"
    house.margin.figures.margin_level_pct, house.margin.figures.unrealised_pnl = "225", "-10"
    return state


def test_a_user_is_in_redis_under_the_promised_names(cache_url: str) -> None:
    state = judged(user_state(balance="100.50"))
    state.profile.fields["account_number"], state.profile.leverage = "A-7", "100"
    write(cache_url, [sent(state)])
    with client_of(cache_url) as client:
        assert client.hgetall("user:{live:123}:config") == {
            "wallet_balance": "100.50",
            "margin": "40",
            "net_profit": "0",
            "last_balance_update": moment(state.updated_ms),
            "group": "standard",
            "leverage": "100",
            "status": "active",
            "is_active": "true",
            "account_number": "A-7",
            "kyc": "false",
            "risk_tier": "",
            "currency": "USD",
        }
        assert client.get("user_balance:live:123") == "100.50"
        assert 3_590 <= int(client.ttl("user_balance:live:123")) <= 3_600
        assert client.lrange("QUEUE:MARGIN:CHECK:live:123", 0, -1) == ["123"]
        assert client.hgetall("user:{live:123}:portfolio") == {
            "equity": "90",
            "margin": "40",
            "free_margin": "50",
            "margin_level": "225",
            "unrealised_pnl": "-10",
            "calculated_at": "2024-01-15T10:30:00.000Z",
            "wallet_balance": "100.50",
            "balance_updated_at": moment(state.updated_ms),
        }
        assert client.hgetall("user:{live:123}:v") == {ACCOUNT_STATES: "1 1"}  # no symbols are held
        assert client.hget("{user_balance:live:123}:v", ACCOUNT_STATES) == "1 1"


def test_without_figures_no_portfolio_is_created(cache_url: str) -> None:
    write(cache_url, [sent(user_state())])
    with client_of(cache_url) as client:
        assert not client.exists("user:{live:123}:portfolio")
        client.hset("user:{live:123}:portfolio", "equity", "1")
    write(cache_url, [sent(user_state(version=2, balance="150"))])
    with client_of(cache_url) as client:
        assert client.hget("user:{live:123}:portfolio", "wallet_balance") == "150"


@pytest.mark.parametrize(
    ("before", "late"), [((1, 10), (1, 9)), ((1, 5), (1, 5)), ((2, 1), (1, 900))], ids=["older", "repeat", "generation"]
)
def test_a_late_state_changes_nothing_and_says_nothing(cache_url: str, before: tuple[int, int], late: tuple[int, int]) -> None:
    good = user_state(version=before[1], generation=before[0], balance="500")
    write(cache_url, [sent(good)])
    with client_of(cache_url) as client, client.pubsub() as heard:
        heard.subscribe(keys.BALANCE_UPDATES, keys.USER_UPDATES, keys.GROUP_UPDATES)
        _drain(heard)
        write(cache_url, [sent(judged(user_state(version=late[1], generation=late[0], balance="1")))])
        assert _drain(heard) == []
        assert client.get("user_balance:live:123") == "500"
        assert client.llen("QUEUE:MARGIN:CHECK:live:123") == 1
        assert not client.exists("user:{live:123}:portfolio")
    assert differences({"live:123": canonical_cache(good)}, redis_rows(cache_url)) == []


def _drain(heard: "redis.client.PubSub") -> list[tuple[str, dict[str, object]]]:
    found = []
    while (message := heard.get_message(timeout=0.2)) is not None:
        if message["type"] == "message":
            found.append((message["channel"], orjson.loads(message["data"])))
    return found


def test_changes_are_told_on_their_channels(cache_url: str) -> None:
    write(cache_url, [sent(user_state())])
    changed = user_state(version=2, balance="90")
    changed.profile.group = "VIP"
    with client_of(cache_url) as client, client.pubsub() as heard:
        heard.subscribe(keys.BALANCE_UPDATES, keys.USER_UPDATES, keys.GROUP_UPDATES)
        _drain(heard)
        write(cache_url, [sent(changed)])
        told = dict(_drain(heard))
        assert client.hget("user:{live:123}:config", "last_group_update") == moment(changed.updated_ms)
    assert {channel: message["event_type"] for channel, message in told.items()} == {
        "user_updates": "user_update",
        "balance_updates": "balance_update",
        "group_updates": "group_change",
    }
    balance = told["balance_updates"]
    assert (balance["user_id"], balance["user_type"], balance["group_changed"]) == (123, "live", True)
    assert balance["updated_fields"] == {"group": "VIP", "wallet_balance": "90", "last_balance_update": moment(changed.updated_ms)}
    assert balance["timestamp"] == moment(changed.updated_ms)


def test_the_queue_is_bounded_and_pushed_once_a_wallet_change(cache_url: str) -> None:
    for version in range(1, 9):
        state = [sent(user_state(version=version, balance=str(version // 2)))]
        write(cache_url, state, state)
        with client_of(cache_url) as client:
            assert client.llen("QUEUE:MARGIN:CHECK:live:123") == min(QUEUE_MAX, version // 2 + 1)


def test_any_order_of_many_users_ends_in_the_newest(cache_url: str) -> None:
    states = [user_state(f"live:{number}", version, str(number * version)) for number in range(40) for version in (1, 2, 11)]
    mixed = [sent(state) for state in states] * 2
    random.Random(3).shuffle(mixed)
    write(cache_url, *(mixed[at : at + 17] for at in range(0, len(mixed), 17)))
    assert differences({state.user_id: canonical_cache(state) for state in states[2::3]}, redis_rows(cache_url)) == []


@pytest.mark.parametrize(
    "poison",
    [
        Sent(ACCOUNT_STATES, b"live:bad", b"\xff\xfegarbage"),
        Sent(ACCOUNT_STATES, None, b""),
        sent(user_state("live:bad", balance="Infinity")),
        sent(user_state("live:bad"), user="live:other"),
        sent(UserState(user_id="live:bad", updated_ms=2**62)),
    ],
    ids=["garbage", "no key", "no number", "wrong key", "year 100000"],
)
def test_poison_is_left_out_and_the_neighbours_go_on(cache_url: str, poison: Sent) -> None:
    states = [user_state(f"live:{number}") for number in range(5)]
    batch = [sent(state) for state in states]
    left_out = write(cache_url, [*batch[:2], poison, *batch[2:]])
    assert [left.record for left in left_out] == [poison]
    assert differences({state.user_id: canonical_cache(state) for state in states}, redis_rows(cache_url)) == []


def test_a_key_of_another_type_hurts_only_its_user(cache_url: str) -> None:
    with client_of(cache_url) as client:
        client.set("user:{live:0}:portfolio", "not a hash")
    states = [judged(user_state(f"live:{number}")) for number in range(3)]
    left_out = write(cache_url, [sent(state) for state in states])
    assert [(left.record.key, "WRONGTYPE" in str(left.error)) for left in left_out] == [(b"live:0", True)]
    found = redis_rows(cache_url)
    assert (
        differences({state.user_id: canonical_cache(state) for state in states[1:]}, {user: found[user] for user in ("live:1", "live:2")})
        == []
    )


def test_a_server_that_lost_its_scripts_gets_them_again(cache_url: str) -> None:
    write(cache_url, [sent(user_state())])
    with client_of(cache_url) as client:
        client.script_flush()
    newer = user_state(version=2, balance="7")
    write(cache_url, [sent(newer)])
    assert differences({"live:123": canonical_cache(newer)}, redis_rows(cache_url)) == []


def test_a_server_without_memory_is_waited_for_not_skipped(cache_url: str) -> None:
    with client_of(cache_url) as client:
        client.config_set("maxmemory", "1")
        try:
            with pytest.raises(AWAY):
                write(cache_url, [sent(user_state())])
        finally:
            client.config_set("maxmemory", "0")
    write(cache_url, [sent(user_state())])
    assert list(redis_rows(cache_url)) == ["live:123"]


def test_keys_of_one_script_lie_in_one_slot() -> None:
    def tag(key: str) -> str:
        start = key.find("{")
        end = key.find("}", start + 1)
        return key[start + 1 : end] if start >= 0 and end > start + 1 else key

    user = "live:123"
    assert len({tag(key) for key in (keys.versions(user), keys.config(user), keys.portfolio(user))}) == 1
    for key in (keys.balance(user), keys.margin_check_queue(user)):
        assert tag(keys.companion(key)) == tag(key)
    assert keys.user_of_config(keys.config(user)) == user
    assert len({script.sha for script in scripts.ALL}) == len(scripts.ALL)
