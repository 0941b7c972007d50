"""`PUT /api/admin/rules/{rule_id}`: one rule, shown on the live accounts, refused where it liquidates, kept and published."""

import asyncio

from aiohttp import web
from google.protobuf import json_format

from agents.risk.rules import BadRule
from schemas import engine_pb2 as pb
from streams.admin import reading
from streams.admin.desk import actors
from streams.config import Config
from streams.ops.health import answer
from streams.rules import apply as rules
from streams.stack.process import StackError
from streams.web.inspection import Refused

Json = dict[str, object]


class RulesPage:
    """As `marginstream rules apply`, of one rule."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def routes(self) -> list[web.RouteDef]:
        return [web.put("/api/admin/rules/{rule_id:.+}", self.put)]

    async def put(self, request: web.Request) -> web.Response:
        """The body is the rule as `marginstream rules show` tells it; `force` applies what liquidates, `dry_run` only shows."""
        who, body = actors(request), reading.whole(await request.read())
        force, dry_run = (reading.flag(body.pop(name, False), name) for name in ("force", "dry_run"))
        rule = _rule(body, request.match_info["rule_id"])
        try:
            if dry_run:
                return answer(rules.shown([rule], await asyncio.to_thread(rules.preview, self._config, [rule])))
            done = await asyncio.to_thread(rules.apply, self._config, [rule], _said(who), force=force)
        except BadRule as error:
            raise Refused(400, "bad_rule", str(error), "rule") from None
        except rules.Refused as error:
            raise Refused(422, "would_liquidate", str(error), "force") from None
        except StackError as error:
            raise Refused(503, "away", str(error)) from None
        return answer({"rule_id": rule.rule_id, "effective_from_ms": rule.effective_from_ms, **done._asdict()})


def _said(who: Json) -> str:
    """`changed_by` is one text: the claim stands in brackets behind the owner of the token."""
    return f"api:{who['actor']}" + (f" ({who['claimed_actor']})" if who["claimed_actor"] else "")


def _rule(body: Json, rule_id: str) -> pb.RiskRule:
    if body.setdefault("rule_id", rule_id) != rule_id:
        raise Refused(400, "bad_rule", f"rule_id: expected {rule_id!r} as in the path, was {str(body['rule_id'])[:160]!r}", "rule_id")
    try:
        return json_format.ParseDict(body, pb.RiskRule())
    except (json_format.ParseError, ValueError, RecursionError) as error:
        raise Refused(400, "bad_rule", " ".join(str(error).split())[:300], "rule") from None
