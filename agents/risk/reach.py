"""How far a change of rules reaches: which rules hold otherwise, and whose account rests on them."""

from __future__ import annotations

from collections.abc import Mapping, Set

from agents.risk.rules import Rules
from tables.rows import Account, User

_INSTRUMENT, _GROUP, _WEIGHT = "instrument:", "group:", "weight:"


def changed(before: Rules, before_ms: int, after: Rules, after_ms: int) -> set[str]:
    """Ids of the rules that hold otherwise in `after` at `after_ms` than in `before` at `before_ms`; the same said again is no change."""
    kinds: tuple[tuple[str, Mapping[str, object], Mapping[str, object]], ...] = (
        (_INSTRUMENT, before.instruments, after.instruments),
        (_GROUP, before.groups, after.groups),
        (_WEIGHT, before.weights, after.weights),
    )
    return {
        prefix + name
        for prefix, old, new in kinds
        for name in old.keys() | new.keys()
        if _holds(before, prefix, name, before_ms) != _holds(after, prefix, name, after_ms)
    }


def _holds(rules: Rules, prefix: str, name: str, now_ms: int) -> object:
    if prefix == _INSTRUMENT:
        return rules.instrument(name, now_ms)
    return rules.group(name, now_ms) if prefix == _GROUP else rules.weight(name, now_ms)


def instruments_of(ids: Set[str]) -> set[str]:
    """The instruments among rule ids."""
    return {found.removeprefix(_INSTRUMENT) for found in ids if found.startswith(_INSTRUMENT)}


def rests_on(user: User, account: Account, ids: Set[str]) -> bool:
    """Whether the account's verdict rests on one of these groups or collateral weights; instruments are for an index to say."""
    if _GROUP + user.profile.group in ids:
        return True
    return any(f"{_WEIGHT}{account.currency}/{asset}" in ids for asset in account.balances)


def may_rest_on(user: User, account: Account, ids: Set[str], rules: Rules, now_ms: int) -> bool:
    """As `rests_on`, with instruments: those held, and those quoted between currencies of the account. Errs to saying yes."""
    instruments = instruments_of(ids)
    held = {position.instrument for position in account.positions.values() if position.quantity}
    if rests_on(user, account, ids) or held & instruments:
        return True
    currencies = {account.currency, *account.balances}
    for rule in (rules.instrument(name, now_ms) for name in held):
        in_base = account.model == "mt5"  # FX margin is
        currencies |= {rule.quote, rule.settle, rule.base if in_base else ""} - {""} if rule else set()
    pairs = (rule for name in instruments if (rule := rules.instrument(name, now_ms)) and rule.base and rule.quote)
    return len(currencies) > 1 and any({rule.base, rule.quote} & currencies for rule in pairs)
