from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Rung(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RUNG_UNSPECIFIED: _ClassVar[Rung]
    NORMAL: _ClassVar[Rung]
    WARNING: _ClassVar[Rung]
    MARGIN_CALL: _ClassVar[Rung]
    LIQUIDATION: _ClassVar[Rung]
    UNKNOWN: _ClassVar[Rung]
RUNG_UNSPECIFIED: Rung
NORMAL: Rung
WARNING: Rung
MARGIN_CALL: Rung
LIQUIDATION: Rung
UNKNOWN: Rung

class WalletDelta(_message.Message):
    __slots__ = ("id", "user_id", "account_id", "asset", "amount", "kind", "source", "sequence", "time_ms", "note", "opening")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        KIND_UNSPECIFIED: _ClassVar[WalletDelta.Kind]
        DEPOSIT: _ClassVar[WalletDelta.Kind]
        WITHDRAWAL: _ClassVar[WalletDelta.Kind]
        REALISED_PNL: _ClassVar[WalletDelta.Kind]
        FUNDING: _ClassVar[WalletDelta.Kind]
        FEE: _ClassVar[WalletDelta.Kind]
        ADJUSTMENT: _ClassVar[WalletDelta.Kind]
        OPENING: _ClassVar[WalletDelta.Kind]
    KIND_UNSPECIFIED: WalletDelta.Kind
    DEPOSIT: WalletDelta.Kind
    WITHDRAWAL: WalletDelta.Kind
    REALISED_PNL: WalletDelta.Kind
    FUNDING: WalletDelta.Kind
    FEE: WalletDelta.Kind
    ADJUSTMENT: WalletDelta.Kind
    OPENING: WalletDelta.Kind
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    OPENING_FIELD_NUMBER: _ClassVar[int]
    id: str
    user_id: str
    account_id: str
    asset: str
    amount: str
    kind: WalletDelta.Kind
    source: str
    sequence: int
    time_ms: int
    note: str
    opening: bool
    def __init__(self, id: _Optional[str] = ..., user_id: _Optional[str] = ..., account_id: _Optional[str] = ..., asset: _Optional[str] = ..., amount: _Optional[str] = ..., kind: _Optional[_Union[WalletDelta.Kind, str]] = ..., source: _Optional[str] = ..., sequence: _Optional[int] = ..., time_ms: _Optional[int] = ..., note: _Optional[str] = ..., opening: _Optional[bool] = ...) -> None: ...

class PriceTick(_message.Message):
    __slots__ = ("instrument", "bid", "ask", "last", "mark", "time_ms", "source")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    BID_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    instrument: str
    bid: str
    ask: str
    last: str
    mark: str
    time_ms: int
    source: str
    def __init__(self, instrument: _Optional[str] = ..., bid: _Optional[str] = ..., ask: _Optional[str] = ..., last: _Optional[str] = ..., mark: _Optional[str] = ..., time_ms: _Optional[int] = ..., source: _Optional[str] = ...) -> None: ...

class AccountUpdate(_message.Message):
    __slots__ = ("id", "user_id", "source", "sequence", "time_ms", "profile", "exchange_account", "exchange_account_removed", "skip_gap", "end_quarantine")
    class Profile(_message.Message):
        __slots__ = ("group", "leverage", "status", "is_active", "kyc", "risk_tier", "currency", "execution", "fields")
        class FieldsEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        GROUP_FIELD_NUMBER: _ClassVar[int]
        LEVERAGE_FIELD_NUMBER: _ClassVar[int]
        STATUS_FIELD_NUMBER: _ClassVar[int]
        IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
        KYC_FIELD_NUMBER: _ClassVar[int]
        RISK_TIER_FIELD_NUMBER: _ClassVar[int]
        CURRENCY_FIELD_NUMBER: _ClassVar[int]
        EXECUTION_FIELD_NUMBER: _ClassVar[int]
        FIELDS_FIELD_NUMBER: _ClassVar[int]
        group: str
        leverage: str
        status: str
        is_active: bool
        kyc: bool
        risk_tier: str
        currency: str
        execution: str
        fields: _containers.ScalarMap[str, str]
        def __init__(self, group: _Optional[str] = ..., leverage: _Optional[str] = ..., status: _Optional[str] = ..., is_active: _Optional[bool] = ..., kyc: _Optional[bool] = ..., risk_tier: _Optional[str] = ..., currency: _Optional[str] = ..., execution: _Optional[str] = ..., fields: _Optional[_Mapping[str, str]] = ...) -> None: ...
    class ExchangeAccount(_message.Message):
        __slots__ = ("account_id", "venue", "model", "currency", "auto_reduce", "execution")
        ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
        VENUE_FIELD_NUMBER: _ClassVar[int]
        MODEL_FIELD_NUMBER: _ClassVar[int]
        CURRENCY_FIELD_NUMBER: _ClassVar[int]
        AUTO_REDUCE_FIELD_NUMBER: _ClassVar[int]
        EXECUTION_FIELD_NUMBER: _ClassVar[int]
        account_id: str
        venue: str
        model: str
        currency: str
        auto_reduce: bool
        execution: str
        def __init__(self, account_id: _Optional[str] = ..., venue: _Optional[str] = ..., model: _Optional[str] = ..., currency: _Optional[str] = ..., auto_reduce: _Optional[bool] = ..., execution: _Optional[str] = ...) -> None: ...
    class SkipGap(_message.Message):
        __slots__ = ("source", "up_to_sequence", "actor")
        SOURCE_FIELD_NUMBER: _ClassVar[int]
        UP_TO_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
        ACTOR_FIELD_NUMBER: _ClassVar[int]
        source: str
        up_to_sequence: int
        actor: str
        def __init__(self, source: _Optional[str] = ..., up_to_sequence: _Optional[int] = ..., actor: _Optional[str] = ...) -> None: ...
    class EndQuarantine(_message.Message):
        __slots__ = ("account_id", "topic", "actor")
        ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
        TOPIC_FIELD_NUMBER: _ClassVar[int]
        ACTOR_FIELD_NUMBER: _ClassVar[int]
        account_id: str
        topic: str
        actor: str
        def __init__(self, account_id: _Optional[str] = ..., topic: _Optional[str] = ..., actor: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    EXCHANGE_ACCOUNT_REMOVED_FIELD_NUMBER: _ClassVar[int]
    SKIP_GAP_FIELD_NUMBER: _ClassVar[int]
    END_QUARANTINE_FIELD_NUMBER: _ClassVar[int]
    id: str
    user_id: str
    source: str
    sequence: int
    time_ms: int
    profile: AccountUpdate.Profile
    exchange_account: AccountUpdate.ExchangeAccount
    exchange_account_removed: str
    skip_gap: AccountUpdate.SkipGap
    end_quarantine: AccountUpdate.EndQuarantine
    def __init__(self, id: _Optional[str] = ..., user_id: _Optional[str] = ..., source: _Optional[str] = ..., sequence: _Optional[int] = ..., time_ms: _Optional[int] = ..., profile: _Optional[_Union[AccountUpdate.Profile, _Mapping]] = ..., exchange_account: _Optional[_Union[AccountUpdate.ExchangeAccount, _Mapping]] = ..., exchange_account_removed: _Optional[str] = ..., skip_gap: _Optional[_Union[AccountUpdate.SkipGap, _Mapping]] = ..., end_quarantine: _Optional[_Union[AccountUpdate.EndQuarantine, _Mapping]] = ...) -> None: ...

class Control(_message.Message):
    __slots__ = ("scope", "action", "reason", "actor", "time_ms")
    class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ACTION_UNSPECIFIED: _ClassVar[Control.Action]
        PAUSE: _ClassVar[Control.Action]
        RESUME: _ClassVar[Control.Action]
        CHECK: _ClassVar[Control.Action]
    ACTION_UNSPECIFIED: Control.Action
    PAUSE: Control.Action
    RESUME: Control.Action
    CHECK: Control.Action
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    scope: str
    action: Control.Action
    reason: str
    actor: str
    time_ms: int
    def __init__(self, scope: _Optional[str] = ..., action: _Optional[_Union[Control.Action, str]] = ..., reason: _Optional[str] = ..., actor: _Optional[str] = ..., time_ms: _Optional[int] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("instrument", "price", "offset", "append_time_ms", "bid", "ask", "last", "jumping")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    APPEND_TIME_MS_FIELD_NUMBER: _ClassVar[int]
    BID_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    JUMPING_FIELD_NUMBER: _ClassVar[int]
    instrument: str
    price: str
    offset: int
    append_time_ms: int
    bid: str
    ask: str
    last: str
    jumping: bool
    def __init__(self, instrument: _Optional[str] = ..., price: _Optional[str] = ..., offset: _Optional[int] = ..., append_time_ms: _Optional[int] = ..., bid: _Optional[str] = ..., ask: _Optional[str] = ..., last: _Optional[str] = ..., jumping: _Optional[bool] = ...) -> None: ...

class Stamp(_message.Message):
    __slots__ = ("fences", "marks", "rules_offset", "control_offset", "time_ms", "margin_before", "mark_stale_ms", "cooldown_ms")
    class FencesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    FENCES_FIELD_NUMBER: _ClassVar[int]
    MARKS_FIELD_NUMBER: _ClassVar[int]
    RULES_OFFSET_FIELD_NUMBER: _ClassVar[int]
    CONTROL_OFFSET_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    MARGIN_BEFORE_FIELD_NUMBER: _ClassVar[int]
    MARK_STALE_MS_FIELD_NUMBER: _ClassVar[int]
    COOLDOWN_MS_FIELD_NUMBER: _ClassVar[int]
    fences: _containers.ScalarMap[str, int]
    marks: _containers.RepeatedCompositeFieldContainer[Mark]
    rules_offset: int
    control_offset: int
    time_ms: int
    margin_before: bytes
    mark_stale_ms: int
    cooldown_ms: int
    def __init__(self, fences: _Optional[_Mapping[str, int]] = ..., marks: _Optional[_Iterable[_Union[Mark, _Mapping]]] = ..., rules_offset: _Optional[int] = ..., control_offset: _Optional[int] = ..., time_ms: _Optional[int] = ..., margin_before: _Optional[bytes] = ..., mark_stale_ms: _Optional[int] = ..., cooldown_ms: _Optional[int] = ...) -> None: ...

class Figures(_message.Message):
    __slots__ = ("equity", "initial_margin", "maintenance_margin", "free_margin", "margin_ratio", "margin_level_pct", "unrealised_pnl")
    EQUITY_FIELD_NUMBER: _ClassVar[int]
    INITIAL_MARGIN_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_MARGIN_FIELD_NUMBER: _ClassVar[int]
    FREE_MARGIN_FIELD_NUMBER: _ClassVar[int]
    MARGIN_RATIO_FIELD_NUMBER: _ClassVar[int]
    MARGIN_LEVEL_PCT_FIELD_NUMBER: _ClassVar[int]
    UNREALISED_PNL_FIELD_NUMBER: _ClassVar[int]
    equity: str
    initial_margin: str
    maintenance_margin: str
    free_margin: str
    margin_ratio: str
    margin_level_pct: str
    unrealised_pnl: str
    def __init__(self, equity: _Optional[str] = ..., initial_margin: _Optional[str] = ..., maintenance_margin: _Optional[str] = ..., free_margin: _Optional[str] = ..., margin_ratio: _Optional[str] = ..., margin_level_pct: _Optional[str] = ..., unrealised_pnl: _Optional[str] = ...) -> None: ...

class MarginCheck(_message.Message):
    __slots__ = ("id", "user_id", "account_id", "causes", "rung", "figures", "stamp")
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    id: str
    user_id: str
    account_id: str
    causes: _containers.RepeatedScalarFieldContainer[str]
    rung: Rung
    figures: Figures
    stamp: Stamp
    def __init__(self, id: _Optional[str] = ..., user_id: _Optional[str] = ..., account_id: _Optional[str] = ..., causes: _Optional[_Iterable[str]] = ..., rung: _Optional[_Union[Rung, str]] = ..., figures: _Optional[_Union[Figures, _Mapping]] = ..., stamp: _Optional[_Union[Stamp, _Mapping]] = ...) -> None: ...

class MarginCall(_message.Message):
    __slots__ = ("id", "user_id", "account_id", "before", "after", "reasons", "episode", "transition", "figures", "stamp")
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    TRANSITION_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    id: str
    user_id: str
    account_id: str
    before: Rung
    after: Rung
    reasons: _containers.RepeatedScalarFieldContainer[str]
    episode: int
    transition: int
    figures: Figures
    stamp: Stamp
    def __init__(self, id: _Optional[str] = ..., user_id: _Optional[str] = ..., account_id: _Optional[str] = ..., before: _Optional[_Union[Rung, str]] = ..., after: _Optional[_Union[Rung, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., episode: _Optional[int] = ..., transition: _Optional[int] = ..., figures: _Optional[_Union[Figures, _Mapping]] = ..., stamp: _Optional[_Union[Stamp, _Mapping]] = ...) -> None: ...

class Liquidation(_message.Message):
    __slots__ = ("id", "user_id", "account_id", "episode", "step", "time_ms", "stamp", "ordered", "step_ordered", "completed", "refused")
    class Ordered(_message.Message):
        __slots__ = ("steps", "figures")
        STEPS_FIELD_NUMBER: _ClassVar[int]
        FIGURES_FIELD_NUMBER: _ClassVar[int]
        steps: _containers.RepeatedCompositeFieldContainer[Liquidation.Step]
        figures: Figures
        def __init__(self, steps: _Optional[_Iterable[_Union[Liquidation.Step, _Mapping]]] = ..., figures: _Optional[_Union[Figures, _Mapping]] = ...) -> None: ...
    class Step(_message.Message):
        __slots__ = ("action", "instrument", "side", "quantity", "position_id", "limit_price")
        ACTION_FIELD_NUMBER: _ClassVar[int]
        INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
        SIDE_FIELD_NUMBER: _ClassVar[int]
        QUANTITY_FIELD_NUMBER: _ClassVar[int]
        POSITION_ID_FIELD_NUMBER: _ClassVar[int]
        LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
        action: str
        instrument: str
        side: str
        quantity: str
        position_id: str
        limit_price: str
        def __init__(self, action: _Optional[str] = ..., instrument: _Optional[str] = ..., side: _Optional[str] = ..., quantity: _Optional[str] = ..., position_id: _Optional[str] = ..., limit_price: _Optional[str] = ...) -> None: ...
    class Completed(_message.Message):
        __slots__ = ("instrument", "quantity", "price", "realised_pnl", "fee")
        INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
        QUANTITY_FIELD_NUMBER: _ClassVar[int]
        PRICE_FIELD_NUMBER: _ClassVar[int]
        REALISED_PNL_FIELD_NUMBER: _ClassVar[int]
        FEE_FIELD_NUMBER: _ClassVar[int]
        instrument: str
        quantity: str
        price: str
        realised_pnl: str
        fee: str
        def __init__(self, instrument: _Optional[str] = ..., quantity: _Optional[str] = ..., price: _Optional[str] = ..., realised_pnl: _Optional[str] = ..., fee: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    STAMP_FIELD_NUMBER: _ClassVar[int]
    ORDERED_FIELD_NUMBER: _ClassVar[int]
    STEP_ORDERED_FIELD_NUMBER: _ClassVar[int]
    COMPLETED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    id: str
    user_id: str
    account_id: str
    episode: int
    step: int
    time_ms: int
    stamp: Stamp
    ordered: Liquidation.Ordered
    step_ordered: Liquidation.Step
    completed: Liquidation.Completed
    refused: str
    def __init__(self, id: _Optional[str] = ..., user_id: _Optional[str] = ..., account_id: _Optional[str] = ..., episode: _Optional[int] = ..., step: _Optional[int] = ..., time_ms: _Optional[int] = ..., stamp: _Optional[_Union[Stamp, _Mapping]] = ..., ordered: _Optional[_Union[Liquidation.Ordered, _Mapping]] = ..., step_ordered: _Optional[_Union[Liquidation.Step, _Mapping]] = ..., completed: _Optional[_Union[Liquidation.Completed, _Mapping]] = ..., refused: _Optional[str] = ...) -> None: ...

class LiquidationReport(_message.Message):
    __slots__ = ("id", "user_id", "account_id", "step_id", "status", "client_order_id", "filled_quantity", "average_price", "error", "snapshot_id", "time_ms")
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    FILLED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    id: str
    user_id: str
    account_id: str
    step_id: str
    status: str
    client_order_id: str
    filled_quantity: str
    average_price: str
    error: str
    snapshot_id: str
    time_ms: int
    def __init__(self, id: _Optional[str] = ..., user_id: _Optional[str] = ..., account_id: _Optional[str] = ..., step_id: _Optional[str] = ..., status: _Optional[str] = ..., client_order_id: _Optional[str] = ..., filled_quantity: _Optional[str] = ..., average_price: _Optional[str] = ..., error: _Optional[str] = ..., snapshot_id: _Optional[str] = ..., time_ms: _Optional[int] = ...) -> None: ...

class Transaction(_message.Message):
    __slots__ = ("delta_id", "user_id", "account_id", "asset", "amount", "balance_after", "kind", "source", "sequence", "time_ms", "cause", "version")
    DELTA_ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    ASSET_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    BALANCE_AFTER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    delta_id: str
    user_id: str
    account_id: str
    asset: str
    amount: str
    balance_after: str
    kind: str
    source: str
    sequence: int
    time_ms: int
    cause: str
    version: int
    def __init__(self, delta_id: _Optional[str] = ..., user_id: _Optional[str] = ..., account_id: _Optional[str] = ..., asset: _Optional[str] = ..., amount: _Optional[str] = ..., balance_after: _Optional[str] = ..., kind: _Optional[str] = ..., source: _Optional[str] = ..., sequence: _Optional[int] = ..., time_ms: _Optional[int] = ..., cause: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class Threshold(_message.Message):
    __slots__ = ("mode", "warning", "margin_call", "liquidation", "release", "auto_reduce")
    MODE_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    MARGIN_CALL_FIELD_NUMBER: _ClassVar[int]
    LIQUIDATION_FIELD_NUMBER: _ClassVar[int]
    RELEASE_FIELD_NUMBER: _ClassVar[int]
    AUTO_REDUCE_FIELD_NUMBER: _ClassVar[int]
    mode: str
    warning: str
    margin_call: str
    liquidation: str
    release: str
    auto_reduce: str
    def __init__(self, mode: _Optional[str] = ..., warning: _Optional[str] = ..., margin_call: _Optional[str] = ..., liquidation: _Optional[str] = ..., release: _Optional[str] = ..., auto_reduce: _Optional[str] = ...) -> None: ...

class Bracket(_message.Message):
    __slots__ = ("floor", "cap", "rate", "amount", "max_leverage")
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    CAP_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    floor: str
    cap: str
    rate: str
    amount: str
    max_leverage: str
    def __init__(self, floor: _Optional[str] = ..., cap: _Optional[str] = ..., rate: _Optional[str] = ..., amount: _Optional[str] = ..., max_leverage: _Optional[str] = ...) -> None: ...

class RiskRule(_message.Message):
    __slots__ = ("rule_id", "effective_from_ms", "instrument", "group", "collateral_weight", "withdrawn")
    class Instrument(_message.Message):
        __slots__ = ("instrument", "base", "quote", "settle", "contract_size", "price_tick", "quantity_step", "min_quantity", "calc_mode", "margin_rate", "taker_fee", "tier_policy", "tier_unit", "brackets", "stale_after_ms", "jump_ratio", "jump_ticks", "jump_ms", "sessions", "conversion_instrument", "hedged_factor", "hedged_mode", "margin_rate_short", "tick_size", "tick_value", "initial_margin")
        INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
        BASE_FIELD_NUMBER: _ClassVar[int]
        QUOTE_FIELD_NUMBER: _ClassVar[int]
        SETTLE_FIELD_NUMBER: _ClassVar[int]
        CONTRACT_SIZE_FIELD_NUMBER: _ClassVar[int]
        PRICE_TICK_FIELD_NUMBER: _ClassVar[int]
        QUANTITY_STEP_FIELD_NUMBER: _ClassVar[int]
        MIN_QUANTITY_FIELD_NUMBER: _ClassVar[int]
        CALC_MODE_FIELD_NUMBER: _ClassVar[int]
        MARGIN_RATE_FIELD_NUMBER: _ClassVar[int]
        TAKER_FEE_FIELD_NUMBER: _ClassVar[int]
        TIER_POLICY_FIELD_NUMBER: _ClassVar[int]
        TIER_UNIT_FIELD_NUMBER: _ClassVar[int]
        BRACKETS_FIELD_NUMBER: _ClassVar[int]
        STALE_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
        JUMP_RATIO_FIELD_NUMBER: _ClassVar[int]
        JUMP_TICKS_FIELD_NUMBER: _ClassVar[int]
        JUMP_MS_FIELD_NUMBER: _ClassVar[int]
        SESSIONS_FIELD_NUMBER: _ClassVar[int]
        CONVERSION_INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
        HEDGED_FACTOR_FIELD_NUMBER: _ClassVar[int]
        HEDGED_MODE_FIELD_NUMBER: _ClassVar[int]
        MARGIN_RATE_SHORT_FIELD_NUMBER: _ClassVar[int]
        TICK_SIZE_FIELD_NUMBER: _ClassVar[int]
        TICK_VALUE_FIELD_NUMBER: _ClassVar[int]
        INITIAL_MARGIN_FIELD_NUMBER: _ClassVar[int]
        instrument: str
        base: str
        quote: str
        settle: str
        contract_size: str
        price_tick: str
        quantity_step: str
        min_quantity: str
        calc_mode: str
        margin_rate: str
        taker_fee: str
        tier_policy: str
        tier_unit: str
        brackets: _containers.RepeatedCompositeFieldContainer[Bracket]
        stale_after_ms: int
        jump_ratio: str
        jump_ticks: int
        jump_ms: int
        sessions: _containers.RepeatedCompositeFieldContainer[RiskRule.Session]
        conversion_instrument: str
        hedged_factor: str
        hedged_mode: str
        margin_rate_short: str
        tick_size: str
        tick_value: str
        initial_margin: str
        def __init__(self, instrument: _Optional[str] = ..., base: _Optional[str] = ..., quote: _Optional[str] = ..., settle: _Optional[str] = ..., contract_size: _Optional[str] = ..., price_tick: _Optional[str] = ..., quantity_step: _Optional[str] = ..., min_quantity: _Optional[str] = ..., calc_mode: _Optional[str] = ..., margin_rate: _Optional[str] = ..., taker_fee: _Optional[str] = ..., tier_policy: _Optional[str] = ..., tier_unit: _Optional[str] = ..., brackets: _Optional[_Iterable[_Union[Bracket, _Mapping]]] = ..., stale_after_ms: _Optional[int] = ..., jump_ratio: _Optional[str] = ..., jump_ticks: _Optional[int] = ..., jump_ms: _Optional[int] = ..., sessions: _Optional[_Iterable[_Union[RiskRule.Session, _Mapping]]] = ..., conversion_instrument: _Optional[str] = ..., hedged_factor: _Optional[str] = ..., hedged_mode: _Optional[str] = ..., margin_rate_short: _Optional[str] = ..., tick_size: _Optional[str] = ..., tick_value: _Optional[str] = ..., initial_margin: _Optional[str] = ...) -> None: ...
    class Session(_message.Message):
        __slots__ = ("open_minute", "close_minute")
        OPEN_MINUTE_FIELD_NUMBER: _ClassVar[int]
        CLOSE_MINUTE_FIELD_NUMBER: _ClassVar[int]
        open_minute: int
        close_minute: int
        def __init__(self, open_minute: _Optional[int] = ..., close_minute: _Optional[int] = ...) -> None: ...
    class Group(_message.Message):
        __slots__ = ("group", "thresholds", "leverage", "fallback_ratio", "by_model")
        class ByModelEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: Threshold
            def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Threshold, _Mapping]] = ...) -> None: ...
        GROUP_FIELD_NUMBER: _ClassVar[int]
        THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
        LEVERAGE_FIELD_NUMBER: _ClassVar[int]
        FALLBACK_RATIO_FIELD_NUMBER: _ClassVar[int]
        BY_MODEL_FIELD_NUMBER: _ClassVar[int]
        group: str
        thresholds: Threshold
        leverage: str
        fallback_ratio: str
        by_model: _containers.MessageMap[str, Threshold]
        def __init__(self, group: _Optional[str] = ..., thresholds: _Optional[_Union[Threshold, _Mapping]] = ..., leverage: _Optional[str] = ..., fallback_ratio: _Optional[str] = ..., by_model: _Optional[_Mapping[str, Threshold]] = ...) -> None: ...
    class CollateralWeight(_message.Message):
        __slots__ = ("currency", "asset", "weight")
        CURRENCY_FIELD_NUMBER: _ClassVar[int]
        ASSET_FIELD_NUMBER: _ClassVar[int]
        WEIGHT_FIELD_NUMBER: _ClassVar[int]
        currency: str
        asset: str
        weight: str
        def __init__(self, currency: _Optional[str] = ..., asset: _Optional[str] = ..., weight: _Optional[str] = ...) -> None: ...
    RULE_ID_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_FROM_MS_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    GROUP_FIELD_NUMBER: _ClassVar[int]
    COLLATERAL_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    rule_id: str
    effective_from_ms: int
    instrument: RiskRule.Instrument
    group: RiskRule.Group
    collateral_weight: RiskRule.CollateralWeight
    withdrawn: bool
    def __init__(self, rule_id: _Optional[str] = ..., effective_from_ms: _Optional[int] = ..., instrument: _Optional[_Union[RiskRule.Instrument, _Mapping]] = ..., group: _Optional[_Union[RiskRule.Group, _Mapping]] = ..., collateral_weight: _Optional[_Union[RiskRule.CollateralWeight, _Mapping]] = ..., withdrawn: _Optional[bool] = ...) -> None: ...

class FactVersion(_message.Message):
    __slots__ = ("lease_epoch", "connection_epoch", "receive_seq", "part_index", "time_ms", "snapshot")
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_SEQ_FIELD_NUMBER: _ClassVar[int]
    PART_INDEX_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    lease_epoch: int
    connection_epoch: int
    receive_seq: int
    part_index: int
    time_ms: int
    snapshot: bool
    def __init__(self, lease_epoch: _Optional[int] = ..., connection_epoch: _Optional[int] = ..., receive_seq: _Optional[int] = ..., part_index: _Optional[int] = ..., time_ms: _Optional[int] = ..., snapshot: _Optional[bool] = ...) -> None: ...

class BalanceState(_message.Message):
    __slots__ = ("wallet_balance", "version", "updated_ms")
    WALLET_BALANCE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    wallet_balance: str
    version: FactVersion
    updated_ms: int
    def __init__(self, wallet_balance: _Optional[str] = ..., version: _Optional[_Union[FactVersion, _Mapping]] = ..., updated_ms: _Optional[int] = ...) -> None: ...

class PositionState(_message.Message):
    __slots__ = ("instrument", "side", "quantity", "entry_price", "margin_mode", "isolated_wallet", "leverage", "position_id", "open_rate", "swap", "commission", "version", "updated_ms", "product", "entry_cost")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    ENTRY_PRICE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODE_FIELD_NUMBER: _ClassVar[int]
    ISOLATED_WALLET_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    POSITION_ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_RATE_FIELD_NUMBER: _ClassVar[int]
    SWAP_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    ENTRY_COST_FIELD_NUMBER: _ClassVar[int]
    instrument: str
    side: str
    quantity: str
    entry_price: str
    margin_mode: str
    isolated_wallet: str
    leverage: str
    position_id: str
    open_rate: str
    swap: str
    commission: str
    version: FactVersion
    updated_ms: int
    product: str
    entry_cost: str
    def __init__(self, instrument: _Optional[str] = ..., side: _Optional[str] = ..., quantity: _Optional[str] = ..., entry_price: _Optional[str] = ..., margin_mode: _Optional[str] = ..., isolated_wallet: _Optional[str] = ..., leverage: _Optional[str] = ..., position_id: _Optional[str] = ..., open_rate: _Optional[str] = ..., swap: _Optional[str] = ..., commission: _Optional[str] = ..., version: _Optional[_Union[FactVersion, _Mapping]] = ..., updated_ms: _Optional[int] = ..., product: _Optional[str] = ..., entry_cost: _Optional[str] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("lease_epoch", "connection_epoch", "receive_seq", "part_count", "seen", "since_ms")
    LEASE_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CONNECTION_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_SEQ_FIELD_NUMBER: _ClassVar[int]
    PART_COUNT_FIELD_NUMBER: _ClassVar[int]
    SEEN_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    lease_epoch: int
    connection_epoch: int
    receive_seq: int
    part_count: int
    seen: _containers.RepeatedScalarFieldContainer[int]
    since_ms: int
    def __init__(self, lease_epoch: _Optional[int] = ..., connection_epoch: _Optional[int] = ..., receive_seq: _Optional[int] = ..., part_count: _Optional[int] = ..., seen: _Optional[_Iterable[int]] = ..., since_ms: _Optional[int] = ...) -> None: ...

class PlanStep(_message.Message):
    __slots__ = ("step_id", "action", "instrument", "side", "quantity", "position_id", "status", "client_order_id", "ordered_ms", "filled_quantity", "average_price", "reported_ms", "order_ended")
    STEP_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    POSITION_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORDERED_MS_FIELD_NUMBER: _ClassVar[int]
    FILLED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    REPORTED_MS_FIELD_NUMBER: _ClassVar[int]
    ORDER_ENDED_FIELD_NUMBER: _ClassVar[int]
    step_id: str
    action: str
    instrument: str
    side: str
    quantity: str
    position_id: str
    status: str
    client_order_id: str
    ordered_ms: int
    filled_quantity: str
    average_price: str
    reported_ms: int
    order_ended: bool
    def __init__(self, step_id: _Optional[str] = ..., action: _Optional[str] = ..., instrument: _Optional[str] = ..., side: _Optional[str] = ..., quantity: _Optional[str] = ..., position_id: _Optional[str] = ..., status: _Optional[str] = ..., client_order_id: _Optional[str] = ..., ordered_ms: _Optional[int] = ..., filled_quantity: _Optional[str] = ..., average_price: _Optional[str] = ..., reported_ms: _Optional[int] = ..., order_ended: _Optional[bool] = ...) -> None: ...

class MarginState(_message.Message):
    __slots__ = ("rung", "reasons", "episode", "transition", "step", "figures", "since_ms", "known_rung", "plan", "cooldown_until_ms", "refused")
    RUNG_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    EPISODE_FIELD_NUMBER: _ClassVar[int]
    TRANSITION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_RUNG_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    COOLDOWN_UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    rung: Rung
    reasons: _containers.RepeatedScalarFieldContainer[str]
    episode: int
    transition: int
    step: int
    figures: Figures
    since_ms: int
    known_rung: Rung
    plan: _containers.RepeatedCompositeFieldContainer[PlanStep]
    cooldown_until_ms: int
    refused: Refused
    def __init__(self, rung: _Optional[_Union[Rung, str]] = ..., reasons: _Optional[_Iterable[str]] = ..., episode: _Optional[int] = ..., transition: _Optional[int] = ..., step: _Optional[int] = ..., figures: _Optional[_Union[Figures, _Mapping]] = ..., since_ms: _Optional[int] = ..., known_rung: _Optional[_Union[Rung, str]] = ..., plan: _Optional[_Iterable[_Union[PlanStep, _Mapping]]] = ..., cooldown_until_ms: _Optional[int] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("plans", "held", "until_ms")
    PLANS_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    UNTIL_MS_FIELD_NUMBER: _ClassVar[int]
    plans: int
    held: str
    until_ms: int
    def __init__(self, plans: _Optional[int] = ..., held: _Optional[str] = ..., until_ms: _Optional[int] = ...) -> None: ...

class Quarantine(_message.Message):
    __slots__ = ("topic", "reason", "since_ms")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    reason: str
    since_ms: int
    def __init__(self, topic: _Optional[str] = ..., reason: _Optional[str] = ..., since_ms: _Optional[int] = ...) -> None: ...

class AccountState(_message.Message):
    __slots__ = ("account_id", "venue", "model", "currency", "execution", "auto_reduce", "balances", "positions", "leverages", "margin_modes", "hedge_mode", "multi_assets", "account_level", "margin", "frames", "quarantines", "realised_pnl", "config_versions", "venue_margin_call", "snapshot_rows", "snapshot_version", "awaited_snapshot", "mark_versions", "recent_fills", "recent_frames", "unfunded", "removed")
    class BalancesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: BalanceState
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[BalanceState, _Mapping]] = ...) -> None: ...
    class PositionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: PositionState
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[PositionState, _Mapping]] = ...) -> None: ...
    class LeveragesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MarginModesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class ConfigVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: FactVersion
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[FactVersion, _Mapping]] = ...) -> None: ...
    class SnapshotRowsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class MarkVersionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: FactVersion
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[FactVersion, _Mapping]] = ...) -> None: ...
    class RemovedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: FactVersion
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[FactVersion, _Mapping]] = ...) -> None: ...
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    AUTO_REDUCE_FIELD_NUMBER: _ClassVar[int]
    BALANCES_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    LEVERAGES_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MODES_FIELD_NUMBER: _ClassVar[int]
    HEDGE_MODE_FIELD_NUMBER: _ClassVar[int]
    MULTI_ASSETS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_LEVEL_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    QUARANTINES_FIELD_NUMBER: _ClassVar[int]
    REALISED_PNL_FIELD_NUMBER: _ClassVar[int]
    CONFIG_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    VENUE_MARGIN_CALL_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ROWS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    AWAITED_SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    MARK_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    RECENT_FILLS_FIELD_NUMBER: _ClassVar[int]
    RECENT_FRAMES_FIELD_NUMBER: _ClassVar[int]
    UNFUNDED_FIELD_NUMBER: _ClassVar[int]
    REMOVED_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    venue: str
    model: str
    currency: str
    execution: str
    auto_reduce: bool
    balances: _containers.MessageMap[str, BalanceState]
    positions: _containers.MessageMap[str, PositionState]
    leverages: _containers.ScalarMap[str, str]
    margin_modes: _containers.ScalarMap[str, str]
    hedge_mode: bool
    multi_assets: bool
    account_level: str
    margin: MarginState
    frames: _containers.RepeatedCompositeFieldContainer[Frame]
    quarantines: _containers.RepeatedCompositeFieldContainer[Quarantine]
    realised_pnl: str
    config_versions: _containers.MessageMap[str, FactVersion]
    venue_margin_call: bool
    snapshot_rows: _containers.ScalarMap[str, int]
    snapshot_version: FactVersion
    awaited_snapshot: str
    mark_versions: _containers.MessageMap[str, FactVersion]
    recent_fills: _containers.RepeatedScalarFieldContainer[str]
    recent_frames: _containers.RepeatedScalarFieldContainer[str]
    unfunded: bool
    removed: _containers.MessageMap[str, FactVersion]
    def __init__(self, account_id: _Optional[str] = ..., venue: _Optional[str] = ..., model: _Optional[str] = ..., currency: _Optional[str] = ..., execution: _Optional[str] = ..., auto_reduce: _Optional[bool] = ..., balances: _Optional[_Mapping[str, BalanceState]] = ..., positions: _Optional[_Mapping[str, PositionState]] = ..., leverages: _Optional[_Mapping[str, str]] = ..., margin_modes: _Optional[_Mapping[str, str]] = ..., hedge_mode: _Optional[bool] = ..., multi_assets: _Optional[bool] = ..., account_level: _Optional[str] = ..., margin: _Optional[_Union[MarginState, _Mapping]] = ..., frames: _Optional[_Iterable[_Union[Frame, _Mapping]]] = ..., quarantines: _Optional[_Iterable[_Union[Quarantine, _Mapping]]] = ..., realised_pnl: _Optional[str] = ..., config_versions: _Optional[_Mapping[str, FactVersion]] = ..., venue_margin_call: _Optional[bool] = ..., snapshot_rows: _Optional[_Mapping[str, int]] = ..., snapshot_version: _Optional[_Union[FactVersion, _Mapping]] = ..., awaited_snapshot: _Optional[str] = ..., mark_versions: _Optional[_Mapping[str, FactVersion]] = ..., recent_fills: _Optional[_Iterable[str]] = ..., recent_frames: _Optional[_Iterable[str]] = ..., unfunded: _Optional[bool] = ..., removed: _Optional[_Mapping[str, FactVersion]] = ...) -> None: ...

