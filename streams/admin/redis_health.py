"""The pages `/api/redis-health`: whether Redis and its mirror keep up, whether all hold the same of a user, and a user written again."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psycopg
from aiohttp import web
from aiokafka.errors import KafkaError
from redis import RedisError
from redis.asyncio import Redis

from schemas.engine_pb2 import UserState
from schemas.keys import BadKey, user_key
from schemas.money import parse, say_short
from streams.admin.desk import once, respond
from streams.admin.store import Answered
from streams.admin.store import Store as Answers
from streams.bridges import compare
from streams.bridges.rebuild import newest_state, refresh
from streams.cache import keys
from streams.cache.store import AWAY, Store
from streams.config import Config
from streams.ops.health import answer
from streams.topics import ACCOUNT_STATES
from streams.web.inspection import Refused

Json = dict[str, object]
_FLUSHED_MS = 10_000  # by then `user_wallets` has what a state says
_LEDGER = """SELECT coalesce(sum(amount), 0)::text FROM transactions AS t JOIN users AS u USING (user_key)
    WHERE u.user_key = %s AND t.account_id = 'house' AND t.asset = u.currency"""


class RedisHealth:
    """Over a store of its own: what it asks waits for nobody. `answers` keeps what idempotency keys were answered."""

    def __init__(self, config: Config, answers: Answers) -> None:
        self._config, self._store, self._answers = config, Store(config.redis_url), answers

    def routes(self) -> list[web.RouteDef]:
        base = "/api/redis-health"
        return [web.get(f"{base}/status", self.status), web.get(f"{base}/cluster-info", self.cluster_info),
                web.get(f"{base}/user/{{user}}/consistency", self.consistency),
                web.post(f"{base}/user/{{user}}/force-refresh", self.force_refresh)]

    async def status(self, _: web.Request) -> web.Response:
        """`ok`, `degraded` (the mirror is behind or not there) or `away`."""
        began = time.perf_counter()
        try:
            alive, wallets = await self._store.run([("GET", keys.MIRROR_ALIVE), ("HLEN", keys.USER_WALLETS)])
        except AWAY as error:
            return answer({"status": "away", "error": f"{type(error).__name__}", "mirror": {"alive": False}})
        return answer({"status": "ok" if alive else "degraded", "ping_us": int((time.perf_counter() - began) * 1_000_000),
                       "mirror": {"alive": bool(alive), "said_ms": int(alive) if isinstance(alive, bytes) and alive.isdigit() else None},
                       "user_wallets": wallets})

    async def cluster_info(self, _: web.Request) -> web.Response:
        """Mode, nodes, version and memory of each."""
        try:
            client = await self._store.client()
            infos = {"single": await client.info()} if isinstance(client, Redis) else {
                node.name: await node.execute_command("INFO") for node in client.get_primaries()}
            said = [] if isinstance(client, Redis) else [await client.cluster_info()]
        except (*AWAY, RedisError) as error:
            raise Refused(503, "away", f"redis: expected an answer, was {type(error).__name__}") from None
        nodes = [{"node": name, **_shown(info)} for name, info in sorted(infos.items())]
        state = said[0] if said else {}
        return answer({"mode": "cluster" if said else "single", "nodes": nodes, "state": str(state.get("cluster_state", "ok")),
                       "slots_covered": int(str(state.get("cluster_slots_ok", 16_384)))})

    async def consistency(self, request: web.Request) -> web.Response:
        """Field by field at the versions they are at; `consistent` where all that are at one version say the same."""
        user = self._user(request)
        try:
            record = await newest_state(self._config, user)
        except KafkaError as error:
            raise Refused(503, "away", f"kafka: expected an answer, was {type(error).__name__}") from None
        if record is None:
            raise Refused(404, "unknown_user", f"user: expected a known user, was {user}", "user")
        state = UserState.FromString(record.value or b"")
        found = await asyncio.to_thread(self._mirrors, user)
        lines: list[str] = []
        expected = {"postgres": compare.canonical_state(state), "redis": compare.canonical_cache(state)}
        version = f"{state.generation} {state.version}"
        versions: Json = {ACCOUNT_STATES: version}
        for name, form in expected.items():
            held = found[name]
            versions[name] = held.get("version") if isinstance(held, dict) else None
            lines += [f"{name}: {held}"] if isinstance(held, str) else [
                f"{name}: {line}" for line in compare.differences({user: form}, {user: held} if held else {})]
        lines += _money(found, expected["redis"]["wallet_balance"], is_still=time.time() * 1000 - record.timestamp > _FLUSHED_MS)
        behind = [name for name in expected if versions[name] != version]
        return answer({"user": user, "consistent": not lines, "differences": lines, "versions": versions, "behind": behind,
                       "ledger_balance": found["ledger"]})

    def _mirrors(self, user: str) -> dict[str, Any]:
        """What each store holds of a user, or why it does not answer."""
        return {"postgres": _asked(lambda: compare.postgres_rows(self._config.postgres_dsn, [user]).get(user, {})),
                "redis": _asked(lambda: compare.redis_rows(self._config.redis_url, [user]).get(user, {})),
                "wallets": _asked(lambda: compare.redis_wallets(self._config.redis_url, [user], self._config.default_user_type)[user]),
                "ledger": _asked(lambda: _ledger(self._config.postgres_dsn, user))}

    async def force_refresh(self, request: web.Request) -> web.Response:
        """What Redis holds of a user, forgotten and written again from the topic of states.

        Twice is as once; a key still answers as before, with that version, and needs Postgres, which without one is not asked.
        """
        user = self._user(request)
        key = once(request, {"user": user})
        if before := await self._answers.answered(key):
            return respond(before)
        try:
            version = await refresh(self._config, self._store, user)
        except KafkaError as error:
            raise Refused(503, "away", f"kafka: expected an answer, was {type(error).__name__}") from None
        except AWAY as error:
            raise Refused(503, "away", f"redis: expected an answer, was {type(error).__name__}") from None
        if version is None:
            raise Refused(404, "unknown_user", f"user: expected a known user, was {user}", "user")
        body: Json = {"user": user, "refreshed": True, "version": version}
        return respond(await self._answers.keep(key, 200, body) if key else Answered(200, body))

    def _user(self, request: web.Request) -> str:
        try:
            user = user_key(request.match_info["user"], request.query.get("user_type", self._config.default_user_type))
            return user_key(user, "")  # the type that was asked for, too, has a form
        except BadKey as error:
            raise Refused(400, "bad_user", str(error), "user") from None


def _asked(read: Callable[[], object]) -> object:
    try:
        return read()
    except (psycopg.Error, RedisError) as error:
        return f"expected an answer, was {type(error).__name__}"


def _ledger(dsn: str, user: str) -> str:
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        row = connection.execute(_LEDGER.encode(), [user]).fetchone()
    return say_short(parse(str(row[0]) if row else "0"))


def _money(found: dict[str, Any], wallet: str, *, is_still: bool) -> list[str]:
    ledger, wallets = str(found["ledger"]), found["wallets"]
    lines = [] if ledger == wallet else [f"ledger: expected {wallet}, was {ledger}"]
    return lines + [f"redis: {key}: expected {wallet}, was {text}" for key, text in wallets.items() if text != wallet] \
        if isinstance(wallets, dict) and is_still else lines


def _shown(info: object) -> Json:
    text = {str(key): value for key, value in info.items()} if isinstance(info, dict) else {}
    return {"version": str(text.get("redis_version", "")), "used_memory": text.get("used_memory"),
            "connected_clients": text.get("connected_clients"), "role": text.get("role"), "uptime_s": text.get("uptime_in_seconds")}
