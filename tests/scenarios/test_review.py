"""Faults that a review found, each as the story that showed it: none of them may stop a worker, lose money or repeat an id."""

from decimal import Context, Decimal, localcontext
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from agents.risk.rules import Rules, rules_with
from agents.risk.ticks import next_stale_ms, stale
from agents.risk.world import Control, World
from agents.verdict import check as judge
from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from schemas.keys import partition_of
from streams.config import Config
from streams.prices import Prices
from streams.topics import ACCOUNT_SOURCES, BY_NAME, CONTROL, RISK_RULES
from tables import codec
from tables.read import Unreadable, read
from tables.rows import Fact, Margin, User
from tests.agents import worlds
from tests.tables.facts import VENUE, balance, delta, end, fact, fold_all, house_fill, meta, order, position, said, update

BIGGEST = 2**64 - 1


class Taken:
    """A fact as a record of the broker."""

    offset, timestamp = 1, 1

    def __init__(self, value: bytes, key: bytes = b"live:1") -> None:
        self.value, self.key, self.partition = value, key, partition_of(key, 4)


def refused(one: Fact, key: bytes = b"live:1") -> str:
    """Why the fact is a dead letter; empty where it is taken."""
    found = read(Taken(one.value, key), one.topic, 4, "live")
    return found.error if isinstance(found, Unreadable) else ""


def numbered(number: str) -> Fact:
    event = house_fill(1, "1", "1").message
    event.meta.exchange_seq = number  # type: ignore[attr-defined]  # a fact's message is any topic's
    return fact(names.ORDER_UPDATES, event)  # type: ignore[arg-type]


def profile(**more: str) -> Fact:
    return update(profile=pb.AccountUpdate.Profile(**more))  # type: ignore[arg-type]


def account(name: str, venue: str = "binance_usdm", ident: str = "a") -> Fact:
    return update(ident, exchange_account=pb.AccountUpdate.ExchangeAccount(account_id=name, venue=venue))


@pytest.mark.parametrize(
    ("one", "error"),
    [
        (delta(BIGGEST, opening=True), "sequence: expected 1 or more and below 2^63"),  # the next one does not fit a row
        (update(skip_gap=pb.AccountUpdate.SkipGap(source="s", up_to_sequence=BIGGEST, actor="a")), "skip_gap.up_to_sequence: expected"),
        (numbered("9" * 25), "meta.exchange_seq: expected 1 or more and below 2^63"),
        (numbered("0"), "meta.exchange_seq: expected 1 or more"),  # it was below the first number, so it vanished
        (balance("1", meta(1, account_id="a/b")), "meta.account_id: expected at most 128 characters and no '/'"),
        (balance("1", meta(1, account_id="a" * 129)), "meta.account_id: expected at most"),
        (delta(1, asset="US\0D"), "asset: expected a text without 0 bytes"),
        (profile(execution="HOUSE"), "profile.execution: expected house, venue or external, was 'HOUSE'"),  # it meant external
        (position("1", meta(1), leverage="-5"), "leverage: expected a leverage of 0 or more"),
        (order("1", ud.NEW, meta(1), cum_filled_qty="-5"), "cum_filled_qty: expected a quantity of 0 or more, was '-5'"),
        (update(exchange_account_removed="house"), "exchange_account_removed: expected an exchange account"),  # the balance went with it
        (account("house"), "exchange_account.venue: expected 'house' of the house account"),
    ],
)
def test_what_no_row_could_hold_is_a_dead_letter(one: Fact, error: str) -> None:
    assert error in refused(one)


@pytest.mark.parametrize("one", [delta(2**63 - 1, opening=True), numbered(str(2**63 - 1)), profile(execution="external")])
def test_the_last_of_what_a_row_can_hold_is_taken(one: Fact) -> None:
    assert not refused(one)
    row, _ = fold_all([one])
    assert codec.load_user(codec.dump_user(row)) == row


def test_a_key_with_a_zero_byte_is_no_user() -> None:
    assert "key: expected a user" in refused(delta(1, user_id="live:\0a"), b"live:\0a")


