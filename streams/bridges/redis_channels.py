"""What comes in by Redis: one bridge at a time, by lease, hears both channels, reads the stream and takes over what was there before."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from redis.exceptions import ResponseError

from streams.bridges import redis_metrics as metrics
from streams.bridges.consume import persist
from streams.bridges.redis_import import import_once
from streams.bridges.redis_lease import RENEW_S, TTL_S, Lease
from streams.bridges.redis_market import Market
from streams.bridges.redis_money import AWAY as MONEY_AWAY
from streams.bridges.redis_money import Money
from streams.bridges.redis_updates import Taken, Updates, prepare, read_stream
from streams.cache import keys
from streams.cache.store import AWAY as REDIS_AWAY
from streams.cache.store import Store
from streams.config import Config
from streams.ops.process import pause
from streams.topics import PRICE_TICKS

log = logging.getLogger(__name__)
AWAY = (*REDIS_AWAY, *MONEY_AWAY, KafkaError, ResponseError)
_STREAM_S = 0.1
_SEND_S = 10.0


async def listen(config: Config, store: Store, stop: asyncio.Event) -> None:
    """Listens whenever the lease is ours, until `stop`. What is away is waited for."""
    lease = Lease(store, keys.MARGIN_UPDATES_LEASE)
    while not stop.is_set():
        try:
            if await lease.take():
                metrics.LEASE.set(1)
                await _hold(config, store, lease, stop)
        except AWAY as error:
            log.warning("channels wait, away: %s: %s", type(error).__name__, error)
        finally:
            metrics.LEASE.set(0)
        await pause(stop, RENEW_S)
    try:
        await lease.release()
    except REDIS_AWAY:
        log.warning("lease not given back, redis is away: it ends within %s s", TTL_S)


async def _hold(config: Config, store: Store, lease: Lease, stop: asyncio.Event) -> None:
    """Until the lease is lost, `stop`, or an error; whichever task ends first ends the others."""
    money = Money(config.postgres_dsn)
    producer = AIOKafkaProducer(bootstrap_servers=config.kafka_bootstrap, acks="all", enable_idempotence=True)

    async def send(ticks: list[tuple[str, bytes]]) -> None:
        sent = [await producer.send(PRICE_TICKS, value, name.encode()) for name, value in ticks]
        await asyncio.wait_for(asyncio.gather(*sent), _SEND_S)

    taken = Taken(money.move, config.default_user_type)
    updates, market = Updates(taken), Market(store, send, config.mark_stale_ms)
    hears: dict[str, Callable[[object], None]] = {keys.MARGIN_UPDATES: updates.heard}
    hears |= ({keys.MARKET_PRICE_UPDATES: market.heard} if config.market_feed == "in" else {})
    stream_money = Money(config.postgres_dsn)
    try:
        await producer.start()
        await prepare(store)
        await _first([
            lease.keep(stop), _hear(store, lease, hears, market if config.market_feed == "in" else None),
            _again(updates.apply_next, stop), _again(market.send_next, stop),
            _again(_reader(config, store, stream_money), stop)])
    finally:
        await producer.stop()
        await money.close()
        await stream_money.close()


def _reader(config: Config, store: Store, money: Money) -> Callable[[], Awaitable[object]]:
    imported = False

    async def read() -> None:
        nonlocal imported
        if not imported:
            await import_once(store, money, config.default_user_type)
            imported = True
        if not await read_stream(store, Taken(money.move, config.default_user_type)):
            await asyncio.sleep(_STREAM_S)

    return read


async def _again(job: Callable[[], Awaitable[object]], stop: asyncio.Event) -> None:
    async def once() -> None:
        await job()

    while await persist(once, AWAY, stop):
        pass


async def _first(jobs: list[Awaitable[object]]) -> None:
    tasks = [asyncio.ensure_future(job) for job in jobs]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await _end(tasks)


async def _end(tasks: Sequence["asyncio.Future[object]"]) -> None:
    """Cancels until all are done: a client that is connecting may take the first one for a time-out."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=0.5)
    await asyncio.gather(*tasks, return_exceptions=True)


async def _hear(store: Store, lease: Lease, hears: dict[str, Callable[[object], None]], market: Market | None) -> None:
    """Hands messages over while the lease is held: what lay in a stopped process's socket after that is its successor's."""
    client = await store.client()
    heard = client.pubsub(ignore_subscribe_messages=True)
    try:
        await heard.subscribe(*hears)
        if market:
            await market.read_all()
        while True:
            message = await heard.get_message(timeout=1.0)
            if not lease.held:
                return
            if message and message["type"] == "message":
                channel = message["channel"]
                hears[channel.decode() if isinstance(channel, bytes) else str(channel)](message["data"])
    finally:
        await heard.aclose()  # type: ignore[no-untyped-call]
