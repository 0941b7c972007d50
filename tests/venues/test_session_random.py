"""Random histories with faults: whatever happens, the facts on the topics amount to the venue's ledger; no fill missing, none twice."""

from decimal import Decimal

import pytest

from streams.venues.words import Changed, State
from tests.venues.folded import fold
from tests.venues.world import World

FAULTS = ("refused connect", "mute", "5xx", "lag", "late frames", "twice", "stray acknowledgements")
WRONG = ("nothing", "cut", "half open", "silence", "expire", "refuse", "kill", "kafka", "wait", "long wait", "closing", "lost", "changed")
SEEDS = range(200)
AT_ONCE = 20  # seeds a test: each is a fraction of a second


def live_through(world: World) -> World:
    """Some hours of trading in which everything goes wrong at times."""
    chance = world.chance
    world.start()
    for _ in range(chance.randint(15, 40)):
        for _ in range(chance.randint(1, 12)):
            world.act()
            world.run(chance.choice((0, 3, 50, 400, 2_000)))
        _go_wrong(world, chance.choice(WRONG))
    world.quiet()
    return world


def _go_wrong(world: World, what: str) -> None:
    chance = world.chance
    if what in ("cut", "half open"):
        world.cut(heard=what == "cut")
    elif what == "silence":
        world.silence()
    elif what == "expire":
        world.expire()
    elif what == "refuse":
        world.refuse(chance.choice(("auth", "banned", "limited", "clock")))
        world.cut()
    elif what == "kill":
        world.kill()
    elif what == "kafka":
        world.kafka_up = False
        world.after(chance.randint(1_000, 120_000), lambda: setattr(world, "kafka_up", True))
    elif what == "lost":
        world.lose()
    elif what == "changed":
        world.hear(Changed())
    elif what == "closing":
        world.emit_control({"e": "serverShutdown", "E": world.now_ms})
    world.run({"wait": 120_000, "long wait": chance.randint(1_800_000, 30_000_000)}.get(what, chance.randint(0, 5_000)))


def differences(world: World) -> list[str]:
    """What the topics say otherwise than the ledger."""
    found, ledger = fold(world.told), world.ledger
    account = found.user.accounts["bn"]
    positions = {one.instrument.partition(":")[2]: one.quantity for one in account.positions.values()}
    fills = {(row["symbol"], str(row["orderId"]), str(row["id"])): (Decimal(row["qty"]), Decimal(row["price"])) for row in ledger.fills}
    told_open = {(order.instrument.partition(":")[2], order.order_id, order.filled_quantity) for order in found.orders.orders.values()}
    pairs = {"state": (world.session.state, State.LIVE), "fills missing": (len(fills.keys() - found.fills.keys()), 0),
             "positions": (positions, ledger.open_positions()), "wallet": (account.balances["USDT"].wallet_balance, ledger.wallet),
             "orders": (told_open, ledger.open_orders()), "fills": (found.fills, fills)}
    return [f"{name}: expected {truth}, was {told}"[:300] for name, (told, truth) in pairs.items() if told != truth]


@pytest.mark.parametrize("first", SEEDS[::AT_ONCE])
def test_a_random_history_ends_in_the_ledgers_state(first: int) -> None:
    wrong = {seed: found for seed in range(first, first + AT_ONCE) if (found := differences(live_through(World(seed, frozenset(FAULTS)))))}
    assert wrong == {}
