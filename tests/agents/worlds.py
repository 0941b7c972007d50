"""Small worlds to judge: one FX account or one exchange account, rules and marks."""

from decimal import Decimal

from msgspec.structs import replace

from agents.rederive import world_of
from agents.risk.rules import Rules, rules_with
from agents.risk.world import Control, Mark, World
from agents.verdict import check
from schemas import engine_pb2 as pb
from tables.codec import load_margin
from tables.rows import Account, Balance, Orders, Output, Position, Profile, User, position_key

NOW = 1_700_000_000_000  # a Tuesday
EUR, JPY, BTC = "house:EURUSD", "house:USDJPY", "binance_usdm:BTCUSDT"


def fx_rule(name: str = EUR, **more: object) -> pb.RiskRule:
    symbol = name.partition(":")[2]
    found = pb.RiskRule(rule_id=f"instrument:{name}")
    found.instrument.CopyFrom(pb.RiskRule.Instrument(instrument=name, base=symbol[:3], quote=symbol[3:], contract_size="100000"))
    found.instrument.MergeFrom(pb.RiskRule.Instrument(**more))  # type: ignore[arg-type]
    return found


def btc_rule() -> pb.RiskRule:
    found = pb.RiskRule(rule_id=f"instrument:{BTC}")
    found.instrument.CopyFrom(pb.RiskRule.Instrument(instrument=BTC, base="BTC", quote="USDT", settle="USDT", quantity_step="0.001"))
    found.instrument.brackets.add(floor="0", cap="50000", rate="0.004", amount="0")
    found.instrument.brackets.add(floor="50000", cap="250000", rate="0.005", amount="50")
    return found


def rules(*messages: pb.RiskRule) -> Rules:
    found = Rules()
    for offset, message in enumerate(messages or (fx_rule(), fx_rule(JPY), btc_rule())):
        found = rules_with(found, message, offset)
    return found


def mark(name: str, *prices: str, append_ms: int = NOW, jumping: bool = False) -> Mark:
    numbers = [Decimal(price) for price in prices]
    if len(numbers) == 1:
        return Mark(name, mark=numbers[0], offset=7, append_ms=append_ms, jumping=jumping)
    return Mark(name, bid=numbers[0], ask=numbers[1], offset=7, append_ms=append_ms, jumping=jumping)


def world(*marks: Mark, with_rules: Rules | None = None, control: Control | None = None, now_ms: int = NOW) -> World:
    return World(now_ms, {found.instrument: found for found in marks}, with_rules or rules(), control or Control(), {"wallet-deltas": 3})


def position(name: str, quantity: str, entry: str, **more: object) -> Position:
    signed, price = Decimal(quantity), Decimal(entry)
    return replace(Position(name, quantity=signed, entry_price=price, entry_cost=signed * price), **more)


def fx_user(balance: str, *positions: Position) -> User:
    held = {position_key(found.instrument, found.side, found.position_id): found for found in positions}
    account = Account("house", balances={"USD": Balance(Decimal(balance))}, positions=held)
    return User("live:1", profile=Profile(leverage=Decimal(100)), accounts={"house": account})


def usdm_user(balance: str, *positions: Position, auto_reduce: bool = False) -> User:
    held = {position_key(found.instrument, found.side): found for found in positions}
    account = Account("a1", "binance_usdm", "binance_usdm", "USDT", "venue", auto_reduce, {"USDT": Balance(Decimal(balance))}, held)
    return User("live:1", accounts={"a1": account})


def rederived(user: User, event: pb.MarginCall | pb.Liquidation, at: tuple[Rules, Control], orders: Orders | None = None) -> list[Output]:
    """Every output of the check that sent `event`: the rows as they lay at its stamp's fences, the margin state as the stamp has it."""
    account = replace(user.accounts[event.account_id], margin=load_margin(event.stamp.margin_before))
    row = replace(user, accounts={**user.accounts, event.account_id: account})
    checked = check(row, event.account_id, world_of(event.stamp, *at), (), orders)
    return list(checked.outputs) if checked else []
