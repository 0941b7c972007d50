"""JSON as venues send it: numbers stay their own text, and a field is either read for its column or left over."""

import json
import re
from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from streams.venues.frames import Unreadable

Enum = TypeVar("Enum", bound=int)
_DIGITS_MAX = 60
_WHOLE = re.compile(r"-?[0-9]+")
_EXTRA_CHARS_MAX = 1_000
_FLAGS = {"true": True, "false": False, "True": True, "False": False, "1": True, "0": False}
_IDS = {"symbol", "order_id", "client_order_id", "algo_id", "client_algo_id", "matching_order_id", "trade_id", "position_id", "asset",
        "fee_asset", "modify_id", "exchange_seq"}


class Number(str):
    """A fraction or an exponent as the venue wrote it: through a float, digits would be lost."""

    __slots__ = ()


class Fields:
    """One object of a frame. What is read is taken; `left` is what nobody took. Errors name the field by its path."""

    def __init__(self, found: Mapping[str, object], path: str = "") -> None:
        self.found, self.path = found, path
        self._taken: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether the field says anything: null, absent and empty do not."""
        return self.found.get(name) not in (None, "")

    def text(self, name: str) -> str | None:
        """A scalar as text, true and false spelt so; None where absent or null."""
        value = self.found.get(name)
        if isinstance(value, dict | list):
            raise self.wrong(name, "a scalar")
        if value is None:
            return None
        self._taken.add(name)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def said(self, name: str) -> str:
        """As `text`; empty where absent or null."""
        return self.text(name) or ""

    def ident(self, name: str) -> str | None:
        """An id: text or a whole number. A fraction has passed through a float and is another id."""
        if isinstance(self.found.get(name), Number | bool):
            raise self.wrong(name, "an id")
        return self.text(name)

    def whole(self, name: str) -> int | None:
        """A whole number, also as text; None where it says nothing."""
        value = self.found.get(name)
        if value in (None, ""):
            return None
        text = str(value)
        if isinstance(value, bool | Number) or len(text) > _DIGITS_MAX or not _WHOLE.fullmatch(text):
            raise self.wrong(name, "a whole number")
        self._taken.add(name)
        return int(text)

    def positive(self, name: str) -> int | None:
        """As `whole`; 0 and less say nothing, and are left over."""
        value = self.whole(name)
        if value is not None and value > 0:
            return value
        self._taken.discard(name)
        return None

    def moment(self, name: str) -> int | None:
        """A time in ms of one in ms, us or ns; None where it says nothing or is 0 or less."""
        value = self.positive(name)
        if value is None:
            return None
        return value // 1_000_000 if value >= 10**17 else value // 1_000 if value >= 10**14 else value

    def flag(self, name: str) -> bool | None:
        """A truth, also as text; None where it says nothing."""
        value = self.found.get(name)
        if value in (None, ""):
            return None
        if str(value) not in _FLAGS:
            raise self.wrong(name, "true or false")
        self._taken.add(name)
        return _FLAGS[str(value)]

    def choice(self, name: str, table: Mapping[str, Enum], otherwise: Enum) -> Enum:
        """The enum's value of a text, whatever its case; `otherwise` where it is not known, and then the text is left over."""
        value = self.found.get(name)
        if isinstance(value, dict | list):
            raise self.wrong(name, "a text")
        known = table.get(str(value).upper())
        if known is None:
            return otherwise
        self._taken.add(name)
        return known

    def must(self, *names: str) -> None:
        """Raises where one of the fields says nothing."""
        for name in names:
            if not self.has(name):
                raise self.wrong(name, "a value")

    def inner(self, name: str) -> "Fields":
        """The object in a field; raises where there is none."""
        value = self.found.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        self._taken.add(name)
        return Fields(value, f"{self.path}{name}.")

    def rows(self, name: str) -> list["Fields"]:
        """The objects in a field's list, or its one object; none where the field is absent or null."""
        value = self.found.get(name)
        self._taken.add(name)
        return rows([] if value is None else value, self.path + name)

    def left(self) -> dict[str, str]:
        """Scalars nobody read, for `extra`; null, empty, nested and very long ones are in the raw payload only."""
        scalars = {name: value for name, value in self.found.items()
                   if name not in self._taken and value not in (None, "") and not isinstance(value, dict | list)}
        texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in scalars.items()}
        return {name: text for name, text in texts.items() if len(text) <= _EXTRA_CHARS_MAX}

    def wrong(self, name: str, expected: str) -> Unreadable:
        """The error of a field that is not what it should be."""
        return Unreadable(f"{self.path}{name}: expected {expected}, was {str(self.found.get(name))[:80]!r}")


def rows(value: object, path: str) -> list[Fields]:
    """The objects of a list, or of one object."""
    found = value if isinstance(value, list) else [value]
    wrong = next((one for one in found if not isinstance(one, dict)), None)
    if wrong is not None or not all(isinstance(one, dict) for one in found):
        raise Unreadable(f"{path}: expected a list of objects, was {str(value)[:80]!r}")
    return [Fields(one, f"{path}[{at}].") for at, one in enumerate(found)]


def read(data: bytes) -> object:
    """The value of a frame's JSON. Raises `Unreadable`: bytes that are no JSON, a repeated field, NaN, infinities, bottomless nesting."""
    try:
        return json.loads(data.decode(), parse_float=Number, parse_int=_whole, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError:
        raise Unreadable("frame: expected JSON nested less deeply") from None
    except Unreadable:
        raise
    except ValueError as error:
        raise Unreadable(f"frame: expected JSON, was {str(error)[:120]}") from None


def write(value: object) -> str:
    """The JSON of a value that `read` gave: numbers as they came."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{write(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    return json.dumps(value)


def put(message: Message, fields: Fields, columns: Mapping[str, str]) -> None:
    """Fills columns (column: the venue's field) by their type; what is absent or null stays unset, an empty text stays empty."""
    for column, name in columns.items():
        descriptor = message.DESCRIPTOR.fields_by_name[column]
        value: str | int | bool | None
        if descriptor.type == FieldDescriptor.TYPE_BOOL:
            value = fields.flag(name)
        elif descriptor.type == FieldDescriptor.TYPE_STRING:
            value = fields.ident(name) if column in _IDS else fields.text(name)
        else:
            value = fields.moment(name) if column.endswith("_ms") else fields.whole(name)
        if value is not None:
            setattr(message, column, value)


def flipped(number: str | None) -> str | None:
    """A number's text with the other sign, digit for digit; nothing and zero have none."""
    if number is None or not number.strip("-+0."):
        return number if number is None else number.lstrip("-+")
    return number[1:] if number.startswith("-") else "-" + number.lstrip("+")


def is_zero(number: str | None) -> bool:
    """Whether a number's text says nothing or zero."""
    return not (number or "").partition("e")[0].partition("E")[0].strip("-+0.")


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS_MAX:
        raise Unreadable(f"number: expected at most {_DIGITS_MAX} digits, was {len(digits)}")
    return int(digits)


def _no_number(text: str) -> object:
    raise Unreadable(f"number: expected a finite one, was {text}")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise Unreadable(f"{repeated[:80]}: expected once, was repeated")
    return found
