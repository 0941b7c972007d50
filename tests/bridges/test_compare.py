"""Reading Redis for comparison: a user that is written meanwhile is read again, never compared in halves."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis

from streams.bridges.compare import redis_rows
from streams.cache import keys
from streams.topics import ACCOUNT_STATES

USER = "torn:1"


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with closing(redis.Redis.from_url(redis_url, decode_responses=True)) as found:
        found.delete(keys.versions(USER), keys.config(USER))
        found.hset(keys.versions(USER), ACCOUNT_STATES, "1 1")
        found.hset(keys.config(USER), mapping={"wallet_balance": "1"})
        yield found
        found.delete(keys.versions(USER), keys.config(USER))


@pytest.mark.parametrize(("writes", "expected"), [(0, ("1 1", "1")), (3, ("1 4", "4")), (1_000, None)])
def test_version_and_content_are_of_one_write(
    writes: int, expected: tuple[str, str] | None, client: redis.Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that strikes between the two reads of the version, so many times."""
    left = [writes]
    execute = redis.client.Pipeline.execute

    def torn(self: redis.client.Pipeline, raise_on_error: bool = True) -> list[object]:
        answers: list[object] = execute(self, raise_on_error)
        if left[0] > 0:
            left[0] -= 1
            number = 1 + writes - left[0]
            client.hset(keys.versions(USER), ACCOUNT_STATES, f"1 {number}")
            client.hset(keys.config(USER), mapping={"wallet_balance": str(number)})
            answers[2] = f"1 {number}"
        return answers

    monkeypatch.setattr(redis.client.Pipeline, "execute", torn)
    found = redis_rows(redis_url).get(USER)
    assert (found and (found["version"], found["wallet_balance"])) == expected
