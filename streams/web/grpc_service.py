"""The gRPC user service: requests read without trust, refusals as typed errors, one money path."""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from schemas import user_service_pb2 as pb
from schemas.keys import BadKey, user_key
from schemas.money import BadNumber, parse, say
from streams.admin.store import Once
from streams.web.grpc_wallets import Wallets
from streams.web.grpc_watch import Watchers
from streams.web.inspection import Refused

NAME = "marginstream.v1.UserService"
GRPC = "grpc"  # nobody in particular
WHO: ContextVar[str] = ContextVar("who", default=GRPC)  # whose token a call came with; for the audit log
_IDENT = re.compile(r"[\x21-\x7e]{1,120}")
_TEXT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{0,200}")
_AMOUNT_MAX, _PLACES_MAX, _LEVERAGE_MAX = Decimal(10) ** 15, 18, Decimal(10_000)
_KINDS = ("adjustment", "deposit", "realised_pnl", "funding", "fee")
_CODES = {400: grpc.StatusCode.INVALID_ARGUMENT, 401: grpc.StatusCode.UNAUTHENTICATED, 403: grpc.StatusCode.PERMISSION_DENIED,
          404: grpc.StatusCode.NOT_FOUND, 409: grpc.StatusCode.FAILED_PRECONDITION, 422: grpc.StatusCode.FAILED_PRECONDITION,
          429: grpc.StatusCode.RESOURCE_EXHAUSTED, 503: grpc.StatusCode.UNAVAILABLE}
T = TypeVar("T")


class UserService:
    """The methods; `handler` offers them to a server."""

    def __init__(self, wallets: Wallets, watchers: Watchers, default_type: str) -> None:
        self._wallets, self._watchers, self._default_type = wallets, watchers, default_type

    def handler(self) -> Any:
        """For `Server.add_generic_rpc_handlers`."""
        unary: dict[str, tuple[Callable[[Any], Awaitable[Message]], Any]] = {
            "GetWallet": (self.get_wallet, pb.GetWalletRequest), "SetWallet": (self.set_wallet, pb.SetWalletRequest),
            "UpdateWallet": (self.update_wallet, pb.UpdateWalletRequest), "GetMetadata": (self.get_metadata, pb.GetMetadataRequest),
            "SetMetadata": (self.set_metadata, pb.SetMetadataRequest)}
        methods = {name: grpc.unary_unary_rpc_method_handler(_typed(method), kind.FromString, lambda answer: answer.SerializeToString())
                   for name, (method, kind) in unary.items()}
        methods["WatchWallet"] = grpc.unary_stream_rpc_method_handler(
            self._watch, pb.WatchWalletRequest.FromString, lambda answer: answer.SerializeToString())
        return grpc.method_handlers_generic_handler(NAME, methods)

    async def get_wallet(self, request: pb.GetWalletRequest) -> pb.Wallet:
        user = self._user(request.user_id)
        return wallet_of(user, *await self._wallets.read(user))

    async def set_wallet(self, request: pb.SetWalletRequest) -> pb.Wallet:
        user, balance = self._user(request.user_id), amount("balance", request.balance)
        if not request.HasField("expected_balance"):
            raise Refused(400, "missing_field", "expected_balance: expected the balance as it was read, was nothing", "expected_balance")
        given: dict[str, object] = {
            "user_key": user, "wallet_balance": balance, "expected": amount("expected_balance", request.expected_balance), "source": "grpc",
            "note": text("note", request.note) or "wallet set", "actor": WHO.get(), "action": "wallet_set", "id": _once_id(request.id)}
        body, _ = await self._wallets.write("set_wallet", {k: v for k, v in given.items() if v}, _once("set", user, request))
        return self._written(user, {"wallet_balance": str(body["wallet_balance"])}, body)

    async def update_wallet(self, request: pb.UpdateWalletRequest) -> pb.WalletUpdated:
        user, delta, kind = self._user(request.user_id), amount("delta", request.delta), request.kind or "adjustment"
        if kind not in _KINDS:
            raise Refused(400, "bad_value", f"kind: expected {', '.join(_KINDS)}, was {kind[:40]!r}", "kind")
        if not Decimal(delta) or (kind == "deposit" and delta.startswith("-")):
            wanted = "above" if kind == "deposit" else "other than"
            raise Refused(400, "bad_value", f"delta: expected an amount {wanted} 0, was {delta}", "delta")
        if not request.id:
            raise Refused(400, "missing_field", "id: expected one, so that the same delta is taken once, was nothing", "id")
        given: dict[str, object] = {"user_key": user, "amount": delta, "kind": kind, "source": "grpc", "id": _once_id(request.id),
                                    "note": text("note", request.note), "actor": WHO.get(), "action": kind}
        body, again = await self._wallets.write("move_money", given, _once("update", user, request))
        fields = await self._wallets.from_postgres(user)
        self._wallets.wrote(user, {"wallet_balance": fields["wallet_balance"]})
        return pb.WalletUpdated(wallet=wallet_of(user, fields, "postgres"), delta_id=str(body["delta_id"]), repeated_request=again)

    async def get_metadata(self, request: pb.GetMetadataRequest) -> pb.Metadata:
        user = self._user(request.user_id)
        return metadata_of(user, *await self._wallets.read(user))

    async def set_metadata(self, request: pb.SetMetadataRequest) -> pb.Metadata:
        user, profile = self._user(request.user_id), dict[str, object]()
        if request.HasField("kyc"):
            profile["kyc"] = request.kyc
        if request.HasField("risk"):
            profile["risk_tier"] = text("risk", request.risk)
        if request.HasField("leverage"):
            profile["leverage"] = amount("leverage", request.leverage)
            if not 0 < Decimal(str(profile["leverage"])) <= _LEVERAGE_MAX:
                raise Refused(400, "bad_value", f"leverage: expected above 0 and at most {_LEVERAGE_MAX}", "leverage")
        if not profile:
            raise Refused(400, "missing_field", "metadata: expected kyc, risk or leverage, was nothing", "kyc")
        given: dict[str, object] = {"user_key": user, "profile": profile, "actor": WHO.get(), "action": "metadata_set"}
        await self._wallets.write("change_user", given, _once("metadata", user, request))
        fields = await self._wallets.from_postgres(user)
        self._wallets.wrote(user, {name: fields[name] for name in profile})
        return metadata_of(user, fields, "postgres")

    async def _watch(self, request: pb.WatchWalletRequest, context: Any) -> AsyncIterator[pb.Wallet]:
        try:
            user = self._user(request.user_id)
            with self._watchers.watching(user) as changed:
                before = None
                while True:
                    wallet = wallet_of(user, *await self._wallets.read(user))
                    if before is None or wallet.balance != before:
                        yield wallet
                    before = wallet.balance
                    await changed()
        except Refused as error:
            await _abort(context, error)

    def _user(self, said: str) -> str:
        try:
            return user_key(said, self._default_type)
        except BadKey as error:
            raise Refused(400, "bad_user", str(error), "user_id") from None

    def _written(self, user: str, fields: dict[str, str], body: dict[str, object]) -> pb.Wallet:
        self._wallets.wrote(user, fields)
        return pb.Wallet(user_id=user, balance=fields["wallet_balance"], currency=str(body.get("currency") or ""),
                         updated_ms=int(str(body.get("updated_at") or 0)), source="postgres")


