"""Exchange accounts of users: added with their credentials, listed without them, removed."""

import uuid

from aiohttp import web

from streams.admin import reading
from streams.admin.desk import Desk, actors, once, respond
from streams.admin.store import Answered
from streams.venues.accounts import sealed
from streams.venues.secret import Secret
from streams.venues.vault import Place, Sealed
from streams.venues.venue import Credentials
from streams.web.inspection import Refused

Json = dict[str, object]
_VENUES = "binance_usdm|binance_coinm|bybit_v5|okx_v5|kucoin_futures|house"
_NEW: dict[str, reading.Reader] = {
    "account_id": reading.account_id, "venue": reading.text(_VENUES, f"one of {_VENUES.replace('|', ', ')}"), "model": reading.word,
    "currency": reading.asset, "auto_reduce": reading.flag, "execution": reading.text("house|external|venue", "house, external or venue"),
    "environment": reading.text("mainnet|demo", "mainnet or demo"), "api_key": reading.secret, "api_secret": reading.secret,
    "passphrase": reading.secret}
_CHANGED = {name: reader for name, reader in _NEW.items() if name != "account_id"}
_SECRETS = ("api_key", "api_secret", "passphrase")


class Accounts:
    """The pages of exchange accounts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        path = "/api/admin/users/{user}/exchange-accounts"
        return [web.post(path, self.add), web.get(path, self.listed), web.put(path + "/{account_id}", self.change),
                web.delete(path + "/{account_id}", self.remove)]

    async def add(self, request: web.Request) -> web.Response:
        """201 with the account; 409 where it is there. Credentials are sealed before they leave this process, and never shown."""
        user = self._desk.user(request)
        body = await reading.read(request, _NEW, ["venue"])
        key = once(request, body)
        given = {"account_id": f"x-{uuid.uuid4().hex[:12]}", "execution": "external"} | body
        given |= {"user_key": user, **actors(request), "action": "exchange_account_added"}
        return respond(await self._desk.store.call("add_exchange_account", self._sealed(given), key, 201))

    async def change(self, request: web.Request) -> web.Response:
        """Other credentials or options of an account in use; its venue is said and stays. Who reads it begins anew within seconds."""
        body = await reading.read(request, _CHANGED, ["venue"])
        given = body | {"user_key": self._desk.user(request), "account_id": request.match_info["account_id"], **actors(request),
                        "action": "exchange_account_changed"}
        return respond(await self._desk.store.call("change_exchange_account", self._sealed(given), once(request, body)))

    def _sealed(self, given: Json) -> Json:
        """The same with its secrets as ciphertexts, bound to user, account and venue."""
        secrets = {name: str(given.pop(name)) for name in _SECRETS if name in given}
        if not secrets:
            return given
        for name in ("api_key", "api_secret"):
            if name not in secrets:
                raise Refused(400, "missing_field", f"{name}: expected a value beside the other credentials, was none", name)
        place = Place(str(given["user_key"]), str(given["account_id"]), str(given["venue"]), "")
        try:
            found = sealed(self._desk.vault(), place, Credentials(*(Secret(secrets.get(name, "")) for name in _SECRETS)))
        except Sealed as error:
            raise Refused(503, "no_vault", str(error)) from None
        return given | {"sealed": found}

    async def listed(self, request: web.Request) -> web.Response:
        """Every account of the user, removed ones too."""
        user = self._desk.user(request)
        found = await self._desk.rows_of(
            user, "SELECT shown_account(a) FROM exchange_accounts AS a WHERE user_key = %s ORDER BY account_id", [user])
        return respond(Answered(200, {"exchange_accounts": found}))

    async def remove(self, request: web.Request) -> web.Response:
        """The account as it was; 404 where there is none in use."""
        given: Json = {"user_key": self._desk.user(request), "account_id": request.match_info["account_id"], **actors(request),
                       "action": "exchange_account_removed"}
        return respond(await self._desk.store.call("remove_exchange_account", given, once(request, {})))
