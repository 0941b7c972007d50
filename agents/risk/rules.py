"""Rules as values: instruments, groups and thresholds, effective-dated and validated on load."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

import msgspec

from agents.risk.tiers import FLAT, PROGRESSIVE, BadRule, Bracket, validate
from schemas import engine_pb2 as pb
from schemas import money
from schemas.money import ONE

CALC_MODES = ("FOREX", "FOREX_NO_LEVERAGE", "CFD", "CFD_LEVERAGE", "CFD_INDEX", "FUTURES", "EXCH_STOCKS")
MINUTES_A_WEEK = 10_080
T = TypeVar("T")
Dated = dict[str, tuple[tuple[int, T | None], ...]]


class Instrument(msgspec.Struct, frozen=True):
    """What the law needs to know of one instrument. `sessions` are (open, close) minutes since Monday 00:00 UTC, none = always open."""

    name: str
    base: str = ""
    quote: str = ""
    settle: str = ""
    contract_size: Decimal = ONE
    price_tick: Decimal = Decimal(0)
    quantity_step: Decimal = Decimal(0)
    min_quantity: Decimal = Decimal(0)
    calc_mode: str = "FOREX"
    margin_rate: Decimal = ONE
    margin_rate_short: Decimal | None = None
    taker_fee: Decimal = Decimal(0)
    tier_policy: str = PROGRESSIVE
    tier_unit: str = "notional"
    brackets: tuple[Bracket, ...] = ()
    stale_after_ms: int = 0
    jump_ratio: Decimal | None = None
    jump_ticks: int = 0
    jump_ms: int = 0
    sessions: tuple[tuple[int, int], ...] = ()
    conversion_instrument: str = ""
    hedged_factor: Decimal = Decimal("0.5")
    hedged_mode: str = "factor"
    tick_size: Decimal = Decimal(0)
    tick_value: Decimal = Decimal(0)
    initial_margin: Decimal = Decimal(0)


class Thresholds(msgspec.Struct, frozen=True):
    """mode ratio: requirement over equity, breach upwards; percent: margin level, breach downwards; money: equity, breach downwards."""

    mode: str = "ratio"
    warning: Decimal = Decimal("0.8")
    margin_call: Decimal = Decimal("0.9")
    liquidation: Decimal = ONE
    release: Decimal = Decimal("0.75")
    auto_reduce: Decimal | None = None

    def early(self) -> Thresholds:
        """Of who opted into `auto_reduce`: liquidated there, before the venue would; a release beyond it would end a plan at once."""
        if self.auto_reduce is None:
            return self
        calls = min if self.mode == "ratio" else max
        warning, call, release = (calls(number, self.auto_reduce) for number in (self.warning, self.margin_call, self.release))
        return msgspec.structs.replace(self, warning=warning, margin_call=call, liquidation=self.auto_reduce, release=release)


EXCHANGE_THRESHOLDS = Thresholds()
FX_THRESHOLDS = Thresholds("percent", Decimal(150), Decimal(100), Decimal(50), Decimal(110))


class Group(msgspec.Struct, frozen=True):
    name: str
    thresholds: Thresholds | None = None
    by_model: dict[str, Thresholds] = {}
    leverage: Decimal | None = None
    fallback_ratio: Decimal | None = None

    def thresholds_of(self, model: str) -> Thresholds:
        """The group's own for the model, else the group's if of the model's mode, else the model's default."""
        default = default_thresholds(model)
        if model in self.by_model:
            return self.by_model[model]
        return self.thresholds if self.thresholds and self.thresholds.mode in (default.mode, "money") else default


def default_thresholds(model: str) -> Thresholds:
    return FX_THRESHOLDS if model == "mt5" else EXCHANGE_THRESHOLDS


class Rules(msgspec.Struct, frozen=True):
    """Every rule by name, each a list of (effective_from_ms, rule, None where it is withdrawn) in order of time.

    `offset` is the last record taken, -1 = none.
    """

    instruments: Dated[Instrument] = {}
    groups: Dated[Group] = {}
    weights: Dated[Decimal] = {}
    pairs: dict[tuple[str, str, str], str] = {}  # (venue, base, quote) -> instrument
    offset: int = -1

    def instrument(self, name: str, now_ms: int) -> Instrument | None:
        return _effective(self.instruments, name, now_ms)

    def group(self, name: str, now_ms: int) -> Group:
        """The group's rule; one without a rule has the defaults of every model."""
        return _effective(self.groups, name, now_ms) or Group(name)

    def weight(self, name: str, now_ms: int) -> Decimal | None:
        """What of an asset counts as collateral, by "currency/asset"; None = no rule."""
        return _effective(self.weights, name, now_ms)

    def next_effective_ms(self, now_ms: int) -> int | None:
        """When the next rule that is already known begins to hold; None = none is waiting."""
        kinds: tuple[Mapping[str, tuple[tuple[int, object], ...]], ...] = (self.instruments, self.groups, self.weights)
        return min((at for kind in kinds for dated in kind.values() for at, _ in dated if at > now_ms), default=None)


