"""What a replay came to, as JSON values and as lines, and how two replays of one history differ."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from streams.replay.history import History
from streams.replay.told import Verdict
from tables.rows import RUNG_NAMES

Summary = dict[str, Any]


def summary(history: History) -> Summary:
    """Counts, rungs, verdicts by id and hashes: the same for the same recording on every run and machine."""
    rungs = Counter(RUNG_NAMES[rung] for rung in history.checks.rungs.values())
    users = sum(1 for _ in history.accounts.states())
    return {
        "records": dict(sorted(history.records.items())), "until_ms": history.until_ms, "users": users, "accounts": rungs.total(),
        "rungs": dict(sorted(rungs.items())), "outputs": dict(sorted(history.told.outputs.items())),
        "dead_letters": dict(sorted(history.facts.dead_letters.items())), "refused": dict(sorted(history.prices.refused.items())),
        "skipped": history.accounts.skipped,
        "verdicts": [{"id": ident, "kind": kind, **found._asdict()} for (ident, kind), found in sorted(history.told.verdicts.items())],
        "verdict_hash": history.told.hash, "state_hash": state_hash(history),
    }


def state_hash(history: History) -> str:
    """32 hex digits over every row of both ledgers."""
    found = hashlib.blake2b(digest_size=16)
    for book in (history.accounts, history.orders):
        for key, state in book.states():
            data = book.plan.dump(state)
            found.update(len(key).to_bytes(4, "big") + key + len(data).to_bytes(4, "big") + data)
    return found.hexdigest()


def changes(before: History, after: History) -> dict[str, list[dict[str, Any]]]:
    """Verdicts that the one history has and the other has not, and those that decide something else or at another time; by id."""
    old, new = before.told.verdicts, after.told.verdicts
    return {
        "added": [_one(name, new[name]) for name in sorted(new.keys() - old.keys())],
        "gone": [_one(name, old[name]) for name in sorted(old.keys() - new.keys())],
        "different": [_one(name, new[name]) | {"was": old[name]._asdict()} for name in sorted(old.keys() & new.keys())
                      if old[name] != new[name]],
    }


def _one(name: tuple[str, str], verdict: Verdict) -> dict[str, Any]:
    return {"id": name[0], "kind": name[1], **verdict._asdict()}


def lines(found: Summary) -> Iterator[str]:
    """The same for people: the verdicts first, the hash last."""
    for one in found["verdicts"]:
        yield f"{one['time_ms']} {one['kind']} {one['id']}: {one['said']}"
    for name in ("records", "outputs", "dead_letters", "refused", "rungs"):
        yield f"{name}: {', '.join(f'{key} {count}' for key, count in found[name].items()) or 'none'}"
    yield f"users: {found['users']}, accounts: {found['accounts']}, verdicts: {len(found['verdicts'])}"
    for word, changed in found.get("changes", {}).items():
        yield f"{word}: {len(changed)}"
        for one in changed:
            was = f" (was: {one['was']['said']} at {one['was']['time_ms']})" if "was" in one else ""
            yield f"  {one['time_ms']} {one['kind']} {one['id']}: {one['said']}{was}"
    yield f"verdict_hash: {found['verdict_hash']}"
    yield f"state_hash: {found['state_hash']}"
