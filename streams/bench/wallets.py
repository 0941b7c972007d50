"""The engine alone on the peers' workload: one ledger of Decimal balances, one output each, JSON in and out."""

import sys
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from streams.config import load
from streams.engine.boot import CHANGELOG_CONFIGS, create_faust
from streams.engine.ledger import Ledger, Plan
from streams.engine.transport import Bundle
from tables.rows import Output

Wallet = dict[str, Decimal]


class Moved(msgspec.Struct):
    """One delta as it comes in."""

    user_id: str
    asset: str
    amount: Decimal
    seq: int
    ts: int


_READ = msgspec.json.Decoder(Moved).decode
_LOAD = msgspec.json.Decoder(dict[str, Decimal]).decode
_SAY = msgspec.json.Encoder(decimal_format="string").encode
_NONE = Decimal(0)
said_on = ""  # the topic of the outputs


def step(wallet: Wallet | None, record: Any) -> tuple[Wallet, Iterable[Output]]:
    """Add the amount; the output says the balance after it."""
    said = _READ(record.value)
    known = wallet or {}
    balance = known.get(said.asset, _NONE) + said.amount
    told = {"user_id": said.user_id, "asset": said.asset, "balance": balance, "seq": said.seq, "ts": said.ts}
    return {**known, said.asset: balance}, (Output(said_on, _SAY(told)),)


def _key_of(record: Any) -> bytes:
    return record.key  # type: ignore[no-any-return]  # bytes, as the topic says


def create_app(source: str) -> Any:
    """The Faust app that folds `source`; its ledger sends no states."""
    config = load()
    app: Any = create_faust(config)
    ledger = Ledger(app, Plan("wallets", (source,), _SAY, _LOAD, "", config.partitions, config.row_bytes_max, CHANGELOG_CONFIGS,
                              config.kafka_bootstrap))
    topic = app.transport.bundle(app.topic(source, key_type=bytes, value_type=bytes, value_serializer="raw", partitions=config.partitions))

    @app.agent(topic)  # type: ignore[untyped-decorator]  # faust's own
    async def fold(stream: AsyncIterator[Bundle]) -> None:
        async for bundle in stream:
            await ledger.admit(bundle)
            ledger.fold(bundle, step, _key_of)

    return app


if __name__ == "__main__":
    _, source_topic, said_on = sys.argv
    bench_app = create_app(source_topic)
    sys.argv = ["wallets", "worker", "-l", "warn", "--without-web"]
    bench_app.main()
