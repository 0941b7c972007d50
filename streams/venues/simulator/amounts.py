"""Amounts as text, and the type of JSON objects."""

from decimal import Decimal

from schemas.money import say, say_short

Json = dict[str, object]


def fixed(number: Decimal, places: int = 8) -> str:
    """With exactly that many decimals."""
    return say(number.quantize(Decimal(1).scaleb(-places)))


def stepped(number: Decimal, step: Decimal) -> str:
    """With as many decimals as the instrument's step has."""
    return say(number.quantize(step))


def mean(number: Decimal) -> str:
    """A computed figure, at most ten decimals."""
    return say_short(number.quantize(Decimal("1e-10"))) if number else "0"
