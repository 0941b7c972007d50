"""Numbered sources: a repeat is skipped, a gap holds what comes after it, a skip fact ends a gap."""

from urllib.parse import quote

from msgspec.structs import replace

from schemas import names
from tables.draft import Draft
from tables.messages import parse
from tables.rows import Fact, Sequence

_FIRST = Sequence()
_BEHIND = b"\0"


def admit(draft: Draft, source: str, number: int, *, opening: bool = False) -> None:
    """Applies the draft's fact if its number is the next of `source`, and then what waited behind it.

    Topics share a source's numbers: one row of numbers, however it is spread over topics.
    """
    sequence = draft.user.sequences.get(source, _FIRST)
    expected = sequence.next or 1
    if opening and expected <= 1:  # nothing of this source was applied yet: it begins here
        expected = number
    if number < expected:
        return
    if number > expected:
        _hold(draft, source, number)
        return
    held = {at: data for at, data in sequence.held.items() if at > number}
    _put(draft, source, replace(sequence, next=number + 1, held=held))
    draft.apply(draft)
    _release(draft, source)
    _end_gap(draft, source, sequence)


def skip(draft: Draft, source: str, up_to: int, actor: str) -> None:
    """Ends a gap by decision: held facts up to `up_to` are applied in order, missing ones are given up, and it is said aloud."""
    before = draft.user.sequences.get(source, _FIRST)
    if up_to < (before.next or 1):
        return
    for number in sorted(at for at in before.held if at <= up_to):
        _apply_held(draft, source, number)
    _put(draft, source, replace(draft.user.sequences.get(source, _FIRST), next=up_to + 1))
    _release(draft, source)
    draft.anomaly("gap_skipped", "", f"source {source!r}: {actor!r} skipped from {before.next or 1} to {up_to}")
    _end_gap(draft, source, before)


def remember(draft: Draft, source: str, ident: str) -> bool:
    """True if `ident` of `source` was not seen lately; it is then. Each topic has a ring of its own, so that topics commute."""
    mark = f"{draft.fact.topic}/"
    entry, known = f"{mark}{quote(source, safe='')}/{ident}", draft.user.recent_ids
    if entry in known:
        return False
    own = [*(one for one in known if one.startswith(mark)), entry][-draft.policy.recent_ids_max:]
    others = [one for one in known if not one.startswith(mark)]
    recent = (*own, *others) if mark < "b" else (*others, *own)
    draft.user = replace(draft.user, recent_ids=recent)
    return True


def _hold(draft: Draft, source: str, number: int) -> None:
    sequence = draft.user.sequences.get(source, _FIRST)
    if number in sequence.held:
        return
    if len(sequence.held) >= draft.policy.gap_held_max:
        draft.refuse(
            "gap_full", "", f"source {source!r}: expected number {sequence.next or 1}, was {number}, and {len(sequence.held)} wait already"
        )
        return
    fact = draft.fact
    if not sequence.held:
        draft.anomaly("gap", "", f"source {source!r}: expected number {sequence.next or 1}, was {number}")
        _check_house(draft)
    since = min(sequence.gap_since_ms or fact.time_ms, fact.time_ms)
    held = {**sequence.held, number: fact.topic.encode() + _BEHIND + fact.value}
    _put(draft, source, Sequence(sequence.next or 1, held, since))


def _release(draft: Draft, source: str) -> None:
    while True:
        sequence = draft.user.sequences[source]
        if sequence.next not in sequence.held:
            return
        _apply_held(draft, source, sequence.next)


def _apply_held(draft: Draft, source: str, number: int) -> None:
    sequence = draft.user.sequences[source]
    topic, _, value = sequence.held[number].partition(_BEHIND)
    _put(draft, source, replace(sequence, next=number + 1, held={at: data for at, data in sequence.held.items() if at != number}))
    outer = draft.fact
    name = topic.decode()
    time_ms = max(outer.time_ms, sequence.gap_since_ms)  # nothing of other topics: they commute
    draft.fact = Fact(name, outer.partition, outer.offset, time_ms, outer.user, parse(name, value), value)
    draft.apply(draft)
    draft.fact = outer


def _end_gap(draft: Draft, source: str, before: Sequence) -> None:
    sequence = draft.user.sequences[source]
    if before.gap_since_ms and not sequence.held:
        _put(draft, source, replace(sequence, gap_since_ms=0))
        _check_house(draft)


def _check_house(draft: Draft) -> None:
    for account in draft.user.accounts.values():
        if account.venue == "house":
            draft.check(account.account_id, "gap")


def _put(draft: Draft, source: str, sequence: Sequence) -> None:
    draft.user = replace(draft.user, sequences={**draft.user.sequences, source: sequence})


assert names.ACCOUNT_UPDATES < "b" < names.WALLET_DELTAS  # the fixed order of the rings in `remember`
