"""What strangers put into Redis, read without trust: margin updates, market hashes, metadata. Raises `BadMessage`, nothing else."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from schemas.keys import HOUSE, BadKey, instrument_key, user_key
from schemas.money import BadNumber, parse, say

_SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/#-]{0,31}")
_IDENT = re.compile(r"[\x21-\x7e]{1,120}")
_BYTES_MAX = 4_096
_AMOUNT_MAX, _PLACES_MAX = Decimal(10) ** 15, 18
_PRICE_MAX, _PRICE_PLACES_MAX = Decimal(10) ** 12, 12
_MS_MIN = 946_684_800_000  # the year 2000: anything less counts seconds
_AHEAD_MS_MAX = 60_000
_KINDS = {"funding": "funding", "fee": "fee", "commission": "fee"}  # by reason; all others are realised PnL


class BadMessage(ValueError):
    """A text that is not what its channel or key should hold."""


class Update(NamedTuple):
    """A message of MARGIN_UPDATES. `ident` "" where it has no id."""

    user: str
    amount: str
    ident: str
    kind: str
    note: str


class Quote(NamedTuple):
    """A market hash: positive prices, the ask from the bid to twice that."""

    instrument: str
    bid: Decimal
    ask: Decimal
    time_ms: int


def read_update(data: object, default_type: str) -> Update:
    """`{"user_id", "delta", "id"?, "reason"?}` in JSON; numbers keep every digit."""
    found = _object(data)
    if unknown := found.keys() - {"user_id", "user_type", "delta", "id", "reason"}:
        raise BadMessage(f"{min(unknown)[:80]!r}: expected user_id, user_type, delta, id or reason")
    try:
        user = user_key(_word(found, "user_id"), _word(found, "user_type") if found.get("user_type") is not None else default_type)
        user_key(user, "")  # the type of the message, too, has a form
        amount = parse(_word(found, "delta"), "delta")
    except (BadKey, BadNumber) as error:
        raise BadMessage(str(error)) from None
    if not amount or abs(amount) >= _AMOUNT_MAX or _places(amount) > _PLACES_MAX:
        raise BadMessage(f"delta: expected an amount other than 0, below 1e15, with at most 18 decimals, was {amount}")
    ident = _word(found, "id") if found.get("id") is not None else ""
    if ident and not _IDENT.fullmatch(ident):
        raise BadMessage(f"id: expected 1 to 120 visible ASCII characters, was {ident[:80]!r}")
    reason = _word(found, "reason") if found.get("reason") is not None else ""
    return Update(user, say(amount), ident, _KINDS.get(reason.lower(), "realised_pnl"), _plain(reason))


def _object(data: object) -> dict[str, object]:
    if not isinstance(data, bytes | str) or len(data) > _BYTES_MAX:
        raise BadMessage(f"message: expected at most {_BYTES_MAX} bytes of JSON, was {_shown(data)}")
    try:
        found = json.loads(data, parse_float=_Number, parse_int=_Number, parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"message: expected JSON, was {_shown(data)}: {error}"[:300]) from None
    if not isinstance(found, dict):
        raise BadMessage(f"message: expected an object, was {_shown(data)}")
    return found


class _Number(str):
    """A number's own digits."""

    __slots__ = ()


def _refused(word: str) -> object:
    raise BadMessage(f"number: expected a finite one, was {word}")


def _word(found: Mapping[str, object], field: str) -> str:
    value = found.get(field)
    if not isinstance(value, str):
        raise BadMessage(f"{field}: expected a text or number, was {str(value)[:80]!r}")
    return str(value)


def _plain(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())[:200]


def _shown(data: object) -> str:
    return repr(data[:80] if isinstance(data, bytes | str) else type(data).__name__)


