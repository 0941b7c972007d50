"""Rules in Postgres: what was said and when, and what of it the topic has not acknowledged yet."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import psycopg
from google.protobuf import json_format
from psycopg.types.json import Jsonb

from schemas import engine_pb2 as pb
from streams.rules.reading import Json, json_of
from streams.stack.process import StackError

Connection = psycopg.Connection[tuple[object, ...]]


class Stored(NamedTuple):
    """A rule as it is kept; times in ms, `published_ms` None where the topic does not have it yet."""

    message: pb.RiskRule
    changed_by: str
    updated_ms: int
    published_ms: int | None


@contextmanager
def connected(dsn: str) -> Iterator[Connection]:
    """One transaction; raises `StackError` where Postgres does not answer or has no such tables."""
    try:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise StackError(f"postgres: expected an answer, was {' '.join(str(error).split())}") from None
    except psycopg.errors.UndefinedTable as error:
        raise StackError(f"postgres: expected the schema (the Postgres bridge makes it), was {error.diag.message_primary}") from None


def store(connection: Connection, rules: Sequence[pb.RiskRule], actor: str) -> int:
    """Keeps validated rules; how many were new or other than before."""
    row = connection.execute("SELECT store_rules(%s, %s)", [Jsonb([json_of(rule) for rule in rules]), actor]).fetchone()
    return row[0] if row and isinstance(row[0], int) else 0


def stored(connection: Connection, rule_id: str | None = None) -> list[Stored]:
    """Every rule that is kept, or every version of one, by id and time."""
    rows = connection.execute(
        "SELECT rule, changed_by, (extract(epoch FROM updated_at) * 1000)::BIGINT, (extract(epoch FROM published_at) * 1000)::BIGINT"
        " FROM risk_rules WHERE %s::TEXT IS NULL OR rule_id = %s ORDER BY rule_id, effective_from_ms", [rule_id, rule_id])
    return [Stored(_message(rule), str(actor), _ms(updated) or 0, _ms(published)) for rule, actor, updated, published in rows]


def waiting(connection: Connection, *, again: bool) -> list[pb.RiskRule]:
    """Rules to be published in the order of their change, all of them with `again`; locked until the transaction ends."""
    rows = connection.execute("SELECT rule FROM risk_rules WHERE %s OR published_at IS NULL"
                              " ORDER BY updated_at, rule_id, effective_from_ms FOR UPDATE", [again])
    return [_message(rule) for rule, in rows]


def published(connection: Connection, rules: Sequence[pb.RiskRule]) -> None:
    """Notes that the topic has acknowledged them."""
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE risk_rules SET published_at = clock_timestamp() WHERE rule_id = %s AND effective_from_ms = %s",
                           [(rule.rule_id, rule.effective_from_ms) for rule in rules])


def shown(found: Stored) -> Json:
    """A kept rule as JSON."""
    return {**json_of(found.message), "changed_by": found.changed_by, "updated_ms": found.updated_ms, "published_ms": found.published_ms}


def _message(value: object) -> pb.RiskRule:
    assert isinstance(value, dict)
    return json_format.ParseDict(value, pb.RiskRule())


def _ms(value: object) -> int | None:
    return value if isinstance(value, int) else None
