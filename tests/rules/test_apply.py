"""The way of a rule: shown, refused or forced, kept in Postgres with its tables, on the topic exactly as kept."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from schemas import engine_pb2 as pb
from schemas.keys import partition_of
from streams.__main__ import main
from streams.config import Config
from streams.rules import publish as publishing
from streams.rules import store
from streams.rules.apply import Applied, Refused, apply, begin
from streams.rules.live import read_live
from streams.rules.publish import publish
from streams.rules.reading import json_of, shipped_rules
from streams.stack.process import StackError
from streams.stack.topics import create
from streams.topics import ACCOUNT_STATES, PRICE_TICKS
from tables.codec import dump_user
from tests.agents.worlds import BTC, EUR, btc_rule, fx_rule, position, usdm_user

NAME = f"instrument:{BTC}"


@pytest.fixture(scope="module")
def config(kafka: str, database_of: Callable[[str], str]) -> Config:
    found = Config(kafka_bootstrap=kafka, postgres_dsn=database_of("rules"), partitions=2)
    create(found)
    asyncio.run(tell(found))
    return found


async def tell(config: Config) -> None:
    """One user with a position, and a mark."""
    user = usdm_user("1000", position(BTC, "0.1", "60000"))
    tick = pb.PriceTick(instrument=BTC, mark="60000", time_ms=time.time_ns() // 1_000_000)
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all")
    await producer.start()
    for topic, key, value in ((ACCOUNT_STATES, user.user_id, dump_user(user)), (PRICE_TICKS, BTC, tick.SerializeToString())):
        await producer.send_and_wait(topic, value, key=key.encode(), partition=partition_of(key.encode(), config.partitions))
    await producer.stop()


def steep(rate: str) -> pb.RiskRule:
    found = btc_rule()
    del found.instrument.brackets[:]
    found.instrument.brackets.add(floor="0", rate=rate, amount="0")
    return found


def rows(config: Config, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(config.postgres_dsn) as connection:
        return connection.execute(query.encode()).fetchall()


def test_the_way_of_a_rule(config: Config) -> None:
    assert apply(config, [btc_rule(), fx_rule(EUR)], "someone") == Applied(2, 2)
    live = read_live(config)
    assert [one.user_id for one in live.users] == ["live:1"]
    held = live.rules.instrument(BTC, live.now_ms)
    assert held
    assert len(held.brackets) == 2
    assert apply(config, [btc_rule()], "someone") == Applied(0, 0)  # said again: nothing to keep, nothing to send

    with pytest.raises(Refused, match="1 accounts would be liquidated: live:1/a1"):
        apply(config, [steep("0.2")], "someone")
    assert read_live(config).rules.instrument(BTC, live.now_ms) == held
    assert rows(config, "SELECT count(*) FROM brackets WHERE symbol = 'BTCUSDT'") == [(2,)]

    assert apply(config, [steep("0.2")], "someone", force=True) == Applied(1, 1)
    assert rows(config, "SELECT rate::TEXT FROM brackets WHERE symbol = 'BTCUSDT'") == [("0.2",)]
    assert rows(config, "SELECT base, quote, settle FROM instruments WHERE symbol = 'BTCUSDT'") == [("BTC", "USDT", "USDT")]
    assert rows(config, "SELECT count(*), count(detail->'before') FROM audit_log WHERE action = 'rule_changed'") == [(3, 3)]
    now = read_live(config).rules.instrument(BTC, live.now_ms)
    assert now
    assert [str(one.rate) for one in now.brackets] == ["0.2"]


def test_a_topic_that_is_away_gets_the_rules_later(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    group = pb.RiskRule(rule_id="group:vip", group=pb.RiskRule.Group(group="vip", leverage="50"))
    away = Config(kafka_bootstrap="127.0.0.1:1", postgres_dsn=config.postgres_dsn, partitions=2)
    with pytest.raises(StackError, match="the rules are kept"):
        apply(away, [group], "someone", force=True)
    assert read_live(config).rules.groups.keys() & {"vip"} == set()
    assert rows(config, "SELECT group_name, leverage::TEXT FROM groups") == [("vip", "50")]
    assert publish(config) == 1
    assert publish(config) == 0
    assert "vip" in read_live(config).rules.groups

    async def died(*_: object) -> None:
        raise KeyboardInterrupt

    before = read_live(config).rules.offset
    assert publish(config, again=True) == 3
    assert read_live(config).rules.offset == before + 3
    monkeypatch.setattr(publishing, "_send", died)
    with store.connected(config.postgres_dsn) as connection:
        store.store(connection, [steep("0.1")], "someone")
    with pytest.raises(KeyboardInterrupt):
        publish(config)
    monkeypatch.undo()
    assert publish(config) == 1  # nothing was noted


def test_two_versions_stand_side_by_side(config: Config) -> None:
    later = steep("0.3")
    later.effective_from_ms = 4_000_000_000_000
    apply(config, [later], "someone", force=True)
    with store.connected(config.postgres_dsn) as connection:
        assert [found.message.effective_from_ms for found in store.stored(connection, NAME)] == [0, later.effective_from_ms]
    assert len(rows(config, "SELECT 1 FROM instruments WHERE symbol = 'BTCUSDT'")) == 2


def test_the_commands(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("kafka_bootstrap", "postgres_dsn", "partitions"):
        monkeypatch.setenv(f"MARGINSTREAM_{name.upper()}", str(getattr(config, name)))
    file = tmp_path / "rules.json"
    file.write_text("\n".join(json.dumps(json_of(rule)) for rule in shipped_rules() if "ETHUSDT" in rule.rule_id))
    assert main(["rules", "apply", str(file), "--dry-run"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert (seen["touched"], seen["liquidated"], seen["unjudged"], seen["accounts"]) == (0, 0, 0, [])
    assert main(["rules", "apply", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == {"stored": 1, "published": 1}
    assert main(["rules", "list"]) == 0
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "instrument:binance_usdm:ETHUSDT" in [row["rule_id"] for row in listed]
    assert main(["rules", "show", "instrument:binance_usdm:ETHUSDT"]) == 0
    assert len(json.loads(capsys.readouterr().out)["instrument"]["brackets"]) > 5
    assert main(["rules", "show", "group:nobody"]) == 1
    assert "expected a rule that is kept or shipped" in capsys.readouterr().err
    file.write_text(json.dumps(json_of(steep("2"))))
    assert main(["rules", "apply", str(file)]) == 1
    assert "brackets[0].rate" in capsys.readouterr().err
    assert main(["rules", "publish", "--all"]) == 0
    assert json.loads(capsys.readouterr().out)["published"] >= 2


def test_a_rule_is_withdrawn_as_it_was_given(config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("kafka_bootstrap", "postgres_dsn", "partitions"):
        monkeypatch.setenv(f"MARGINSTREAM_{name.upper()}", str(getattr(config, name)))
    apply(config, [steep("0.01"), fx_rule(EUR)], "someone", force=True)
    assert main(["rules", "withdraw", NAME, "--dry-run"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert (seen["touched"], seen["unjudged"]) == (1, 1)
    assert seen["accounts"][0]["after"] == {"rung": "unknown", "margin_ratio": "0", "reasons": [f"missing_rule:{BTC}"]}
    assert main(["rules", "withdraw", NAME]) == 1
    assert "1 accounts cannot be judged" in capsys.readouterr().err
    assert main(["rules", "withdraw", f"instrument:{EUR}"]) == 0  # nobody holds it
    assert main(["rules", "withdraw", NAME, "--force", "--from", "1000"]) == 0
    assert main(["rules", "withdraw", NAME, "--force", "--from", "2000"]) == 1
    assert "expected a rule that is kept and holds at 2000" in capsys.readouterr().err
    live = read_live(config)
    assert live.rules.instrument(BTC, 999)
    assert live.rules.instrument(BTC, live.now_ms) is None
    assert live.rules.instrument(EUR, live.now_ms) is None
    assert apply(config, [steep("0.02")], "someone").stored == 1  # as of 0: the withdrawal still stands
    assert read_live(config).rules.instrument(BTC, live.now_ms) is None


def test_a_stack_begins_with_its_rules_and_keeps_what_people_changed(config: Config) -> None:
    apply(config, [fx_rule(EUR, stale_after_ms=77)], "someone", force=True)
    kept = len(rows(config, "SELECT 1 FROM risk_rules"))
    done = begin(config, [fx_rule(EUR), fx_rule("house:GBPUSD")], "generator")
    assert done == Applied(1, kept + 1)
    found = read_live(config).rules
    assert next(rule.stale_after_ms for _, rule in found.instruments[EUR] if rule) == 77
    assert found.instrument("house:GBPUSD", 0)
    assert begin(config, [fx_rule("house:GBPUSD")], "generator").stored == 0
