"""OKX v5: its hosts, two sockets, login, heartbeat, snapshot questions, signatures and refusals."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from streams.venues.envelopes import inner, judging, listed, merging
from streams.venues.secret import Secret
from streams.venues.signing import base64_digest, encoded
from streams.venues.venue import Access, Credentials, Gap, Hosts, Key, Reason, Request, Route, Signed, Venue

MAINNET = Hosts("https://www.okx.com", "wss://ws.okx.com:8443")
DEMO = Hosts("https://www.okx.com", "wss://wspap.okx.com:8443")
_PAGE = 100
_CHANGES = json.dumps({"updateInterval": "0"})  # no repeats every five seconds
_PRIVATE: tuple[dict[str, str], ...] = (
    {"channel": "orders", "instType": "ANY"}, {"channel": "positions", "instType": "ANY", "extraParams": _CHANGES},
    {"channel": "account", "extraParams": _CHANGES}, {"channel": "liquidation-warning", "instType": "ANY"})
_BUSINESS: tuple[dict[str, str], ...] = ({"channel": "orders-algo", "instType": "ANY"},)
_ALGOS = ("conditional,oco", "trigger", "move_order_stop")
_REASONS = {"50100": Reason.AUTH, "50101": Reason.AUTH, "50103": Reason.AUTH, "50104": Reason.AUTH, "50105": Reason.AUTH,
            "50110": Reason.AUTH, "50111": Reason.AUTH, "50113": Reason.AUTH, "50114": Reason.AUTH, "50119": Reason.AUTH,
            "50120": Reason.AUTH, "50102": Reason.CLOCK, "50112": Reason.CLOCK, "50011": Reason.LIMITED, "50061": Reason.LIMITED,
            "50001": Reason.TRANSIENT, "50004": Reason.TRANSIENT, "50013": Reason.TRANSIENT, "50026": Reason.TRANSIENT}
_IDS = {"orders-pending": "ordId", "orders-algo-pending": "algoId", "fills": "billId"}


def _key(hosts: Hosts, _body: bytes, _now_ms: int) -> Key:
    routes = [Route(Secret(f"{hosts.stream}/ws/v5/{name}"), (json.dumps({"op": "subscribe", "args": words}),), len(words), login=True)
              for name, words in (("private", _PRIVATE), ("business", _BUSINESS))]
    return Key(tuple(routes))


def _login(credentials: Credentials, now_ms: int) -> str:
    stamp = str(now_ms // 1_000)
    return json.dumps({"op": "login", "args": [{
        "apiKey": credentials.key.reveal(), "passphrase": credentials.passphrase.reveal(), "timestamp": stamp,
        "sign": base64_digest(credentials.secret, f"{stamp}GET/users/self/verify")}]})


def _sign(credentials: Credentials, request: Request, now_ms: int) -> Signed:
    query = encoded(request.params)
    if request.access is Access.PUBLIC:
        return Signed(query, {})
    stamp = datetime.fromtimestamp(now_ms / 1_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    path = f"{request.path}?{query}" if query else request.path
    return Signed(query, {
        "OK-ACCESS-KEY": credentials.key.reveal(), "OK-ACCESS-PASSPHRASE": credentials.passphrase.reveal(), "OK-ACCESS-TIMESTAMP": stamp,
        "OK-ACCESS-SIGN": base64_digest(credentials.secret, f"{stamp}{request.method}{path}{request.body}")})


def _sign_demo(credentials: Credentials, request: Request, now_ms: int) -> Signed:
    query, headers = _sign(credentials, request, now_ms)
    return Signed(query, {**headers, "x-simulated-trading": "1"})


def _gap(gap: Gap) -> Sequence[Request]:
    if gap.round:
        return ()
    fills = Request("fills", "/api/v5/trade/fills-history", (("instType", "SWAP"), ("begin", str(gap.since_ms)), ("limit", str(_PAGE))))
    return [fills, *(_order(*order) for order in gap.orders)]


def _order(symbol: str, ident: str, conditional: bool) -> Request:
    if conditional:
        return Request("order-algo", "/api/v5/trade/order-algo", (("algoId", ident),))
    return Request("order", "/api/v5/trade/order", (("instId", symbol), ("ordId", ident)))


def _next_page(request: Request, body: bytes) -> Request | None:
    """The rows before the oldest one, where a page is full."""
    rows = listed(body, "data") if request.part in _IDS else []
    if len(rows) < _PAGE:
        return None
    after = str(rows[-1][_IDS[request.part]])
    return request._replace(params=(*(pair for pair in request.params if pair[0] != "after"), ("after", after)))


def _newest_ms(body: bytes) -> int:
    return max((int(row.get("uTime") or 0) for account in listed(body, "data") for row in account.get("details", ())), default=0)


def venue(hosts: Hosts = MAINNET) -> Venue:
    """The record."""
    balance = Request("balance", "/api/v5/account/balance")
    algos = [Request("orders-algo-pending", "/api/v5/trade/orders-algo-pending", (("ordType", kinds), ("limit", str(_PAGE))))
             for kinds in _ALGOS]
    return Venue(
        "okx_v5", hosts, Request("time", "/api/v5/public/time", access=Access.PUBLIC), lambda body: int(inner(body, "data")[0]["ts"]),
        _key, _sign_demo if hosts == DEMO else _sign, judging("code", "0", _REASONS),
        (balance, Request("positions", "/api/v5/account/positions"),
         Request("orders-pending", "/api/v5/trade/orders-pending", (("limit", str(_PAGE)),)), *algos,
         Request("config", "/api/v5/account/config")),
        _gap, balance, _newest_ms, _next_page, merging("data"),
        login=_login, repeats=True, ping=lambda _: "ping", ping_every_ms=20_000, quiet_ms_max=45_000, weight_per_min=600,
        connects_per_min=120)
