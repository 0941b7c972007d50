"""The check while facts flow: rows at their own fences, mirrors at their own versions, and what is under way is no difference."""

import asyncio

import pytest

from schemas import engine_pb2 as engine
from streams import topics
from streams.bridges.compare import Canonical, Told, at_versions
from streams.config import Config
from streams.stack import selfcheck
from streams.stack.oracle import Seen
from streams.stack.oracle_rows import Row, rests_on
from streams.stack.selfcheck import Held, settle

USER = "live:1"
NOW_MS = 1_000


def _form(value: bytes) -> Canonical:
    """A state of tests: its bytes are "generation version wallet"."""
    generation, version, wallet = value.decode().split()
    return {"version": f"{generation} {version}", "wallet_balance": wallet}


TOLD = [Told(100, b"1 1 10"), Told(900, b"1 2 20"), Told(1_500, b"1 3 30")]
MIRRORS: dict[str, tuple[list[Told], bytes, list[str]]] = {
    "the newest": (TOLD, b"1 3 30", []),
    "behind, but what was due is there": (TOLD, b"1 2 20", []),
    "another content at the newest version": (TOLD, b"1 3 31", ["wallet_balance: expected 30, was 31"]),
    "another content at an older version": (TOLD, b"1 2 21", ["wallet_balance: expected 20, was 21"]),
    "what was due has not arrived": (TOLD, b"1 1 10", ["version: expected 1 2 to 1 3, was 1 1"]),
    "a version nobody told": (TOLD, b"1 4 30", ["version: expected 1 2 to 1 3, was 1 4"]),
    "a later generation": ([*TOLD, Told(1_600, b"2 1 40")], b"2 1 40", []),
    "its version was compacted": ([TOLD[0], TOLD[2]], b"1 2 99", []),
    "not there, nothing due": ([TOLD[2]], b"", []),
    "not there": (TOLD, b"", ["expected a row, was none"]),
    "nobody told of it": ([], b"1 1 10", ["expected no row, was one"]),
}


@pytest.mark.parametrize("case", MIRRORS)
def test_a_mirror_is_judged_at_its_own_version(case: str) -> None:
    told, mirror, expected = MIRRORS[case]
    found = {USER: _form(mirror)} if mirror else {}
    lines = at_versions({USER: told} if told else {}, found, NOW_MS, _form)
    assert [line.removeprefix(f"{USER}: ").removeprefix(f"{USER} ") for line in lines] == expected


def _looks(*rounds: list[str], lag_s_max: float = 0.2) -> selfcheck.Checked:
    left = list(rounds)

    async def look(until_ms: float) -> list[str]:
        del until_ms
        return left.pop(0) if len(left) > 1 else left[0]

    return asyncio.run(settle(look, pause_s=0.01, lag_s_max=lag_s_max))


def test_what_lasts_is_a_difference_and_what_passes_is_not() -> None:
    assert _looks([]) == ([], [])
    assert _looks(["redis: live:1 version: expected 1 2 to 1 3, was 1 1"], []) == ([], [])
    lasting = _looks(["row a: expected 1, was 0", "row b: expected 1, was 0"], ["row a: expected 2, was 0", "row c: expected 1, was 0"])
    assert lasting == (["row a: expected 2, was 0"], ["row c: expected 1, was 0"])


def test_a_look_that_takes_longer_than_the_bound_is_not_the_last() -> None:
    first = ["row a: expected 1, was 0"]
    assert _looks(first, first, [], lag_s_max=0) == ([], [])
    assert _looks(first, lag_s_max=0) == (first, [])


def test_users_that_take_turns_in_moving_end_the_look() -> None:
    assert _looks(["row a: expected 1, was 0"], ["row b: expected 1, was 0"]) == ([], ["row b: expected 1, was 0"])


def _delta(offset: int, time_ms: int, amount: str) -> Seen:
    delta = engine.WalletDelta(user_id=USER, account_id="house", asset="USD", amount=amount, source="s", sequence=offset + 1)
    return Seen(topics.WALLET_DELTAS, 0, offset, time_ms, USER.encode(), delta.SerializeToString())


