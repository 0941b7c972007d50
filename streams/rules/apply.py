"""A change of rules: shown on the live accounts first, kept in Postgres, then published."""

from collections.abc import Sequence
from typing import NamedTuple

from agents.foresee import Foreseen, Judged, amended, foresee, moved
from schemas import engine_pb2 as pb
from schemas.money import say_short
from streams.config import Config
from streams.rules import store
from streams.rules.live import read_live
from streams.rules.publish import publish
from streams.rules.reading import Json, check_rules, key_of
from streams.stack.process import StackError
from tables.rows import RUNG_NAMES

_NAMED_MAX = 5


class Refused(StackError):
    """A change that would liquidate users, or of which that cannot be said."""


class Applied(NamedTuple):
    """`stored` were new or other than before; `published` of them and of what waited reached the topic."""

    stored: int
    published: int


def preview(config: Config, rules: Sequence[pb.RiskRule]) -> list[Foreseen]:
    """Every live account the rules touch, with its rung before and after. Raises `BadRule` and `StackError`."""
    check_rules(rules)
    live = read_live(config)
    return foresee(live.users, live.marks, (live.rules, amended(live.rules, rules, live.now_ms)), live.now_ms)


def refuse(found: Sequence[Foreseen]) -> None:
    """Raises `Refused` with the first users by name where the change liquidates, or may without our knowing."""
    for word, ones in (("would be liquidated", [one for one in found if one.liquidates]),
                       ("cannot be judged (no mark, rate or rule)", [one for one in found if one.unjudged])):
        if ones:
            names = ", ".join(f"{one.user}/{one.account}" for one in ones[:_NAMED_MAX])
            raise Refused(f"refused: {len(ones)} accounts {word}: {names}{', ...' if len(ones) > _NAMED_MAX else ''}"
                          " (--dry-run shows them, --force applies)")


def apply(config: Config, rules: Sequence[pb.RiskRule], actor: str, *, force: bool = False) -> Applied:
    """Keeps and publishes validated rules; without `force` only where nobody is liquidated by it. Raises `BadRule` and `StackError`."""
    check_rules(rules)
    if not force:
        refuse(preview(config, rules))
    with store.connected(config.postgres_dsn) as connection:
        count = store.store(connection, rules, actor)
    return Applied(count, publish(config))


def begin(config: Config, rules: Sequence[pb.RiskRule], actor: str) -> Applied:
    """Keeps what has no version yet and publishes all that is kept: what people changed stays, and a new topic has it, too."""
    check_rules(rules)
    with store.connected(config.postgres_dsn) as connection:
        kept = {found.message.rule_id for found in store.stored(connection)}
        count = store.store(connection, [rule for rule in rules if rule.rule_id not in kept], actor)
    return Applied(count, publish(config, again=True))


def withdrawal(config: Config, rule_id: str, from_ms: int) -> pb.RiskRule:
    """A version that ends a rule which is kept; raises `StackError` where none holds then."""
    with store.connected(config.postgres_dsn) as connection:
        kept = [found.message for found in store.stored(connection, rule_id) if found.message.effective_from_ms <= from_ms]
    if not kept or kept[-1].withdrawn:
        raise StackError(f"rule_id: expected a rule that is kept and holds at {from_ms}, was {rule_id[:160]!r}")
    return pb.RiskRule(rule_id=rule_id, effective_from_ms=from_ms, withdrawn=True)


def shown(rules: Sequence[pb.RiskRule], found: Sequence[Foreseen]) -> Json:
    """A preview as JSON: the rules, how many accounts they touch, and whose rung moves."""
    return {
        "rules": [key_of(rule) for rule in rules],
        "touched": len(found),
        "liquidated": sum(one.liquidates for one in found),
        "unjudged": sum(one.unjudged for one in found),
        "accounts": [{"user": one.user, "account": one.account, "before": _judged(one.before), "after": _judged(one.after)}
                     for one in moved(found)],
    }


def _judged(found: Judged) -> Json:
    ratio = None if found.ratio is None else say_short(round(found.ratio, 12))
    return {"rung": RUNG_NAMES[found.rung], "margin_ratio": ratio, "reasons": list(found.reasons)}
