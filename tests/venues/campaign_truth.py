"""What Kafka amounts to beside what the venues' ledger says: positions, balances, open orders, fills by trade id, of every account."""

import asyncio
import itertools
import json
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas import names
from schemas.user_data_pb2 import UserDataOrderUpdateEvent
from streams.topics import BY_NAME
from streams.venues.frames import Event
from streams.venues.simulator.bybit_wire import order_id
from tests.venues.campaign_field import Field
from tests.venues.folded import Folded, fold
from tests.venues.harness import unequal

FACTS = (names.ORDER_UPDATES, names.POSITION_UPDATES, names.BALANCE_UPDATES, names.VENUE_MARGIN_CALLS, names.ACCOUNT_CONFIG)
Fill = tuple[Decimal, Decimal]


class Read(NamedTuple):
    """The topics so far: facts by user in the broker's order, and dead letters."""

    told: dict[str, list[tuple[int, Event]]]
    letters: list[str]

    @property
    def events(self) -> list[Any]:
        return [event.message for facts in self.told.values() for _, event in facts]

    def frames(self) -> int:
        """How many frames and snapshots were told."""
        return len({(meta.account_id, meta.lease_epoch, meta.connection_epoch, meta.receive_seq)
                    for meta in (message.meta for message in self.events)})


def read(field: Field) -> Read:
    """All five topics and the dead letters, from their beginning."""
    return asyncio.run(_read(field))


async def _read(field: Field) -> Read:
    consumer = AIOKafkaConsumer(bootstrap_servers=field.config.kafka_bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        parts = [TopicPartition(*one) for one in itertools.product((*FACTS, names.DEAD_LETTERS), range(field.config.partitions))]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        found = []
        while [part for part in parts if await consumer.position(part) < ends[part]]:
            for part, records in (await consumer.getmany(timeout_ms=300)).items():
                found += [(record.timestamp, record.key.decode(), _event(part.topic, record.value)) for record in records]
    finally:
        await consumer.stop()
    told = defaultdict[str, list[tuple[int, Event]]](list)
    for at_ms, user, event in sorted(found, key=lambda one: one[0]):  # as a worker would meet them; of a partition in order
        told[user if event.topic != names.DEAD_LETTERS else ""].append((at_ms, event))
    letters = [str(event.message)[:300] for _, event in told.pop("", [])]
    return Read(dict(told), letters)


def _event(topic: str, value: bytes) -> Event:
    message = BY_NAME[topic].message()
    message.ParseFromString(value)
    return Event(topic, message)


def true_fills(field: Field) -> dict[str, dict[tuple[str, str], Fill]]:
    """account -> (symbol, trade id) -> quantity and price: of the truth log, which no fill ever leaves."""
    found = defaultdict[str, dict[tuple[str, str], Fill]](dict)
    with field.truth_file.open() as lines:
        for line in lines:
            entry = json.loads(line)
            fill = entry["data"].get("fill") if entry["kind"] == "OrderMoved" else None
            if fill:
                name = _trade(entry["venue"], fill["id"])
                found[entry["account"]][fill["symbol"], name] = Decimal(fill["quantity"]), Decimal(fill["price"])
    return found


def _trade(venue: str, number: int) -> str:
    return order_id(-number) if venue == "bybit_v5" else str(number)


def told_fills(found: Read) -> tuple[dict[str, dict[tuple[str, str], Fill]], list[str]]:
    """account -> (symbol, trade id) -> quantity and price; and trade ids under more than one name of the same meaning."""
    fills = defaultdict[str, dict[tuple[str, str], Fill]](dict)
    meanings: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for message in found.events:
        if isinstance(message, UserDataOrderUpdateEvent) and message.HasField("fill") and not message.fill.lite and message.fill.trade_id:
            account, name = message.meta.account_id, (message.symbol, message.fill.trade_id)
            fills[account][name] = Decimal(message.fill.qty), Decimal(message.fill.price)
            meanings[account, *name].add(message.meta.business_key)
    return fills, [f"fill {name}: expected one name, was {sorted(keys)}" for name, keys in meanings.items() if len(keys) > 1]


def differences(field: Field) -> list[str]:
    """A line for whatever Kafka says otherwise than the ledger; none: all is right."""
    found = read(field)
    said = [f"dead letter: {letter}" for letter in found.letters]
    true, (told, twice) = true_fills(field), told_fills(found)
    rows = {user: fold(facts, user) for user, facts in found.told.items()}
    for venue, accounts in field.names.items():
        for account in accounts:
            folded = rows.get(field.user_of(account))
            state = field.see(f"truth/{account}")
            wrong = ["nothing was told"] if folded is None else _compare(folded, account, venue, state)
            wrong += fills_differ(told.get(account, {}), true.get(account, {}))
            said += [f"{account}: {one}"[:500] for one in wrong]
    return said + twice


def fills_differ(told: dict[tuple[str, str], Fill], true: dict[tuple[str, str], Fill]) -> list[str]:
    """A line for those that are missing, invented, or told with another quantity or price."""
    missing, invented = sorted(true.keys() - told.keys()), sorted(told.keys() - true.keys())
    other = [name for name, fill in told.items() if true.get(name, fill) != fill]
    pairs = (("missing", missing), ("invented", invented), ("told otherwise", other))
    return [f"fills {name}: {len(which)}, such as {which[:3]}" for name, which in pairs if which]


def _compare(folded: Folded, account: str, venue: str, truth: dict[str, Any]) -> list[str]:
    found = folded.user.accounts.get(account)
    if found is None:
        return ["nothing was told"]
    ident = order_id if venue == "bybit_v5" else str
    positions = {(one.instrument.partition(":")[2], one.side): one.quantity for one in found.positions.values()}
    true_positions = {tuple(key.split("/")): Decimal(one["amount"]) for key, one in truth["positions"].items() if Decimal(one["amount"])}
    orders = {(one.order_id, one.filled_quantity) for one in folded.orders.orders.values() if one.account_id == account}
    opened = {(ident(one["id"]), Decimal(one["filled"])) for one in (*truth["orders"], *truth["algos"])
              if one["status"] in ("NEW", "PARTIALLY_FILLED")}
    wallets = {asset: one.wallet_balance for asset, one in found.balances.items() if one.wallet_balance}
    true_wallets = {asset: Decimal(one["wallet"]) for asset, one in truth["balances"].items() if Decimal(one["wallet"])}
    pairs: dict[str, tuple[object, object]] = {
        "positions": (positions, true_positions), "orders": (orders, opened), "balances": (wallets, true_wallets),
        "quarantines": (found.quarantines, ()), "frames not whole": (found.frames, ())}
    return unequal(pairs)


def counted(found: Read) -> dict[str, object]:
    """Figures of a run."""
    facts = Counter(event.topic for told in found.told.values() for _, event in told)
    epochs = {(message.meta.account_id, message.meta.lease_epoch, message.meta.connection_epoch) for message in found.events}
    return {"frames": found.frames(), "facts": sum(facts.values()), "by_topic": dict(facts), "links": len(epochs)}
