"""What every message must say before it may change a row: required fields, finite numbers, texts of a sane length."""

from collections.abc import Callable, Iterable
from decimal import Decimal

from google.protobuf.message import Message

from schemas import names
from schemas.engine_pb2 import AccountUpdate, LiquidationReport, WalletDelta
from schemas.money import ZERO, parse
from schemas.user_data_pb2 import (
    EventMeta,
    UserDataAccountConfigEvent,
    UserDataBalanceUpdateEvent,
    UserDataMarginCallEvent,
    UserDataOrderUpdateEvent,
    UserDataPositionUpdateEvent,
)

_TEXT_BYTES_MAX = 4_096
_NUMBER_MAX = 2**63 - 1  # of a source: the next one must still fit a row
_ACCOUNT_CHARS_MAX = 128
_EXECUTIONS = ("", "house", "venue", "external")
_HOUSE, _QUOTE = 6, 3
_PLACE = Decimal(1).scaleb(-18)
_ORDER = ("orig_qty", "price", "stop_price", "activation_price", "callback_rate", "cum_filled_qty", "avg_price", "cum_quote", "leaves_qty",
          "bids_notional", "asks_notional", "cum_fee", "cum_realized_pnl", "leverage", "take_profit", "stop_loss")
_FILL = ("qty", "price", "fee", "realized_pnl", "fee_rate", "quote_qty")
_POSITION = (
    "amount",
    "entry_price",
    "breakeven_price",
    "mark_price",
    "liquidation_price",
    "unrealized_pnl",
    "accumulated_realized",
    "isolated_wallet",
    "leverage",
    "initial_margin",
    "maint_margin",
    "margin_ratio",
    "position_value",
    "bankruptcy_price",
    "closed_pnl",
    "funding_fee",
    "take_profit",
    "stop_loss",
    "available_amount",
)
_BALANCE = (
    "wallet_balance",
    "cross_wallet_balance",
    "available_balance",
    "balance_change",
    "equity",
    "unrealized_pnl",
    "locked",
    "borrowed",
    "accrued_interest",
    "initial_margin",
    "maint_margin",
    "usd_value",
    "margin_ratio",
    "order_margin",
    "position_margin",
    "bonus",
)
_CALL = ("cross_wallet_balance", "account_margin_ratio", "equity", "maint_margin")
_CALLED = ("amount", "isolated_wallet", "mark_price", "unrealized_pnl", "maint_margin", "margin_ratio", "leverage")


class BadField(ValueError):
    """A field that is missing, too long, or not what it should be."""


def check(topic: str, message: Message, value: bytes) -> None:
    """Raises `BadField` or `BadNumber` naming the field; `value` is the message's bytes."""
    if len(value) > _TEXT_BYTES_MAX or b"\0" in value:
        _check_texts(message, "")
    _CHECKS[topic](message)


def _numbers(message: Message, fields: Iterable[str], prefix: str = "") -> None:
    for field in fields:
        said = getattr(message, field)
        if said:
            parse(said, prefix + field)


def _positive(message: Message, fields: Iterable[str], prefix: str) -> None:
    for field in fields:
        said = getattr(message, field)
        if not said or parse(said, prefix + field) <= 0:
            raise BadField(f"{prefix}{field}: expected a number above 0, was {said!r}")


def _booked(message: Message, fields: Iterable[str], prefix: str = "") -> None:
    """Amounts that move a balance: with more decimals, sums of many would no longer be exact."""
    for field in fields:
        said = getattr(message, field)
        number = parse(said, prefix + field) if said else ZERO
        if number != number.quantize(_PLACE):
            raise BadField(f"{prefix}{field}: expected at most 18 decimals, was {said!r}")


def _required(message: Message, fields: Iterable[str], prefix: str = "") -> None:
    for field in fields:
        if not getattr(message, field):
            raise BadField(f"{prefix}{field}: expected a value, was none")


def _account(said: str, field: str) -> None:
    """Ids of verdicts are `user/account/...`: an account with a slash in its name could have another one's."""
    if not said:
        raise BadField(f"{field}: expected a value, was none")
    if len(said) > _ACCOUNT_CHARS_MAX or "/" in said:
        raise BadField(f"{field}: expected at most {_ACCOUNT_CHARS_MAX} characters and no '/', was {said[:_ACCOUNT_CHARS_MAX]!r}")


def _number_of_source(number: int, field: str) -> None:
    if not 1 <= number <= _NUMBER_MAX:
        raise BadField(f"{field}: expected 1 or more and below 2^63, was {number}")


def _meta(meta: EventMeta) -> bool:
    """Whether the event tells more than a snapshot's end."""
    _required(meta, ("exchange",), "meta.")
    _account(meta.account_id, "meta.account_id")
    if meta.part_count and meta.part_index >= meta.part_count:
        raise BadField(f"meta.part_index: expected below {meta.part_count}, was {meta.part_index}")
    if meta.HasField("snapshot_end"):
        _required(meta, ("snapshot_id",), "meta.")
        return False
    return True


def _check_order(event: UserDataOrderUpdateEvent) -> None:
    if not _meta(event.meta):
        return
    _required(event, ("symbol",))
    if not (event.order_id or event.algo_id or event.client_order_id):
        raise BadField("order_id: expected an order id, algo id or client order id, was none")
    _numbers(event, _ORDER)
    for field in ("orig_qty", "cum_filled_qty"):
        said = getattr(event, field)
        if said and parse(said) < 0:
            raise BadField(f"{field}: expected a quantity of 0 or more, was {said!r}")
    if not event.HasField("fill"):
        return
    _numbers(event.fill, _FILL, "fill.")
    for item in event.fill.extra_fees:
        _numbers(item, ("amount", "rate"), "fill.extra_fees.")
    if event.meta.exchange == _HOUSE and not event.fill.lite:
        _check_house_fill(event)


