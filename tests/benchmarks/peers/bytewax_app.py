"""Bytewax: Kafka source, stateful map, Kafka sink; snapshots to SQLite every ten seconds, its own default."""

import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import bytewax.operators as op
import orjson
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

ENV = os.environ
BROKERS = [ENV["KAFKA_BOOTSTRAP"]]
Wallet = dict[str, Decimal]


def parse(message: KafkaSourceMessage) -> tuple[str, dict[str, str]]:
    """User and delta."""
    delta = orjson.loads(message.value)
    return delta["user_id"], delta


def apply(wallet: Wallet | None, delta: dict[str, str]) -> tuple[Wallet, dict[str, str]]:
    """Add, remember, say."""
    wallet = {} if wallet is None else wallet
    balance = wallet.get(delta["asset"], Decimal(0)) + Decimal(delta["amount"])
    wallet[delta["asset"]] = balance
    return wallet, {"user_id": delta["user_id"], "asset": delta["asset"], "balance": str(balance), "seq": delta["seq"], "ts": delta["ts"]}


flow = Dataflow("wallet")
deltas = op.map("parse", op.input("source", flow, KafkaSource(BROKERS, [ENV["IN_TOPIC"]])), parse)
balances = op.stateful_map("balance", deltas, apply)
told = op.map("say", balances, lambda pair: KafkaSinkMessage(pair[0].encode(), orjson.dumps(pair[1])))
op.output("out", told, KafkaSink(BROKERS, ENV["OUT_TOPIC"]))

if __name__ == "__main__":
    state = Path(ENV["STATE_DIR"])
    state.mkdir(parents=True, exist_ok=True)
    init_db_dir(state, 4)
    cli_main(flow, epoch_interval=timedelta(seconds=10), recovery_config=RecoveryConfig(state))
