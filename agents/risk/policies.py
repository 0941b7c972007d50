"""Where venues differ, as named choices: one record for the linear and one for the inverse contracts of a model."""

from __future__ import annotations

from typing import NamedTuple

from agents.risk.rules import Instrument
from agents.risk.tiers import FLAT, PROGRESSIVE

UPPER, LOWER = "upper", "lower"  # the tier of a size exactly on an edge; LOWER: the cap is inclusive
REFUSE, EXTEND = "refuse", "extend"  # what is past the last cap: no evaluation at all, or the last tier goes on, with a note
MARK, ENTRY = "mark", "entry"  # the price at which a margin is taken
NONE, REQUIRED, CLOSING = "none", "required", "closing"  # the taker fee: not counted, in the requirement, and in the bankruptcy price, too
REACHED, PASSED = "reached", "passed"  # a threshold counts where the figure equals it, or only beyond
NOTIONAL, CONTRACTS, SETTLE = "notional", "contracts", "settle"  # what tiers count in; NOTIONAL and SETTLE: value in the settle asset
PER_ASSET, WEIGHTED = "per_asset", "weighted"  # a cross pool per settle asset, or one of all assets by collateral weight
QUOTE, BASE, BY_QUOTE = "quote", "base", "by_quote"  # settle asset of a rule that names none; BY_QUOTE: the base where the quote is USD


class Basis(NamedTuple):
    """What one margin mode goes by."""

    initial: str = MARK
    maintenance: str = MARK
    fee: str = NONE


class Contracts(NamedTuple):
    """Policies of one kind of contract."""

    cross: Basis = Basis()
    isolated: Basis = Basis()
    tier_edge: str = UPPER
    past_last_cap: str = EXTEND
    boundary: str = REACHED
    tier_policy: str = PROGRESSIVE  # of a table that does not say
    tier_unit: str = NOTIONAL


class Model(NamedTuple):
    """An account model: `linear` and `inverse` contracts may be held side by side."""

    linear: Contracts
    inverse: Contracts
    pooling: str = PER_ASSET
    settles_in: str = QUOTE


_BINANCE = Contracts()
_BINANCE_INVERSE = Contracts(tier_unit=SETTLE)
_BYBIT = Contracts(isolated=Basis(ENTRY, ENTRY), tier_edge=LOWER)
# The help page's worked example takes the maintenance of a cross position at its entry and a fee to close at the price itself.
_BYBIT_INVERSE = Contracts(Basis(MARK, ENTRY, CLOSING), Basis(ENTRY, ENTRY), LOWER, tier_unit=SETTLE)
_OKX = Contracts(Basis(fee=REQUIRED), Basis(ENTRY, fee=REQUIRED), LOWER, tier_policy=FLAT, tier_unit=CONTRACTS)
_KUCOIN = Contracts(isolated=Basis(ENTRY), tier_edge=LOWER)

MODEL_POLICIES = {
    "binance_usdm": Model(_BINANCE._replace(past_last_cap=REFUSE), _BINANCE_INVERSE),
    "binance_usdm_multi_asset": Model(_BINANCE, _BINANCE_INVERSE, WEIGHTED),
    "binance_coinm": Model(_BINANCE, _BINANCE_INVERSE, settles_in=BASE),
    "bybit_linear": Model(_BYBIT, _BYBIT_INVERSE),
    "bybit_inverse": Model(_BYBIT, _BYBIT_INVERSE, settles_in=BASE),
    "okx_swap": Model(_OKX, _OKX, settles_in=BY_QUOTE),
    "kucoin_futures": Model(_KUCOIN, _KUCOIN, settles_in=BY_QUOTE),
}


def is_inverse(rule: Instrument) -> bool:
    """Whether a contract is worth contracts x size / price of its base asset, in which it settles."""
    return bool(rule.settle) and rule.settle == rule.base and rule.settle != rule.quote


def settle_of(rule: Instrument, model: Model, currency: str) -> str:
    """The asset that a rule settles in, where it says so; else what the model's contracts do."""
    if rule.settle:
        return rule.settle
    by_base = model.settles_in == BASE or (model.settles_in == BY_QUOTE and rule.quote == "USD")
    return (rule.base if by_base else rule.quote) or currency


def policies_of(rule: Instrument, model: Model) -> Contracts:
    """Those of the rule's kind of contract."""
    return model.inverse if is_inverse(rule) else model.linear
