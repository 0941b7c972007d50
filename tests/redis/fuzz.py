"""Malformed market hashes and channel messages from a seed: `python -m tests.redis.fuzz --count 100000`."""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from streams.bridges.redis_reading import BadMessage, read_metadata, read_quote, read_symbol, read_update

NOW = 1_705_314_600_000
_GOOD_HASH = [b"1.0790", b"1.0792", b"1705314600000"]
_WORDS: list[object] = [b"", b" ", b"nan", b"NaN", b"inf", b"-inf", b"Infinity", b"1e999", b"1e-999", b"-0", b"0", b"0.0", b"-1.5", b"--1",
                        b"1.2.3", b"1,5", b"0x10", b"1_000", b"\xff\xfe", b"\x00", "1\u0661".encode(), "\u0661".encode(), b"true", b"null",
                        b"{}", b"[]", b"9" * 70, b"1" + b"0" * 40, None, 5, 1.5, float("nan"), b"1e", b"+", b".", b"e5", b"1 0", b"\n1",
                        b"1\n", b"00:00", b"2024-13-45T99:99:99Z", b"99999-01-01", b"-62135596800000", b"1705314600"]
_GOOD_MESSAGE = {"user_id": "123", "delta": "5.5", "id": "d1", "reason": "realised_pnl"}


class Found(NamedTuple):
    """What came of it. `prices`: malformed hashes that became a price; there must be none."""

    crashed: list[str]
    prices: list[str]
    refused: int
    good: int
    good_read: int


def fuzz(seed: int, count: int) -> Found:
    """Reads `count` malformed texts, and one good one in twenty beside them."""
    chance, crashed, prices = random.Random(seed), list[str](), list[str]()
    refused = good = good_read = 0
    for number in range(count):
        name, read, is_price = _malformed(chance)
        try:
            read()
            prices += [name] if is_price else []
        except BadMessage:
            refused += 1
        except Exception as error:
            crashed.append(f"{name}: {error!r}")
        if number % 20 == 0:
            good += 2
            good_read += read_quote("EURUSD", _GOOD_HASH, NOW).time_ms == NOW
            good_read += read_update(json.dumps(_GOOD_MESSAGE).encode(), "live").amount == "5.5"
    return Found(crashed, prices, refused, good, good_read)


def _malformed(chance: random.Random) -> tuple[str, Callable[[], object], bool]:
    kind = chance.randrange(4)
    if kind == 0:
        values = _hash(chance)
        return f"hash {values!r}", lambda: read_quote("EURUSD", values, NOW), True
    if kind == 1:
        text = _message(chance)
        return f"message {text!r}", lambda: read_update(text, "live"), False
    raw = chance.choice([chance.randbytes(chance.randrange(0, 40)), _mutated(chance, b"kyc:true,risk:high,lev:50")])
    if kind == 2:
        symbol = b"\x01" + raw  # a symbol begins with a letter or digit
        return f"symbol {symbol!r}", lambda: read_symbol(symbol), True
    return f"metadata {raw!r}", lambda: read_metadata(raw), False


def _hash(chance: random.Random) -> object:
    """Never a good one: a bad word in a field, the sides swapped, fields missing or too many, or no list."""
    values: list[object] = list(_GOOD_HASH)
    kind = chance.randrange(5)
    if kind < 2:
        values[chance.randrange(3)] = chance.choice(_WORDS)
    elif kind == 2:
        values[0], values[1] = b"1.0793", b"1.0792"
        values[2] = chance.choice([*_WORDS, _GOOD_HASH[2]])
    elif kind == 3:
        return values[: chance.randrange(3)] if chance.random() < 0.5 else [*values, b"1"]
    else:
        return chance.choice([None, {}, b"1", 5, "abc", {"bid": 1}])
    return values


def _message(chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(0, 60))
    if chance.random() < 0.5:
        return _mutated(chance, json.dumps(_GOOD_MESSAGE).encode())
    said: dict[str, object] = dict(_GOOD_MESSAGE)
    said[chance.choice(list(said))] = chance.choice([None, [], {}, True, "", "nan", "1e400", -0.0, "x y", 10**30, float("nan"), "{"])
    return json.dumps(said).encode()


def _mutated(chance: random.Random, text: bytes) -> bytes:
    found = bytearray(text)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(found)) if found else 0
        change = chance.randrange(3)
        if change == 0 and found:
            found[at] = chance.randrange(256)
        elif change == 1 and found:
            del found[at : at + chance.randrange(1, 5)]
        else:
            found[at:at] = chance.randbytes(chance.randrange(1, 4))
    return bytes(found)


def main() -> int:
    """Prints what came of it; 1 where anything crashed or became a price."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--count", type=int, default=100_000)
    given = options.parse_args()
    began = time.monotonic()
    found = fuzz(given.seed, given.count)
    print(json.dumps({"seed": given.seed, "count": given.count, "refused": found.refused, "crashed": len(found.crashed),
                      "prices": len(found.prices), "seconds": round(time.monotonic() - began, 1)}))
    for line in [*found.crashed, *found.prices][:20]:
        print(line, file=sys.stderr)
    return 1 if found.crashed or found.prices or found.good != found.good_read else 0


if __name__ == "__main__":
    sys.exit(main())
