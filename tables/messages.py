"""The message of every topic that folds into a row."""

from google.protobuf.message import Message

from schemas import engine_pb2 as engine
from schemas import names
from schemas import user_data_pb2 as user_data

MESSAGES: dict[str, type[Message]] = {
    names.ORDER_UPDATES: user_data.UserDataOrderUpdateEvent,
    names.POSITION_UPDATES: user_data.UserDataPositionUpdateEvent,
    names.BALANCE_UPDATES: user_data.UserDataBalanceUpdateEvent,
    names.VENUE_MARGIN_CALLS: user_data.UserDataMarginCallEvent,
    names.ACCOUNT_CONFIG: user_data.UserDataAccountConfigEvent,
    names.WALLET_DELTAS: engine.WalletDelta,
    names.ACCOUNT_UPDATES: engine.AccountUpdate,
    names.LIQUIDATION_REPORTS: engine.LiquidationReport,
}


def parse(topic: str, value: bytes) -> Message:
    """The topic's message; raises protobuf's `DecodeError`."""
    message = MESSAGES[topic]()
    message.ParseFromString(value)
    return message