class Sequence(_message.Message):
    __slots__ = ("next", "held", "gap_since_ms")
    class HeldEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: int
        value: bytes
        def __init__(self, key: _Optional[int] = ..., value: _Optional[bytes] = ...) -> None: ...
    NEXT_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    GAP_SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    next: int
    held: _containers.ScalarMap[int, bytes]
    gap_since_ms: int
    def __init__(self, next: _Optional[int] = ..., held: _Optional[_Mapping[int, bytes]] = ..., gap_since_ms: _Optional[int] = ...) -> None: ...

class ProfileState(_message.Message):
    __slots__ = ("group", "leverage", "status", "is_active", "kyc", "risk_tier", "currency", "execution", "fields")
    class FieldsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    GROUP_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    KYC_FIELD_NUMBER: _ClassVar[int]
    RISK_TIER_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    group: str
    leverage: str
    status: str
    is_active: bool
    kyc: bool
    risk_tier: str
    currency: str
    execution: str
    fields: _containers.ScalarMap[str, str]
    def __init__(self, group: _Optional[str] = ..., leverage: _Optional[str] = ..., status: _Optional[str] = ..., is_active: _Optional[bool] = ..., kyc: _Optional[bool] = ..., risk_tier: _Optional[str] = ..., currency: _Optional[str] = ..., execution: _Optional[str] = ..., fields: _Optional[_Mapping[str, str]] = ...) -> None: ...

