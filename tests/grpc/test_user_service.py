"""The user service: one money path, typed errors, Redis with Postgres behind it, health, reflection, token and TLS."""

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import grpc
import psycopg
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from schemas import user_service_pb2 as pb
from streams.cache import keys
from streams.config import Config
from tests.grpc.calling import Caller, called, serving
from tests.redis.states import run, state, write

USER = "live:123"
CREATE = '{"user_key": "live:123", "profile": {"leverage": "50", "kyc": true, "risk_tier": "high"}, "wallet_balance": "100", "action": "x"}'
Code = grpc.StatusCode


@pytest.fixture
def config(single: str, dsn: str) -> Config:
    with psycopg.connect(dsn) as connection:
        connection.execute("SELECT create_user(%s)", [CREATE])
    return Config(redis_url=single, postgres_dsn=dsn)


def ledger(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("SELECT trim_scale(amount)::text FROM transactions WHERE kind <> 'opening' ORDER BY created_at")
        return [str(amount) for (amount,) in rows.fetchall()]


def mirrored(url: str, balance: str) -> None:
    """Redis with this balance, and a mirror that is alive."""
    write(url, state(balance=balance))
    run(url, lambda store: store.run([("SET", keys.MIRROR_ALIVE, "1", "PX", 60_000)]))


def test_redis_is_read_while_its_mirror_is_alive_else_postgres(config: Config, single: str) -> None:
    async def read(caller: Caller) -> tuple[str, str]:
        found = await caller("GetWallet", pb.GetWalletRequest(user_id="123"))
        assert (found.user_id, found.currency) == (USER, "USD")
        assert found.updated_ms > 1_600_000_000_000
        return found.balance, found.source

    assert called(config, read) == ("100", "postgres")
    write(single, state(balance="77"))
    assert called(config, read) == ("100", "postgres")
    mirrored(single, "77")
    assert called(config, read) == ("77", "redis")
    assert called(Config(redis_url="redis://127.0.0.1:1/0", postgres_dsn=config.postgres_dsn), read) == ("100", "postgres")


def test_compare_and_set(config: Config) -> None:
    async def job(caller: Caller) -> None:
        said = await caller("SetWallet", pb.SetWalletRequest(user_id=USER, balance="150.25", expected_balance="100.00", id="s1"))
        assert (said.balance, said.source) == ("150.25", "postgres")
        again = await caller("SetWallet", pb.SetWalletRequest(user_id=USER, balance="150.25", expected_balance="100.00", id="s1"))
        assert again.balance == "150.25"
        late = pb.SetWalletRequest(user_id=USER, balance="1", expected_balance="100")
        assert await caller.refused("SetWallet", late) == (Code.ABORTED, "balance_changed")
        other = pb.SetWalletRequest(user_id=USER, balance="9", expected_balance="150.25", id="s1")
        assert await caller.refused("SetWallet", other) == (Code.FAILED_PRECONDITION, "idempotency_conflict")

    called(config, job)
    assert ledger(config.postgres_dsn) == ["50.25"]


def test_a_delta_is_taken_once_by_its_id_and_who_wrote_it_reads_it(config: Config, single: str) -> None:
    mirrored(single, "100")

    async def job(caller: Caller) -> None:
        request = pb.UpdateWalletRequest(user_id="123", delta="-5.50", id="u1", kind="funding")
        first, again = await caller("UpdateWallet", request), await caller("UpdateWallet", request)
        assert (first.wallet.balance, first.repeated_request, again.repeated_request) == ("94.50", False, True)
        assert first.delta_id == again.delta_id == "grpc/1/u1"
        read = await caller("GetWallet", pb.GetWalletRequest(user_id=USER))
        assert (read.balance, read.source) == ("94.50", "postgres")  # Redis still says 100
        await asyncio.to_thread(write, single, state(2, "94.5"))
        read = await caller("GetWallet", pb.GetWalletRequest(user_id=USER))
        assert (read.balance, read.source) == ("94.5", "redis")

    called(config, job)
    assert ledger(config.postgres_dsn) == ["-5.5"]


def test_many_at_once_are_each_taken_once(config: Config) -> None:
    async def job(caller: Caller) -> None:
        requests = [pb.UpdateWalletRequest(user_id=USER, delta="1", id=f"u{number}") for number in range(20)] * 3
        await asyncio.gather(*(caller("UpdateWallet", request) for request in requests))
        read = await caller("GetWallet", pb.GetWalletRequest(user_id=USER))
        assert read.balance == "120"

    called(config, job)
    assert ledger(config.postgres_dsn) == ["1"] * 20


def test_metadata(config: Config) -> None:
    async def job(caller: Caller) -> None:
        before = await caller("GetMetadata", pb.GetMetadataRequest(user_id=USER))
        assert (before.kyc, before.risk, before.leverage) == (True, "high", "50")
        after = await caller("SetMetadata", pb.SetMetadataRequest(user_id=USER, risk="low", leverage="20"))
        assert (after.kyc, after.risk, after.leverage) == (True, "low", "20")
        after = await caller("SetMetadata", pb.SetMetadataRequest(user_id=USER, kyc=False))
        assert (after.kyc, after.risk) == (False, "low")

    called(config, job)


def set_(balance: str = "1", expected: str = "1", **more: Any) -> pb.SetWalletRequest:
    return pb.SetWalletRequest(user_id=more.pop("user_id", USER), balance=balance, expected_balance=expected, **more)


def update(delta: str = "1", **more: Any) -> pb.UpdateWalletRequest:
    return pb.UpdateWalletRequest(user_id=more.pop("user_id", USER), delta=delta, **{"id": "x", **more})


BAD: dict[str, tuple[str, Any, Any]] = {
    "no user": ("GetWallet", pb.GetWalletRequest(), Code.INVALID_ARGUMENT),
    "odd user": ("GetWallet", pb.GetWalletRequest(user_id="a b{c}"), Code.INVALID_ARGUMENT),
    "unknown user": ("GetWallet", pb.GetWalletRequest(user_id="live:9999"), Code.NOT_FOUND),
    "unknown user to set": ("SetWallet", set_(user_id="live:9999"), Code.NOT_FOUND),
    "unknown user to update": ("UpdateWallet", update(user_id="live:9999"), Code.NOT_FOUND),
    "nothing expected": ("SetWallet", pb.SetWalletRequest(user_id=USER, balance="1"), Code.INVALID_ARGUMENT),
    "no number": ("SetWallet", set_("much"), Code.INVALID_ARGUMENT),
    "NaN": ("SetWallet", set_("NaN"), Code.INVALID_ARGUMENT),
    "infinite": ("UpdateWallet", update("Infinity"), Code.INVALID_ARGUMENT),
    "huge": ("UpdateWallet", update("1e29"), Code.INVALID_ARGUMENT),
    "too fine": ("UpdateWallet", update("0.0000000000000000001"), Code.INVALID_ARGUMENT),
    "zero": ("UpdateWallet", update("0"), Code.INVALID_ARGUMENT),
    "a deposit below zero": ("UpdateWallet", update("-1", kind="deposit"), Code.INVALID_ARGUMENT),
    "odd kind": ("UpdateWallet", update(kind="withdrawal"), Code.INVALID_ARGUMENT),
    "no id": ("UpdateWallet", update(id=""), Code.INVALID_ARGUMENT),
    "odd id": ("UpdateWallet", update(id="a b"), Code.INVALID_ARGUMENT),
    "odd note": ("UpdateWallet", update(note="\x00"), Code.INVALID_ARGUMENT),
    "no metadata": ("SetMetadata", pb.SetMetadataRequest(user_id=USER), Code.INVALID_ARGUMENT),
    "odd leverage": ("SetMetadata", pb.SetMetadataRequest(user_id=USER, leverage="-1"), Code.INVALID_ARGUMENT),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_typed_error_and_nothing_is_written(config: Config, name: str) -> None:
    method, request, code = BAD[name]
    assert called(config, lambda caller: caller.refused(method, request))[0] == code
    assert ledger(config.postgres_dsn) == []


def test_without_postgres_writes_are_unavailable(config: Config) -> None:
    away = Config(redis_url=config.redis_url, postgres_dsn="postgresql://127.0.0.1:1/x")
    assert called(away, lambda caller: caller.refused("UpdateWallet", update()))[0] == Code.UNAVAILABLE


def test_a_watcher_sees_now_and_every_change(config: Config, single: str) -> None:
    mirrored(single, "100")

    async def job(caller: Caller) -> list[str]:
        watch, seen = caller.watch("123"), []
        async for wallet in watch:
            seen.append(wallet.balance)
            if len(seen) == 3:
                watch.cancel()
                return seen
            await asyncio.to_thread(write, single, state(len(seen) + 1, str(100 + len(seen))))
        return seen

    assert called(config, job) == ["100", "101", "102"]


def test_who_watches_nobody_is_told(config: Config) -> None:
    async def job(caller: Caller) -> Any:
        try:
            return [one async for one in caller.watch("live:9999")]
        except grpc.aio.AioRpcError as error:
            return error.code()

    assert called(config, job) == Code.NOT_FOUND


def test_a_token_is_asked_for_except_by_health(config: Config) -> None:
    async def job(caller: Caller) -> None:
        assert (await caller("GetWallet", pb.GetWalletRequest(user_id=USER))).balance == "100"
        for stranger in (Caller(caller.channel), Caller(caller.channel, "wrong")):
            assert (await stranger.refused("GetWallet", pb.GetWalletRequest(user_id=USER)))[0] == Code.UNAUTHENTICATED
        check = caller.channel.unary_unary("/grpc.health.v1.Health/Check", request_serializer=lambda message: message.SerializeToString(),
                                           response_deserializer=health_pb2.HealthCheckResponse.FromString)
        assert (await check(health_pb2.HealthCheckRequest(service="marginstream.v1.UserService"))).status == 1

    called(Config(redis_url=config.redis_url, postgres_dsn=config.postgres_dsn, api_token="secret"), job)


def test_the_audit_log_says_whose_token_it_was(config: Config) -> None:
    async def job(caller: Caller) -> None:
        for number, token in enumerate(("secret", "anns")):
            await Caller(caller.channel, token)("UpdateWallet", pb.UpdateWalletRequest(user_id=USER, delta="1", id=f"u{number}"))
        await Caller(caller.channel, "anns")("SetMetadata", pb.SetMetadataRequest(user_id=USER, kyc=True))

    called(Config(redis_url=config.redis_url, postgres_dsn=config.postgres_dsn, api_token="secret", api_tokens="ann:anns"), job)
    with psycopg.connect(config.postgres_dsn) as connection:
        found = connection.execute("SELECT actor, action FROM audit_log ORDER BY id DESC LIMIT 3").fetchall()
    assert found == [("ann", "metadata_set"), ("ann", "adjustment"), ("grpc", "adjustment")]


def test_reflection_names_the_service_as_grpcurl_asks(config: Config) -> None:
    async def job(caller: Caller) -> list[str]:
        ask = caller.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                           request_serializer=lambda message: message.SerializeToString(),
                                           response_deserializer=reflection_pb2.ServerReflectionResponse.FromString)
        call = ask(iter([reflection_pb2.ServerReflectionRequest(list_services=""),
                         reflection_pb2.ServerReflectionRequest(file_containing_symbol="marginstream.v1.UserService")]))
        answers = [answer async for answer in call]
        assert answers[1].file_descriptor_response.file_descriptor_proto
        return [service.name for service in answers[0].list_services_response.service]

    assert "marginstream.v1.UserService" in called(config, job)


def test_tls(config: Config, tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                           "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no openssl on the PATH")
    own = Config(redis_url=config.redis_url, postgres_dsn=config.postgres_dsn, grpc_tls_cert=str(cert), grpc_tls_key=str(key))

    def channel(address: str) -> Any:
        return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(cert.read_bytes()))

    async def job() -> str:
        async with serving(own, channel) as caller:
            return str((await caller("GetWallet", pb.GetWalletRequest(user_id=USER))).balance)

    assert asyncio.run(job()) == "100"
