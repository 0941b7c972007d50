"""The names of Redis keys and channels; braces are literal: they are the hash tag of Redis Cluster."""

BALANCE_UPDATES = "balance_updates"
USER_UPDATES = "user_updates"
GROUP_UPDATES = "group_updates"
CONFIG_PATTERN = "user:{*}:config"


def config(user: str) -> str:
    """Hash: the cache of a user."""
    return f"user:{{{user}}}:config"


def portfolio(user: str) -> str:
    """Hash: balance and calculated figures."""
    return f"user:{{{user}}}:portfolio"


def versions(user: str) -> str:
    """Hash source -> "generation version", beside the user's tagged keys."""
    return f"user:{{{user}}}:v"


def balance(user: str) -> str:
    """Text: the wallet balance, an hour long."""
    return f"user_balance:{user}"


def margin_check_queue(user: str) -> str:
    """List: the user's id, once a change of its wallet."""
    return f"QUEUE:MARGIN:CHECK:{user}"


def companion(key: str) -> str:
    """The versions of an untagged key, in its slot: the tag is the key itself."""
    return f"{{{key}}}:v"


def user_of_config(key: str) -> str:
    """The user of a config key."""
    return key.removeprefix("user:{").removesuffix("}:config")
