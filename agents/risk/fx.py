"""FX and CFD as in MT5: margin in the margin currency (the base, for FOREX), PnL in the quote, thresholds on the margin level."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from agents.risk.law import Book, Close, Evaluation, Leg, Pool, Prices, signed_cost, signed_quantity
from agents.risk.market import Market
from agents.risk.rules import Instrument, Thresholds
from schemas.money import ONE, ZERO
from tables.rows import Position

POOL = "cross"
_IN_BASE = ("FOREX", "FOREX_NO_LEVERAGE")


class Fx:
    """Equity = balance + credit + PnL at the closing side + swap + commission; stop-out where the level is at or below `liquidation`."""

    def evaluate(self, book: Book, market: Market, thresholds: Thresholds) -> Evaluation:
        """Figures of the book in its currency; hedged lots of a symbol share its reduced margin by lots."""
        legs = [leg for key, position in sorted(book.positions.items()) if position.quantity and (leg := _leg(key, position, book, market))]
        legs = _hedged(legs)
        wallet = _wallet(book, market)
        pnl = sum((leg.unrealised_pnl for leg in legs), ZERO)
        equity = wallet + book.credit + pnl + sum((leg.extra for leg in legs), ZERO)
        margin = sum((leg.initial_margin for leg in legs), ZERO)
        required = requirement(margin, thresholds)
        pool = Pool(POOL, "cross", book.currency, None, wallet, equity, margin, required, required)
        return Evaluation(wallet, equity, pnl, margin, required, equity - margin, (pool,), tuple(legs))

    def prices(self, leg: Leg, evaluation: Evaluation, thresholds: Thresholds) -> Prices:
        """The bid (LONG) or ask (SHORT) at which the stop-out is met, spread and conversion fixed; at most one, margin does not move."""
        slope = sum((other.signed * other.rule.contract_size * other.conversion for other in evaluation.legs
                     if other.rule.name == leg.rule.name), ZERO)
        if not slope:
            return Prices(None, None, None)
        bound = _bound(evaluation, thresholds)
        at = leg.price - (evaluation.equity - bound) / slope
        gone = leg.price - evaluation.equity / slope
        below = at if at > 0 and (at < leg.price or (at == leg.price and slope > 0)) else None
        above = at if at > leg.price or (at == leg.price and slope < 0) else None
        return Prices(below, above, gone if gone > 0 else None)

    def plan(self, evaluation: Evaluation, thresholds: Thresholds) -> tuple[Close, ...]:
        """Whole tickets, largest loss first (swap and commission counted), until the level is above the stop-out."""
        legs, equity, closes = list(evaluation.legs), evaluation.equity, []
        while legs and breached(equity, sum((leg.initial_margin for leg in legs), ZERO), thresholds):
            leg = legs.pop(first_to_close([leg.unrealised_pnl + leg.extra for leg in legs], [leg.initial_margin for leg in legs]))
            equity -= leg.notional * leg.conversion * leg.rule.taker_fee
            closes.append(Close(leg.key, abs(leg.signed)))
            legs = _hedged(legs)
        return tuple(closes)


def largest_loser(profits: Sequence[Decimal]) -> int:
    """Index of the largest loss, -1 where nothing loses; the first of equals."""
    worst = min(range(len(profits)), key=profits.__getitem__, default=-1)
    return worst if worst >= 0 and profits[worst] < 0 else -1


def first_to_close(profits: Sequence[Decimal], margins: Sequence[Decimal]) -> int:
    """The largest loss; where nothing loses (the balance itself is gone) the largest margin."""
    found = largest_loser(profits)
    return found if found >= 0 else max(range(len(margins)), key=margins.__getitem__)


def requirement(margin: Decimal, thresholds: Thresholds) -> Decimal:
    """The equity at which the account is stopped out: a share of the margin (percent), the margin (ratio), nothing (money)."""
    if thresholds.mode == "money":
        return ZERO
    return margin * thresholds.liquidation / 100 if thresholds.mode == "percent" else margin * ONE


def _bound(evaluation: Evaluation, thresholds: Thresholds) -> Decimal:
    """The equity at which the stop-out is met."""
    if thresholds.mode == "money":
        return thresholds.liquidation
    required = evaluation.maintenance_margin
    return required if thresholds.mode == "percent" else required / thresholds.liquidation


def breached(equity: Decimal, margin: Decimal, thresholds: Thresholds) -> bool:
    """Whether the stop-out is met: at the level itself it is."""
    if thresholds.mode == "money":
        return equity <= thresholds.liquidation
    bound = requirement(margin, thresholds)
    return equity <= bound if thresholds.mode == "percent" else bound >= thresholds.liquidation * equity


def _wallet(book: Book, market: Market) -> Decimal:
    total = ZERO
    for asset, balance in sorted(book.balances.items()):
        rate = market.rate(asset, book.currency, buying=balance < 0) if balance else None
        total += balance * rate if rate is not None else ZERO
    return total


def _leg(key: str, position: Position, book: Book, market: Market) -> Leg | None:
    rule = market.instrument(position.instrument)
    signed = signed_quantity(position)
    price = market.price(position.instrument, "bid" if signed > 0 else "ask")
    if rule is None or price is None:
        return None
    if not position.entry_price:
        market.unknown.add(f"missing_entry:{position.instrument}")
    gross = (signed * price - signed_cost(position)) * rule.contract_size
    quote = rule.quote or book.currency
    conversion = market.rate(quote, book.currency, buying=gross < 0)
    margin = _margin(position, rule, book, market)
    if conversion is None or margin is None:
        return None
    return Leg(key, position, rule, POOL, signed, price, abs(signed) * rule.contract_size * price, gross * conversion, margin, ZERO, None,
               conversion, position.swap + position.commission, margin)


def _margin(position: Position, rule: Instrument, book: Book, market: Market) -> Decimal | None:
    """Margin of a ticket on its own, in the account's currency: lots x size x price x rate / leverage, as the mode says."""
    signed = signed_quantity(position)
    lots, mode = abs(signed), rule.calc_mode
    leverage = position.leverage or book.leverages.get(position.instrument) or book.leverage or ONE
    share = rule.margin_rate_short if signed < 0 and rule.margin_rate_short is not None else rule.margin_rate
    currency = rule.base if mode in _IN_BASE else rule.quote
    rate = position.open_rate or market.rate(currency or book.currency, book.currency, buying=signed > 0)
    if rate is None:
        return None
    if mode == "FUTURES":
        return lots * rule.initial_margin * share * rate
    if mode == "EXCH_STOCKS":
        price = market.price(position.instrument, "last")
        return lots * rule.contract_size * price * share * rate if price is not None else None
    amount = lots * rule.contract_size * share * rate
    if mode not in _IN_BASE:
        amount *= position.entry_price
    if mode == "CFD_INDEX" and rule.tick_size and rule.tick_value:
        amount *= rule.tick_value / rule.tick_size
    return amount / leverage if mode in ("FOREX", "CFD_LEVERAGE") else amount


