"""Questions to other workers: one hop, with the token, never round in a circle."""

import asyncio
from typing import NamedTuple
from urllib.parse import quote

import orjson
from aiohttp import ClientError, ClientSession, ClientTimeout
from yarl import URL

HOP = "X-Marginstream-Hop"  # whoever sees it answers from its own rows and asks nobody
_TIMEOUT_S = 3.0


class Unreachable(Exception):
    """A worker that did not answer, or not in JSON."""


class Answer(NamedTuple):
    status: int
    body: dict[str, object]


class Peers:
    """The other workers, over one session."""

    def __init__(self, token: str, timeout_s: float = _TIMEOUT_S) -> None:
        headers = {HOP: "1"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._timeout_s = timeout_s
        self._session = ClientSession(timeout=ClientTimeout(total=timeout_s), headers=headers)

    async def ask(self, base: str, *path: str, **query: str) -> Answer:
        """GETs a path, given in segments, of the worker at `base`; raises `Unreachable`."""
        # Encoded here: a user id may hold a slash or a percent sign.
        url = URL("/".join([base.rstrip("/"), *(quote(segment, safe=":") for segment in path)]), encoded=True)
        try:
            async with self._session.get(url.update_query(query), allow_redirects=False) as response:
                body = orjson.loads(await response.read())
        except (ClientError, TimeoutError, orjson.JSONDecodeError) as error:
            said = f"worker at {base}: expected an answer in JSON within {self._timeout_s:g} s, was {type(error).__name__}"
            raise Unreachable(said) from None
        if not isinstance(body, dict):
            raise Unreachable(f"worker at {base}: expected a JSON object, was {type(body).__name__}")
        return Answer(response.status, body)

    async def ask_all(self, bases: list[str], *path: str, **query: str) -> list[Answer]:
        """As `ask`, of all at once, in their order; raises `Unreachable` for the first that fails."""
        return list(await asyncio.gather(*(self.ask(base, *path, **query) for base in bases)))

    async def close(self) -> None:
        await self._session.close()
