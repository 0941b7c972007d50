"""Reading an evaluation's input: every field named where it is unknown or no number."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from schemas import money

Json = Mapping[str, object]


class BadInput(ValueError):
    """An input that cannot be evaluated; the text names the field."""


def only(obj: object, names: str, where: str) -> Json:
    """The object, if it has no other fields than `names`."""
    if not isinstance(obj, dict):
        raise BadInput(f"{where or 'input'}: expected an object, was {type(obj).__name__}")
    unknown = sorted(set(obj) - set(names.split()))
    if unknown:
        raise BadInput(f"{where + '.' if where else ''}{unknown[0]}: unknown field")
    return obj


def mapping(obj: Json, name: str) -> Json:
    found = obj.get(name)
    if found is not None and not isinstance(found, dict):
        raise BadInput(f"{name}: expected an object, was {type(found).__name__}")
    return found or {}


def rows(obj: Json, name: str, where: str = "") -> list[object]:
    found = obj.get(name)
    if found is not None and not isinstance(found, list):
        raise BadInput(f"{where}{name}: expected a list, was {type(found).__name__}")
    return found or []


def number(value: object, where: str) -> Decimal:
    """Decimal text, or a JSON integer; floats are refused, they have lost the text they came from."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadInput(f"{where}: expected decimal text, was {value!r}")
    try:
        return money.parse(value, where)
    except money.BadNumber as error:
        raise BadInput(str(error)) from None


def optional(obj: Json, name: str, where: str) -> Decimal | None:
    value = obj.get(name)
    return None if value is None else number(value, f"{where}{name}")


def required(obj: Json, name: str, where: str) -> Decimal:
    return number(obj.get(name), f"{where}{name}")


def amount(obj: Json, name: str, where: str, default: str = "0") -> Decimal:
    found = optional(obj, name, where)
    return Decimal(default) if found is None else found


def not_negative(obj: Json, name: str, where: str, default: str = "0") -> Decimal:
    found = amount(obj, name, where, default)
    if found < 0:
        raise BadInput(f"{where}{name}: expected 0 or more, was {found}")
    return found


def positive(obj: Json, name: str, where: str) -> Decimal | None:
    found = optional(obj, name, where)
    if found is not None and found <= 0:
        raise BadInput(f"{where}{name}: expected above 0, was {found}")
    return found


def text(obj: Json, name: str, where: str, default: str = "") -> str:
    value = obj.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise BadInput(f"{where}{name}: expected text, was {value!r}")
    return value


def choice(obj: Json, name: str, where: str, choices: str) -> str:
    """One of the words; the first is the default."""
    words = list(dict.fromkeys(choices.split()))
    found = text(obj, name, where, words[0])
    if found not in words:
        raise BadInput(f"{where}{name}: expected one of {', '.join(words)}, was {found!r}")
    return found


def whole(obj: Json, name: str, where: str) -> int | None:
    value = obj.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise BadInput(f"{where}{name}: expected whole milliseconds, was {value!r}")
    return value
