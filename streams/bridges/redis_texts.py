"""What Redis holds of a user's state, all text, and what its channels say of a change."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import orjson

from schemas import keys as identities
from schemas.engine_pb2 import AccountState, UserState
from schemas.money import parse, say
from streams.bridges.states import currency_of, house, net_profit, used_margin, wallet_balance
from streams.cache import keys

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ADMIN = "admin"  # the source of what an admin does


class Cache(NamedTuple):
    """`version` is "generation version"; `symbols` the house positions that are open, in order; `operations` the next number of an

    admin's fact: a state with another one holds admin operations; `metadata` JSON.
    """

    user: str
    version: str
    time: str
    config: dict[str, str]
    calculated: dict[str, str]
    symbols: tuple[str, ...]
    operations: str
    metadata: str


def cache_of(state: UserState) -> Cache:
    """What Redis holds of `state`; raises `BadNumber`."""
    profile, account = state.profile, house(state)
    currency = currency_of(state, account)
    balance = account.balances.get(currency)
    config = {
        **profile.fields, "wallet_balance": say(wallet_balance(account, currency)), "margin": say(used_margin(account)),
        "net_profit": say(net_profit(account)),
        "last_balance_update": moment((balance.updated_ms if balance else 0) or state.updated_ms), "group": profile.group or "standard",
        "leverage": profile.leverage, "status": profile.status or "active", "is_active": _flag(profile.is_active),
        "kyc": _flag(profile.kyc), "risk_tier": profile.risk_tier, "currency": currency}
    calculated: dict[str, str] = {}
    if account.margin.HasField("figures"):
        figures = account.margin.figures
        calculated = {"equity": figures.equity, "margin": figures.initial_margin, "free_margin": figures.free_margin,
                      "margin_level": figures.margin_level_pct, "unrealised_pnl": figures.unrealised_pnl,
                      "calculated_at": moment(account.margin.since_ms or state.updated_ms)}
    return Cache(state.user_id, f"{state.generation} {state.version}", moment(state.updated_ms), config, calculated,
                 _symbols(account), str(state.sequences[ADMIN].next if ADMIN in state.sequences else 0), metadata_of(config))


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _symbols(account: AccountState) -> tuple[str, ...]:
    open_ones = (held.instrument for held in account.positions.values() if parse(held.quantity or "0", "quantity"))
    return tuple(sorted({identities.instrument_parts(name)[1] for name in open_ones}))


def metadata_of(config: Mapping[str, str]) -> str:
    """The value in `user_metadata` of a config."""
    found: dict[str, object] = {"kyc": config.get("kyc") == "true", "risk": config.get("risk_tier", "")}
    if config.get("leverage"):
        found["leverage"] = config["leverage"]
    return orjson.dumps(found).decode()


class Passed(NamedTuple):
    """What the guard answered of a cache it let pass: fields that changed; symbols and operations as they were before."""

    cache: Cache
    changed: tuple[str, ...]
    group_changed: bool
    symbols: tuple[str, ...]
    operations: str

    @property
    def by_admin(self) -> bool:
        """Whether the state holds operations of an admin that are not followed up yet."""
        return self.operations != self.cache.operations


def messages(passed: Passed) -> list[tuple[str, dict[str, object]]]:
    """(channel, message) of an accepted write."""
    if not passed.changed:
        return []
    cache, source = passed.cache, "admin_operation" if passed.by_admin else "margin_engine"
    fields = {field: cache.config[field] for field in sorted(passed.changed)}
    wanted = [(keys.USER_UPDATES, "user_update", True), (keys.ADMIN_USER_UPDATES, "admin_user_update", passed.by_admin),
              (keys.BALANCE_UPDATES, "balance_update", "wallet_balance" in fields),
              (keys.GROUP_UPDATES, "group_change", passed.group_changed)]
    return [(channel, message(cache.user, fields, (event, cache.time, source), group_changed=passed.group_changed))
            for channel, event, is_wanted in wanted if is_wanted]


def message(user: str, fields: Mapping[str, str], event: tuple[str, str, str], *, group_changed: bool) -> dict[str, object]:
    """What a channel says; `event` is (event type, time, source)."""
    kind, ident = identities.user_parts(user)
    return {"user_id": int(ident) if ident.isascii() and ident.isdigit() and len(ident) < 19 else ident, "user_type": kind,
            "updated_fields": dict(fields), "group_changed": group_changed, "event_type": event[0], "timestamp": event[1],
            "source": event[2]}


@lru_cache(maxsize=1024)  # a state's times are mostly one
def moment(ms: int) -> str:
    """ISO 8601 UTC with milliseconds."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
