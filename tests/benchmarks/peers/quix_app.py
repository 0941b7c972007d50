"""Quix Streams: a stateful `apply` over RocksDB with its changelog, at least once, everything else as it comes."""

import os
from decimal import Decimal

from quixstreams import Application, State

ENV = os.environ
app = Application(broker_address=ENV["KAFKA_BOOTSTRAP"], consumer_group=ENV["APP_ID"], auto_offset_reset="earliest",
                  state_dir=ENV["STATE_DIR"])
source = app.topic(ENV["IN_TOPIC"], key_deserializer="bytes", value_deserializer="json")
output = app.topic(ENV["OUT_TOPIC"], key_serializer="bytes", value_serializer="json")


def apply(delta: dict[str, str], state: State) -> dict[str, str]:
    """Add, remember, say."""
    balance = str(Decimal(state.get(delta["asset"], "0")) + Decimal(delta["amount"]))
    state.set(delta["asset"], balance)
    return {"user_id": delta["user_id"], "asset": delta["asset"], "balance": balance, "seq": delta["seq"], "ts": delta["ts"]}


frame = app.dataframe(source)
frame = frame.apply(apply, stateful=True)
frame = frame.to_topic(output)

if __name__ == "__main__":
    app.run()
