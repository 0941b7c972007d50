"""Bounds of what a row remembers: settings, as arguments of the folds."""

from typing import NamedTuple


class Policy(NamedTuple):
    """Bounds of what a row remembers; times in ms, the rest counts."""

    settle_ms_max: int = 5_000
    report_ms_max: int = 60_000
    gap_held_max: int = 1_000
    recent_ids_max: int = 256
    recent_fills_max: int = 256
    tombstones_max: int = 512
    snapshots_max: int = 4
    closed_orders_max: int = 200