class UserState(_message.Message):
    __slots__ = ("user_id", "version", "generation", "profile", "accounts", "sequences", "recent_ids", "quarantines", "updated_ms", "removed_accounts")
    class AccountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AccountState
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AccountState, _Mapping]] = ...) -> None: ...
    class SequencesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Sequence
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Sequence, _Mapping]] = ...) -> None: ...
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    PROFILE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    RECENT_IDS_FIELD_NUMBER: _ClassVar[int]
    QUARANTINES_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    version: int
    generation: int
    profile: ProfileState
    accounts: _containers.MessageMap[str, AccountState]
    sequences: _containers.MessageMap[str, Sequence]
    recent_ids: _containers.RepeatedScalarFieldContainer[str]
    quarantines: _containers.RepeatedCompositeFieldContainer[Quarantine]
    updated_ms: int
    removed_accounts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user_id: _Optional[str] = ..., version: _Optional[int] = ..., generation: _Optional[int] = ..., profile: _Optional[_Union[ProfileState, _Mapping]] = ..., accounts: _Optional[_Mapping[str, AccountState]] = ..., sequences: _Optional[_Mapping[str, Sequence]] = ..., recent_ids: _Optional[_Iterable[str]] = ..., quarantines: _Optional[_Iterable[_Union[Quarantine, _Mapping]]] = ..., updated_ms: _Optional[int] = ..., removed_accounts: _Optional[_Iterable[str]] = ...) -> None: ...

