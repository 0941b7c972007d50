from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Exchange(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXCHANGE_UNSPECIFIED: _ClassVar[Exchange]
    BINANCE_USDM: _ClassVar[Exchange]
    BYBIT_V5: _ClassVar[Exchange]
    OKX_V5: _ClassVar[Exchange]
    KUCOIN_FUTURES: _ClassVar[Exchange]
    BINANCE_COINM: _ClassVar[Exchange]
    HOUSE: _ClassVar[Exchange]

class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_UNSPECIFIED: _ClassVar[Source]
    STREAM: _ClassVar[Source]
    REST_SNAPSHOT: _ClassVar[Source]
    REST_GAP_FILL: _ClassVar[Source]
    DERIVED: _ClassVar[Source]

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    BUY: _ClassVar[Side]
    SELL: _ClassVar[Side]

class PositionSide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    POSITION_SIDE_UNSPECIFIED: _ClassVar[PositionSide]
    BOTH: _ClassVar[PositionSide]
    LONG: _ClassVar[PositionSide]
    SHORT: _ClassVar[PositionSide]

class MarginMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MARGIN_MODE_UNSPECIFIED: _ClassVar[MarginMode]
    CROSS: _ClassVar[MarginMode]
    ISOLATED: _ClassVar[MarginMode]
    PORTFOLIO: _ClassVar[MarginMode]
    CASH: _ClassVar[MarginMode]

class QtyUnit(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QTY_UNIT_UNSPECIFIED: _ClassVar[QtyUnit]
    BASE: _ClassVar[QtyUnit]
    CONTRACTS: _ClassVar[QtyUnit]
    QUOTE: _ClassVar[QtyUnit]

class OrderStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STATUS_UNSPECIFIED: _ClassVar[OrderStatus]
    NEW: _ClassVar[OrderStatus]
    PARTIALLY_FILLED: _ClassVar[OrderStatus]
    FILLED: _ClassVar[OrderStatus]
    CANCELED: _ClassVar[OrderStatus]
    REJECTED: _ClassVar[OrderStatus]
    EXPIRED: _ClassVar[OrderStatus]
    EXPIRED_IN_MATCH: _ClassVar[OrderStatus]
    UNTRIGGERED: _ClassVar[OrderStatus]
    TRIGGERED: _ClassVar[OrderStatus]
    PARTIALLY_FILLED_CANCELED: _ClassVar[OrderStatus]

class ExecutionType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXECUTION_TYPE_UNSPECIFIED: _ClassVar[ExecutionType]
    EXEC_NEW: _ClassVar[ExecutionType]
    EXEC_TRADE: _ClassVar[ExecutionType]
    EXEC_CANCELED: _ClassVar[ExecutionType]
    EXEC_EXPIRED: _ClassVar[ExecutionType]
    EXEC_AMENDMENT: _ClassVar[ExecutionType]
    EXEC_CALCULATED: _ClassVar[ExecutionType]
    EXEC_REJECTED: _ClassVar[ExecutionType]
    EXEC_TRIGGER: _ClassVar[ExecutionType]
    EXEC_SNAPSHOT: _ClassVar[ExecutionType]

class Origin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORIGIN_UNSPECIFIED: _ClassVar[Origin]
    USER: _ClassVar[Origin]
    LIQUIDATION: _ClassVar[Origin]
    ADL: _ClassVar[Origin]
    SETTLEMENT: _ClassVar[Origin]
    DELIVERY: _ClassVar[Origin]
    INSURANCE: _ClassVar[Origin]
    SYSTEM_OTHER: _ClassVar[Origin]
EXCHANGE_UNSPECIFIED: Exchange
BINANCE_USDM: Exchange
BYBIT_V5: Exchange
OKX_V5: Exchange
KUCOIN_FUTURES: Exchange
BINANCE_COINM: Exchange
HOUSE: Exchange
SOURCE_UNSPECIFIED: Source
STREAM: Source
REST_SNAPSHOT: Source
REST_GAP_FILL: Source
DERIVED: Source
SIDE_UNSPECIFIED: Side
BUY: Side
SELL: Side
POSITION_SIDE_UNSPECIFIED: PositionSide
BOTH: PositionSide
LONG: PositionSide
SHORT: PositionSide
MARGIN_MODE_UNSPECIFIED: MarginMode
CROSS: MarginMode
ISOLATED: MarginMode
PORTFOLIO: MarginMode
CASH: MarginMode
QTY_UNIT_UNSPECIFIED: QtyUnit
BASE: QtyUnit
CONTRACTS: QtyUnit
QUOTE: QtyUnit
ORDER_STATUS_UNSPECIFIED: OrderStatus
NEW: OrderStatus
PARTIALLY_FILLED: OrderStatus
FILLED: OrderStatus
CANCELED: OrderStatus
REJECTED: OrderStatus
EXPIRED: OrderStatus
EXPIRED_IN_MATCH: OrderStatus
UNTRIGGERED: OrderStatus
TRIGGERED: OrderStatus
PARTIALLY_FILLED_CANCELED: OrderStatus
EXECUTION_TYPE_UNSPECIFIED: ExecutionType
EXEC_NEW: ExecutionType
EXEC_TRADE: ExecutionType
EXEC_CANCELED: ExecutionType
EXEC_EXPIRED: ExecutionType
EXEC_AMENDMENT: ExecutionType
EXEC_CALCULATED: ExecutionType
EXEC_REJECTED: ExecutionType
EXEC_TRIGGER: ExecutionType
EXEC_SNAPSHOT: ExecutionType
ORIGIN_UNSPECIFIED: Origin
USER: Origin
LIQUIDATION: Origin
ADL: Origin
SETTLEMENT: Origin
DELIVERY: Origin
INSURANCE: Origin
SYSTEM_OTHER: Origin

class EventMeta(_message.Message):
    __slots__ = ("schema_version", "event_id", "business_key", "user_id", "account_id", "exchange", "source", "exchange_event", "event_time_ms", "transaction_time_ms", "receive_time_ns", "publish_time_ns", "connection_id", "connection_epoch", "lease_epoch", "receive_seq", "exchange_seq", "part_index", "part_count", "raw_payload", "raw_encoding", "snapshot_id", "extra", "snapshot_end", "product_raw")
    class ExtraEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    BUSINESS_KEY_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_EVENT_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_ID_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_SEQ_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_SEQ_FIELD_NUMBER: _ClassVar[int]
    PART_INDEX_FIELD_NUMBER: _ClassVar[int]
    PART_COUNT_FIELD_NUMBER: _ClassVar[int]
    RAW_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    RAW_ENCODING_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_END_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_RAW_FIELD_NUMBER: _ClassVar[int]
    schema_version: int
    event_id: str
    business_key: str
    user_id: str
    account_id: str
    exchange: Exchange
    source: Source
    exchange_event: str
    event_time_ms: int
    transaction_time_ms: int
    receive_time_ns: int
    publish_time_ns: int
    connection_id: str
    connection_epoch: int
    lease_epoch: int
    receive_seq: int
    exchange_seq: str
    part_index: int
    part_count: int
    raw_payload: bytes
    raw_encoding: str
    snapshot_id: str
    extra: _containers.ScalarMap[str, str]
    snapshot_end: SnapshotEnd
    product_raw: str
    def __init__(self, schema_version: _Optional[int] = ..., event_id: _Optional[str] = ..., business_key: _Optional[str] = ..., user_id: _Optional[str] = ..., account_id: _Optional[str] = ..., exchange: _Optional[_Union[Exchange, str]] = ..., source: _Optional[_Union[Source, str]] = ..., exchange_event: _Optional[str] = ..., event_time_ms: _Optional[int] = ..., transaction_time_ms: _Optional[int] = ..., receive_time_ns: _Optional[int] = ..., publish_time_ns: _Optional[int] = ..., connection_id: _Optional[str] = ..., connection_epoch: _Optional[int] = ..., lease_epoch: _Optional[int] = ..., receive_seq: _Optional[int] = ..., exchange_seq: _Optional[str] = ..., part_index: _Optional[int] = ..., part_count: _Optional[int] = ..., raw_payload: _Optional[bytes] = ..., raw_encoding: _Optional[str] = ..., snapshot_id: _Optional[str] = ..., extra: _Optional[_Mapping[str, str]] = ..., snapshot_end: _Optional[_Union[SnapshotEnd, _Mapping]] = ..., product_raw: _Optional[str] = ...) -> None: ...

class SnapshotEnd(_message.Message):
    __slots__ = ("rows_of_this_topic", "scope_product", "as_of_ms")
    ROWS_OF_THIS_TOPIC_FIELD_NUMBER: _ClassVar[int]
    SCOPE_PRODUCT_FIELD_NUMBER: _ClassVar[int]
    AS_OF_MS_FIELD_NUMBER: _ClassVar[int]
    rows_of_this_topic: int
    scope_product: str
    as_of_ms: int
    def __init__(self, rows_of_this_topic: _Optional[int] = ..., scope_product: _Optional[str] = ..., as_of_ms: _Optional[int] = ...) -> None: ...

class Fill(_message.Message):
    __slots__ = ("trade_id", "qty", "price", "fee", "fee_asset", "is_maker", "realized_pnl", "trade_time_ms", "exec_type_raw", "lite", "fee_rate", "extra_fees", "quote_qty")
    TRADE_ID_FIELD_NUMBER: _ClassVar[int]
    QTY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    FEE_ASSET_FIELD_NUMBER: _ClassVar[int]
    IS_MAKER_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    TRADE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    EXEC_TYPE_RAW_FIELD_NUMBER: _ClassVar[int]
    LITE_FIELD_NUMBER: _ClassVar[int]
    FEE_RATE_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FEES_FIELD_NUMBER: _ClassVar[int]
    QUOTE_QTY_FIELD_NUMBER: _ClassVar[int]
    trade_id: str
    qty: str
    price: str
    fee: str
    fee_asset: str
    is_maker: bool
    realized_pnl: str
    trade_time_ms: int
    exec_type_raw: str
    lite: bool
    fee_rate: str
    extra_fees: _containers.RepeatedCompositeFieldContainer[FeeItem]
    quote_qty: str
    def __init__(self, trade_id: _Optional[str] = ..., qty: _Optional[str] = ..., price: _Optional[str] = ..., fee: _Optional[str] = ..., fee_asset: _Optional[str] = ..., is_maker: _Optional[bool] = ..., realized_pnl: _Optional[str] = ..., trade_time_ms: _Optional[int] = ..., exec_type_raw: _Optional[str] = ..., lite: _Optional[bool] = ..., fee_rate: _Optional[str] = ..., extra_fees: _Optional[_Iterable[_Union[FeeItem, _Mapping]]] = ..., quote_qty: _Optional[str] = ...) -> None: ...

class FeeItem(_message.Message):
    __slots__ = ("kind_raw", "asset", "amount", "rate")
    KIND_RAW_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    kind_raw: str
    asset: str
    amount: str
    rate: str
    def __init__(self, kind_raw: _Optional[str] = ..., asset: _Optional[str] = ..., amount: _Optional[str] = ..., rate: _Optional[str] = ...) -> None: ...

class UserDataOrderUpdateEvent(_message.Message):
    __slots__ = ("meta", "symbol", "order_id", "client_order_id", "algo_id", "client_algo_id", "matching_order_id", "side", "position_side", "position_idx", "order_type_raw", "original_order_type_raw", "time_in_force_raw", "qty_unit", "orig_qty", "price", "stop_price", "activation_price", "callback_rate", "working_type_raw", "reduce_only", "close_position", "price_protect", "stp_mode_raw", "price_match_raw", "good_till_date_ms", "execution_type", "execution_type_raw", "status", "status_raw", "reason_raw", "cum_filled_qty", "avg_price", "cum_quote", "leaves_qty", "fill", "bids_notional", "asks_notional", "origin", "is_algo", "modify_id", "order_create_time_ms", "activated", "cum_fee", "cum_fee_asset", "cum_realized_pnl", "margin_mode", "leverage", "take_profit", "stop_loss", "create_type_raw")
    META_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ALGO_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ALGO_ID_FIELD_NUMBER: _ClassVar[int]
    MATCHING_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    POSITION_IDX_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_RAW_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_ORDER_TYPE_RAW_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_RAW_FIELD_NUMBER: _ClassVar[int]
    QTY_UNIT_FIELD_NUMBER: _ClassVar[int]
    ORIG_QTY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_PRICE_FIELD_NUMBER: _ClassVar[int]
    CALLBACK_RATE_FIELD_NUMBER: _ClassVar[int]
    WORKING_TYPE_RAW_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    CLOSE_POSITION_FIELD_NUMBER: _ClassVar[int]
    PRICE_PROTECT_FIELD_NUMBER: _ClassVar[int]
    STP_MODE_RAW_FIELD_NUMBER: _ClassVar[int]
    PRICE_MATCH_RAW_FIELD_NUMBER: _ClassVar[int]
    GOOD_TILL_DATE_MS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TYPE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TYPE_RAW_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STATUS_RAW_FIELD_NUMBER: _ClassVar[int]
    REASON_RAW_FIELD_NUMBER: _ClassVar[int]
    CUM_FILLED_QTY_FIELD_NUMBER: _ClassVar[int]
    AVG_PRICE_FIELD_NUMBER: _ClassVar[int]
    CUM_QUOTE_FIELD_NUMBER: _ClassVar[int]
    LEAVES_QTY_FIELD_NUMBER: _ClassVar[int]
    FILL_FIELD_NUMBER: _ClassVar[int]
    BIDS_NOTIONAL_FIELD_NUMBER: _ClassVar[int]
    ASKS_NOTIONAL_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    IS_ALGO_FIELD_NUMBER: _ClassVar[int]
    MODIFY_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_CREATE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    ACTIVATED_FIELD_NUMBER: _ClassVar[int]
    CUM_FEE_FIELD_NUMBER: _ClassVar[int]
    CUM_FEE_ASSET_FIELD_NUMBER: _ClassVar[int]
    CUM_REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODE_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    TAKE_PROFIT_FIELD_NUMBER: _ClassVar[int]
    STOP_LOSS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TYPE_RAW_FIELD_NUMBER: _ClassVar[int]
    meta: EventMeta
    symbol: str
    order_id: str
    client_order_id: str
    algo_id: str
    client_algo_id: str
    matching_order_id: str
    side: Side
    position_side: PositionSide
    position_idx: int
    order_type_raw: str
    original_order_type_raw: str
    time_in_force_raw: str
    qty_unit: QtyUnit
    orig_qty: str
    price: str
    stop_price: str
    activation_price: str
    callback_rate: str
    working_type_raw: str
    reduce_only: bool
    close_position: bool
    price_protect: bool
    stp_mode_raw: str
    price_match_raw: str
    good_till_date_ms: int
    execution_type: ExecutionType
    execution_type_raw: str
    status: OrderStatus
    status_raw: str
    reason_raw: str
    cum_filled_qty: str
    avg_price: str
    cum_quote: str
    leaves_qty: str
    fill: Fill
    bids_notional: str
    asks_notional: str
    origin: Origin
    is_algo: bool
    modify_id: str
    order_create_time_ms: int
    activated: bool
    cum_fee: str
    cum_fee_asset: str
    cum_realized_pnl: str
    margin_mode: MarginMode
    leverage: str
    take_profit: str
    stop_loss: str
    create_type_raw: str
    def __init__(self, meta: _Optional[_Union[EventMeta, _Mapping]] = ..., symbol: _Optional[str] = ..., order_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., algo_id: _Optional[str] = ..., client_algo_id: _Optional[str] = ..., matching_order_id: _Optional[str] = ..., side: _Optional[_Union[Side, str]] = ..., position_side: _Optional[_Union[PositionSide, str]] = ..., position_idx: _Optional[int] = ..., order_type_raw: _Optional[str] = ..., original_order_type_raw: _Optional[str] = ..., time_in_force_raw: _Optional[str] = ..., qty_unit: _Optional[_Union[QtyUnit, str]] = ..., orig_qty: _Optional[str] = ..., price: _Optional[str] = ..., stop_price: _Optional[str] = ..., activation_price: _Optional[str] = ..., callback_rate: _Optional[str] = ..., working_type_raw: _Optional[str] = ..., reduce_only: _Optional[bool] = ..., close_position: _Optional[bool] = ..., price_protect: _Optional[bool] = ..., stp_mode_raw: _Optional[str] = ..., price_match_raw: _Optional[str] = ..., good_till_date_ms: _Optional[int] = ..., execution_type: _Optional[_Union[ExecutionType, str]] = ..., execution_type_raw: _Optional[str] = ..., status: _Optional[_Union[OrderStatus, str]] = ..., status_raw: _Optional[str] = ..., reason_raw: _Optional[str] = ..., cum_filled_qty: _Optional[str] = ..., avg_price: _Optional[str] = ..., cum_quote: _Optional[str] = ..., leaves_qty: _Optional[str] = ..., fill: _Optional[_Union[Fill, _Mapping]] = ..., bids_notional: _Optional[str] = ..., asks_notional: _Optional[str] = ..., origin: _Optional[_Union[Origin, str]] = ..., is_algo: _Optional[bool] = ..., modify_id: _Optional[str] = ..., order_create_time_ms: _Optional[int] = ..., activated: _Optional[bool] = ..., cum_fee: _Optional[str] = ..., cum_fee_asset: _Optional[str] = ..., cum_realized_pnl: _Optional[str] = ..., margin_mode: _Optional[_Union[MarginMode, str]] = ..., leverage: _Optional[str] = ..., take_profit: _Optional[str] = ..., stop_loss: _Optional[str] = ..., create_type_raw: _Optional[str] = ...) -> None: ...

class UserDataPositionUpdateEvent(_message.Message):
    __slots__ = ("meta", "reason_raw", "symbol", "position_side", "position_idx", "qty_unit", "amount", "entry_price", "breakeven_price", "mark_price", "liquidation_price", "unrealized_pnl", "accumulated_realized", "margin_mode", "isolated_wallet", "margin_asset", "leverage", "initial_margin", "maint_margin", "margin_ratio", "position_value", "adl_rank", "position_id", "partial", "status_raw", "bankruptcy_price", "closed_pnl", "funding_fee", "risk_limit_raw", "auto_add_margin", "take_profit", "stop_loss", "available_amount", "open_time_ms", "settle_time_ms")
    META_FIELD_NUMBER: _ClassVar[int]
    REASON_RAW_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    POSITION_IDX_FIELD_NUMBER: _ClassVar[int]
    QTY_UNIT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_PRICE_FIELD_NUMBER: _ClassVar[int]
    BREAKEVEN_PRICE_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_PRICE_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    ACCUMULATED_REALIZED_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODE_FIELD_NUMBER: _ClassVar[int]
    ISOLATED_WALLET_FIELD_NUMBER: _ClassVar[int]
    MARGIN_ASSET_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    INITIAL_MARGIN_FIELD_NUMBER: _ClassVar[int]
    MAINT_MARGIN_FIELD_NUMBER: _ClassVar[int]
    MARGIN_RATIO_FIELD_NUMBER: _ClassVar[int]
    POSITION_VALUE_FIELD_NUMBER: _ClassVar[int]
    ADL_RANK_FIELD_NUMBER: _ClassVar[int]
    POSITION_ID_FIELD_NUMBER: _ClassVar[int]
    PARTIAL_FIELD_NUMBER: _ClassVar[int]
    STATUS_RAW_FIELD_NUMBER: _ClassVar[int]
    BANKRUPTCY_PRICE_FIELD_NUMBER: _ClassVar[int]
    CLOSED_PNL_FIELD_NUMBER: _ClassVar[int]
    FUNDING_FEE_FIELD_NUMBER: _ClassVar[int]
    RISK_LIMIT_RAW_FIELD_NUMBER: _ClassVar[int]
    AUTO_ADD_MARGIN_FIELD_NUMBER: _ClassVar[int]
    TAKE_PROFIT_FIELD_NUMBER: _ClassVar[int]
    STOP_LOSS_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_AMOUNT_FIELD_NUMBER: _ClassVar[int]
    OPEN_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    SETTLE_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    meta: EventMeta
    reason_raw: str
    symbol: str
    position_side: PositionSide
    position_idx: int
    qty_unit: QtyUnit
    amount: str
    entry_price: str
    breakeven_price: str
    mark_price: str
    liquidation_price: str
    unrealized_pnl: str
    accumulated_realized: str
    margin_mode: MarginMode
    isolated_wallet: str
    margin_asset: str
    leverage: str
    initial_margin: str
    maint_margin: str
    margin_ratio: str
    position_value: str
    adl_rank: str
    position_id: str
    partial: bool
    status_raw: str
    bankruptcy_price: str
    closed_pnl: str
    funding_fee: str
    risk_limit_raw: str
    auto_add_margin: bool
    take_profit: str
    stop_loss: str
    available_amount: str
    open_time_ms: int
    settle_time_ms: int
    def __init__(self, meta: _Optional[_Union[EventMeta, _Mapping]] = ..., reason_raw: _Optional[str] = ..., symbol: _Optional[str] = ..., position_side: _Optional[_Union[PositionSide, str]] = ..., position_idx: _Optional[int] = ..., qty_unit: _Optional[_Union[QtyUnit, str]] = ..., amount: _Optional[str] = ..., entry_price: _Optional[str] = ..., breakeven_price: _Optional[str] = ..., mark_price: _Optional[str] = ..., liquidation_price: _Optional[str] = ..., unrealized_pnl: _Optional[str] = ..., accumulated_realized: _Optional[str] = ..., margin_mode: _Optional[_Union[MarginMode, str]] = ..., isolated_wallet: _Optional[str] = ..., margin_asset: _Optional[str] = ..., leverage: _Optional[str] = ..., initial_margin: _Optional[str] = ..., maint_margin: _Optional[str] = ..., margin_ratio: _Optional[str] = ..., position_value: _Optional[str] = ..., adl_rank: _Optional[str] = ..., position_id: _Optional[str] = ..., partial: _Optional[bool] = ..., status_raw: _Optional[str] = ..., bankruptcy_price: _Optional[str] = ..., closed_pnl: _Optional[str] = ..., funding_fee: _Optional[str] = ..., risk_limit_raw: _Optional[str] = ..., auto_add_margin: _Optional[bool] = ..., take_profit: _Optional[str] = ..., stop_loss: _Optional[str] = ..., available_amount: _Optional[str] = ..., open_time_ms: _Optional[int] = ..., settle_time_ms: _Optional[int] = ...) -> None: ...

class UserDataBalanceUpdateEvent(_message.Message):
    __slots__ = ("meta", "reason_raw", "asset", "wallet_balance", "cross_wallet_balance", "available_balance", "balance_change", "equity", "unrealized_pnl", "locked", "borrowed", "accrued_interest", "initial_margin", "maint_margin", "usd_value", "related_symbol", "margin_ratio", "order_margin", "position_margin", "bonus")
    META_FIELD_NUMBER: _ClassVar[int]
    REASON_RAW_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    WALLET_BALANCE_FIELD_NUMBER: _ClassVar[int]
    CROSS_WALLET_BALANCE_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_BALANCE_FIELD_NUMBER: _ClassVar[int]
    BALANCE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    EQUITY_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    LOCKED_FIELD_NUMBER: _ClassVar[int]
    BORROWED_FIELD_NUMBER: _ClassVar[int]
    ACCRUED_INTEREST_FIELD_NUMBER: _ClassVar[int]
    INITIAL_MARGIN_FIELD_NUMBER: _ClassVar[int]
    MAINT_MARGIN_FIELD_NUMBER: _ClassVar[int]
    USD_VALUE_FIELD_NUMBER: _ClassVar[int]
    RELATED_SYMBOL_FIELD_NUMBER: _ClassVar[int]
    MARGIN_RATIO_FIELD_NUMBER: _ClassVar[int]
    ORDER_MARGIN_FIELD_NUMBER: _ClassVar[int]
    POSITION_MARGIN_FIELD_NUMBER: _ClassVar[int]
    BONUS_FIELD_NUMBER: _ClassVar[int]
    meta: EventMeta
    reason_raw: str
    asset: str
    wallet_balance: str
    cross_wallet_balance: str
    available_balance: str
    balance_change: str
    equity: str
    unrealized_pnl: str
    locked: str
    borrowed: str
    accrued_interest: str
    initial_margin: str
    maint_margin: str
    usd_value: str
    related_symbol: str
    margin_ratio: str
    order_margin: str
    position_margin: str
    bonus: str
    def __init__(self, meta: _Optional[_Union[EventMeta, _Mapping]] = ..., reason_raw: _Optional[str] = ..., asset: _Optional[str] = ..., wallet_balance: _Optional[str] = ..., cross_wallet_balance: _Optional[str] = ..., available_balance: _Optional[str] = ..., balance_change: _Optional[str] = ..., equity: _Optional[str] = ..., unrealized_pnl: _Optional[str] = ..., locked: _Optional[str] = ..., borrowed: _Optional[str] = ..., accrued_interest: _Optional[str] = ..., initial_margin: _Optional[str] = ..., maint_margin: _Optional[str] = ..., usd_value: _Optional[str] = ..., related_symbol: _Optional[str] = ..., margin_ratio: _Optional[str] = ..., order_margin: _Optional[str] = ..., position_margin: _Optional[str] = ..., bonus: _Optional[str] = ...) -> None: ...

class MarginCallPosition(_message.Message):
    __slots__ = ("symbol", "position_side", "amount", "margin_mode", "isolated_wallet", "mark_price", "unrealized_pnl", "maint_margin", "margin_ratio", "leverage")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODE_FIELD_NUMBER: _ClassVar[int]
    ISOLATED_WALLET_FIELD_NUMBER: _ClassVar[int]
    MARK_PRICE_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    MAINT_MARGIN_FIELD_NUMBER: _ClassVar[int]
    MARGIN_RATIO_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    position_side: PositionSide
    amount: str
    margin_mode: MarginMode
    isolated_wallet: str
    mark_price: str
    unrealized_pnl: str
    maint_margin: str
    margin_ratio: str
    leverage: str
    def __init__(self, symbol: _Optional[str] = ..., position_side: _Optional[_Union[PositionSide, str]] = ..., amount: _Optional[str] = ..., margin_mode: _Optional[_Union[MarginMode, str]] = ..., isolated_wallet: _Optional[str] = ..., mark_price: _Optional[str] = ..., unrealized_pnl: _Optional[str] = ..., maint_margin: _Optional[str] = ..., margin_ratio: _Optional[str] = ..., leverage: _Optional[str] = ...) -> None: ...

class UserDataMarginCallEvent(_message.Message):
    __slots__ = ("meta", "cross_wallet_balance", "positions", "account_margin_ratio", "level_raw", "equity", "maint_margin", "rule")
    META_FIELD_NUMBER: _ClassVar[int]
    CROSS_WALLET_BALANCE_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_MARGIN_RATIO_FIELD_NUMBER: _ClassVar[int]
    LEVEL_RAW_FIELD_NUMBER: _ClassVar[int]
    EQUITY_FIELD_NUMBER: _ClassVar[int]
    MAINT_MARGIN_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    meta: EventMeta
    cross_wallet_balance: str
    positions: _containers.RepeatedCompositeFieldContainer[MarginCallPosition]
    account_margin_ratio: str
    level_raw: str
    equity: str
    maint_margin: str
    rule: str
    def __init__(self, meta: _Optional[_Union[EventMeta, _Mapping]] = ..., cross_wallet_balance: _Optional[str] = ..., positions: _Optional[_Iterable[_Union[MarginCallPosition, _Mapping]]] = ..., account_margin_ratio: _Optional[str] = ..., level_raw: _Optional[str] = ..., equity: _Optional[str] = ..., maint_margin: _Optional[str] = ..., rule: _Optional[str] = ...) -> None: ...

class UserDataAccountConfigEvent(_message.Message):
    __slots__ = ("meta", "leverage", "multi_assets_mode", "margin_mode", "hedge_mode", "account_level_raw")
    META_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    MULTI_ASSETS_MODE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODE_FIELD_NUMBER: _ClassVar[int]
    HEDGE_MODE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_LEVEL_RAW_FIELD_NUMBER: _ClassVar[int]
    meta: EventMeta
    leverage: LeverageChange
    multi_assets_mode: bool
    margin_mode: MarginModeChange
    hedge_mode: bool
    account_level_raw: str
    def __init__(self, meta: _Optional[_Union[EventMeta, _Mapping]] = ..., leverage: _Optional[_Union[LeverageChange, _Mapping]] = ..., multi_assets_mode: _Optional[bool] = ..., margin_mode: _Optional[_Union[MarginModeChange, _Mapping]] = ..., hedge_mode: _Optional[bool] = ..., account_level_raw: _Optional[str] = ...) -> None: ...

class LeverageChange(_message.Message):
    __slots__ = ("symbol", "leverage", "margin_mode", "position_side")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODE_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    leverage: str
    margin_mode: MarginMode
    position_side: PositionSide
    def __init__(self, symbol: _Optional[str] = ..., leverage: _Optional[str] = ..., margin_mode: _Optional[_Union[MarginMode, str]] = ..., position_side: _Optional[_Union[PositionSide, str]] = ...) -> None: ...

class MarginModeChange(_message.Message):
    __slots__ = ("symbol", "mode", "mode_raw")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    MODE_RAW_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    mode: MarginMode
    mode_raw: str
    def __init__(self, symbol: _Optional[str] = ..., mode: _Optional[_Union[MarginMode, str]] = ..., mode_raw: _Optional[str] = ...) -> None: ...
