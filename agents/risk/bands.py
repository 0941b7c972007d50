"""Trigger prices of positions and what of their pools' spare is gone when they are met."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from agents.risk.board import Board, Held
from agents.risk.slots import Floats

_CAP = 1 - 1e-12  # below a cap a size is surely below it


class Weights(NamedTuple):
    """A zone per row of some: above 0 must be a x equity - b x requirement - c, and e x requirement - d x equity + f."""

    a: Floats
    b: Floats
    c: Floats
    d: Floats
    e: Floats
    f: Floats


class Bands(NamedTuple):
    """Per position: its trigger prices, and what of the pool's spare (up, down) is gone when they are met."""

    low: Floats
    high: Floats
    up: Floats
    down: Floats


def required_of(held: Held, board: Board) -> Floats:
    tiered = np.isnan(held.margin)
    size = np.abs(held.size * held.price)
    return np.where(tiered, board.required(held.channel, size), held.margin) + held.share * size


def slope_of(held: Held, weights: Weights, required: Floats) -> Floats:
    """What a move of a position's price by its whole takes at most, tiers as they are."""
    found: Floats = np.maximum(weights.a, weights.d) * np.abs(held.size * held.price) + np.maximum(weights.b, weights.e) * np.abs(required)
    return found


def bands_of(held: Held, board: Board, weights: Weights, reach: tuple[Floats, Floats]) -> Bands:
    """Triggers at these shares of the price, towards harm (up) and away from it (down); none where nothing ends there."""
    width = np.abs(held.price)
    ends = np.isfinite(weights.f)
    to_harm, to_good = (np.clip(share, 0.0, 1.0) * width for share in reach)
    to_good = np.where(ends, to_good, np.inf)
    bought = held.size > 0
    low, high = held.price - np.where(bought, to_harm, to_good), held.price + np.where(bought, to_good, to_harm)
    edge = board.cap[held.channel] * _CAP / np.abs(held.size)
    low, high = np.maximum(low, np.where(held.price < 0, -edge, -np.inf)), np.minimum(high, np.where(held.price > 0, edge, np.inf))
    none = held.size == 0
    return cost_of(held, board, weights, (np.where(none, -np.inf, low), np.where(none, np.inf, high)))


def cost_of(held: Held, board: Board, weights: Weights, ends: tuple[Floats, Floats]) -> Bands:
    """What the pools lose on the way from `held.price` to the ends; towards an infinite one they lose nothing."""
    low, high = ends
    bought = held.size > 0
    required = required_of(held, board)
    lost = []
    for end, a, b in ((np.where(bought, low, high), weights.a, weights.b), (np.where(bought, high, low), -weights.d, -weights.e)):
        there = held._replace(price=np.where(np.isfinite(end), end, held.price))
        lost.append(a * held.size * (held.price - there.price) + b * (required_of(there, board) - required))
    return Bands(low, high, lost[0], lost[1])
