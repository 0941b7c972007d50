"""What strangers send, read by name: every field has one reader, and what none knows is refused before anything happens."""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from aiohttp import web

from schemas.keys import BadKey, user_key
from schemas.money import BadNumber, parse, say
from streams.stack import strict_json
from streams.web.inspection import Refused

Json = dict[str, object]
Reader = Callable[[object, str], object]
_AMOUNT_MAX, _PLACES_MAX = Decimal(10) ** 15, 18
_LEVERAGE_MAX = Decimal(10_000)
_BODY_MAX = 64 * 1024
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")


async def read(request: web.Request, readers: Mapping[str, Reader], required: Iterable[str] = ()) -> Json:
    """The body, an object, each field by its reader; raises `Refused` 400 naming the field. An empty body is an empty object."""
    raw = await request.content.read(_BODY_MAX + 1)
    if len(raw) > _BODY_MAX:
        raise Refused(400, "too_long", f"body: expected at most {_BODY_MAX} bytes, was more")
    return fields(_object(raw), readers, required)


def fields(body: Json, readers: Mapping[str, Reader], required: Iterable[str] = ()) -> Json:
    """As `read`, of an object."""
    for name in body:
        if name not in readers:
            raise Refused(400, "unknown_field", f"{name[:80]}: expected one of {', '.join(sorted(readers))}", name[:80])
    for name in required:
        if body.get(name) is None:
            raise Refused(400, "missing_field", f"{name}: expected a value, was none", name)
    return {name: readers[name](value, name) for name, value in body.items()}


def whole(raw: bytes) -> Json:
    """An object in strict JSON, unread; raises `Refused`."""
    return _object(raw)


def _object(raw: bytes) -> Json:
    try:
        found = strict_json.parse(raw.decode() or "{}")
    except ValueError as error:  # UnicodeDecodeError is one
        raise Refused(400, "bad_json", " ".join(str(error).split())[:300]) from None
    if not isinstance(found, dict):
        raise Refused(400, "bad_json", f"body: expected an object, was a {type(found).__name__}")
    return found


def wrong(field: str, expected: str, value: object) -> Refused:
    """A refusal that shows the beginning of what was sent."""
    return Refused(400, "bad_value", f"{field}: expected {expected}, was {str(value)[:80]!r}", field)


def number(value: object, field: str) -> Decimal:
    """A decimal of at most 18 places below 1e15, from text or a JSON number."""
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise wrong(field, "a decimal number as text", value)
    try:
        found = parse(str(value), field)
    except BadNumber:
        raise wrong(field, "a finite decimal number", value) from None
    exponent = found.as_tuple().exponent
    if abs(found) >= _AMOUNT_MAX or (isinstance(exponent, int) and exponent < -_PLACES_MAX):
        raise wrong(field, f"a number below 1e15 with at most {_PLACES_MAX} places", value)
    return found


def amount(value: object, field: str) -> str:
    """An amount above zero."""
    found = number(value, field)
    if found <= 0:
        raise wrong(field, "an amount above 0", value)
    return say(found)


def signed(value: object, field: str) -> str:
    """An amount that is not zero."""
    found = number(value, field)
    if not found:
        raise wrong(field, "an amount other than 0", value)
    return say(found)


def balance(value: object, field: str) -> str:
    """A balance from zero."""
    found = number(value, field)
    if found < 0:
        raise wrong(field, "a balance from 0", value)
    return say(found)


def leverage(value: object, field: str) -> str:
    """A leverage from 1."""
    found = number(value, field)
    if not 1 <= found <= _LEVERAGE_MAX:
        raise wrong(field, f"a leverage of 1 to {_LEVERAGE_MAX}", value)
    return say(found)


def text(pattern: str, words: str) -> Reader:
    """A reader of texts that match."""
    compiled = re.compile(pattern)

    def take(value: object, field: str) -> object:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise wrong(field, words, value)
        return value

    return take


def flag(value: object, field: str) -> bool:
    if not isinstance(value, bool):
        raise wrong(field, "true or false", value)
    return value


def whole_number(value: object, field: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise wrong(field, "a whole number from 0", value)
    return value


def label(value: object, field: str) -> str:
    """A short text that decides nothing; numbers are taken as they are written."""
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > 200 or not _PRINTABLE.fullmatch(str(value)):
        raise wrong(field, "a text of at most 200 printable characters", value)
    return str(value)


def secret(value: object, field: str) -> str:
    """A credential: never shown, not even where it is refused."""
    if not isinstance(value, str) or not 1 <= len(value) <= 4_096 or not _PRINTABLE.fullmatch(value):
        raise Refused(400, "bad_value", f"{field}: expected a text of 1 to 4096 printable characters", field)
    return value


def derived(value: object, field: str) -> object:
    """A field that follows from others."""
    raise Refused(422, "derived_field", f"{field}: expected to be left out, was {str(value)[:80]!r}: it is calculated", field)


def user_of(text_: str, default_type: str, field: str = "user") -> str:
    """A user key; raises `Refused`."""
    try:
        return user_key(text_, default_type)
    except BadKey as error:
        raise Refused(400, "bad_user", str(error), field) from None


asset = text(r"[A-Z0-9][A-Z0-9._-]{0,19}", "an asset in capitals, such as USD")
account_id = text(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", "an account id: letters, digits, _ . -")
word = text(r"[a-z][a-z0-9_]{0,31}", "a word: a to z, 0 to 9 and _")
group = text(r"[^\s\x00-\x1f\x7f]{1,64}", "a group's name without spaces")
