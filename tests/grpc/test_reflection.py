"""The user service called as grpcurl does it: with nothing but an address, every message learned by reflection, JSON in and out."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import grpc
import psycopg
import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from streams.admin.store import Store
from streams.bridges.redis_money import Money
from streams.cache.store import Store as Cache
from streams.config import Config
from streams.web.grpc_process import start

T = TypeVar("T")
USER = "live:123"


class Curl:
    """`grpcurl -plaintext -H ... -d JSON ADDRESS METHOD` without the binary; it holds no generated code."""

    def __init__(self, address: str, token: str) -> None:
        self._channel = grpc.insecure_channel(address)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self.services = ProtoReflectionDescriptorDatabase(_Bearing(self._channel, self._metadata))
        self._pool = DescriptorPool(self.services)

    def __call__(self, name: str, given: dict[str, object]) -> dict[str, object]:
        """The answer as JSON; raises `grpc.RpcError`."""
        service, _, method = name.rpartition("/")
        found = self._pool.FindServiceByName(service).FindMethodByName(method)
        request = json_format.ParseDict(given, GetMessageClass(found.input_type)())
        call = self._channel.unary_unary(f"/{name}", request_serializer=lambda message: message.SerializeToString(),
                                         response_deserializer=GetMessageClass(found.output_type).FromString)
        answer = call(request, metadata=self._metadata, timeout=20)
        return dict(json.loads(json_format.MessageToJson(answer, preserving_proto_field_name=True)))

    def close(self) -> None:
        self._channel.close()


class _Bearing:
    """A channel whose every call bears the token, as `-H` does for reflection, too."""

    def __init__(self, channel: Any, metadata: tuple[tuple[str, str], ...]) -> None:
        self._channel, self._metadata = channel, metadata

    def __getattr__(self, kind: str) -> Any:
        def opened(*given: Any, **named: Any) -> Any:
            call = getattr(self._channel, kind)(*given, **named)
            return lambda *asked, **more: call(*asked, **{**more, "metadata": self._metadata})

        return opened


@pytest.fixture
def config(single: str, dsn: str) -> Config:
    async def user() -> None:
        money = Money(dsn)
        await money.create(USER, {"leverage": "50"}, "100")
        await money.close()

    asyncio.run(user())
    return Config(redis_url=single, postgres_dsn=dsn, grpc_port=0, api_token="secret", api_tokens="ann:anns")


def curled(config: Config, job: Callable[[Curl], T]) -> T:
    """Does `job` in a thread beside a service of its own."""

    def done(address: str) -> T:
        curl = Curl(address, "anns")
        try:
            return job(curl)
        finally:
            curl.close()

    async def whole() -> T:
        parts = Store(config.postgres_dsn), Cache(config.redis_url)
        server, address, ended = await start(config, parts)
        try:
            return await asyncio.to_thread(done, address)
        finally:
            await server.stop(0)
            await ended()
            for part in parts:
                await part.close()

    return asyncio.run(whole())


def test_every_method_is_found_and_called_by_its_name_alone(config: Config) -> None:
    service = "marginstream.v1.UserService"

    def job(curl: Curl) -> None:
        assert service in curl.services.get_services()
        assert curl(f"{service}/GetWallet", {"user_id": "123"})["balance"] == "100"
        moved = curl(f"{service}/UpdateWallet", {"user_id": "123", "delta": "-2.5", "id": "c1", "kind": "fee"})
        assert moved["wallet"]["balance"] == "97.5"  # type: ignore[index]
        again = curl(f"{service}/UpdateWallet", {"user_id": "123", "delta": "-2.5", "id": "c1", "kind": "fee"})
        assert (again["repeated_request"], again["delta_id"]) == (True, moved["delta_id"])
        written = curl(f"{service}/SetWallet", {"user_id": "123", "balance": "50", "expected_balance": "97.5"})
        assert Decimal(str(written["balance"])) == 50
        assert curl(f"{service}/SetMetadata", {"user_id": "123", "kyc": True, "risk": "high"})["risk"] == "high"
        assert curl(f"{service}/GetMetadata", {"user_id": USER})["leverage"] == "50"
        health = curl("grpc.health.v1.Health/Check", {"service": service})
        assert health["status"] == "SERVING"
        with pytest.raises(grpc.RpcError) as refused:
            curl(f"{service}/SetWallet", {"user_id": "123", "balance": "1", "expected_balance": "97.5"})
        assert refused.value.code() == grpc.StatusCode.ABORTED

    curled(config, job)
    with psycopg.connect(config.postgres_dsn) as connection:
        assert connection.execute("SELECT DISTINCT actor FROM audit_log WHERE action <> 'opening' AND actor <> 'import'").fetchall() == [
            ("ann",)]
