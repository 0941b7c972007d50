"""The control address of the simulator: accounts, trades, prices, time, faults and truth over HTTP, apart from the venues' own ports."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from schemas.money import say
from streams.venues.simulator.books import Account, Refused

if TYPE_CHECKING:
    from streams.venues.simulator.server import Simulator

Given = dict[str, Any]


def credentials(account: Account) -> dict[str, object]:
    """What a client needs to log in."""
    return {"name": account.name, "venue": account.venue, "key": account.key, "secret": account.secret,
            "passphrase": account.passphrase, "uid": account.uid}


def control_app(sim: Simulator) -> web.Application:
    """`POST /{action}` with a JSON object of the method's arguments; `GET /truth/{account}`, `/log?after=N`, and one of a word alone:

    `/accounts`, `/prices`, `/time`."""
    app = web.Application()

    async def act(request: web.Request) -> web.Response:
        try:
            said = json.loads(await request.read() or b"{}")
            return web.json_response(await _do(sim, request.match_info["action"], said))
        except (Refused, ValueError, KeyError, TypeError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    async def truth(request: web.Request) -> web.Response:
        try:
            return web.json_response(sim.told(request.match_info["account"]))
        except KeyError as error:
            return web.json_response({"error": str(error)}, status=404)

    async def log(request: web.Request) -> web.Response:
        return web.json_response([one._asdict() for one in sim.truth_log.since(int(request.query.get("after", 0)))])

    async def accounts(_: web.Request) -> web.Response:
        return web.json_response([credentials(one) for exchange in sim.exchanges.values() for one in exchange.accounts.values()])

    async def prices(_: web.Request) -> web.Response:
        return web.json_response({name: {symbol: say(mark) for symbol, mark in exchange.marks.items()}
                                  for name, exchange in sim.exchanges.items()})

    async def now(_: web.Request) -> web.Response:
        return web.json_response({"now_ms": sim.clock.now_ms(), "faults": sim.faults.told(), "taken": sim.faults.taken})

    app.router.add_post("/{action}", act)
    app.router.add_get("/truth/{account}", truth)
    app.router.add_get("/log", log)
    app.router.add_get("/accounts", accounts)
    app.router.add_get("/prices", prices)
    app.router.add_get("/time", now)
    return app


async def _do(sim: Simulator, action: str, said: Given) -> object:
    """One action; its answer as JSON."""
    if action == "accounts":
        return credentials(sim.open_account(**said))
    if action == "trade":
        return {"order": sim.trade(**said).id}
    if action == "disconnect":
        return {"connections": await sim.disconnect(**said)}
    if action == "switches":
        for name, value in said.items():
            if name not in sim.switches.__slots__:
                raise ValueError(f"expected one of {', '.join(sim.switches.__slots__)}, was {name!r}")
            setattr(sim.switches, name, value)
        return {}
    simple: dict[str, Callable[..., object]] = {
        "price": sim.price, "transfer": sim.transfer, "fund": sim.fund, "advance": sim.advance, "fault": sim.fault,
        "expire_key": sim.expire_key, "announce": sim.announce, "clear_faults": sim.faults.clear,
        **sim.actions}
    if action not in simple:
        raise ValueError(f"expected an action among accounts, trade, disconnect, switches, {', '.join(simple)}, was {action!r}")
    simple[action](**said)
    return {}