def _effective(rules: Dated[T], name: str, now_ms: int) -> T | None:
    dated = rules.get(name, ())
    at = bisect_right(dated, now_ms, key=lambda pair: pair[0])
    return dated[at - 1][1] if at else None


def rules_with(rules: Rules, message: pb.RiskRule, offset: int) -> Rules:
    """`rules` with one record of the topic; of two with the same name and time the later record holds. Raises `BadRule`."""
    kind, at = message.WhichOneof("rule"), message.effective_from_ms
    if kind == "instrument":
        found = instrument_of(message.instrument)
        venue = found.name.partition(":")[0]
        pairs = {**rules.pairs, (venue, found.base, found.quote): found.name} if found.base and found.quote else rules.pairs
        return msgspec.structs.replace(rules, instruments=_dated(rules.instruments, found.name, at, found), pairs=pairs, offset=offset)
    if kind == "group":
        group = group_of(message.group)
        return msgspec.structs.replace(rules, groups=_dated(rules.groups, group.name, at, group), offset=offset)
    if kind == "collateral_weight":
        name = f"{message.collateral_weight.currency}/{message.collateral_weight.asset}"
        weight = _number(message.collateral_weight.weight, f"weight {name}")
        if weight > 1:
            raise BadRule(f"weight {name}: expected 0 to 1, was {weight}")
        return msgspec.structs.replace(rules, weights=_dated(rules.weights, name, at, weight), offset=offset)
    if kind == "withdrawn":
        field, name = _place(message.rule_id)
        return msgspec.structs.replace(rules, **{field: _dated(getattr(rules, field), name, at, None)}, offset=offset)
    raise BadRule(f"{message.rule_id or 'rule'}: expected an instrument, a group or a collateral weight, was {kind}")


def rules_without(rules: Rules, key: str, offset: int) -> Rules:
    """`rules` after a record without a value: what `rule_id@effective_from` said is taken back. Raises `BadRule` for another key."""
    ident, _, at = key.rpartition("@")
    field, name = _place(ident)
    if not at.lstrip("-").isdecimal():
        raise BadRule(f"key: expected a rule's id @ms, was {key[:160]!r}")
    dated = {held: tuple(pair for pair in pairs if held != name or pair[0] != int(at)) for held, pairs in getattr(rules, field).items()}
    kept = {held: pairs for held, pairs in dated.items() if pairs}
    found = msgspec.structs.replace(rules, **{field: kept}, offset=offset)
    return msgspec.structs.replace(found, pairs={pair: held for pair, held in rules.pairs.items() if held in found.instruments})


def _place(rule_id: str) -> tuple[str, str]:
    """(field of `Rules`, name); raises `BadRule`."""
    kind, _, name = rule_id.partition(":")
    field = {"instrument": "instruments", "group": "groups", "weight": "weights"}.get(kind)
    if field is None or not name:
        raise BadRule(f"rule_id: expected 'instrument:venue:symbol', 'group:name' or 'weight:currency/asset', was {rule_id[:160]!r}")
    return field, name


def _dated(rules: Dated[T], name: str, at: int, rule: T | None) -> Dated[T]:
    kept = tuple(pair for pair in rules.get(name, ()) if pair[0] != at)
    return {**rules, name: tuple(sorted((*kept, (at, rule)), key=lambda pair: pair[0]))}


def instrument_of(message: pb.RiskRule.Instrument) -> Instrument:
    """The validated instrument; raises `BadRule` naming instrument and field."""
    name = message.instrument
    if ":" not in name:
        raise BadRule(f"instrument: expected 'venue:symbol', was {name!r}")
    policy = message.tier_policy or PROGRESSIVE
    found = Instrument(
        name,
        message.base,
        message.quote,
        message.settle or message.quote,
        _number(message.contract_size or "1", f"{name}: contract_size"),
        _number(message.price_tick or "0", f"{name}: price_tick"),
        _number(message.quantity_step or "0", f"{name}: quantity_step"),
        _number(message.min_quantity or "0", f"{name}: min_quantity"),
        message.calc_mode or "FOREX",
        _number(message.margin_rate or "1", f"{name}: margin_rate"),
        taker_fee=_number(message.taker_fee or "0", f"{name}: taker_fee"),
        tier_policy=policy,
        tier_unit=message.tier_unit or "notional",
        brackets=validate([_bracket(found, f"{name}: brackets[{at}]") for at, found in enumerate(message.brackets)], policy, name),
        stale_after_ms=message.stale_after_ms,
        jump_ratio=_optional(message.jump_ratio, f"{name}: jump_ratio"),
        jump_ticks=message.jump_ticks,
        jump_ms=message.jump_ms,
        sessions=tuple(sorted((session.open_minute, session.close_minute) for session in message.sessions)),
        conversion_instrument=message.conversion_instrument,
        hedged_factor=_number(message.hedged_factor or "0.5", f"{name}: hedged_factor"),
        hedged_mode=message.hedged_mode or "factor",
        margin_rate_short=_optional(message.margin_rate_short, f"{name}: margin_rate_short"),
        tick_size=_number(message.tick_size or "0", f"{name}: tick_size"),
        tick_value=_number(message.tick_value or "0", f"{name}: tick_value"),
        initial_margin=_number(message.initial_margin or "0", f"{name}: initial_margin"),
    )
    _validate_instrument(found)
    return found


