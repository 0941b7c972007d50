"""Plain Faust as its documentation writes it: records, a table in memory with its changelog, one agent, `await send` for each event."""

import os
from collections.abc import AsyncIterator
from decimal import Decimal

import faust

ENV = os.environ
app = faust.App(ENV["APP_ID"], broker="kafka://" + ENV["KAFKA_BOOTSTRAP"], datadir=ENV["STATE_DIR"], topic_partitions=4, store="memory://")


class Delta(faust.Record, serializer="json"):
    """What comes in."""

    user_id: str
    asset: str
    amount: str
    seq: int
    ts: int


class Balance(faust.Record, serializer="json", include_metadata=False):
    """What goes out."""

    user_id: str
    asset: str
    balance: str
    seq: int
    ts: int


source = app.topic(ENV["IN_TOPIC"], key_type=bytes, value_type=Delta, partitions=4)
output = app.topic(ENV["OUT_TOPIC"], key_type=bytes, value_type=Balance, partitions=4)
balances = app.Table("balances", default=lambda: "0", partitions=4)


@app.agent(source)
async def apply(stream: AsyncIterator[Delta]) -> None:
    """Add, remember, say."""
    async for user, delta in stream.items():  # type: ignore[attr-defined]
        key = f"{delta.user_id}|{delta.asset}"
        balance = str(Decimal(balances[key]) + Decimal(delta.amount))
        balances[key] = balance
        told = Balance(user_id=delta.user_id, asset=delta.asset, balance=balance, seq=delta.seq, ts=delta.ts)
        await output.send(key=user, value=told)


if __name__ == "__main__":
    app.main()