def _places(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def read_symbol(data: object) -> str:
    """A message of market_price_updates: a symbol."""
    try:
        text = data.decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        text = None
    if not isinstance(text, str) or not _SYMBOL.fullmatch(text):
        raise BadMessage(f"symbol: expected letters, digits, . _ / # or -, was {_shown(data)}")
    return text


def read_quote(symbol: str, values: object, now_ms: int) -> Quote:
    """The hash `market:{symbol}` as (bid, ask, ts); `ts` in ms since the epoch or ISO 8601."""
    if not isinstance(values, list | tuple) or len(values) != 3:
        raise BadMessage(f"market:{symbol}: expected bid, ask, ts, was {_shown(values)}")
    bid, ask = (_price(symbol, field, value) for field, value in zip(("bid", "ask"), values, strict=False))
    if not bid <= ask <= 2 * bid:
        raise BadMessage(f"market:{symbol}: expected an ask from the bid to twice that, was {bid} and {ask}")
    time_ms = _time_ms(symbol, values[2])
    if time_ms > now_ms + _AHEAD_MS_MAX:
        raise BadMessage(f"market:{symbol} ts: expected at most a minute ahead, was {time_ms}")
    return Quote(instrument_key(HOUSE, symbol), bid, ask, time_ms)


def _text(name: str, value: object) -> str:
    try:
        text = value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        text = None
    if not isinstance(text, str) or len(text) > 60:
        raise BadMessage(f"{name}: expected a short text, was {_shown(value)}")
    return text


def _price(symbol: str, field: str, value: object) -> Decimal:
    try:
        price = parse(_text(f"market:{symbol} {field}", value), field)
    except BadNumber as error:
        raise BadMessage(f"market:{symbol} {error}") from None
    if not 0 < price < _PRICE_MAX or _places(price) > _PRICE_PLACES_MAX:
        raise BadMessage(f"market:{symbol} {field}: expected a price above 0 and below 1e12 with at most 12 decimals, was {price}")
    return price


def _time_ms(symbol: str, value: object) -> int:
    text = _text(f"market:{symbol} ts", value)
    try:
        if text.isascii() and text.isdigit():
            found = int(text)
        else:
            moment = datetime.fromisoformat(text)
            found = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        found = 0
    if not _MS_MIN <= found < 1 << 53:
        raise BadMessage(f"market:{symbol} ts: expected ms since the epoch or ISO 8601, was {text[:40]!r}")
    return found


def read_metadata(value: object) -> dict[str, object]:
    """`{"kyc": true, "risk": "high", "leverage": "50"}` or `kyc:true,risk:high,lev:50`, as a profile's fields."""
    text = _text_of(value)
    found: Mapping[str, object]
    if text.lstrip().startswith("{"):
        found = _object(text)
    else:
        pairs = [part.split(":", 1) for part in text.split(",") if part.strip()]
        if any(len(pair) != 2 for pair in pairs):
            raise BadMessage(f"metadata: expected key:value pairs, was {_shown(text)}")
        found = {key.strip(): item.strip() for key, item in pairs}
    profile: dict[str, object] = {}
    for field, item in found.items():
        name, said = _METADATA.get(field, ""), str(item).lower() if isinstance(item, bool) else item
        if not name or not isinstance(said, str):
            raise BadMessage(f"metadata {field[:40]!r}: expected kyc, risk or leverage with a value, was {str(item)[:40]!r}")
        profile[name] = _profiled(name, said)
    return profile


_METADATA = {"kyc": "kyc", "risk": "risk_tier", "leverage": "leverage", "lev": "leverage"}


def _text_of(value: object) -> str:
    try:
        text = value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        text = None
    if not isinstance(text, str) or len(text) > _BYTES_MAX:
        raise BadMessage(f"metadata: expected a text, was {_shown(value)}")
    return text


def _profiled(name: str, said: str) -> object:
    if name == "kyc":
        if said.lower() not in {"true", "false", "1", "0"}:
            raise BadMessage(f"metadata kyc: expected true or false, was {said[:40]!r}")
        return said.lower() in {"true", "1"}
    if name == "leverage":
        try:
            lever = parse(said, "leverage")
        except BadNumber as error:
            raise BadMessage(f"metadata {error}") from None
        if not 0 < lever <= 10_000:
            raise BadMessage(f"metadata leverage: expected above 0 and at most 10000, was {lever}")
        return say(lever)
    return _plain(said)[:40]