def _validate_instrument(found: Instrument) -> None:
    name = found.name
    if found.contract_size <= 0:
        raise BadRule(f"{name}: contract_size: expected above 0, was {found.contract_size}")
    if found.calc_mode not in CALC_MODES:
        raise BadRule(f"{name}: calc_mode: expected one of {', '.join(CALC_MODES)}, was {found.calc_mode!r}")
    if found.hedged_mode not in ("factor", "larger"):
        raise BadRule(f"{name}: hedged_mode: expected factor or larger, was {found.hedged_mode!r}")
    if found.tier_unit not in ("notional", "contracts", "settle"):
        raise BadRule(f"{name}: tier_unit: expected notional, contracts or settle, was {found.tier_unit!r}")
    if found.jump_ratio is not None and not (found.jump_ticks or found.jump_ms):
        raise BadRule(f"{name}: jump_ratio: expected jump_ticks or jump_ms beside it, else a real jump is never accepted")
    last = 0
    for opens, closes in found.sessions:
        if not last <= opens < closes <= MINUTES_A_WEEK:
            raise BadRule(f"{name}: sessions: expected rising minutes of a week up to {MINUTES_A_WEEK}, was {opens}-{closes}")
        last = closes


def _bracket(message: pb.Bracket, where: str) -> Bracket:
    return Bracket(
        _number(message.floor or "0", f"{where}.floor"),
        _optional(message.cap, f"{where}.cap"),
        _number(message.rate, f"{where}.rate"),
        _number(message.amount or "0", f"{where}.amount"),
        _optional(message.max_leverage, f"{where}.max_leverage"),
    )


def group_of(message: pb.RiskRule.Group) -> Group:
    """The validated group; raises `BadRule`."""
    name = message.group
    thresholds = thresholds_of(message.thresholds, f"group {name}") if message.HasField("thresholds") else None
    by_model = {model: thresholds_of(found, f"group {name}: {model}") for model, found in sorted(message.by_model.items())}
    leverage = _optional(message.leverage, f"group {name}: leverage")
    if leverage is not None and leverage <= 0:
        raise BadRule(f"group {name}: leverage: expected above 0, was {leverage}")
    return Group(name, thresholds, by_model, leverage, _optional(message.fallback_ratio, f"group {name}: fallback_ratio"))


def thresholds_of(message: pb.Threshold, where: str) -> Thresholds:
    """Validated thresholds; raises `BadRule`."""
    a, b, c, d = (_number(getattr(message, field), f"{where}: {field}") for field in ("warning", "margin_call", "liquidation", "release"))
    auto = _number(message.auto_reduce, f"{where}: auto_reduce") if message.HasField("auto_reduce") else None
    return check_thresholds(Thresholds(message.mode or "ratio", a, b, c, d, auto), where)


def check_thresholds(found: Thresholds, where: str) -> Thresholds:
    """The thresholds themselves; raises `BadRule` where their order would make a rung unreachable or sticky."""
    rungs = [found.warning, found.margin_call, found.liquidation]
    if found.mode not in ("ratio", "percent", "money"):
        raise BadRule(f"{where}: mode: expected ratio, percent or money, was {found.mode!r}")
    sign = 1 if found.mode == "ratio" else -1
    if any(sign * a > sign * b for a, b in itertools.pairwise(rungs)):
        raise BadRule(f"{where}: expected warning, margin_call, liquidation in order, was {', '.join(map(str, rungs))}")
    if sign * found.release > sign * found.margin_call:
        raise BadRule(f"{where}: release: expected on the safe side of margin_call {found.margin_call}, was {found.release}")
    if found.mode != "money" and min(*rungs, found.release) <= 0:
        raise BadRule(f"{where}: expected thresholds above 0, was {min(*rungs, found.release)}")
    before = found.liquidation if found.auto_reduce is None else found.auto_reduce
    if sign * before > sign * found.liquidation or (found.mode == "ratio" and before <= 0):
        raise BadRule(f"{where}: auto_reduce: expected before liquidation {found.liquidation}, was {before}")
    return found


def _number(text: str, field: str) -> Decimal:
    try:
        found = money.parse(text, field)
    except money.BadNumber as error:
        raise BadRule(str(error)) from None
    if found < 0:
        raise BadRule(f"{field}: expected 0 or more, was {text}")
    return found


def _optional(text: str, field: str) -> Decimal | None:
    return _number(text, field) if text else None


__all__ = ["CALC_MODES", "FLAT", "PROGRESSIVE", "BadRule", "Bracket", "Group", "Instrument", "Rules", "Thresholds", "rules_with",
           "rules_without"]
