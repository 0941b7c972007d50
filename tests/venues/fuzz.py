"""Mutated frames: whatever bytes a venue sends are facts, a word for the session, or a dead letter; never a crash, never silence."""

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.names import DEAD_LETTERS
from streams.bench import results
from streams.venues.decode import VENUES, normalise, unreadable
from streams.venues.frames import Receipt, Unreadable
from tests.venues.corpus import FRAMES
from tests.venues.payloads import raw, samples

JUNK: tuple[Any, ...] = (None, "", "0", "-1", "NaN", "1e400", "٣", "abc", "\ud800", "\0", 0, -1, 2**70, 1.5, True, [], {}, [[]], [None],
    {"": 1},
                         "9" * 70, "x" * 5_000, [{}], {"a": {"a": {}}}, "2024-01-01", "0x10", " 1", "1_000", "+5", ".5", "-0")


def corpus(venue: str) -> list[bytes]:
    """Our own frames, and those beside the checkout where there are any."""
    return [raw(frame) for frame in FRAMES[venue]] + [raw(frame) for one in samples() if one.venue == venue for frame in one.frames]


def mutate(frame: bytes, chance: random.Random) -> bytes:
    """The frame with one to three wounds, in its bytes or in its values."""
    for _ in range(chance.randint(1, 3)):
        frame = chance.choice((_flip, _cut, _insert, _replace, _replace, _replace, _drop, _rename, _repeat))(frame, chance)
    return frame


def run(venue: str, frames: int, seed: int) -> Counter[str]:
    """What became of each: `facts`, `signals`, `letters` (unknown events) and `unreadable`; anything else raises."""
    chance, found, receipt = random.Random(f"{venue} {seed}"), Counter[str](), Receipt("live:1", "a1")
    pool = corpus(venue)
    for _ in range(frames):
        found[outcome(venue, mutate(chance.choice(pool), chance), receipt)] += 1
    return found


def outcome(venue: str, frame: bytes, receipt: Receipt) -> str:
    """One frame's fate. Raises what is not `Unreadable`, with the frame."""
    try:
        told = normalise(venue, frame, receipt)
    except Unreadable as error:
        assert unreadable(venue, frame, receipt, str(error)).topic == DEAD_LETTERS
        return "unreadable"
    except Exception as error:
        raise AssertionError(f"{venue}: {frame!r}") from error
    if not told.events:
        assert told.signal is not None, f"{venue}: silently dropped {frame!r}"
        return "signals"
    return "letters" if told.events[0].topic == DEAD_LETTERS else "facts"


def _flip(frame: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(frame) or 1)
    return frame[:at] + bytes([chance.randrange(256)]) + frame[at + 1 :]


def _cut(frame: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(frame) + 1)
    return frame[:at] if chance.random() < 0.5 else frame[:at] + frame[at + chance.randint(1, 20) :]


def _insert(frame: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(frame) + 1)
    return frame[:at] + chance.choice((b"\xff", b'"', b"{", b"}", b",", b"[", b"NaN", b"-", b"1e999", b"\xef\xbb\xbf",
        b"[" * 2_000)) + frame[at:]


def _replace(frame: bytes, chance: random.Random) -> bytes:
    return _within(frame, chance, lambda holder, name: holder.__setitem__(name, chance.choice(JUNK)))


def _drop(frame: bytes, chance: random.Random) -> bytes:
    return _within(frame, chance, lambda holder, name: holder.__delitem__(name))


def _rename(frame: bytes, chance: random.Random) -> bytes:
    def renamed(holder: Any, name: Any) -> None:
        if isinstance(holder, dict):
            holder[chance.choice(("e", "o", "data", "topic", "T", "x" * 40, ""))] = holder.pop(name)

    return _within(frame, chance, renamed)


def _repeat(frame: bytes, chance: random.Random) -> bytes:
    def repeated(holder: Any, name: Any) -> None:
        if isinstance(holder, list):
            holder.append(holder[name])

    return _within(frame, chance, repeated)


def _within(frame: bytes, chance: random.Random, wound: Any) -> bytes:
    """Wounds a random place of the frame's JSON; bytes that are none any more stay."""
    try:
        found = json.loads(frame)
    except (ValueError, RecursionError):
        return frame
    places = list(_places(found))
    if places:
        wound(*chance.choice(places))
    return raw(found)


def _places(value: Any) -> Sequence[tuple[Any, Any]]:
    if not isinstance(value, dict | list):
        return ()
    names = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, name) for name in names] + [place for name in names for place in _places(value[name])]


def main() -> int:
    """A line of JSON a venue; exit 1 at the first frame that breaks a normaliser."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--frames", type=int, default=100_000, help="of each venue")
    options.add_argument("--results", type=Path, help="a file that keeps the lines")
    chosen = options.parse_args()
    for venue in VENUES:
        began = time.monotonic()
        found = run(venue, chosen.frames, chosen.seed)
        decoded = found["facts"] + found["signals"]
        dead = found["letters"] + found["unreadable"]
        line = results.stamped({"run": "fuzz", "venue": venue, "corpus": len(corpus(venue)), "sent": chosen.frames, "decoded": decoded,
                                "dead_lettered": dead, **found, "took_s": round(time.monotonic() - began)}) | {"seed": chosen.seed}
        print(json.dumps(line), flush=True)
        if chosen.results:
            results.append(chosen.results, line)
        if decoded + dead != chosen.frames:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