def test_an_account_that_returns_has_episodes_of_its_own() -> None:
    row, _ = fold_all([account(VENUE)])
    troubled = replace(row.accounts[VENUE], margin=Margin(rung=3, known_rung=3, episode=7, transition=2, step=4))
    row = replace(row, accounts={VENUE: troubled}, version=20)
    row, _ = fold_all([update("b", exchange_account_removed=VENUE), account(VENUE, ident="c")], row)
    assert row.accounts[VENUE].margin.episode > 7
    assert row.accounts[VENUE].margin.known_rung == 1


def test_a_fill_of_the_house_for_a_venue_s_account_is_a_dead_letter() -> None:
    event = house_fill(1, "1", "1").message
    event.meta.account_id = VENUE  # type: ignore[attr-defined]
    _, steps = fold_all([balance("1", meta(1)), fact(names.ORDER_UPDATES, event)])  # type: ignore[arg-type]
    assert len(said(steps[-1].outputs, names.DEAD_LETTERS)) == 1


def test_each_anomaly_of_a_fact_has_its_own_id() -> None:
    _, steps = fold_all([position("1", meta(1)), position("1", meta(2), symbol="ETHUSDT"), end(names.POSITION_UPDATES, 5, 0, 1000)])
    vanished = [one.id for one in said(steps[-1].outputs, names.ANOMALIES) if isinstance(one, pb.Anomaly)]
    assert len(vanished) == len(set(vanished)) == 2


def test_a_verdict_of_a_recovered_row_has_the_same_bytes() -> None:
    row, _ = fold_all([balance("1e3", meta(1)), position("1e1", meta(2), entry_price="100.10")])
    at = worlds.world(worlds.mark(worlds.BTC, "1.10"))
    fresh, recovered = (judge(one, VENUE, at, ["x"]) for one in (row, codec.load_user(codec.dump_user(row))))
    assert fresh is not None
    assert recovered is not None
    assert fresh.outputs == recovered.outputs
    assert fresh.report == recovered.report


HELD = 150
OUTPUT_BYTES_MAX = 400_000  # with a row of 512 KiB still one record of 1 MiB


def instruments(venue: str) -> list[str]:
    return [f"{venue}:E{number:03d}USD" for number in range(HELD)]


def crowd(venue: str, user: User) -> tuple[World, User]:
    """A world with a mark for each of many instruments."""
    rules = Rules()
    for number, name in enumerate(instruments(venue)):
        rule = worlds.fx_rule(name, base="E", quote="USD") if venue == "house" else worlds.btc_rule()
        rule.instrument.instrument = name
        rules = rules_with(rules, rule, number)
    return worlds.world(*(worlds.mark(name, "1.0000", "1.0001") for name in instruments("house")),
                        *(worlds.mark(name, "1.0000") for name in instruments("binance_usdm")), with_rules=rules), user


def test_a_stop_out_of_many_positions_fits_a_record_and_goes_on_until_all_are_closed() -> None:
    at, user = crowd("house", worlds.fx_user("-10", *(worlds.position(name, "1", "1.1") for name in instruments("house"))))
    closed, checks = 0, 0
    while user.accounts["house"].positions:
        found = judge(user, "house", at, ["x"])
        assert found is not None
        assert sum(len(output.value) for output in found.outputs) < OUTPUT_BYTES_MAX
        assert len(found.row.accounts["house"].positions) < HELD - closed
        user, checks, closed = found.row, checks + 1, HELD - len(found.row.accounts["house"].positions)
    assert checks > 1


def test_a_plan_for_many_positions_fits_a_record() -> None:
    positions = [worlds.position(name, "1", "1.1") for name in instruments("binance_usdm")]
    at, user = crowd("binance_usdm", worlds.usdm_user("-10", *positions, auto_reduce=True))
    found = judge(user, "a1", at, ["x"])
    assert found is not None
    assert 1 < len(found.row.accounts["a1"].margin.plan) < HELD
    assert sum(len(output.value) for output in found.outputs) < OUTPUT_BYTES_MAX


def test_a_position_without_an_entry_price_decides_nothing() -> None:
    row, _ = fold_all([balance("-50000", meta(1)), position("1", meta(2), entry_price="")])
    found = judge(row, VENUE, worlds.world(worlds.mark(worlds.BTC, "60000")), ["x"])
    assert found is not None
    assert found.row.accounts[VENUE].margin.reasons == (f"missing_entry:{worlds.BTC}",)


