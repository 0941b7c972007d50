"""A worker as the admin API sees one: it judges every user as the test says."""

from aiohttp import web

Json = dict[str, object]


class StandIn:
    """`free_margin` None: it knows nobody. `seen`: the first number of source admin that it has not folded."""

    def __init__(self) -> None:
        self.url = ""
        self.free_margin: str | None = "1000000"
        self.seen = 1_000
        self.reasons: list[str] = []
        self.after = "normal"
        self.away = False
        self.asked: list[str] = []
        self.app = web.Application()
        self.app.add_routes([web.get("/inspect/judge/{user}", self.judge), web.get("/inspect/{table}/{user}", self.page)])

    async def judge(self, request: web.Request) -> web.Response:
        self.asked.append(str(request.rel_url))
        if self.away:
            return web.json_response({"error": {"message": "recovering"}}, status=503)
        if self.free_margin is None:
            return web.json_response({"error": {"message": "unknown"}}, status=404)
        house: Json = {"rung": "unknown" if self.reasons else "normal", "reasons": self.reasons, "free_margin": self.free_margin}
        body: Json = {"before": {"house": house}, "next": {"admin": self.seen}}
        if request.query:
            body |= {"calm": {"house": house}, "after": {"house": house | {"rung": self.after}}}
        return web.json_response(body)

    async def page(self, request: web.Request) -> web.Response:
        return web.json_response({"table": request.match_info["table"], "user": request.match_info["user"], "q": request.query_string})
