"""Decimal text: the only way amounts, prices, rates and ratios enter and leave."""

import decimal
import re
from decimal import Decimal
from functools import lru_cache

# 50 digits hold every product of two venue amounts exactly; new threads inherit it from DefaultContext.
decimal.DefaultContext.prec = 50
decimal.setcontext(decimal.Context(prec=50))

ZERO = Decimal(0)
ONE = Decimal(1)
_TEXT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_LENGTH_MAX = 60
_ADJUSTED_MAX = 30


class BadNumber(ValueError):
    """A text that is no finite decimal of a sane size."""


@lru_cache(maxsize=4096)  # checked, applied and told: a fact's number is read several times in a row
def _read(text: str) -> Decimal | None:
    return Decimal(text) if _TEXT.fullmatch(text) else None


def parse(text: str, field: str = "number") -> Decimal:
    """The finite decimal that `text` says; at most 60 characters and below 1e30, else `BadNumber`."""
    number = _read(text) if len(text) <= _LENGTH_MAX else None
    if number is None:
        raise BadNumber(f"{field}: expected a decimal number, was {text[:80]!r}")
    if number and abs(number.adjusted()) > _ADJUSTED_MAX:
        raise BadNumber(f"{field}: expected a number within 1e±{_ADJUSTED_MAX}, was {text!r}")
    # As `say` would write it: what is computed from "1e3" must not look other than what is computed from the "1000" of a recovered row.
    return Decimal(say(number)) if "e" in text or "E" in text or not number else number


def parse_optional(text: str, field: str = "number") -> Decimal | None:
    """As `parse`; an empty text is None."""
    return parse(text, field) if text else None


def say(number: Decimal) -> str:
    """Plain decimal text without an exponent; trailing zeros stay, zero has no sign."""
    return format(number, "f") if number else format(abs(number), "f")


def say_short(number: Decimal) -> str:
    """As `say`, without trailing zeros after the point."""
    text = say(number)
    return text.rstrip("0").rstrip(".") if "." in text else text