class OrderState(_message.Message):
    __slots__ = ("account_id", "instrument", "order_id", "client_order_id", "side", "position_side", "order_type", "quantity", "filled_quantity", "price", "average_price", "stop_price", "status", "reduce_only", "is_algo", "version", "updated_ms", "snapshot_id", "product")
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    POSITION_SIDE_FIELD_NUMBER: _ClassVar[int]
    ORDER_TYPE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    FILLED_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REDUCE_ONLY_FIELD_NUMBER: _ClassVar[int]
    IS_ALGO_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_FIELD_NUMBER: _ClassVar[int]
    account_id: str
    instrument: str
    order_id: str
    client_order_id: str
    side: str
    position_side: str
    order_type: str
    quantity: str
    filled_quantity: str
    price: str
    average_price: str
    stop_price: str
    status: str
    reduce_only: bool
    is_algo: bool
    version: FactVersion
    updated_ms: int
    snapshot_id: str
    product: str
    def __init__(self, account_id: _Optional[str] = ..., instrument: _Optional[str] = ..., order_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., side: _Optional[str] = ..., position_side: _Optional[str] = ..., order_type: _Optional[str] = ..., quantity: _Optional[str] = ..., filled_quantity: _Optional[str] = ..., price: _Optional[str] = ..., average_price: _Optional[str] = ..., stop_price: _Optional[str] = ..., status: _Optional[str] = ..., reduce_only: _Optional[bool] = ..., is_algo: _Optional[bool] = ..., version: _Optional[_Union[FactVersion, _Mapping]] = ..., updated_ms: _Optional[int] = ..., snapshot_id: _Optional[str] = ..., product: _Optional[str] = ...) -> None: ...