def _row(wallet: str, fence: int) -> Row:
    account = engine.AccountState(account_id="house", balances={"USD": engine.BalanceState(wallet_balance=wallet)})
    return Row(engine.UserState(user_id=USER, version=1, generation=1, accounts={"house": account}), {topics.WALLET_DELTAS: fence})


DELTAS = [_delta(0, 100, "10"), _delta(1, 900, "5"), _delta(2, 1_500, "1")]
ROWS: dict[str, tuple[str, int, list[str]]] = {
    "folded to the end": ("16", 2, []),
    "the newest is under way": ("15", 1, []),
    "folded, and wrong": ("16", 1, ["row of live:1/house balance USD: expected 15, was 16"]),
    "what was due is not folded": ("10", 0, ["row of live:1/house balance USD: expected 15, was 10"]),
}


@pytest.mark.parametrize("case", ROWS)
def test_a_row_is_judged_at_its_own_fences(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same through `_compare`, as `check` does it, with nothing in the other topics."""
    wallet, fence, expected = ROWS[case]
    monkeypatch.setattr(selfcheck, "rederived", lambda config, read: [])
    read: dict[str, list[Seen]] = {name: [] for name in selfcheck._READ} | {topics.WALLET_DELTAS: DELTAS}
    held = Held({}, {USER: _row(wallet, fence)}, NOW_MS)
    assert selfcheck._compare(Config(), read, held, None) == expected
    assert selfcheck._compare(Config(), read, held, USER) == expected


def test_a_user_nobody_heard_of_is_said() -> None:
    read: dict[str, list[Seen]] = {name: [] for name in selfcheck._READ}
    assert selfcheck._compare(Config(), read, Held({}, {}, NOW_MS), USER) == ["row of live:1: expected one, was none"]


@pytest.mark.parametrize(("counted", "within"), [((1, 2), True), ((1, 3), True), ((1, 4), False), ((2, 1), False)])
def test_a_step_is_in_the_row_that_counted_it(counted: tuple[int, int], within: bool) -> None:
    account = engine.AccountState(account_id="house", margin=engine.MarginState(episode=1, step=3))
    row = Row(engine.UserState(user_id=USER, accounts={"house": account}), {})
    event = engine.Liquidation(user_id=USER, account_id="house", episode=counted[0], step=counted[1])
    assert rests_on(row, Seen(topics.LIQUIDATIONS, 0, 0, 0, USER.encode(), event.SerializeToString())) is within
    assert not rests_on(None, DELTAS[0])


def _seen(topic: str, message: engine.AccountUpdate | engine.OrdersState, time_ms: int = 1) -> Seen:
    return Seen(topic, 0, time_ms, time_ms, USER.encode(), message.SerializeToString())


GONE = engine.AccountUpdate(user_id=USER, id="1", source="s", exchange_account_removed="bn")
BACK = engine.AccountUpdate(user_id=USER, id="2", source="s", exchange_account=engine.AccountUpdate.ExchangeAccount(account_id="bn"))


@pytest.mark.parametrize(("updates", "open_ones", "lines"), [
    ([GONE], ["bn", "other"], ["orders of live:1/bn: expected none of an account that was removed, was 7"]),
    ([GONE], ["other"], []),
    ([GONE, BACK], ["bn"], []),
    ([], ["bn"], []),
])
def test_orders_that_a_removed_account_left_behind_are_found(
    updates: list[engine.AccountUpdate], open_ones: list[str], lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selfcheck, "rederived", lambda config, read: [])
    state = engine.OrdersState(user_id=USER, orders={
        f"{name}/x:y/7": engine.OrderState(account_id=name, instrument="x:y", order_id="7") for name in open_ones})
    read: dict[str, list[Seen]] = {name: [] for name in selfcheck._READ} | {
        topics.ACCOUNT_UPDATES: [_seen(topics.ACCOUNT_UPDATES, update, at) for at, update in enumerate(updates)],
        topics.ORDER_STATES: [_seen(topics.ORDER_STATES, engine.OrdersState(user_id=USER)), _seen(topics.ORDER_STATES, state)]}
    assert selfcheck._compare(Config(), read, Held({}, {}, NOW_MS), None) == lines
