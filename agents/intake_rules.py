"""Rules in an evaluation's input as instruments: what they say, and what absent ones and their absent fields are."""

from __future__ import annotations

from decimal import Decimal

from msgspec.structs import replace

from agents import fields
from agents.fields import BadInput, Json
from agents.risk import shipped
from agents.risk.law import Book
from agents.risk.policies import BASE, MODEL_POLICIES, Model, policies_of, settle_of
from agents.risk.rules import CALC_MODES, Instrument
from agents.risk.tiers import Bracket, validate
from agents.symbols import pair_of
from schemas.keys import HOUSE
from schemas.money import ONE

_RULE = (
    "brackets tier_policy tier_unit base quote settle contract_size taker_fee calc_mode margin_rate hedged_factor hedged_mode tick_size"
    " tick_value initial_margin maintenance_margin quantity_step min_quantity price_tick stale_after_ms"
)
_AMOUNTS = "tick_size tick_value initial_margin taker_fee hedged_factor quantity_step min_quantity price_tick"
_BRACKET = "floor cap rate amount max_leverage"


def currencies(name: str, rule: Instrument | None) -> tuple[str, str]:
    """Base and quote of a price: as its rule says, else as its name does."""
    venue, _, symbol = name.partition(":")
    if rule and rule.base and rule.quote:
        return rule.base, rule.quote
    return pair_of(symbol, forex=venue == HOUSE) or ("", "")


def absent(name: str, model: str) -> Instrument | None:
    """Without a rule: the shipped table of the model, or for FX a standard lot of a pair whose name says its currencies."""
    venue, _, symbol = name.partition(":")
    if venue != HOUSE:
        return shipped.instrument(symbol) if venue == "binance_usdm" else None
    pair = pair_of(symbol, forex=True)
    return Instrument(name, pair.base, pair.quote, pair.quote, Decimal(100_000)) if pair else None


def _default(name: str, book: Book) -> Instrument:
    """What a rule's absent fields are: the shipped rule's, else what the symbol and the model say."""
    found, model = absent(name, book.model), MODEL_POLICIES.get(book.model)
    if found is not None or model is None:
        return found or Instrument(name)
    pair = pair_of(name.partition(":")[2])
    return Instrument(name, pair.base, pair.quote) if pair else Instrument(name)


def rule_of(raw: object, symbol: str, book: Book) -> Instrument:
    where = f"rules.{symbol}."
    row, name, model = fields.only(raw, _RULE, where[:-1]), f"{book.venue}:{symbol}", MODEL_POLICIES.get(book.model)
    default = _default(name, book)
    base, quote = fields.text(row, "base", where) or default.base, fields.text(row, "quote", where) or default.quote
    settle = fields.text(row, "settle", where) or ("" if fields.text(row, "quote", where) else default.settle)
    if model is not None and model.settles_in == BASE and not base:
        base, quote = settle or book.currency, quote or "USD"
        if base == quote:
            raise BadInput(f"{where}base: expected the coin, as neither the symbol nor the account says it, was none")
    found = replace(default, base=base, quote=quote, settle=settle)
    if model is not None:
        found = _tiered(row, replace(found, settle=settle_of(found, model, book.currency)), model, where)
    else:
        _tiered(row, found, MODEL_POLICIES["binance_usdm"], where)  # FX has no use for a table; a malformed one is refused all the same
    fields.not_negative(row, "maintenance_margin", where)  # of FUTURES: their venue's; thresholds here go by the initial margin
    return replace(
        found,
        contract_size=fields.positive(row, "contract_size", where) or (default.contract_size if book.venue == HOUSE else ONE),
        calc_mode=fields.choice(row, "calc_mode", where, " ".join(CALC_MODES)),
        **_margin_rates(row, where),
        stale_after_ms=fields.whole(row, "stale_after_ms", where) or 0,
        hedged_mode=fields.choice(row, "hedged_mode", where, "factor larger"),
        **_amounts(row, where),
    )


def _tiered(row: Json, rule: Instrument, model: Model, where: str) -> Instrument:
    """The rule with its table, by the policies of its kind of contract where the table does not say."""
    policies = policies_of(rule, model)
    policy = fields.choice(row, "tier_policy", where, f"{policies.tier_policy} progressive flat")
    unit = fields.choice(row, "tier_unit", where, f"{policies.tier_unit} notional contracts settle")
    brackets = tuple(_bracket(found, f"{where}brackets[{at}]") for at, found in enumerate(fields.rows(row, "brackets", where)))
    if not brackets and rule.brackets:
        return rule
    return replace(rule, tier_policy=policy, tier_unit=unit, brackets=validate(brackets, policy, where[:-1], first_amount_zero=False))


def _margin_rates(row: Json, where: str) -> dict[str, Decimal]:
    rates = row.get("margin_rate")
    two = fields.only(rates, "long short", f"{where}margin_rate") if isinstance(rates, dict) else {"long": rates, "short": rates}
    return {
        "margin_rate": fields.not_negative(two, "long", f"{where}margin_rate.", "1"),
        "margin_rate_short": fields.not_negative(two, "short", f"{where}margin_rate.", "1"),
    }


def _amounts(row: Json, where: str) -> dict[str, Decimal]:
    """The amounts that a rule names; absent ones stay as they are."""
    found = {}
    for field in _AMOUNTS.split():
        value = fields.optional(row, field, where)
        if value is not None:
            if value < 0:
                raise BadInput(f"{where}{field}: expected 0 or more, was {value}")
            found[field] = value
    return found


def _bracket(raw: object, where: str) -> Bracket:
    row = fields.only(raw, _BRACKET, where)
    return Bracket(
        fields.not_negative(row, "floor", f"{where}."),
        fields.optional(row, "cap", f"{where}."),
        fields.number(row.get("rate"), f"{where}.rate"),
        fields.not_negative(row, "amount", f"{where}."),
        fields.positive(row, "max_leverage", f"{where}."),
    )