def test_only_breached_pools_are_reduced() -> None:
    isolated = worlds.position(worlds.BTC, "1", "60000", margin_mode="isolated", isolated_wallet=Decimal(330))
    crossed = replace(worlds.position(worlds.BTC, "1", "60000"), side="LONG")
    user = worlds.usdm_user("430", isolated, crossed, auto_reduce=True)
    found = judge(user, "a1", worlds.world(worlds.mark(worlds.BTC, "60000")), ["x"])
    assert found is not None
    assert [step.side for step in found.row.accounts["a1"].margin.plan if step.action == "close"] == ["LONG"]


def test_an_instrument_open_all_week_has_an_age() -> None:
    rule = worlds.btc_rule()
    rule.instrument.sessions.add(open_minute=0, close_minute=10_080)
    found = rules_with(Rules(), rule, 0).instrument(worlds.BTC, worlds.NOW)
    fresh, old = (worlds.mark(worlds.BTC, "1", append_ms=worlds.NOW - age) for age in (1_000, 1_001))
    assert [stale(one, worlds.NOW, found, 1_000) for one in (fresh, old)] == ["", "stale"]
    assert next_stale_ms(fresh, worlds.NOW, found, 1_000) == worlds.NOW + 1


class Setting(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None


RULE = worlds.fx_rule()
CONTROLS = [Setting(0, b"global", pb.Control(scope="global", action=pb.Control.PAUSE).SerializeToString()), Setting(1, b"global", None)]
RULES = [Setting(0, f"{RULE.rule_id}@0".encode(), RULE.SerializeToString()), Setting(1, f"{RULE.rule_id}@0".encode(), None)]


async def test_what_is_taken_back_holds_no_longer() -> None:
    """After compaction and a restart neither the pause nor the rule would be there."""
    prices, told = Prices(Config()), list[str]()
    prices.on_rules, prices.on_control = told.extend, lambda message: told.append(message.scope)
    prices._take_settings(CONTROL, CONTROLS)
    for rule in RULES:
        prices._take_settings(RISK_RULES, [rule])
    assert prices.control == Control({}, 1)
    assert prices.rules == Rules(offset=1)
    assert told == ["global", "global", RULE.rule_id, RULE.rule_id]
    prices._take_settings(RISK_RULES, [Setting(2, b"\xff", None), Setting(3, b"much", None), Setting(4, None, None)])
    assert prices.refused == {"rule": 3}


def test_what_a_stop_out_books_adds_up_to_the_balance_to_the_last_digit() -> None:
    large = worlds.position(worlds.JPY, "1000.37", "150.123", commission=Decimal("-0.003"))
    small = worlds.position(worlds.JPY, "0.0041", "150.3", side="LONG")
    found = judge(worlds.fx_user("100000", large, small), "house", worlds.world(worlds.mark(worlds.JPY, "149.0", "149.02")), ["x"])
    assert found is not None
    booked = [pb.Transaction.FromString(output.value) for output in found.outputs if output.topic == names.TRANSACTIONS]
    with localcontext(Context(prec=200)):
        total = sum((Decimal(one.amount) for one in booked), Decimal(100_000))
    assert len(booked) == 3
    assert found.row.accounts["house"].balances["USD"].wallet_balance == total


def test_who_is_reduced_early_is_reduced_beyond_the_release_of_the_group_too() -> None:
    rule = pb.RiskRule(rule_id="group:standard", group=pb.RiskRule.Group(group="standard"))
    rule.group.thresholds.MergeFrom(pb.Threshold(warning="0.4", margin_call="0.9", liquidation="1", release="0.75", auto_reduce="0.6"))
    user = worlds.usdm_user("400", worlds.position(worlds.BTC, "1", "60000"), auto_reduce=True)
    found = judge(user, "a1", worlds.world(worlds.mark(worlds.BTC, "60000"), with_rules=worlds.rules(rule, worlds.btc_rule())), ["x"])
    assert found is not None
    assert [step.action for step in found.row.accounts["a1"].margin.plan] == ["cancel_orders", "close"]


@pytest.mark.parametrize("topic", ACCOUNT_SOURCES)
def test_deadlines_of_rows_rest_on_the_clock_of_the_broker(topic: str) -> None:
    """A part of a frame that a producer dated an hour ahead kept its account settling, and unjudged, for that hour."""
    assert BY_NAME[topic].configs()["message.timestamp.type"] == "LogAppendTime"
