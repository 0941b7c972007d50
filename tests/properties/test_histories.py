"""Random histories of every kind of fact, broken ones among them: topics commute, neither crashes nor repeats change anything."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import names
from streams.engine.rows import Codec, Row
from streams.topics import ACCOUNT_SOURCES
from tables import codec
from tables.rows import Fact
from tests.scenarios.engine import Engine, Record
from tests.scenarios.kinds import KINDS, started
from tests.tables.facts import balance, delta, end, house_fill, interleaved, meta, order, position

OPERATORS = {f"{names.ACCOUNT_UPDATES}/{name}" for name in ("exchange_account", "exchange_account_removed", "skip_gap", "end_quarantine")}
GARBAGE = b"\xff\xff"
Histories = dict[str, list[Fact]]  # of a topic, in its order; a fact with GARBAGE for a value is a broken record
numbers = st.integers(1, 9)


@st.composite
def facts(draw: st.DrawFn, kinds: list[str]) -> Fact:
    """A fact of the matrix, or one of a small world in which they meet each other again and again."""
    which = draw(st.integers(0, 9))
    number = draw(numbers)
    seq, parts = number + 60, draw(st.sampled_from([(0, 1), (0, 2), (1, 2)]))
    if which < 4:
        kind = KINDS[draw(st.sampled_from(kinds))]
        found = draw(st.sampled_from([kind.older, kind.newer]))
    else:
        found = [delta(number, str(number)), house_fill(number, str(1 + number % 3), "10", numbered=True, fee="1"),
                 balance(str(number), meta(seq, 0, 2)), position(str(number - 4), meta(seq, 1, 2)),
                 order(str(number % 3), draw(st.sampled_from([1, 2, 3, 4])), meta(seq, *parts)),
                 end(draw(st.sampled_from([names.POSITION_UPDATES, names.BALANCE_UPDATES])), 80, 0, seq * 10, f"s{number}")][which - 4]
    return found._replace(value=GARBAGE) if draw(st.integers(0, 14)) == 0 else found


def histories(kinds: list[str]) -> st.SearchStrategy[list[Fact]]:
    """Facts in the order they were written; a repeat is one of the strategy's own."""
    return st.lists(facts(kinds), max_size=25)


ALL, COMMUTING = sorted(KINDS), sorted(set(KINDS) - OPERATORS)
picks = st.lists(st.integers(0, 7), max_size=30)
relaxed = settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))


def reordered(history: list[Fact], order_of: list[int]) -> list[Fact]:
    """The same records in another order: each topic keeps its own."""
    waiting: Histories = {}
    for fact in history:
        waiting.setdefault(fact.topic, []).append(fact)
    return interleaved(waiting, order_of)


def records(engine: Engine, history: list[Fact]) -> list[Record]:
    """Times are the topic's own, so that they do not depend on the other topics."""
    found = [engine.record(fact) for fact in history]
    return [record._replace(timestamp=1_000 + record.offset) for record in found]


def run(history: list[Fact]) -> Engine:
    engine = started()
    engine.fold(*records(engine, history))
    return engine


def restarted(engine: Engine) -> Engine:
    """What the next owner has: the rows' bytes, fences among them."""
    after = Engine()
    after.offsets = dict(engine.offsets)
    for ledger, found, dump, load in ((engine.accounts, after.accounts, codec.dump_user, codec.load_user),
                                      (engine.orders, after.orders, codec.dump_orders, codec.load_orders)):
        rows = Codec(len(ledger.sources), dump, load)
        for number, part in ledger.parts.items():
            for key, row in part.rows.items():
                assert isinstance(row, Row)
                found.parts[number].rows[key] = rows.decode(rows.encode(row, 1)[0])
    return after


@relaxed
@given(histories(COMMUTING), picks, picks)
def test_topics_commute_in_both_rows(history: list[Fact], one: list[int], other: list[int]) -> None:
    first, second = run(reordered(history, one)), run(reordered(history, other))
    assert first.state() == second.state()


@relaxed
@given(histories(ALL), st.integers(0, 25), st.data())
def test_a_crash_at_any_moment_and_a_replay_from_anywhere_change_nothing(history: list[Fact], at: int, data: st.DataObject) -> None:
    """The rows are as old as their last group; every topic is read again from its own commit, at or below them."""
    everything = records(started(), history)
    straight, crashed = started(), started()
    told = [straight.fold(record).outputs for record in everything]
    said = [crashed.fold(record).outputs for record in everything[:at]]
    after = restarted(crashed)
    back = {topic: data.draw(st.integers(0, 9), label=topic) for topic in ACCOUNT_SOURCES}
    fences = dict.fromkeys(ACCOUNT_SOURCES, -1) | {record.topic: record.offset for record in everything[:at]}
    for record in everything:
        fence = fences[record.topic]
        if record.offset > fence:
            said.append(after.fold(record).outputs)
        elif record.offset > fence - back[record.topic]:
            assert after.fold(record).outputs == []  # at or below the fence
    assert after.state() == straight.state()
    assert (after.user.version, after.open_orders.version) == (straight.user.version, straight.open_orders.version)
    assert said == told


@relaxed
@given(histories(COMMUTING))
def test_everything_again_behind_itself_moves_no_money_and_says_none(history: list[Fact]) -> None:
    """As a producer that starts over: other offsets, the same facts."""
    good = [fact for fact in history if fact.value != GARBAGE and not fact.topic.endswith(("account-updates",))]
    engine = run(good)
    before = engine.user
    given_ = engine.fold(*records(engine, good))
    assert given_.said(names.TRANSACTIONS) == []
    for account_id, account in before.accounts.items():
        assert engine.user.accounts[account_id].balances == account.balances
    assert engine.user.sequences == before.sequences


@relaxed
@given(histories(ALL))
def test_a_broken_record_costs_its_dead_letter_and_nothing_else(history: list[Fact]) -> None:
    with_poison, without = run(history), run([fact for fact in history if fact.value != GARBAGE])

    assert money(with_poison) == money(without)
    assert sorted(with_poison.open_orders.orders) == sorted(without.open_orders.orders)


def money(engine: Engine) -> object:
    """What is held, without times: broken records move the offsets behind them."""
    return {name: ({asset: balance.wallet_balance for asset, balance in account.balances.items()}, account.realised_pnl,
                   {item: (position_.quantity, position_.entry_cost) for item, position_ in account.positions.items()})
            for name, account in engine.user.accounts.items()}


def test_the_same_part_on_two_topics_waits_since_its_first_append() -> None:
    """As no honest producer writes it; the deadline must not depend on which topic was read first."""
    broken = KINDS[f"{names.BALANCE_UPDATES}/snapshot_end"].older._replace(value=GARBAGE)  # moves the topic's times
    balance_, config = KINDS[f"{names.BALANCE_UPDATES}/changed"].older, KINDS[f"{names.ACCOUNT_CONFIG}/leverage"].older
    assert run([broken, balance_, config]).state() == run([config, broken, balance_]).state()


def test_what_vanished_is_told_in_one_order_before_and_after_a_restart() -> None:
    """Ids carry a number: told in the order of arrival, the same two anomalies changed names with a restart."""
    before = [position("3", meta(31)), balance("3", meta(31))]
    ends = [end(names.POSITION_UPDATES, 80, 0, 610, "s1"), end(names.BALANCE_UPDATES, 80, 0, 610, "s1")]
    straight = run(before)
    after = restarted(straight)
    told, again = (engine.fold(*records(engine, ends)).said(names.ANOMALIES) for engine in (straight, after))
    assert len(told) == 2 * len(ends)
    assert told == again
