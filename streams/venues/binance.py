"""Binance USD-M futures: its hosts, listen key, snapshot questions, signatures and refusals."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from streams.venues.secret import Secret
from streams.venues.signing import encoded, signature
from streams.venues.venue import Access, Credentials, Gap, Hosts, Judged, Key, Reason, Request, Route, Signed, Venue

MAINNET = Hosts("https://fapi.binance.com", "wss://fstream.binance.com")
DEMO = Hosts("https://demo-fapi.binance.com", "wss://demo-fstream.binance.com")
# An allow-list: what is not named, or misspelt, is silent. So is a stream without the list, on some days.
EVENTS = ("ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "MARGIN_CALL", "ACCOUNT_CONFIG_UPDATE", "TRADE_LITE", "ALGO_UPDATE", "STRATEGY_UPDATE",
          "GRID_UPDATE", "CONDITIONAL_ORDER_TRIGGER_REJECT", "listenKeyExpired")
KEY_LIFE_MS, RENEW_EVERY_MS, KEY_AGE_MS_MAX = 3_600_000, 1_800_000, 3_300_000
RECEIVE_WINDOW_MS = 5_000
_PAGE = 1_000
_LISTEN_KEY = "/fapi/v1/listenKey"


def url(hosts: Hosts, token: Secret) -> Secret:
    """The private route; an empty key is no address."""
    if not token:
        raise ValueError("listen key: expected a text, was empty")
    return Secret(f"{hosts.stream}/private/ws?listenKey={token.reveal()}&events={'/'.join(EVENTS)}")


def read_key(hosts: Hosts, body: bytes, now_ms: int) -> Key:
    """The listen key of a POST's answer."""
    token = Secret(_text(_object(body).get("listenKey")))
    return Key((Route(url(hosts, token)),), token, now_ms + KEY_LIFE_MS)


def _renewed(body: bytes) -> Secret | None:
    """The key of a PUT's answer; older servers say none."""
    return Secret(_text(_object(body).get("listenKey"))) or None


def sign(credentials: Credentials, request: Request, now_ms: int) -> Signed:
    """The query with time stamp and signature last; what needs the key only has it in the header, on every verb."""
    headers = {} if request.access is Access.PUBLIC else {"X-MBX-APIKEY": credentials.key.reveal()}
    if request.access is not Access.SIGNED:
        return Signed(encoded(request.params), headers)
    query = encoded((*request.params, ("recvWindow", str(RECEIVE_WINDOW_MS)), ("timestamp", str(now_ms))))
    return Signed(f"{query}&{encoded((('signature', signature(credentials.secret, query + request.body)),))}", headers)


_REASONS = {-2014: Reason.AUTH, -2015: Reason.AUTH, -1022: Reason.AUTH, -1002: Reason.AUTH, -1021: Reason.CLOCK, -1125: Reason.KEY_GONE,
            -1003: Reason.LIMITED, -1000: Reason.TRANSIENT, -1001: Reason.TRANSIENT, -1006: Reason.TRANSIENT, -1007: Reason.TRANSIENT,
            -1008: Reason.TRANSIENT}
_STATUSES = {401: Reason.AUTH, 403: Reason.BANNED, 408: Reason.TRANSIENT, 418: Reason.BANNED, 429: Reason.LIMITED}
_BANNED_MS, _LIMITED_MS = 120_000, 30_000


def judge(status: int, headers: Mapping[str, str], body: bytes) -> Judged | None:
    """What an answer that is none means; 418, 429 and 403 are of the address, whatever the body says."""
    if status < 400:
        return None
    code, text = _code(body)
    reason = _STATUSES.get(status) if status in (403, 418, 429) else _REASONS.get(code)
    reason = reason or _STATUSES.get(status) or (Reason.TRANSIENT if status >= 500 else Reason.REFUSED)
    least = {Reason.BANNED: _BANNED_MS, Reason.LIMITED: _LIMITED_MS}.get(reason, 0)
    return Judged(reason, _retry_after_ms(headers) or least, f"{status} {code or ''} {text}".strip(), str(code or ""))


