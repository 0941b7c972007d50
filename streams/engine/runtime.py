"""The interpreter under a worker: its event loop and how often it looks for reference cycles."""

import asyncio
import ctypes
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import mode.loop

YOUNG, MIDDLE, OLD = 50_000, 20, 50  # Python's own: 700, 10, 10
SWITCH_S = 0.0005  # Python's own: 0.005


def tune() -> None:
    """Before the first event loop is made: uvloop, and a collector that does not walk all rows again and again.

    Rows are frozen trees without cycles, freed by reference counts. At Python's own thresholds two thirds of a fold's time
    over 10,000 users went into collections that found nothing. Faust reads `-L` at its import, so that only its own command
    line could say it; its consumer thread makes a loop of the same policy. That thread asks for the interpreter after each of its
    system calls, several times a fetch, and gets it from a busy loop after the switch interval: at Python's own a worker at 0.9 of a
    core answered in 217 ms, at this one in 57, minutes apart.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    mode.loop.use("uvloop")


@asynccontextmanager
async def filling() -> AsyncIterator[None]:
    """While rows come in by the hundred thousand: nothing looks for cycles, and afterwards never among what stands by then.

    Rows were bytes until they were read: what those took goes back to the system where the C library has a call for it (glibc).
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        await asyncio.to_thread(trim, 0)