class ClosedOrder(_message.Message):
    __slots__ = ("order", "rank", "time_ms")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    order: str
    rank: int
    time_ms: int
    def __init__(self, order: _Optional[str] = ..., rank: _Optional[int] = ..., time_ms: _Optional[int] = ...) -> None: ...

class OrdersState(_message.Message):
    __slots__ = ("user_id", "version", "generation", "orders", "closed", "updated_ms", "snapshot_rows", "removed_accounts", "sequences", "recent_ids")
    class OrdersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: OrderState
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[OrderState, _Mapping]] = ...) -> None: ...
    class SnapshotRowsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class SequencesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_ROWS_FIELD_NUMBER: _ClassVar[int]
    REMOVED_ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCES_FIELD_NUMBER: _ClassVar[int]
    RECENT_IDS_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    version: int
    generation: int
    orders: _containers.MessageMap[str, OrderState]
    closed: _containers.RepeatedCompositeFieldContainer[ClosedOrder]
    updated_ms: int
    snapshot_rows: _containers.ScalarMap[str, int]
    removed_accounts: _containers.RepeatedScalarFieldContainer[str]
    sequences: _containers.ScalarMap[str, int]
    recent_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user_id: _Optional[str] = ..., version: _Optional[int] = ..., generation: _Optional[int] = ..., orders: _Optional[_Mapping[str, OrderState]] = ..., closed: _Optional[_Iterable[_Union[ClosedOrder, _Mapping]]] = ..., updated_ms: _Optional[int] = ..., snapshot_rows: _Optional[_Mapping[str, int]] = ..., removed_accounts: _Optional[_Iterable[str]] = ..., sequences: _Optional[_Mapping[str, int]] = ..., recent_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Anomaly(_message.Message):
    __slots__ = ("id", "user_id", "account_id", "kind", "detail", "time_ms", "topic", "offset", "instrument", "field", "expected", "was")
    ID_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    WAS_FIELD_NUMBER: _ClassVar[int]
    id: str
    user_id: str
    account_id: str
    kind: str
    detail: str
    time_ms: int
    topic: str
    offset: int
    instrument: str
    field: str
    expected: str
    was: str
    def __init__(self, id: _Optional[str] = ..., user_id: _Optional[str] = ..., account_id: _Optional[str] = ..., kind: _Optional[str] = ..., detail: _Optional[str] = ..., time_ms: _Optional[int] = ..., topic: _Optional[str] = ..., offset: _Optional[int] = ..., instrument: _Optional[str] = ..., field: _Optional[str] = ..., expected: _Optional[str] = ..., was: _Optional[str] = ...) -> None: ...