def gap(gap: Gap) -> Sequence[Request]:
    """First what the income names and how each missing order ended, then the fills of every symbol that may have some."""
    if gap.round == 0:
        income = Request("income", "/fapi/v1/income", (("startTime", str(gap.since_ms)), ("limit", str(_PAGE))), weight=30, told=False)
        return [income, *(_order(*order) for order in gap.orders)]
    if gap.round > 1:
        return ()
    named = {str(row.get("symbol") or "") for part, body in gap.answers if part == "income" for row in _rows(body)}
    return [Request("userTrades", "/fapi/v1/userTrades", (("symbol", symbol), ("startTime", str(gap.since_ms)), ("limit", str(_PAGE))),
                    weight=5) for symbol in sorted({*gap.symbols, *named} - {""})]


def _order(symbol: str, ident: str, conditional: bool) -> Request:
    if conditional:
        return Request("algoOrder", "/fapi/v1/algoOrder", (("algoId", ident),))
    return Request("order", "/fapi/v1/order", (("symbol", symbol), ("orderId", ident)))


def _next_page(request: Request, body: bytes) -> Request | None:
    """Where a page is full, trades go on by id, income by its number."""
    rows = _rows(body) if request.part in ("userTrades", "income") else []
    if len(rows) < _PAGE:
        return None
    if request.part == "income":
        page = int(dict(request.params).get("page", "1")) + 1
        return request._replace(params=(*(pair for pair in request.params if pair[0] != "page"), ("page", str(page))))
    kept = tuple(pair for pair in request.params if pair[0] not in ("startTime", "fromId"))
    return request._replace(params=(*kept, ("fromId", str(int(rows[-1]["id"]) + 1))))


def _newest_ms(body: bytes) -> int:
    """When any balance or position changed last: fills, fees, funding and transfers all move a balance."""
    account = _object(body)
    return max((int(row.get("updateTime") or 0) for name in ("assets", "positions") for row in account.get(name, ())), default=0)


def _retry_after_ms(headers: Mapping[str, str]) -> int:
    text = headers.get("Retry-After", "")
    return int(text) * 1_000 if text.isdigit() else 0


def _code(body: bytes) -> tuple[int, str]:
    """The venue's code and words; a firewall answers in HTML."""
    try:
        said = json.loads(body)
        return int(said["code"]), str(said.get("msg", ""))[:200]
    except (ValueError, TypeError, KeyError, AttributeError):
        return 0, ""


def _object(body: bytes) -> dict[str, Any]:
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError(f"answer: expected an object, was {type(found).__name__}")
    return found


def _rows(body: bytes) -> list[dict[str, Any]]:
    found = json.loads(body)
    if not isinstance(found, list):
        raise ValueError(f"answer: expected a list, was {type(found).__name__}")
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def venue(hosts: Hosts = MAINNET) -> Venue:
    """The record."""
    return Venue(
        "binance_usdm", hosts, Request("time", "/fapi/v1/time", access=Access.PUBLIC), lambda body: int(_object(body)["serverTime"]),
        read_key, sign, judge,
        (Request("account", "/fapi/v3/account", weight=5), Request("positionRisk", "/fapi/v3/positionRisk", weight=5),
         Request("openOrders", "/fapi/v1/openOrders", weight=40), Request("openAlgoOrders", "/fapi/v1/openAlgoOrders", weight=40),
         Request("accountConfig", "/fapi/v1/accountConfig", weight=5), Request("symbolConfig", "/fapi/v1/symbolConfig", weight=5)),
        gap, Request("account", "/fapi/v3/account", weight=5), _newest_ms, _next_page,
        create=Request("listenKey", _LISTEN_KEY, method="POST", access=Access.KEY),
        renew=lambda _: Request("listenKey", _LISTEN_KEY, method="PUT", access=Access.KEY),
        delete=lambda _: Request("listenKey", _LISTEN_KEY, method="DELETE", access=Access.KEY),
        renewed=_renewed, renew_every_ms=RENEW_EVERY_MS, key_life_ms=KEY_LIFE_MS, key_age_ms_max=KEY_AGE_MS_MAX,
        used_header="X-MBX-USED-WEIGHT-1M", weight_per_min=2_400, connects_per_min=60)