def _check_house_fill(event: UserDataOrderUpdateEvent) -> None:
    """A fill that moves the engine's own book must say all that moves it."""
    _positive(event.fill, ("qty", "price"), "fill.")
    _booked(event.fill, ("fee", "realized_pnl"), "fill.")
    if event.side not in (1, 2):
        raise BadField(f"side: expected BUY or SELL, was {event.side}")
    if event.qty_unit == _QUOTE:
        raise BadField(f"qty_unit: expected BASE or CONTRACTS of a house fill, was {event.qty_unit}")
    _required(event.fill, ("trade_id",), "fill.")
    number = event.meta.exchange_seq
    if number.isascii() and number.isdigit():
        _number_of_source(int(number), "meta.exchange_seq")


def _check_position(event: UserDataPositionUpdateEvent) -> None:
    if not _meta(event.meta):
        return
    if not event.partial:
        _required(event, ("symbol", "amount"))
    _numbers(event, _POSITION)
    for field in ("entry_price", "mark_price", "leverage"):
        said = getattr(event, field)
        if said and parse(said) < 0:
            raise BadField(f"{field}: expected a {field.rpartition('_')[2]} of 0 or more, was {said!r}")


def _check_balance(event: UserDataBalanceUpdateEvent) -> None:
    if _meta(event.meta):
        _numbers(event, _BALANCE)


def _check_margin_call(event: UserDataMarginCallEvent) -> None:
    if _meta(event.meta):
        _numbers(event, _CALL)
        for position in event.positions:
            _numbers(position, _CALLED, "positions.")


def _check_config(event: UserDataAccountConfigEvent) -> None:
    if _meta(event.meta) and event.WhichOneof("change") == "leverage":
        _required(event.leverage, ("leverage",), "leverage.")
        _positive(event.leverage, ("leverage",), "leverage.")


def _check_delta(delta: WalletDelta) -> None:
    _account(delta.account_id, "account_id")
    _required(delta, ("asset", "amount"))
    _booked(delta, ("amount",))
    _check_origin(delta)


def _check_origin(message: WalletDelta | AccountUpdate) -> None:
    if not message.HasField("sequence"):
        _required(message, ("id",))
        return
    _required(message, ("source",))
    _number_of_source(message.sequence, "sequence")


def _check_update(update: AccountUpdate) -> None:
    _check_origin(update)
    change = update.WhichOneof("change")
    if change == "profile" and update.profile.leverage:
        _positive(update.profile, ("leverage",), "profile.")
    if change == "profile":
        _execution(update.profile.execution, "profile.")
    if change == "exchange_account":
        _check_exchange_account(update.exchange_account)
    if change == "exchange_account_removed":
        _account(update.exchange_account_removed, "exchange_account_removed")
        if update.exchange_account_removed == "house":
            raise BadField("exchange_account_removed: expected an exchange account, was the house's own")
    if change == "skip_gap":
        _required(update.skip_gap, ("source",), "skip_gap.")
        _number_of_source(update.skip_gap.up_to_sequence, "skip_gap.up_to_sequence")


def _check_exchange_account(said: AccountUpdate.ExchangeAccount) -> None:
    _account(said.account_id, "exchange_account.account_id")
    _required(said, ("venue",), "exchange_account.")
    _execution(said.execution, "exchange_account.")
    if said.account_id == "house" and said.venue != "house":
        raise BadField(f"exchange_account.venue: expected 'house' of the house account, was {said.venue!r}")


def _execution(said: str, prefix: str) -> None:
    if said not in _EXECUTIONS:
        raise BadField(f"{prefix}execution: expected house, venue or external, was {said!r}")


def _check_report(report: LiquidationReport) -> None:
    _account(report.account_id, "account_id")
    _required(report, ("step_id",))
    _numbers(report, ("filled_quantity", "average_price"))


def _check_texts(message: Message, prefix: str) -> None:
    for field, value in message.ListFields():
        name = prefix + field.name
        values: list[object]
        if isinstance(value, _MAPS):
            values = [*value.keys(), *value.values()]
        else:
            values = [value] if isinstance(value, (str, bytes, int, Message)) else list(value)
        for one in values:
            if isinstance(one, Message):
                _check_texts(one, name + ".")
            elif isinstance(one, str) and len(one.encode()) > _TEXT_BYTES_MAX:
                raise BadField(f"{name}: expected at most {_TEXT_BYTES_MAX} bytes, was {len(one.encode())}")
            elif isinstance(one, str) and "\0" in one:
                raise BadField(f"{name}: expected a text without 0 bytes (no mirror could hold it), was {one[:80]!r}")


_MAPS = (type(EventMeta().extra), type(AccountUpdate.Profile().fields))
_CHECKS: dict[str, Callable[..., None]] = {
    names.ORDER_UPDATES: _check_order, names.POSITION_UPDATES: _check_position, names.BALANCE_UPDATES: _check_balance,
    names.VENUE_MARGIN_CALLS: _check_margin_call, names.ACCOUNT_CONFIG: _check_config, names.WALLET_DELTAS: _check_delta,
    names.ACCOUNT_UPDATES: _check_update, names.LIQUIDATION_REPORTS: _check_report,
}
