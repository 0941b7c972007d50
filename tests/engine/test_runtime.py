"""The interpreter under a worker: while rows come in its collector rests, and never again walks what stands by then."""

import gc
from collections.abc import Iterator

import pytest

from streams.engine.runtime import filling


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


async def test_nothing_looks_for_cycles_while_rows_come_in() -> None:
    before = gc.get_freeze_count()
    async with filling():
        assert not gc.isenabled()
        rows: list[list[int]] = [[] for _ in range(1_000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(rows)


async def test_a_filling_that_fails_leaves_the_collector_on() -> None:
    with pytest.raises(ValueError, match="expected"):
        async with filling():
            raise ValueError("expected a row, was none")
    assert gc.isenabled()
