"""The workload of the side-by-side runs: wallet deltas of 10,000 users over four assets, and what they must sum up to."""

import random
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from schemas.engine_pb2 import WalletDelta

USERS, ASSETS, SEED = 10_000, ("BTC", "ETH", "USDT", "SOL"), 7
_TICK = Decimal("0.00000001")  # in every amount: a balance's last digits count the deltas it holds


class Delta(NamedTuple):
    """`seq` counts from 0 over all; `number` counts from 1 over the user's own."""

    seq: int
    user: str
    asset: str
    amount: str
    number: int


def deltas(count: int) -> Iterator[Delta]:
    """The same ones on every machine, uniform over users and assets."""
    draw = random.Random(SEED)
    numbers: dict[str, int] = {}
    for seq in range(count):
        cents = draw.randint(-50_000, 60_000)
        user, asset = f"live:u{draw.randrange(USERS):07d}", ASSETS[draw.randrange(len(ASSETS))]
        numbers[user] = numbers.get(user, 0) + 1
        yield Delta(seq, user, asset, format(Decimal(cents) / 100 + _TICK, ".8f"), numbers[user])


def as_json(delta: Delta, sent_us: int) -> bytes:
    """About 100 bytes, as the peers read it."""
    return b'{"user_id":"%s","asset":"%s","amount":"%s","seq":%d,"ts":%d}' % (
        delta.user.encode(), delta.asset.encode(), delta.amount.encode(), delta.seq, sent_us)


def as_message(delta: Delta, sent_us: int) -> bytes:
    """The product's own message; its id says `seq` and when it was meant to be sent."""
    return WalletDelta(id=f"{delta.seq}/{sent_us}", user_id=delta.user, account_id="house", asset=delta.asset, amount=delta.amount,
                       kind=WalletDelta.DEPOSIT, source="bench", sequence=delta.number, time_ms=sent_us // 1000).SerializeToString()


class Told(NamedTuple):
    """What an output says: the balance after a delta, and when that delta was meant to be sent (microseconds)."""

    seq: int
    user: str
    asset: str
    balance: Decimal
    sent_us: int


def differences(count: int, told: list[Told]) -> dict[str, int]:
    """Outputs against the oracle, each 0 where all is right; `told` in the order of the log, partition by partition."""
    sums: dict[tuple[str, str], Decimal] = {}
    for delta in deltas(count):
        sums[delta.user, delta.asset] = sums.get((delta.user, delta.asset), Decimal(0)) + Decimal(delta.amount)
    last = {(one.user, one.asset): one.balance for one in told}
    seen = len({one.seq for one in told})
    return {"wrong_balances": sum(last.get(key) != total for key, total in sums.items()), "missing_outputs": count - seen,
            "repeated_outputs": len(told) - seen}
