"""JSON as strangers send it: a repeated field, a bottomless nesting or a number without end is refused, not survived by luck."""

import json

_DIGITS_MAX = 60


def parse(text: str) -> object:
    """The value; fractions are their text, so that no digit is lost, and NaN and infinities are floats, which no reader takes.

    Raises `ValueError` in one line."""
    try:
        return json.loads(text, parse_float=str, parse_int=_whole, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"expected JSON, was {error}") from None
    except RecursionError:
        raise ValueError("expected JSON nested less deeply") from None


def _whole(digits: str) -> int | str:
    """A number too long to be an amount stays text: whoever reads the field refuses it by name."""
    return int(digits) if len(digits) <= _DIGITS_MAX else digits


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name[:80]}: expected once, was repeated")
        found[name] = value
    return found
