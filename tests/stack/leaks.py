"""Where a secret could come out: everything a running stack says, writes or keeps, and the forms in which a secret hides there."""

import asyncio
import base64
import json
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import psycopg
import redis
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg import sql

_KEPT_BY_DESIGN = ("env", "state.json", "vault.json")  # of their owner alone (0600), or what secrets are sealed with
_SERVERS = ("kafka", "redis", "postgres")  # read through their clients: files may be compressed
_PAGES = ("health", "metrics")


def forms(secret: bytes) -> dict[str, bytes]:
    """The secret as it is, in hex, URL-encoded, escaped as JSON does it, and in base64 wherever in a longer text it begins."""
    text = secret.decode("latin-1")
    found = {"raw": secret, "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode(), "url": quote(text, safe="").encode(),
             "url+": quote_plus(text).encode(), "url/": quote(text).encode(), "json": json.dumps(text)[1:-1].encode()}
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + secret).rstrip(b"=")
        part = whole[(0, 2, 3)[before]:len(whole) - bool((before + len(secret)) % 3)]
        found |= {f"base64 after {before}": part, f"base64url after {before}": part.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def leaked(secrets: Mapping[str, bytes], places: Mapping[str, bytes]) -> list[str]:
    """A line for each secret at each place, with its form and what stands around it, the secret itself left out."""
    lines = []
    for name, secret in secrets.items():
        for form, needle in forms(secret).items():
            for place, said in places.items():
                if (at := said.find(needle)) >= 0:
                    around = said[max(0, at - 80):at] + b"***" + said[at + len(needle):at + len(needle) + 40]
                    lines.append(f"{place}: {name} as {form}: {around!r}")
    return lines


def collect(folder: Path, addresses: Mapping[str, str]) -> dict[str, bytes]:
    """Place -> all that is there: files, pages, topics with headers, Redis, tables."""
    found = dict(_files(folder))
    urls = [addresses["MARGINSTREAM_INGEST_URL"], addresses["MARGINSTREAM_API_URL"], *addresses["MARGINSTREAM_WORKER_URLS"].split(","),
            *(file.read_text().strip() for file in (folder / "run").glob("*.url"))]
    found |= dict(_pages(urls))
    found |= asyncio.run(_topics(addresses["MARGINSTREAM_KAFKA_BOOTSTRAP"]))
    found |= dict(_redis(addresses["MARGINSTREAM_REDIS_URL"]))
    return found | dict(_tables(addresses["MARGINSTREAM_POSTGRES_DSN"]))


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for file in folder.rglob("*"):
        inside = file.relative_to(folder)
        if file.is_file() and inside.parts[0] not in _SERVERS and inside.name not in _KEPT_BY_DESIGN:
            yield f"file {inside}", file.read_bytes()


def _pages(urls: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    for url in sorted(set(urls)):
        for page in _PAGES:
            with urllib.request.urlopen(f"http://{url.removeprefix('http://')}/{page}", timeout=10) as answer:
                yield f"page {url}/{page}", answer.read()


async def _topics(bootstrap: str) -> dict[str, bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    found: dict[str, bytearray] = {}
    try:
        there = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=20).topics
        parts = [TopicPartition(name, at) for name, topic in there.items() for at in topic.partitions]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for part, records in (await consumer.getmany(timeout_ms=300)).items():
                found.setdefault(f"topic {part.topic}", bytearray()).extend(b"\n".join(map(_record, records)))
    finally:
        await consumer.stop()
    return {place: bytes(said) for place, said in found.items()}


def _record(one: ConsumerRecord[bytes, bytes]) -> bytes:
    return b"\n".join((one.key or b"", one.value or b"", str(one.headers).encode()))


def _redis(url: str) -> Iterator[tuple[str, bytes]]:
    client = redis.Redis.from_url(url)
    readers: dict[object, Callable[[bytes], object]] = {
        b"string": client.get, b"hash": client.hgetall, b"set": client.smembers, b"list": lambda key: client.lrange(key, 0, -1),
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True), b"stream": client.xrange}
    said = bytearray()
    for key in client.scan_iter(count=1_000):
        said += key + b" " + _plain(readers[client.type(key)](key)) + b"\n"
    client.close()
    yield "redis", bytes(said)


def _plain(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, Mapping):
        return b"\n".join(_plain(one) for pair in value.items() for one in pair)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return b"\n".join(map(_plain, value))
    return str(value).encode()


def _tables(dsn: str) -> Iterator[tuple[str, bytes]]:
    with psycopg.connect(dsn) as connection:
        names = connection.execute("SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE' "
                                   "AND table_schema NOT IN ('pg_catalog', 'information_schema')").fetchall()
        for schema, name in names:
            rows = connection.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, name))).fetchall()
            yield f"table {name}", "\n".join(row[0] for row in rows).encode()
        yield "statements", str(connection.execute("SELECT query FROM pg_stat_activity").fetchall()).encode()
