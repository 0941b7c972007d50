"""Bybit v5: its hosts, login, heartbeat, snapshot questions, signatures and refusals."""

import json
from collections.abc import Sequence

from streams.venues.envelopes import inner, judging, listed, merging
from streams.venues.secret import Secret
from streams.venues.signing import encoded, hex_digest
from streams.venues.venue import Access, Credentials, Gap, Hosts, Key, Reason, Request, Route, Signed, Venue

MAINNET = Hosts("https://api.bybit.com", "wss://stream.bybit.com")
DEMO = Hosts("https://api-demo.bybit.com", "wss://stream-demo.bybit.com")
RECEIVE_WINDOW_MS = 5_000
_LOGIN_MS = 10_000
_LIST = ("result", "list")
_COINS = ("USDT", "USDC")  # what linear contracts settle in: a whole list is asked for by coin
_REASONS = {"10003": Reason.AUTH, "10004": Reason.AUTH, "10005": Reason.AUTH, "10007": Reason.AUTH, "10009": Reason.AUTH,
            "10010": Reason.AUTH, "33004": Reason.AUTH, "10002": Reason.CLOCK, "10006": Reason.LIMITED, "10018": Reason.BANNED,
            "10000": Reason.TRANSIENT, "10016": Reason.TRANSIENT, "10429": Reason.LIMITED}


def _key(hosts: Hosts, _body: bytes, _now_ms: int) -> Key:
    subscribe = json.dumps({"op": "subscribe", "args": ["order", "execution", "position", "wallet"]})
    return Key((Route(Secret(f"{hosts.stream}/v5/private"), (subscribe,), 1, login=True),))


def _login(credentials: Credentials, now_ms: int) -> str:
    expires = now_ms + _LOGIN_MS
    return json.dumps({"op": "auth", "args": [credentials.key.reveal(), expires, hex_digest(credentials.secret, f"GET/realtime{expires}")]})


def _sign(credentials: Credentials, request: Request, now_ms: int) -> Signed:
    query = encoded(request.params)
    if request.access is Access.PUBLIC:
        return Signed(query, {})
    key, stamp = credentials.key.reveal(), str(now_ms)
    signature = hex_digest(credentials.secret, f"{stamp}{key}{RECEIVE_WINDOW_MS}{request.body or query}")
    return Signed(query, {"X-BAPI-API-KEY": key, "X-BAPI-TIMESTAMP": stamp, "X-BAPI-RECV-WINDOW": str(RECEIVE_WINDOW_MS),
                          "X-BAPI-SIGN": signature})


def _snapshot() -> tuple[Request, ...]:
    lists = [Request(f"{part}:linear", path, (("category", "linear"), ("settleCoin", coin), ("limit", limit)))
             for part, path, limit in (("position", "/v5/position/list", "200"), ("order", "/v5/order/realtime", "50")) for coin in _COINS]
    return (Request("wallet-balance", "/v5/account/wallet-balance", (("accountType", "UNIFIED"),)), *lists,
            Request("account-info", "/v5/account/info"))


def _gap(gap: Gap) -> Sequence[Request]:
    if gap.round:
        return ()
    fills = Request("execution:linear", "/v5/execution/list", (("category", "linear"), ("startTime", str(gap.since_ms)), ("limit", "100")))
    return [fills, *(Request("order-history:linear", "/v5/order/history", (("category", "linear"), ("orderId", ident)))
                     for _, ident, _ in gap.orders)]


def _next_page(request: Request, body: bytes) -> Request | None:
    result = inner(body, "result")
    cursor = result.get("nextPageCursor", "") if isinstance(result, dict) and result.get("list") else ""
    if not cursor or cursor == dict(request.params).get("cursor"):
        return None
    return request._replace(params=(*(pair for pair in request.params if pair[0] != "cursor"), ("cursor", str(cursor))))


def venue(hosts: Hosts = MAINNET) -> Venue:
    """The record."""
    return Venue(
        "bybit_v5", hosts, Request("time", "/v5/market/time", access=Access.PUBLIC),
        lambda body: int(inner(body, "result", "timeNano")) // 1_000_000, _key, _sign, judging("retCode", "0", _REASONS), _snapshot(), _gap,
        Request("execution:linear", "/v5/execution/list", (("category", "linear"), ("limit", "1"))),
        lambda body: max((int(row["execTime"]) for row in listed(body, *_LIST)), default=0), _next_page, merging(*_LIST),
        login=_login, repeats=True, ping=lambda _: '{"op": "ping"}', ping_every_ms=20_000, quiet_ms_max=60_000, weight_per_min=3_600,
        connects_per_min=60)
