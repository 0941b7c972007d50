"""The gRPC server as a process: the user service, health and reflection, TLS and token where set."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from streams.admin.store import Store
from streams.cache.store import Store as Cache
from streams.config import BadSetting, Config
from streams.ops import process
from streams.web.grpc_service import GRPC, NAME, WHO, UserService
from streams.web.grpc_wallets import Wallets
from streams.web.grpc_watch import Watchers
from streams.web.tokens import NOBODY, Tokens

log = logging.getLogger(__name__)
_MESSAGE_BYTES_MAX = 64 * 1024
_STOP_S = 5.0


class _Authorised(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc is untyped
    """Every method but those of health asks for a token; whose it is, the method finds in `WHO`."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        given = next((value for key, value in details.invocation_metadata if key == "authorization"), "")
        owner = self._tokens.owner(given.encode() if isinstance(given, str) else bytes(given))
        if details.method.startswith("/grpc.health.") or owner is not None:
            WHO.set(owner if owner and owner != NOBODY else GRPC)
            return await continuation(details)

        async def refuse(_: Any, context: Any) -> None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "expected the metadata authorization: Bearer with the token")

        return grpc.unary_unary_rpc_method_handler(refuse)


async def start(config: Config, parts: tuple[Store, Cache]) -> tuple[Any, str, Callable[[], Awaitable[None]]]:
    """(server, address, what to await when it has stopped). Raises `BadSetting` for TLS files and OSError where the port is taken."""
    store, cache = parts
    watchers = Watchers(cache)
    server = grpc.aio.server(interceptors=[_Authorised(Tokens(config.api_token, config.api_tokens))],
                             options=[("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX), ("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((UserService(Wallets(store, cache), watchers, config.default_user_type).handler(),))
    living = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(living, server)
    for name in ("", NAME):
        await living.set(name, health_pb2.HealthCheckResponse.SERVING)
    reflection.enable_server_reflection((NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
    address = f"{config.grpc_host}:{config.grpc_port}"
    try:
        port = server.add_secure_port(address, _credentials(config)) if config.grpc_tls_cert else server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"grpc at {address}: expected a free port, was {error}") from None
    await server.start()
    listening = asyncio.create_task(watchers.listen())
    return server, f"{config.grpc_host}:{port}", lambda: watchers.close(listening)


def _credentials(config: Config) -> Any:
    if not config.grpc_tls_key:
        raise BadSetting("setting MARGINSTREAM_GRPC_TLS_KEY: expected a file with a certificate's key, was nothing")
    try:
        chain, key = Path(config.grpc_tls_cert).read_bytes(), Path(config.grpc_tls_key).read_bytes()
    except OSError as error:
        raise BadSetting(f"setting MARGINSTREAM_GRPC_TLS_CERT or _KEY: expected readable files, was {error.strerror}") from None
    return grpc.ssl_server_credentials([(key, chain)])


async def _serve(config: Config, stop: asyncio.Event) -> None:
    store, cache = Store(config.postgres_dsn), Cache(config.redis_url)
    server, address, ended = await start(config, (store, cache))
    process.tell_address(config, "grpc.address", address)
    log.info("user service at %s", address)
    try:
        await stop.wait()
        await server.stop(_STOP_S)
    finally:
        await ended()
        await store.close()
        await cache.close()


def main(config: Config) -> None:
    """The service until SIGTERM; calls that run get five seconds."""
    process.run(config, "grpc", lambda stop: _serve(config, stop))
