"""How long to wait before trying again: exponential with full jitter."""

import random

FIRST_MS, CEILING_MS = 1_000, 60_000


def wait_ms(failures: int, chance: random.Random) -> int:
    """0 to min(60 s, 1 s x 2^failures), evenly: those who fell together do not come back together."""
    return int(chance.uniform(0, min(CEILING_MS, FIRST_MS * 2 ** min(failures, 16))))
