"""Asking servers over fake views."""


import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import orjson

from streams.ops.health import Runner
from streams.web.app import start

from .views import FakeView, trader, with_order

Asked = tuple[int, dict[str, object]]


async def get(runner: Runner, path: str, **headers: str) -> Asked:
    async with aiohttp.ClientSession() as session, session.get(runner.url + path, headers=headers) as response:
        return response.status, orjson.loads(await response.read())


@asynccontextmanager
async def serving(*views: FakeView, token: str = "") -> AsyncIterator[list[Runner]]:
    """A server for each view; they know of each other, and of whom each owns."""
    async with AsyncExitStack() as stack:
        runners = []
        for view in views:
            runners.append(await start(view, "127.0.0.1", 0, token))
            stack.push_async_callback(runners[-1].stop)
        for at, view in enumerate(views):
            view.others = [runner.url for place, runner in enumerate(runners) if place != at]
            view.away = {user: runners[place].url for place, other in enumerate(views) if other is not view for user in other.held}
        yield runners


def error_of(asked: Asked) -> tuple[int, str, str | None]:
    status, body = asked
    assert set(body) == {"error"}
    error = body["error"]
    assert isinstance(error, dict)
    assert set(error) == {"code", "message", "field"}
    assert error["message"]
    return status, error["code"], error["field"]


def one(view: FakeView, path: str, **headers: str) -> Asked:
    async def ask() -> Asked:
        async with serving(view) as (runner,):
            return await get(runner, path, **headers)

    return asyncio.run(ask())


def known() -> FakeView:
    view = FakeView("worker-0", trader())
    view.held_orders["live:123"] = with_order()
    return view



def two(token: str = "") -> tuple[FakeView, FakeView]:
    left = FakeView("worker-0", *(trader(f"live:{number}") for number in range(0, 40, 2)))
    right = FakeView("worker-1", *(trader(f"live:{number}") for number in range(1, 21, 2)), trader("demo:a/b%2F?"))
    return left, right