class DeadLetter(_message.Message):
    __slots__ = ("topic", "partition", "offset", "key", "value", "error", "time_ms")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes
    error: str
    time_ms: int
    def __init__(self, topic: _Optional[str] = ..., partition: _Optional[int] = ..., offset: _Optional[int] = ..., key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., error: _Optional[str] = ..., time_ms: _Optional[int] = ...) -> None: ...

class LedgerRow(_message.Message):
    __slots__ = ("epoch", "positions", "outbox", "state")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    positions: _containers.RepeatedScalarFieldContainer[int]
    outbox: _containers.RepeatedCompositeFieldContainer[Outgoing]
    state: bytes
    def __init__(self, epoch: _Optional[int] = ..., positions: _Optional[_Iterable[int]] = ..., outbox: _Optional[_Iterable[_Union[Outgoing, _Mapping]]] = ..., state: _Optional[bytes] = ...) -> None: ...

class Outgoing(_message.Message):
    __slots__ = ("topic", "value")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    topic: str
    value: bytes
    def __init__(self, topic: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...

class Portfolios(_message.Message):
    __slots__ = ("calculated_ms", "epoch", "users", "equity", "margin", "unrealised_pnl", "digits", "fallback")
    CALCULATED_MS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    EQUITY_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    UNREALISED_PNL_FIELD_NUMBER: _ClassVar[int]
    DIGITS_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    calculated_ms: int
    epoch: int
    users: _containers.RepeatedScalarFieldContainer[str]
    equity: _containers.RepeatedScalarFieldContainer[int]
    margin: _containers.RepeatedScalarFieldContainer[int]
    unrealised_pnl: _containers.RepeatedScalarFieldContainer[int]
    digits: _containers.RepeatedScalarFieldContainer[int]
    fallback: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, calculated_ms: _Optional[int] = ..., epoch: _Optional[int] = ..., users: _Optional[_Iterable[str]] = ..., equity: _Optional[_Iterable[int]] = ..., margin: _Optional[_Iterable[int]] = ..., unrealised_pnl: _Optional[_Iterable[int]] = ..., digits: _Optional[_Iterable[int]] = ..., fallback: _Optional[_Iterable[int]] = ...) -> None: ...
