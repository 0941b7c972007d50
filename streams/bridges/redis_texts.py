"""What Redis holds of a user's state, all text, and what its channels say of a change."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson

from schemas import keys as identities
from schemas.engine_pb2 import UserState
from schemas.money import parse, say
from streams.bridges.states import currency_of, house, net_profit, used_margin, wallet_balance
from streams.cache import keys

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Cache(NamedTuple):
    """`version` is "generation version"; `symbols` the house positions that are open, in order; `metadata` JSON."""

    user: str
    version: str
    time: str
    config: dict[str, str]
    calculated: dict[str, str]
    symbols: tuple[str, ...]
    metadata: str


def cache_of(state: UserState) -> Cache:
    """What Redis holds of `state`; raises `BadNumber`."""
    profile, account = state.profile, house(state)
    balance = account.balances.get(currency_of(state))
    config = {
        **profile.fields, "wallet_balance": say(wallet_balance(state)), "margin": say(used_margin(state)),
        "net_profit": say(net_profit(state)),
        "last_balance_update": moment((balance.updated_ms if balance else 0) or state.updated_ms), "group": profile.group or "standard",
        "leverage": profile.leverage, "status": profile.status or "active", "is_active": _flag(profile.is_active),
        "kyc": _flag(profile.kyc), "risk_tier": profile.risk_tier, "currency": currency_of(state)}
    calculated: dict[str, str] = {}
    if account.margin.HasField("figures"):
        figures = account.margin.figures
        calculated = {"equity": figures.equity, "margin": figures.initial_margin, "free_margin": figures.free_margin,
                      "margin_level": figures.margin_level_pct, "unrealised_pnl": figures.unrealised_pnl,
                      "calculated_at": moment(account.margin.since_ms or state.updated_ms)}
    return Cache(state.user_id, f"{state.generation} {state.version}", moment(state.updated_ms), config, calculated,
                 _symbols(state), metadata_of(config))


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _symbols(state: UserState) -> tuple[str, ...]:
    open_ones = (held.instrument for held in house(state).positions.values() if parse(held.quantity or "0", "quantity"))
    return tuple(sorted({identities.instrument_parts(name)[1] for name in open_ones}))


def metadata_of(config: Mapping[str, str]) -> str:
    """The value in `user_metadata` of a config."""
    found: dict[str, object] = {"kyc": config.get("kyc") == "true", "risk": config.get("risk_tier", "")}
    if config.get("leverage"):
        found["leverage"] = config["leverage"]
    return orjson.dumps(found).decode()


def messages(cache: Cache, changed: set[str], *, group_changed: bool) -> list[tuple[str, dict[str, object]]]:
    """(channel, message) of an accepted write that changed these fields of the config."""
    if not changed:
        return []
    fields = {field: cache.config[field] for field in sorted(changed)}

    def said(event: str) -> dict[str, object]:
        return message(cache.user, fields, (event, cache.time, "margin_engine"), group_changed=group_changed)

    found = [(keys.USER_UPDATES, said("user_update"))]
    if "wallet_balance" in changed:
        found.append((keys.BALANCE_UPDATES, said("balance_update")))
    if group_changed:
        found.append((keys.GROUP_UPDATES, said("group_change")))
    return found


def message(user: str, fields: Mapping[str, str], event: tuple[str, str, str], *, group_changed: bool) -> dict[str, object]:
    """What a channel says; `event` is (event type, time, source)."""
    kind, ident = identities.user_parts(user)
    return {"user_id": int(ident) if ident.isascii() and ident.isdigit() and len(ident) < 19 else ident, "user_type": kind,
            "updated_fields": dict(fields), "group_changed": group_changed, "event_type": event[0], "timestamp": event[1],
            "source": event[2]}


def moment(ms: int) -> str:
    """ISO 8601 UTC with milliseconds."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
