"""KuCoin Futures (classic): its token and endpoint, topics, heartbeat, snapshot questions, signatures and refusals."""

import json
from collections.abc import Sequence

from streams.venues.envelopes import inner, judging, listed, merging
from streams.venues.secret import Secret
from streams.venues.signing import base64_digest, encoded
from streams.venues.venue import Access, Credentials, Gap, Hosts, Key, Reason, Request, Route, Signed, Venue

MAINNET = Hosts("https://api-futures.kucoin.com", "wss://ws-api-futures.kucoin.com")  # the socket's address comes with the token
_TOKEN_MS = 86_400_000
_CURRENCIES = ("USDT", "USDC", "XBT")  # a call each
_TOPICS = ("/contractMarket/tradeOrders", "/contractMarket/advancedOrders", "/contract/positionAll", "/contractAccount/wallet",
           "/contract/marginMode", "/contract/crossLeverage")
_ITEMS = ("data", "items")
_PAGED = ("orders", "stopOrders", "fills")
_REASONS = {"400001": Reason.AUTH, "400003": Reason.AUTH, "400004": Reason.AUTH, "400005": Reason.AUTH, "400006": Reason.AUTH,
            "400007": Reason.AUTH, "411100": Reason.AUTH, "400002": Reason.CLOCK, "429000": Reason.LIMITED, "1015": Reason.BANNED,
            "500000": Reason.TRANSIENT}


def _key(_hosts: Hosts, body: bytes, now_ms: int) -> Key:
    """The token with its endpoint; how often to ping is the venue's word."""
    data = inner(body, "data")
    token, server = Secret(str(data["token"])), data["instanceServers"][0]
    if not token:
        raise ValueError("token: expected a text, was empty")
    subscribe = tuple(json.dumps({"id": str(at), "type": "subscribe", "topic": topic, "privateChannel": True, "response": True})
                      for at, topic in enumerate(_TOPICS))
    route = Route(Secret(f"{server['endpoint']}?token={token.reveal()}&connectId={now_ms}"), subscribe, len(subscribe), welcome=True)
    return Key((route,), token, now_ms + _TOKEN_MS, int(server["pingInterval"]))


def _sign(credentials: Credentials, request: Request, now_ms: int) -> Signed:
    query = encoded(request.params)
    if request.access is Access.PUBLIC:
        return Signed(query, {})
    path, stamp = f"{request.path}?{query}" if query else request.path, str(now_ms)
    return Signed(query, {
        "KC-API-KEY": credentials.key.reveal(), "KC-API-TIMESTAMP": stamp, "KC-API-KEY-VERSION": "2",
        "KC-API-PASSPHRASE": base64_digest(credentials.secret, credentials.passphrase.reveal()),
        "KC-API-SIGN": base64_digest(credentials.secret, f"{stamp}{request.method}{path}{request.body}")})


def _fills(since_ms: int) -> Request:
    return Request("fills", "/api/v1/fills", (("startAt", str(since_ms)), ("currentPage", "1"), ("pageSize", "100")), weight=5)


def _gap(gap: Gap) -> Sequence[Request]:
    if gap.round:
        return ()
    return [_fills(gap.since_ms), *(Request("order", f"/api/v1/orders/{ident}", weight=5) for _, ident, _ in gap.orders)]


def _next_page(request: Request, body: bytes) -> Request | None:
    if request.part not in _PAGED:
        return None
    data = inner(body, "data")
    page, last = int(data.get("currentPage", 1)), int(data.get("totalPage", 1))
    if page >= last:
        return None
    return request._replace(params=(*(pair for pair in request.params if pair[0] != "currentPage"), ("currentPage", str(page + 1))))


def _newest_ms(body: bytes) -> int:
    return max((int(row.get("tradeTime") or 0) // 1_000_000 for row in listed(body, *_ITEMS)), default=0)


def venue(hosts: Hosts = MAINNET) -> Venue:
    """The record."""
    page = (("currentPage", "1"), ("pageSize", "100"))
    overviews = [Request(f"account-overview:{one}", "/api/v1/account-overview", (("currency", one),), weight=5) for one in _CURRENCIES]
    return Venue(
        "kucoin_futures", hosts, Request("time", "/api/v1/timestamp", access=Access.PUBLIC), lambda body: int(inner(body, "data")),
        _key, _sign, judging("code", "200000", _REASONS),
        (*overviews, Request("positions", "/api/v1/positions", weight=2),
         Request("orders", "/api/v1/orders", (("status", "active"), *page), weight=2),
         Request("stopOrders", "/api/v1/stopOrders", page, weight=6)),
        _gap, Request("fills", "/api/v1/fills", (("currentPage", "1"), ("pageSize", "1")), weight=5), _newest_ms, _next_page,
        merging(*_ITEMS), create=Request("bullet-private", "/api/v1/bullet-private", method="POST", weight=10),
        complete=_fills, repeats=True, ping=lambda now_ms: json.dumps({"id": str(now_ms), "type": "ping"}), ping_every_ms=18_000,
        quiet_ms_max=75_000, weight_per_min=4_000, connects_per_min=30)
