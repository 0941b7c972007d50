"""A user service on a free port, and calls to it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import grpc
import msgspec
from google.protobuf.message import Message

from schemas import user_service_pb2 as pb
from streams.admin.store import Store
from streams.cache.store import Store as Cache
from streams.config import Config
from streams.web.grpc_process import start
from streams.web.grpc_service import NAME

T = TypeVar("T")
ANSWERS: dict[str, Any] = {"GetWallet": pb.Wallet, "SetWallet": pb.Wallet, "UpdateWallet": pb.WalletUpdated,
                                    "GetMetadata": pb.Metadata, "SetMetadata": pb.Metadata}


class Caller:
    """One channel to the service."""

    def __init__(self, channel: Any, token: str = "") -> None:
        self.channel = channel
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def __call__(self, method: str, request: Message) -> Any:
        """The answer; raises `grpc.aio.AioRpcError`."""
        call = self.channel.unary_unary(f"/{NAME}/{method}", request_serializer=lambda message: message.SerializeToString(),
                                        response_deserializer=ANSWERS[method].FromString)
        return await call(request, metadata=self._metadata, timeout=20)

    async def refused(self, method: str, request: Message) -> tuple[Any, str]:
        """(code, what the metadata calls it) of a call that must fail."""
        try:
            answer = await self(method, request)
        except grpc.aio.AioRpcError as error:
            said = {str(key): str(value) for key, value in error.trailing_metadata() or ()}
            return error.code(), said.get("code", "")
        raise AssertionError(f"expected a refusal, was {answer}")

    def watch(self, user: str) -> Any:
        call = self.channel.unary_stream(f"/{NAME}/WatchWallet", request_serializer=lambda message: message.SerializeToString(),
                                         response_deserializer=pb.Wallet.FromString)
        return call(pb.WatchWalletRequest(user_id=user), metadata=self._metadata, timeout=60)


@asynccontextmanager
async def serving(config: Config, channel_of: Callable[[str], Any] = grpc.aio.insecure_channel) -> AsyncIterator[Caller]:
    parts = Store(config.postgres_dsn), Cache(config.redis_url)
    server, address, ended = await start(msgspec.structs.replace(config, grpc_port=0), parts)
    channel = channel_of(address)
    try:
        yield Caller(channel, config.api_token)
    finally:
        await channel.close()
        await server.stop(0)
        await ended()
        for part in parts:
            await part.close()


def called(config: Config, job: Callable[[Caller], Awaitable[T]]) -> T:
    """Does `job` with a caller of a service of its own."""

    async def whole() -> T:
        async with serving(config) as caller:
            return await job(caller)

    return asyncio.run(whole())
