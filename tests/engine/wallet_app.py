"""A worker for tests: a ledger of Decimal balances, told by the environment when to die."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from typing import Any, NamedTuple

from streams.config import load
from streams.engine.boot import CHANGELOG_CONFIGS, create_faust
from streams.engine.ledger import Ledger, Plan
from streams.engine.transport import Bundle
from tables.rows import Output


class Wallet(NamedTuple):
    """As every state, one with a version: what a paused owner sends too late is known by it."""

    version: int
    total: Decimal


def dump(wallet: Wallet) -> bytes:
    return f"{wallet.version} {wallet.total}".encode()


def load_wallet(data: bytes) -> Wallet:
    version, _, total = data.decode().partition(" ")
    return Wallet(int(version), Decimal(total))


CONFIG = load()
SOURCE = os.environ["WALLET_SOURCE"]
KILL_AT_RECORD = int(os.environ.get("WALLET_KILL_AT_RECORD", "0"))
KILL_AT_OUTPUTS = int(os.environ.get("WALLET_KILL_AT_OUTPUTS", "0"))  # between a group's rows and its outputs
BREATH_S = 0.002  # after a bundle: groups are written while later records wait

app: Any = create_faust(CONFIG)
ledger = Ledger(app, Plan("wallets", (SOURCE,), dump, load_wallet, SOURCE + "-states", CONFIG.partitions,
                          CONFIG.row_bytes_max, CHANGELOG_CONFIGS, CONFIG.kafka_bootstrap))
topic = app.transport.bundle(app.topic(SOURCE, key_type=bytes, value_type=bytes, value_serializer="raw", partitions=CONFIG.partitions))
folded = 0


def step(wallet: Wallet | None, record: Any) -> tuple[Wallet, Iterable[Output]]:
    """Add the amount; the output's id is the record's place, its content the balance after it."""
    global folded
    folded += 1
    if folded == KILL_AT_RECORD:
        os.kill(os.getpid(), signal.SIGKILL)
    version, before = wallet or Wallet(0, Decimal(0))
    after = Wallet(version + 1, before + Decimal(record.value.decode()))
    return after, [Output(SOURCE + "-out", f"{record.partition}:{record.offset}:{after.total}".encode())]


def key_of(record: Any) -> bytes | None:
    return bytes(record.key)


if KILL_AT_OUTPUTS:
    send_outputs = ledger.writer.send_outputs

    async def die(outputs: Any) -> None:
        if outputs and ledger.writer.groups >= KILL_AT_OUTPUTS:
            os.kill(os.getpid(), signal.SIGKILL)
        await send_outputs(outputs)

    ledger.writer.send_outputs = die  # type: ignore[method-assign]


@app.agent(topic)  # type: ignore[untyped-decorator]  # faust's own
async def fold(stream: AsyncIterator[Bundle]) -> None:
    async for bundle in stream:
        await ledger.admit(bundle)
        ledger.fold(bundle, step, key_of)
        await asyncio.sleep(BREATH_S)


if __name__ == "__main__":
    sys.argv = ["wallets", "-L", "uvloop", "worker", "-l", "warn", "--without-web"]
    app.main()