def _hedged(legs: Sequence[Leg]) -> list[Leg]:
    """Legs with the margin of their symbol dealt out by lots where it is held both ways; else as they are."""
    found = []
    for leg in legs:
        same = [other for other in legs if other.rule.name == leg.rule.name]
        if all((other.signed > 0) == (leg.signed > 0) for other in same):
            found.append(leg._replace(initial_margin=leg.own_margin))
            continue
        lots = sum((abs(other.signed) for other in same), ZERO)
        found.append(leg._replace(initial_margin=_symbol_margin(same) * abs(leg.signed) / lots))
    return found


def _symbol_margin(legs: Sequence[Leg]) -> Decimal:
    """Uncovered lots at the larger side's average, hedged lots at both sides' average x 2 x factor; or the larger side's margin alone.

    The larger side has more lots, or where it stands alone the larger margin (mql5.com/en/articles/2299).
    """
    rule = legs[0].rule
    sides = [[leg for leg in legs if (leg.signed > 0) is bought] for bought in (True, False)]
    lots = [sum((abs(leg.signed) for leg in side), ZERO) for side in sides]
    margins = [sum((leg.own_margin for leg in side), ZERO) for side in sides]
    if rule.hedged_mode == "larger":
        return max(margins)
    larger = 0 if lots[0] >= lots[1] else 1
    uncovered = margins[larger] / lots[larger] * abs(lots[0] - lots[1])
    return uncovered + 2 * min(lots) * rule.hedged_factor * sum(margins, ZERO) / sum(lots, ZERO)
