"""Money of a house book over random histories: nothing appears, nothing is lost, whatever is repeated, late, liquidated or crashed."""

from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agents.risk.world import Control, World
from agents.verdict import check
from schemas import engine_pb2 as pb
from schemas import names
from tables import codec
from tables.invariants import check as hold_true
from tables.rows import Fact, Output, User
from tests.agents.worlds import EUR, NOW, fx_rule, mark, rules
from tests.tables.facts import delta, fold_all, house_fill, update

RULES = rules(fx_rule(EUR, contract_size="1", taker_fee="0.001"))
cents = st.integers(1, 500_000).map(lambda number: Decimal(number) / 100)
prices = st.integers(80, 125).map(lambda number: Decimal(number) / 100)
lots = st.integers(1, 30_000).map(Decimal)


class Book(RuleBasedStateMachine):
    """`worth` is what the account must be worth: deposits, less fees, plus what every change of the mark did to what was open then."""

    def __init__(self) -> None:
        super().__init__()
        self.row: User | None = None
        self.facts: list[Fact] = []  # every fact ever sent, in order
        self.held: list[Fact] = []  # a later number that waits
        self.booked: dict[str, pb.Transaction] = {}
        self.worth, self.open, self.mark = Decimal(0), Decimal(0), Decimal(1)
        self.numbers = {"s": 0, "fill": 0}

    @initialize(price=prices)
    def begin(self, price: Decimal) -> None:
        self.mark = price
        self.send(update(profile=pb.AccountUpdate.Profile(leverage="100")))

    # ---- facts

    def send(self, fact: Fact) -> None:
        self.row, steps = fold_all([fact], self.row)
        self.facts.append(fact)
        self.take(output for step in steps for output in step.outputs)

    def take(self, outputs: Any) -> None:
        """Books what was said; the same id must say the same."""
        output: Output
        for output in outputs:
            if output.topic == names.TRANSACTIONS:
                found = pb.Transaction.FromString(output.value)
                assert found.delta_id not in self.booked, "a balance change was said twice"
                self.booked[found.delta_id] = found

    def number(self, source: str) -> int:
        self.numbers[source] += 1
        return self.numbers[source]

    @rule(amount=cents, late=st.booleans(),
          kind=st.sampled_from([pb.WalletDelta.DEPOSIT, pb.WalletDelta.WITHDRAWAL, pb.WalletDelta.FUNDING]))
    def deposit(self, amount: Decimal, kind: Any, late: bool) -> None:
        """A delta; sometimes the one after it comes first."""
        signed = -amount if kind == pb.WalletDelta.WITHDRAWAL else amount
        number = self.number("s")
        sent = [delta(number, str(signed), kind=kind)]
        self.worth += signed
        if late:
            sent = [delta(self.number("s"), "1.5"), *sent]
            self.worth += Decimal("1.5")
        for fact in sent:
            self.send(fact)

    @rule(quantity=lots, buy=st.booleans(), fee=st.integers(0, 9), away=st.integers(-3, 3))
    def fill(self, quantity: Decimal, buy: bool, fee: int, away: int) -> None:
        """A fill near the mark: what it is worth at once is its distance from the mark, less the fee."""
        signed = quantity if buy else -quantity
        price = self.mark + Decimal(away) / 100
        self.worth += signed * (self.mark - price) - fee
        self.open += signed
        self.send(house_fill(self.number("fill"), str(signed), str(price), fee=str(fee), at=NOW))

    @rule(price=prices)
    def move(self, price: Decimal) -> None:
        self.worth += self.open * (price - self.mark)
        self.mark = price

    # ---- faults

    @precondition(lambda self: self.facts)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Any fact of the past again: nothing is said, nothing changes."""
        fact = data.draw(st.sampled_from(self.facts))
        row, steps = fold_all([fact], self.row)
        assert row is self.row
        assert [step.outputs for step in steps] == [()]

    @precondition(lambda self: self.row)
    @rule()
    def crash(self) -> None:
        """All that is left are the bytes of the changelog."""
        assert self.row is not None
        self.row = codec.load_user(codec.dump_user(self.row))

    # ---- verdicts

    @precondition(lambda self: self.row and "house" in self.row.accounts)
    @rule()
    def judge(self) -> None:
        """A liquidation closes at the mark: only its fee is gone. The same check again says nothing."""
        assert self.row is not None
        world = World(NOW, {EUR: mark(EUR, str(self.mark), str(self.mark))}, RULES, Control())
        checked = check(self.row, "house", world, ["test"])
        assert checked is not None
        hold_true(checked.row)
        before = len(self.booked)
        self.take(checked.outputs)
        for said in list(self.booked.values())[before:]:
            self.worth += Decimal(said.amount) if said.kind == "fee" else 0
        self.row = checked.row
        self.open = sum((found.quantity for found in self.row.accounts["house"].positions.values()), Decimal(0))
        again = check(self.row, "house", world, ["test"])
        assert again is not None
        assert again.row is self.row
        assert again.outputs == ()

    # ---- what always holds

    @invariant()
    def nothing_appears_and_nothing_is_lost(self) -> None:
        if self.row is None or "house" not in self.row.accounts:
            return
        account = self.row.accounts["house"]
        unrealised = sum((found.quantity * self.mark - found.entry_cost for found in account.positions.values()), Decimal(0))
        cash = account.balances["USD"].wallet_balance if "USD" in account.balances else Decimal(0)
        assert cash + unrealised == self.worth

    @invariant()
    def every_balance_is_the_sum_of_what_was_said_of_it(self) -> None:
        if self.row is None or "house" not in self.row.accounts:
            return
        total = Decimal(0)
        for said in self.booked.values():
            total += Decimal(said.amount)
            assert Decimal(said.balance_after) == total, said.delta_id
        balances = self.row.accounts["house"].balances
        assert (balances["USD"].wallet_balance if "USD" in balances else 0) == total

    @invariant()
    def the_row_survives_its_bytes(self) -> None:
        if self.row is not None:
            assert codec.load_user(codec.dump_user(self.row)) == self.row


TestBook = Book.TestCase
TestBook.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
