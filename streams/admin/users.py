"""Users: created, shown, changed, suspended and resumed."""

from typing import cast

from aiohttp import web

from streams.admin import reading
from streams.admin.desk import Desk, actors, once, respond
from streams.admin.store import Answered
from streams.ops.health import answer
from streams.web.inspection import Refused

Json = dict[str, object]
# Fields of the user that decide something, and those that are only carried to the mirrors.
_PROFILE: dict[str, reading.Reader] = {
    "group": reading.group, "leverage": reading.leverage, "status": reading.word, "is_active": reading.flag, "kyc": reading.flag,
    "risk_tier": reading.label}
_CARRIED: dict[str, reading.Reader] = dict.fromkeys((
    "account_number", "country_id", "mam_id", "mam_status", "pam_id", "pam_status", "copy_trading_wallet", "copytrader_id",
    "copytrading_status", "name", "email"), reading.label)
_DERIVED: dict[str, reading.Reader] = dict.fromkeys((
    "margin", "net_profit", "equity", "free_margin", "margin_level", "unrealised_pnl", "rung", "last_balance_update", "last_group_update",
    "last_admin_update", "balance_updated_at", "group_updated_at", "calculated_at"), reading.derived)
_NEW: dict[str, reading.Reader] = {**_PROFILE, **_CARRIED, **_DERIVED, "wallet_balance": reading.balance, "currency": reading.asset,
                                   "execution": reading.text("house|external", "house or external"), "note": reading.label,
                                   "user_id": reading.label, "user_type": reading.word}


def _fixed(value: object, field: str) -> object:
    raise Refused(422, "fixed_field", f"{field}: expected to be left out, was {str(value)[:80]!r}: it holds from the creation on", field)


_CHANGES: dict[str, reading.Reader] = {
    **_PROFILE, **_CARRIED, **_DERIVED, "wallet_balance": reading.balance, "note": reading.label, "version": reading.whole_number,
    "force": reading.flag, "dry_run": reading.flag, "currency": _fixed, "user_id": _fixed, "user_type": _fixed, "execution": _fixed}


class Users:
    """The pages of users."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        one = "/api/admin/users/{user}"
        return [web.post("/api/admin/users", self.create), web.get(one, self.show), web.patch(one, self.change),
                web.get(one + "/audit", self.audit), web.post(one + "/{action:suspend|resume}", self.suspend)]

    async def create(self, request: web.Request) -> web.Response:
        """201 with the user; 409 where there is one. A `wallet_balance` is the opening of its ledger."""
        body = await reading.read(request, _NEW, ["user_id"])
        key = once(request, body)
        kind = str(body.get("user_type", self._desk.default_user_type))
        user = reading.user_of(str(body["user_id"]), kind, "user_id")
        if "user_type" in body and not user.startswith(f"{kind}:"):
            raise reading.wrong("user_id", f"a user of type {kind}", body["user_id"])
        usual = {"status": "active", "is_active": True, "group": "standard", "currency": "USD"}
        given = {"user_key": user, "profile": usual | _profile(body), "wallet_balance": body.get("wallet_balance", "0"),
                 "note": body.get("note", ""), **actors(request), "action": "user_created"}
        return respond(await self._desk.store.call("create_user", given, key, 201))

    async def show(self, request: web.Request) -> web.Response:
        """The user; `version` is what a change may insist on. 404 for an unknown one."""
        user = self._desk.user(request)
        found = await self._desk.store.rows("SELECT shown_user(%s)", [user])
        if not found or found[0] is None:
            raise Refused(404, "unknown_user", f"user: expected a known user, was {user}", "user")
        return answer(found[0])

    async def audit(self, request: web.Request) -> web.Response:
        """What was done to the user, the newest first."""
        user = self._desk.user(request)
        found = await self._desk.rows_of(
            user, "SELECT to_jsonb(a) FROM audit_log AS a WHERE user_key = %s ORDER BY id DESC LIMIT 100", [user])
        return answer({"audit": found})

    async def change(self, request: web.Request) -> web.Response:
        """The user after, with `changed`; a change of group or leverage is shown (`preview`) and refused where it would liquidate.

        `force` applies it all the same, `dry_run` only shows it. A changed `wallet_balance` is an adjustment of the difference.
        """
        user = self._desk.user(request)
        body = await reading.read(request, _CHANGES)
        key = once(request, body)
        if before := await self._desk.store.answered(key):
            return respond(before)
        force, dry_run = bool(body.pop("force", False)), bool(body.pop("dry_run", False))
        if not _profile(body) and "wallet_balance" not in body:
            raise Refused(400, "nothing_to_change", "body: expected a field to change, was none")
        preview = await self._foreseen(user, body, force=force or dry_run)
        if dry_run:
            return answer({"user": user, "dry_run": True, "preview": preview})
        given: Json = {name: body[name] for name in ("version", "wallet_balance", "note") if name in body}
        given |= {"user_key": user, "profile": _profile(body), **actors(request), "action": "user_updated"}
        found = await self._desk.store.call("change_user", given, key)
        return respond(Answered(found.status, cast(Json, found.body) | ({} if preview is None else {"preview": preview})))

    async def suspend(self, request: web.Request) -> web.Response:
        """The user after. A suspended user is still judged: his positions are at risk as before."""
        action = request.match_info["action"]
        body = await reading.read(request, {"note": reading.label, "version": reading.whole_number})
        profile = {"status": "suspended", "is_active": False} if action == "suspend" else {"status": "active", "is_active": True}
        given = body | {"user_key": self._desk.user(request), "profile": profile, **actors(request), "action": f"user_{action}"}
        return respond(await self._desk.store.call("change_user", given, once(request, body)))

    async def _foreseen(self, user: str, body: Json, *, force: bool) -> Json | None:
        """What the engine says the change would do; None where nothing it judges by changes, or nobody can say."""
        other = {name: str(body[name]) for name in ("group", "leverage") if body.get(name)}
        if not other:
            return None
        known = await self._desk.store.rows("SELECT jsonb_build_array(group_name, leverage::TEXT) FROM users WHERE user_key = %s", [user])
        if not known:
            raise Refused(404, "unknown_user", f"user: expected a known user, was {user}", "user")
        judged = await self._desk.workers.judge(user, **other)
        if not force and judged.reason and not judged.unknown:
            raise Refused(409, "cannot_verify", f"{next(iter(other))}: expected the engine to tell what it does, was {judged.reason}"
                          ' ("force": true applies it)', next(iter(other)))
        if not force and (ones := judged.liquidated() or judged.unjudged()):
            word = "would_liquidate" if judged.liquidated() else "cannot_judge"
            raise Refused(422, word, f"{next(iter(other))}: expected nobody to be liquidated by it, was {', '.join(ones)}"
                          f' ({judged.preview()}; "force": true applies it)', next(iter(other)))
        return None if judged.reason else judged.preview()


def _profile(body: Json) -> Json:
    """As AccountUpdate.Profile has it."""
    found = {name: body[name] for name in (*_PROFILE, "currency", "execution") if name in body}
    carried = {name: body[name] for name in _CARRIED if name in body}
    return found | ({"fields": carried} if carried else {})
