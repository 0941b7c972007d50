"""Facts of different topics commute: only the order within a topic counts."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from tables import codec
from tables.rows import Fact, Margin, PlanStep, User
from tests.tables.facts import USER, VENUE, balance, delta, end, fact, fold_all, house_fill, interleaved, meta, order, position, update

Topics = dict[str, list[Fact]]


def start() -> User:
    row, _ = fold_all([update("added", exchange_account=pb.AccountUpdate.ExchangeAccount(account_id=VENUE, venue="binance_usdm"))])
    plan = (PlanStep("s1", "close", client_order_id="c1"), PlanStep("s2", "close", client_order_id="c2"))
    account = replace(row.accounts[VENUE], margin=Margin(plan=plan))
    return replace(row, accounts={VENUE: account})


@st.composite
def frames(draw: st.DrawFn) -> Topics:
    """Frames in parts over two topics, repeats and late ones, perhaps with a snapshot's end."""
    number = st.integers(1, 12)
    parts: dict[str, list[Fact]] = {names.BALANCE_UPDATES: [], names.POSITION_UPDATES: []}
    for seq in draw(st.lists(number, max_size=6)):
        amount, parted = str(seq % 5 - 2), seq % 3 > 0  # a frame is the same however often it is delivered
        at = seq * 10 + draw(st.integers(0, 50))  # the broker's time is never before the venue's
        parts[names.BALANCE_UPDATES].append(balance(str(seq), meta(seq, 0, 2 if parted else 1), at))
        if parted:
            parts[names.POSITION_UPDATES].append(position(amount, meta(seq, 1, 2), at))
    for topic, facts in parts.items():
        if draw(st.booleans()):
            asked = draw(st.sampled_from([3, 8, 20]))
            facts.insert(draw(st.integers(0, len(facts))), end(topic, asked, 0, draw(st.integers(0, 130)), "snap"))
    return parts


@st.composite
def house_fills(draw: st.DrawFn) -> Fact:
    n = draw(st.integers(1, 12))
    return house_fill(n, str(draw(st.integers(1, 3)) * draw(st.sampled_from([1, -1]))), str(n), fee="0.1", at=draw(st.integers(1, 12)))


@st.composite
def worlds(draw: st.DrawFn) -> Topics:
    """Facts per topic, in the topic's order: frames in parts over two topics, repeats, late ones, snapshots, fills, deltas, reports."""
    number = st.integers(1, 12)
    parts = draw(frames())
    fills = draw(st.lists(house_fills(), max_size=5))
    venue = [order("9", draw(st.sampled_from([1, 3, 4])), meta(n), client_order_id=draw(st.sampled_from(["c1", "c2"])),
                   cum_filled_qty=draw(st.sampled_from(["", "0.4", "0.5"]))) for n in draw(st.lists(number, max_size=3))]
    profile = [
        update(str(n), at=n, profile=pb.AccountUpdate.Profile(group=f"g{n}", fields={str(n): "x"}))
        for n in draw(st.lists(number, max_size=4))
    ]
    reports = [
        fact(
            names.LIQUIDATION_REPORTS,
            pb.LiquidationReport(
                user_id=USER,
                account_id=VENUE,
                step_id=draw(st.sampled_from(["s1", "s2"])),
                status=draw(st.sampled_from(["filled", "refused", "odd"])),
                snapshot_id=draw(st.sampled_from(["", "snap"])),
                client_order_id=draw(st.sampled_from(["", "c1", "c2", "other"])),
                filled_quantity=draw(st.sampled_from(["", "0", "0.4"])),
                average_price=draw(st.sampled_from(["", "91"])),
            ),
            7,
        )
        for _ in draw(st.lists(number, max_size=2))
    ]
    config = [
        fact(names.ACCOUNT_CONFIG, ud.UserDataAccountConfigEvent(meta=meta(n), hedge_mode=n % 2 == 0))
        for n in draw(st.lists(number, max_size=3))
    ]
    calls = [fact(names.VENUE_MARGIN_CALLS, ud.UserDataMarginCallEvent(meta=meta(n))) for n in draw(st.lists(number, max_size=2))]
    deltas = [delta(n, str(n), at=n) for n in draw(st.lists(number, max_size=6))]
    deltas += [delta(None, "0.5", id=str(n)) for n in draw(st.lists(number, max_size=3))]
    return parts | {names.ORDER_UPDATES: fills + venue, names.ACCOUNT_UPDATES: profile, names.LIQUIDATION_REPORTS: reports,
                    names.ACCOUNT_CONFIG: config, names.VENUE_MARGIN_CALLS: calls, names.WALLET_DELTAS: deltas}


picks = st.lists(st.integers(0, 7), max_size=40)


@settings(max_examples=150, deadline=None)
@given(worlds(), picks, picks)
def test_topics_commute(topics: Topics, one: list[int], other: list[int]) -> None:
    first, _ = fold_all(interleaved(topics, one), start())
    second, _ = fold_all(interleaved(topics, other), start())
    # Version and time tell of changes, and a fact that came too late changes nothing: they alone may differ.
    assert comparable(first) == comparable(second)


def comparable(row: User) -> bytes:
    return codec.dump_user(replace(row, version=0, updated_ms=0))


@settings(max_examples=100, deadline=None)
@given(worlds(), picks)
def test_redelivering_everything_changes_no_money(topics: Topics, one: list[int]) -> None:
    facts = interleaved(topics, one)
    first, _ = fold_all(facts, start())
    again, steps = fold_all(facts, first) if facts else (first, [])
    for account_id, account in first.accounts.items():
        assert again.accounts[account_id].balances == account.balances
        assert again.accounts[account_id].positions == account.positions
        assert again.accounts[account_id].frames == account.frames
    assert not any(output.topic == names.TRANSACTIONS for step in steps for output in step.outputs)