def _typed(method: Callable[[Any], Awaitable[Message]]) -> Callable[[Any, Any], Awaitable[Message]]:
    async def answered(request: Any, context: Any) -> Message:
        try:
            return await method(request)
        except Refused as error:
            await _abort(context, error)
            raise

    return answered


async def _abort(context: Any, error: Refused) -> None:
    code = grpc.StatusCode.ABORTED if error.code == "balance_changed" else _CODES.get(error.status, grpc.StatusCode.UNKNOWN)
    await context.abort(code, str(error), (("code", error.code), ("field", error.field or "")))


def _once(what: str, user: str, request: Any) -> Once | None:
    """The request's id with what it is used for; None without one."""
    if not request.id:
        return None
    print_ = hashlib.sha256(request.SerializeToString(deterministic=True)).hexdigest()
    return Once(f"grpc/{what}/{user}/{_once_id(request.id)}", print_)


def _once_id(said: str) -> str:
    if said and not _IDENT.fullmatch(said):
        raise Refused(400, "bad_value", f"id: expected 1 to 120 visible ASCII characters, was {said[:60]!r}", "id")
    return said


def amount(field: str, said: str) -> str:
    """Decimal text of a sane size; raises `Refused`."""
    try:
        number = parse(said, field)
    except BadNumber as error:
        raise Refused(400, "bad_value", str(error), field) from None
    exponent = number.as_tuple().exponent
    if abs(number) >= _AMOUNT_MAX or (isinstance(exponent, int) and -exponent > _PLACES_MAX):
        raise Refused(400, "bad_value", f"{field}: expected an amount below 1e15 with at most 18 decimals, was {said[:60]!r}", field)
    return say(number)


def text(field: str, said: str) -> str:
    """A short printable text; raises `Refused`."""
    if not _TEXT.fullmatch(said):
        raise Refused(400, "bad_value", f"{field}: expected at most 200 printable characters, was {said[:60]!r}", field)
    return said


def wallet_of(user: str, fields: dict[str, str], source: str) -> pb.Wallet:
    return pb.Wallet(user_id=user, balance=fields["wallet_balance"], currency=fields["currency"] or "USD",
                     updated_ms=_ms(fields["last_balance_update"]), source=source)


def metadata_of(user: str, fields: dict[str, str], source: str) -> pb.Metadata:
    return pb.Metadata(user_id=user, kyc=fields["kyc"] == "true", risk=fields["risk_tier"], leverage=fields["leverage"], source=source)


def _ms(said: str) -> int:
    if said.isascii() and said.isdigit():
        return int(said)
    try:
        return int(datetime.fromisoformat(said).timestamp() * 1000)
    except ValueError:
        return 0


__all__ = ["NAME", "UserService"]
