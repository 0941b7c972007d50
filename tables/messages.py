"""The message of every topic that folds into a row."""

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

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
    """The topic's message; raises protobuf's `DecodeError`.

    Protobuf keeps a field of another type than declared as unknown: one that is declared tells that these are another message's bytes.
    """
    message = MESSAGES[topic]()
    message.ParseFromString(value)
    for field in UnknownFieldSet(message):  # type: ignore[attr-defined]  # the stub lacks it
        if field.field_number in message.DESCRIPTOR.fields_by_number:
            raise DecodeError(f"field {field.field_number} is of another type")
    return message
