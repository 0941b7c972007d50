"""Every kind of fact: an older and a newer one about the same thing, and what they are told by."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from msgspec.structs import replace

from schemas import engine_pb2 as pb
from schemas import names
from schemas import user_data_pb2 as ud
from schemas.keys import step_id
from tables.rows import Account, Fact, Margin, PlanStep, User
from tests.scenarios.engine import HOME, KEY, Engine
from tests.tables.facts import USER, VENUE, balance, delta, end, fact, house_fill, meta, order, position, update

S = ud.OrderStatus
STEP_1, STEP_2 = (step_id(USER, VENUE, 1, number) for number in (1, 2))


class Kind(NamedTuple):
    """`late`: what stands after the older one came behind the newer one: `newer` or `both` of them, or the `last` to arrive.

    `half`: what a part of a frame (or the second of two numbers) does alone: `settling`, `gap`, or nothing, "".
    """

    older: Fact
    newer: Fact
    probe: Callable[[Engine], object]
    late: str
    half: str = ""


def started() -> Engine:
    """An exchange account with a plan under way, a house account in doubt, a gap: whatever any kind needs to have an effect."""
    engine = Engine()
    engine.deliver(
        update("added", exchange_account=pb.AccountUpdate.ExchangeAccount(account_id=VENUE, venue="binance_usdm")),
        update("spare", exchange_account=pb.AccountUpdate.ExchangeAccount(account_id="spare", venue="okx_v5")),
        delta(None, "100", id="first"),
        delta(9, "7", source="gapped"),
        position("9", meta(2), symbol="OLD"), balance("9", meta(2), asset="OLD"), order("old", S.NEW, meta(2)),
    )
    engine.fold(engine.record(delta(None, id="bad"), value=b"\xff"))
    row: Any = engine.accounts.parts[HOME].rows[KEY]
    account: Account = row.state.accounts[VENUE]
    plan = (PlanStep(STEP_1, "close", client_order_id="c1"), PlanStep(STEP_2, "close", client_order_id="c2"))
    user: User = row.state
    row.state = replace(user, accounts={**user.accounts, VENUE: replace(account, margin=Margin(plan=plan))})
    row.outbox = []
    return engine


def venue(engine: Engine) -> Account:
    return engine.user.accounts[VENUE]


def cash(engine: Engine) -> object:
    account = engine.user.accounts["house"]
    held = {name: (found.quantity, found.entry_cost) for name, found in account.positions.items()}
    return {name: found.wallet_balance for name, found in account.balances.items()}, held, engine.user.sequences.get("s")


def config(seq: int, part: tuple[int, int] = (0, 1), **change: object) -> Fact:
    return fact(names.ACCOUNT_CONFIG, ud.UserDataAccountConfigEvent(meta=meta(seq, *part), **cast("Any", change)))


def call(seq: int, part: tuple[int, int] = (0, 1)) -> Fact:
    return fact(names.VENUE_MARGIN_CALLS, ud.UserDataMarginCallEvent(meta=meta(seq, *part), level_raw="MARGIN_CALL"))


def report(step: str, status: str, **more: str) -> Fact:
    said = pb.LiquidationReport(id=f"r{step}{status}", user_id=USER, account_id=VENUE, step_id=step, status=status, **cast("Any", more))
    return fact(names.LIQUIDATION_REPORTS, said)


def settings() -> dict[str, Kind]:
    """Of the oneof of account-config."""
    pairs: dict[str, tuple[object, object]] = {
        "leverage": (ud.LeverageChange(symbol="X", leverage="5"), ud.LeverageChange(symbol="X", leverage="9")),
        "margin_mode": (ud.MarginModeChange(symbol="X", mode=ud.ISOLATED), ud.MarginModeChange(symbol="X", mode=ud.CROSS)),
        "multi_assets_mode": (True, False), "hedge_mode": (True, False), "account_level_raw": ("2", "3"),
    }
    return {f"{names.ACCOUNT_CONFIG}/{name}": Kind(
        config(31, (0, 2), **{name: one}), config(32, (0, 2), **{name: other}),
        lambda engine: (venue(engine).leverages, venue(engine).margin_modes, venue(engine).hedge_mode, venue(engine).multi_assets,
                        venue(engine).account_level),
        "newer", "settling") for name, (one, other) in pairs.items()}


def updates() -> dict[str, Kind]:
    """Of the oneof of account-updates."""
    exchange, profile = pb.AccountUpdate.ExchangeAccount, pb.AccountUpdate.Profile
    gap = pb.AccountUpdate.SkipGap
    found: dict[str, tuple[dict[str, object], dict[str, object], Callable[[Engine], object], str]] = {
        "profile": ({"profile": profile(group="a")}, {"profile": profile(group="b")}, lambda engine: engine.user.profile.group, "last"),
        "exchange_account": (
            {"exchange_account": exchange(account_id="new", venue="okx_v5", currency="USDC")},
            {"exchange_account": exchange(account_id="new", venue="okx_v5", currency="USDT")},
            lambda engine: {name: account.currency for name, account in engine.user.accounts.items()}, "last"),
        "exchange_account_removed": (
            {"exchange_account_removed": "spare"}, {"exchange_account": exchange(account_id="spare", venue="okx_v5")},
            lambda engine: sorted(engine.user.accounts), "last"),
        "skip_gap": (
            {"skip_gap": gap(source="gapped", up_to_sequence=4, actor="ops")},
            {"skip_gap": gap(source="gapped", up_to_sequence=8, actor="ops")}, lambda engine: engine.user.sequences["gapped"], "both"),
        "end_quarantine": (
            {"end_quarantine": pb.AccountUpdate.EndQuarantine(topic=names.WALLET_DELTAS, actor="ops")},
            {"end_quarantine": pb.AccountUpdate.EndQuarantine(actor="ops")}, lambda engine: engine.user.quarantines, "both"),
    }
    return {f"{names.ACCOUNT_UPDATES}/{name}": Kind(
        update(f"1{name}", **cast("Any", one)), update(f"2{name}", **cast("Any", other)), probe, late)
        for name, (one, other, probe, late) in found.items()}


def ends() -> dict[str, Kind]:
    """The end of a snapshot on each topic that has them; the newer snapshot was asked for later."""
    def left(engine: Engine) -> object:
        account = venue(engine)
        return sorted(account.positions), sorted(account.balances), sorted(engine.open_orders.orders), account.venue_margin_call

    topics = (names.ORDER_UPDATES, names.POSITION_UPDATES, names.BALANCE_UPDATES, names.VENUE_MARGIN_CALLS, names.ACCOUNT_CONFIG)
    return {f"{topic}/snapshot_end": Kind(end(topic, 40, 0, 10, "one"), end(topic, 41, 0, 30, "two"), left, "both") for topic in topics}


def deltas() -> dict[str, Kind]:
    """Every kind of delta, by id; and numbered ones."""
    found = {f"{names.WALLET_DELTAS}/{name.lower()}": Kind(
        delta(None, "5", id=f"1{name}", kind=number), delta(None, "-2", id=f"2{name}", kind=number), cash, "both")
        for name, number in pb.WalletDelta.Kind.items()}
    return found | {
        f"{names.WALLET_DELTAS}/numbered": Kind(delta(1, "5"), delta(2, "-2"), cash, "both", "gap"),
        f"{names.WALLET_DELTAS}/opening first": Kind(delta(7, "5", opening=True), delta(8, "-2"), cash, "both", "gap"),
    }


def frames() -> dict[str, Kind]:
    """Absolute facts of exchange accounts."""
    def held(engine: Engine) -> object:
        return {name: (found.quantity, found.leverage, found.entry_price) for name, found in venue(engine).positions.items()}

    def money(engine: Engine) -> object:
        return {name: found.wallet_balance for name, found in venue(engine).balances.items()}

    def orders(engine: Engine) -> object:
        return {name: (found.status, found.filled_quantity) for name, found in engine.open_orders.orders.items()}

    return {
        f"{names.POSITION_UPDATES}/changed": Kind(position("3", meta(31, 0, 2)), position("4", meta(32, 0, 2)), held, "newer", "settling"),
        f"{names.POSITION_UPDATES}/closed": Kind(position("3", meta(31, 0, 2)), position("0", meta(32, 0, 2)), held, "newer", "settling"),
        f"{names.POSITION_UPDATES}/partial": Kind(
            position("", meta(31, 0, 2), partial=True, symbol="OLD", leverage="3"),
            position("", meta(32, 0, 2), partial=True, symbol="OLD", leverage="4"), held, "newer", "settling"),
        f"{names.BALANCE_UPDATES}/changed": Kind(balance("3", meta(31, 0, 2)), balance("4", meta(32, 0, 2)), money, "newer", "settling"),
        f"{names.VENUE_MARGIN_CALLS}/call": Kind(
            call(31, (0, 2)), call(32, (0, 2)), lambda engine: venue(engine).venue_margin_call, "newer", "settling"),
        f"{names.ORDER_UPDATES}/open": Kind(
            order("7", S.NEW, meta(31), side=ud.BUY), order("7", S.PARTIALLY_FILLED, meta(32), cum_filled_qty="2"), orders, "newer"),
        f"{names.ORDER_UPDATES}/ended": Kind(order("7", S.NEW, meta(31), side=ud.BUY), order("7", S.FILLED, meta(32)), orders, "newer"),
        f"{names.ORDER_UPDATES}/of a step": Kind(
            order("8", S.NEW, meta(31), client_order_id="c1"), order("8", S.FILLED, meta(32), client_order_id="c1"),
            lambda engine: [step.status for step in venue(engine).margin.plan], "newer"),
        f"{names.ORDER_UPDATES}/house fill by number": Kind(house_fill(1, "2", "10"), house_fill(2, "-1", "14"), cash, "both", "gap"),
        f"{names.ORDER_UPDATES}/house fill by trade": Kind(
            house_fill(1, "2", "10", numbered=False), house_fill(2, "1", "14", numbered=False), cash, "both"),
        f"{names.LIQUIDATION_REPORTS}/status": Kind(
            report(STEP_1, "refused"), report(STEP_1, "filled"),
            lambda engine: [step.status for step in venue(engine).margin.plan], "newer"),
        f"{names.LIQUIDATION_REPORTS}/snapshot": Kind(
            report(STEP_1, "accepted", snapshot_id="one"), report(STEP_2, "filled"),
            lambda engine: (venue(engine).awaited_snapshot, [step.status for step in venue(engine).margin.plan]), "both", "settling"),
    }


KINDS: dict[str, Kind] = frames() | deltas() | updates() | settings() | ends()
