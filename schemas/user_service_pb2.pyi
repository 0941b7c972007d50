from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetWalletRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class Wallet(_message.Message):
    __slots__ = ("user_id", "balance", "currency", "updated_ms", "source")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    UPDATED_MS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    balance: str
    currency: str
    updated_ms: int
    source: str
    def __init__(self, user_id: _Optional[str] = ..., balance: _Optional[str] = ..., currency: _Optional[str] = ..., updated_ms: _Optional[int] = ..., source: _Optional[str] = ...) -> None: ...

class SetWalletRequest(_message.Message):
    __slots__ = ("user_id", "balance", "expected_balance", "id", "note")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_BALANCE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    balance: str
    expected_balance: str
    id: str
    note: str
    def __init__(self, user_id: _Optional[str] = ..., balance: _Optional[str] = ..., expected_balance: _Optional[str] = ..., id: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class UpdateWalletRequest(_message.Message):
    __slots__ = ("user_id", "delta", "id", "kind", "note")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    DELTA_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    delta: str
    id: str
    kind: str
    note: str
    def __init__(self, user_id: _Optional[str] = ..., delta: _Optional[str] = ..., id: _Optional[str] = ..., kind: _Optional[str] = ..., note: _Optional[str] = ...) -> None: ...

class WalletUpdated(_message.Message):
    __slots__ = ("wallet", "delta_id", "repeated_request")
    WALLET_FIELD_NUMBER: _ClassVar[int]
    DELTA_ID_FIELD_NUMBER: _ClassVar[int]
    REPEATED_REQUEST_FIELD_NUMBER: _ClassVar[int]
    wallet: Wallet
    delta_id: str
    repeated_request: bool
    def __init__(self, wallet: _Optional[_Union[Wallet, _Mapping]] = ..., delta_id: _Optional[str] = ..., repeated_request: _Optional[bool] = ...) -> None: ...

class GetMetadataRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class SetMetadataRequest(_message.Message):
    __slots__ = ("user_id", "kyc", "risk", "leverage", "id")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    KYC_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    kyc: bool
    risk: str
    leverage: str
    id: str
    def __init__(self, user_id: _Optional[str] = ..., kyc: _Optional[bool] = ..., risk: _Optional[str] = ..., leverage: _Optional[str] = ..., id: _Optional[str] = ...) -> None: ...

class Metadata(_message.Message):
    __slots__ = ("user_id", "kyc", "risk", "leverage", "source")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    KYC_FIELD_NUMBER: _ClassVar[int]
    RISK_FIELD_NUMBER: _ClassVar[int]
    LEVERAGE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    kyc: bool
    risk: str
    leverage: str
    source: str
    def __init__(self, user_id: _Optional[str] = ..., kyc: _Optional[bool] = ..., risk: _Optional[str] = ..., leverage: _Optional[str] = ..., source: _Optional[str] = ...) -> None: ...

class WatchWalletRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...
