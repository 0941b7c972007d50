"""The interpreter under a worker: its event loop and how often it looks for reference cycles."""

import gc
import sys

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
