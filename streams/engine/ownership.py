"""Who owns a partition's rows: claims, what recovery sends again, and refusing to start over a hole in a source's log."""

import asyncio
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from aiokafka.errors import IllegalStateError
from faust.types import TP

from streams.engine.rows import CLAIM, SENT, Partition
from streams.engine.writer import Fenced, Records

if TYPE_CHECKING:
    from streams.engine.ledger import Ledger

class LogTooShort(RuntimeError):
    """The committed offset is below what the broker still holds: records were deleted before they were folded."""


class Overtaken(Exception):
    """The next recovery takes over."""


AGAIN = (IllegalStateError, Overtaken)  # what a recovery meets when the next rebalance has begun


async def claim(ledger: "Ledger") -> None:
    """Give up partitions that went elsewhere; write a claim as the first record in each new one."""
    topic = ledger.changelog_topic_name
    ledger.frozen, ledger.rebalance = True, ledger.app.rebalancing_count
    owned = {tp.partition for tp in ledger.app.assignor.assigned_actives() if tp.topic == topic}
    for number in set(ledger.parts) - owned:
        del ledger.parts[number]
        ledger.on_lost(number)
    for number, part in ledger.parts.items():
        part.recovered = part.recovered and await _still_ours(ledger, number, part)
    fresh = [number for number in owned if number not in ledger.parts or not ledger.parts[number].recovered]
    for number in fresh:
        if number in ledger.parts:
            ledger.on_lost(number)
        ledger.parts[number] = Partition(len(ledger.sources))
        ledger.app.tables.recovery.revoke(TP(topic, number))  # read the changelog from its start
    await asyncio.gather(*(_write_claim(ledger, number) for number in fresh))
    ledger.recovery_began = time.perf_counter()


async def _still_ours(ledger: "Ledger", number: int, part: Partition) -> bool:
    """Whether nobody wrote to a kept partition since: a member that missed a generation (its broker was away, it slept) may come back to
    another owner's claim, below which its rows would not count. One record of ours tells by its offset."""
    try:
        await ledger.writer.write_rows(number, part, [(SENT, part.epoch.to_bytes(8, "big"))])
    except Fenced:
        return False
    return True


async def _write_claim(ledger: "Ledger", number: int) -> None:
    part = ledger.parts[number]
    [(_, sent)] = await ledger.writer.send(ledger.changelog_topic_name, number, [(CLAIM, b"")])
    part.epoch = (await sent).offset
    part.next = part.epoch + 1


async def resume(ledger: "Ledger") -> None:
    """Take over the recovered partitions: send again what the last owner may not have delivered, rewrite rows written over.

    Raises `Overtaken` where the next rebalance began, or recovery ended too early.
    """
    rebalance, fresh = ledger.rebalance, _read(ledger)
    committed = await ledger.app.consumer._thread.committed()
    known = {tp: at for tp, at in committed.items() if at is not None and tp.topic in ledger.sources and tp.partition in fresh}
    starts = await find_losses(ledger, known)
    outputs: dict[tuple[str, int], Records] = defaultdict(list)
    for number, part in fresh.items():
        _still(ledger, rebalance)
        part.position = [starts.get(TP(name, number), committed.get(TP(name, number))) for name in ledger.sources]
        await _bury_ghosts(ledger, number, part)
        ledger.stale_rows += len(part.stale)
        _send_again(ledger, number, part, outputs)
    await ledger.writer.send_outputs(outputs)
    _still(ledger, rebalance)
    for number, part in fresh.items():
        part.unsent, part.stale, part.recovered = set(), set(), True
        ledger.on_owned(number)
    ledger.recovery_s = time.perf_counter() - ledger.recovery_began
    ledger.frozen = False
    ledger.writer.wake.set()


def _read(ledger: "Ledger") -> dict[int, Partition]:
    """The partitions to take over, each read up to its own claim: only then are its rows all there.

    Raises `Fenced` where a later claim was read: one that lay with another's producer while the broker was away, or the next owner's.
    Stock also calls for a recovery that the next rebalance overtakes (claiming revokes the ends it reads up to, recovery.py:787-803),
    and does not end the call when it begins the next (recovery.py:624-633).
    """
    fresh = {number: part for number, part in ledger.parts.items() if not part.recovered}
    unread = [number for number, part in fresh.items() if not 0 <= part.epoch <= part.claim]
    _still(ledger, ledger.rebalance)
    for number, part in fresh.items():
        if 0 <= part.epoch < part.claim:
            raise Fenced(f"{ledger.changelog_topic_name}[{number}]: expected the last claim at {part.epoch}, was {part.claim}")
    if unread:
        _read_again(ledger, unread)
        raise Overtaken
    return fresh


def _read_again(ledger: "Ledger", numbers: list[int]) -> None:
    """Have these partitions read from the start, unless the recovery that does so is about to begin."""
    recovery = ledger.app.tables.recovery
    if ledger.app.consumer_generation_id != recovery._generation_id or recovery.signal_recovery_start.is_set():
        return
    for number in numbers:
        recovery.revoke(TP(ledger.changelog_topic_name, number))
        recovery.active_offsets[TP(ledger.changelog_topic_name, number)] = None
    recovery.signal_recovery_start.set()


def _still(ledger: "Ledger", rebalance: int) -> None:
    """Raises `Overtaken` where another one began."""
    if ledger.app.rebalancing_count != rebalance:
        raise Overtaken


def _send_again(ledger: "Ledger", number: int, part: Partition, outputs: dict[tuple[str, int], Records]) -> None:
    """Outputs and states that may not have been delivered go out again; a row written over is written anew."""
    for key in part.unsent | part.stale:
        row = ledger._row(part, key)
        if row is None:
            continue
        state = b"" if row.state is None else ledger.codec.dump(row.state)
        ledger.writer.route(key, number, state, (row.outbox, outputs))
        row.outbox = ()
        if key in part.stale:
            part.dirty[key] = row


async def _bury_ghosts(ledger: "Ledger", number: int, part: Partition) -> None:
    """A key that only the replaced owner wrote gets a tombstone, or it would count once compaction removed the claim before it."""
    ghosts = {key for key in part.stale if key not in part.rows}
    if ghosts:
        await ledger.writer.write_rows(number, part, [(key, None) for key in ghosts])
        part.stale -= ghosts


async def find_losses(ledger: "Ledger", committed: dict[TP, int]) -> dict[TP, int]:
    """First offsets of the logs that no longer hold the committed one; they are noted in `ledger.losses`.

    Raises `LogTooShort` unless loss was accepted.
    """
    if not committed:
        return {}
    starts = await ledger.app.consumer._thread.log_starts(committed)
    lost = {tp: start for tp, start in starts.items() if start > committed[tp]}
    for tp, start in sorted(lost.items()):
        said = f"{tp.topic}[{tp.partition}]: expected records from {committed[tp]} on, was {start}"
        if not ledger.app.accept_loss:
            raise LogTooShort(f"{said}; start with MARGINSTREAM_ACCEPT_LOSS=1 to go on without them, users in quarantine")
        ledger.log.error("loss accepted: %s", said)
        ledger.losses.setdefault(tp.partition, []).append(tp.topic)
    return lost
