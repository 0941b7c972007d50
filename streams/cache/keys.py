"""The names of Redis keys, channels and queues; braces are literal: they are the hash tag of Redis Cluster."""

from schemas.keys import user_parts

BALANCE_UPDATES = "balance_updates"
USER_UPDATES = "user_updates"
ADMIN_USER_UPDATES = "admin_user_updates"
GROUP_UPDATES = "group_updates"
MARGIN_UPDATES = "MARGIN_UPDATES"
MARGIN_UPDATES_STREAM = "MARGIN_UPDATES:stream"
MARGIN_UPDATES_LEASE = "MARGIN_UPDATES:lease"
MARKET_PRICE_UPDATES = "market_price_updates"
MIRROR_ALIVE = "marginstream:mirror"  # text, some seconds long: the mirror keeps up
USER_WALLETS = "user_wallets"
USER_METADATA = "user_metadata"
CONFIG_PATTERN = "user:{*}:config"
MARKET_PATTERN = "market:*"
SUMMARY_PATTERN = "financial_summary:*"
SUMMARIES_WAITING = "{financial_summary}:waiting"  # set: users whose summaries the next pass clears
SUMMARIES_NOW = "{financial_summary}:now"  # set: those whom a pass is at


def config(user: str) -> str:
    """Hash: the cache of a user."""
    return f"user:{{{user}}}:config"


def portfolio(user: str) -> str:
    """Hash: balance and calculated figures."""
    return f"user:{{{user}}}:portfolio"


def versions(user: str) -> str:
    """Hash source -> "generation version", beside the user's tagged keys; `symbols` are those whose holders it may be among."""
    return f"user:{{{user}}}:v"


def balance(user: str) -> str:
    """Text: the wallet balance, an hour long."""
    return f"user_balance:{user}"


def margin_check_queue(user: str) -> str:
    """List: the user's id, once a change of its wallet."""
    return f"QUEUE:MARGIN:CHECK:{user}"


def market(symbol: str) -> str:
    """Hash: bid, ask, ts of the house feed."""
    return f"market:{symbol}"


def symbol_of_market(key: str) -> str:
    """The symbol of a market key."""
    return key.removeprefix("market:")


def holders(symbol: str, user_type: str) -> str:
    """Set: the users of a type with an open house position in the symbol."""
    return f"symbol_holders:{symbol}:{user_type}"


def companion(key: str) -> str:
    """The versions of an untagged key, in its slot: the tag is the key itself."""
    return f"{{{key}}}:v"


def user_of_config(key: str) -> str:
    """The user of a config key."""
    return key.removeprefix("user:{").removesuffix("}:config")


def user_of_summary(key: str) -> str:
    """The user of a `financial_summary:live:123:...` key, "" where it is of none."""
    parts = key.split(":")
    return ":".join(parts[1:3]) if len(parts) > 3 else ""


def bare(user: str, default_type: str) -> str:
    """How existing services name a user in `user_wallets` and `user_metadata`: without the default type."""
    kind, ident = user_parts(user)
    return ident if kind == default_type else user


# ---- what is cleared for fresh calculation, each trigger its own list; `financial_summary:{user}:*` is found by pattern

MARGIN_CALC, USER_STATS, USER_SUMMARY = "user_margin_calc", "user_stats", "user_summary"
FINANCIAL_SUMMARY = "financial_summary"
_MONEY = (MARGIN_CALC, USER_STATS, USER_SUMMARY, FINANCIAL_SUMMARY)
_GROUP = (MARGIN_CALC, "user_group_config", "margin_requirements", "spread_config")
CLEARED: dict[str, tuple[str, ...]] = {  # by trigger; `user` is any field that an admin changed
    "deposit": _MONEY, "withdrawal": _MONEY,
    "group": _GROUP, "leverage": (MARGIN_CALC,), "status": (MARGIN_CALC,), "is_active": (MARGIN_CALC,),
    "wallet_balance": (FINANCIAL_SUMMARY,), "margin": (FINANCIAL_SUMMARY,), "net_profit": (FINANCIAL_SUMMARY,),
    "user": (USER_STATS, USER_SUMMARY),
}


def cleared(user: str, triggers: set[str]) -> tuple[list[str], bool]:
    """(keys to clear, whether the financial summaries, too)."""
    names = {name for trigger in triggers for name in CLEARED.get(trigger, ())}
    return sorted(f"{name}:{user}" for name in names - {FINANCIAL_SUMMARY}), FINANCIAL_SUMMARY in names
