"""Where CPU time goes: every stack is of one cost, and the clocks are those of the threads."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from streams.bench.profiled import FETCHING, LOOP, Sampler, cost

Code = tuple[str, str]


def stack(*codes: Code) -> Any:
    """A frame of (path, function) and those around it, the innermost first."""
    found = None
    for path, name in reversed(codes):
        found = SimpleNamespace(f_code=SimpleNamespace(co_filename=path, co_name=name), f_back=found)
    return found


FOLD = ("/x/streams/engine/ledger.py", "fold")
ENTRY = ("/x/site-packages/mode/worker.py", "execute_from_commandline")


@pytest.mark.parametrize(("codes", "expected"), [
    ([("/x/tables/wallet.py", "apply"), FOLD, ("/x/site-packages/faust/agents/agent.py", "run")], "folds"),
    ([("/x/streams/checks.py", "put"), FOLD], "a changed row's rungs and deadlines"),  # the innermost names it
    ([("/x/tables/codec.py", "dump_user"), ("/x/streams/engine/rows.py", "encode"), ("/x/streams/engine/transport.py", "_commit_offsets")],
     "rows and states to bytes"),
    ([("/x/lib/asyncio/streams.py", "write"), ("/x/site-packages/aiokafka/conn.py", "send"), ("/x/site-packages/faust/a.py", "run"), ENTRY],
     "Kafka protocol of producer and group"),
    ([ENTRY, ("/x/site-packages/faust/cli/base.py", "run")], LOOP),  # what started the loop is not what runs in it
    ([("/x/anything.py", "fold")], LOOP),
])
def test_a_stack_is_of_one_cost(codes: list[Code], expected: str) -> None:
    assert cost(stack(*codes)) == expected


def test_what_another_thread_computes_is_counted_by_its_own_clock() -> None:
    ended = threading.Event()

    def spin() -> None:
        while not ended.is_set():
            pass

    other = threading.Thread(target=spin)
    other.start()
    try:
        sampler = Sampler(threading.current_thread())
        sampler.look()
        began_s = time.clock_gettime(time.pthread_getcpuclockid(other.ident or 0))
        while time.clock_gettime(time.pthread_getcpuclockid(other.ident or 0)) - began_s < 0.05:
            time.sleep(0.005)
        sampler.look()
    finally:
        ended.set()
        other.join()
    assert sampler.seconds[FETCHING] >= 0.05
    assert set(sampler.seconds) == {FETCHING}
