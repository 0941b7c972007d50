"""Every topic: its key, its message, its partitions and what is kept."""

from typing import NamedTuple

from schemas import engine_pb2 as engine
from schemas import user_data_pb2 as user_data

DAY_MS = 86_400_000


class Topic(NamedTuple):
    """`partitions` None: the setting's count, as all user-keyed topics have.

    `append_time`: the broker's clock stamps the records. Deadlines of rows rest on it, and a producer's clock may be hours off.
    """

    name: str
    key: str
    message: type
    compacted: bool = False
    partitions: int | None = None
    retention_ms: int = 7 * DAY_MS
    append_time: bool = False

    def configs(self) -> dict[str, str]:
        """The broker's settings of this topic."""
        found = {"cleanup.policy": "compact", "max.compaction.lag.ms": str(DAY_MS)} if self.compacted else {
            "cleanup.policy": "delete", "retention.ms": str(self.retention_ms)}
        if self.append_time:
            found["message.timestamp.type"] = "LogAppendTime"
        if self.append_time and self.compacted:
            found["min.compaction.lag.ms"] = str(DAY_MS)
        return found


ORDER_UPDATES = "user-data-order-updates"
POSITION_UPDATES = "user-data-position-updates"
BALANCE_UPDATES = "user-data-balance-updates"
VENUE_MARGIN_CALLS = "user-data-margin-calls"
ACCOUNT_CONFIG = "user-data-account-config"
WALLET_DELTAS = "wallet-deltas"
ACCOUNT_UPDATES = "account-updates"
LIQUIDATION_REPORTS = "liquidation-reports"
PRICE_TICKS = "price-ticks"
RISK_RULES = "risk-rules"
CONTROL = "control"
MARGIN_CHECKS = "margin-checks"
MARGIN_CALLS = "margin-calls"
LIQUIDATIONS = "liquidations"
TRANSACTIONS = "transactions"
ACCOUNT_STATES = "account-states"
ORDER_STATES = "order-states"
ANOMALIES = "anomalies"
DEAD_LETTERS = "dead-letters"
PORTFOLIOS = "portfolios"

ALL: tuple[Topic, ...] = (
    Topic(ORDER_UPDATES, "user", user_data.UserDataOrderUpdateEvent, append_time=True),
    Topic(POSITION_UPDATES, "user", user_data.UserDataPositionUpdateEvent, append_time=True),
    Topic(BALANCE_UPDATES, "user", user_data.UserDataBalanceUpdateEvent, append_time=True),
    Topic(VENUE_MARGIN_CALLS, "user", user_data.UserDataMarginCallEvent, append_time=True),
    Topic(ACCOUNT_CONFIG, "user", user_data.UserDataAccountConfigEvent, append_time=True),
    Topic(WALLET_DELTAS, "user", engine.WalletDelta, append_time=True),
    Topic(ACCOUNT_UPDATES, "user", engine.AccountUpdate, append_time=True),
    Topic(LIQUIDATION_REPORTS, "user", engine.LiquidationReport, append_time=True),
    Topic(PRICE_TICKS, "instrument", engine.PriceTick, compacted=True, append_time=True),
    Topic(RISK_RULES, "rule_id@effective_from", engine.RiskRule, compacted=True, partitions=1),
    Topic(CONTROL, "scope", engine.Control, compacted=True, partitions=1),
    Topic(MARGIN_CHECKS, "user", engine.MarginCheck, retention_ms=DAY_MS),
    Topic(MARGIN_CALLS, "user", engine.MarginCall),
    Topic(LIQUIDATIONS, "user", engine.Liquidation),
    Topic(TRANSACTIONS, "user", engine.Transaction),
    Topic(ACCOUNT_STATES, "user", engine.UserState, compacted=True),
    Topic(ORDER_STATES, "user", engine.OrdersState, compacted=True),
    Topic(ANOMALIES, "user", engine.Anomaly),
    Topic(DEAD_LETTERS, "original key", engine.DeadLetter),
    Topic(PORTFOLIOS, "worker", engine.Portfolios, retention_ms=600_000),
)
BY_NAME = {topic.name: topic for topic in ALL}

# The user-keyed facts, in the order of the fences; `ACCOUNT_SOURCES` fold into `accounts`, `ORDER_SOURCES` into `orders`.
ACCOUNT_SOURCES = (ORDER_UPDATES, POSITION_UPDATES, BALANCE_UPDATES, VENUE_MARGIN_CALLS, ACCOUNT_CONFIG, WALLET_DELTAS, ACCOUNT_UPDATES,
                   LIQUIDATION_REPORTS)
ORDER_SOURCES = (ORDER_UPDATES, ACCOUNT_UPDATES)
