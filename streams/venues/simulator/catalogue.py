"""The instruments that each simulated venue lists, with fees and margin brackets."""

from decimal import Decimal

from schemas.money import ZERO
from streams.venues.simulator.books import Bracket, Instrument

BINANCE, BYBIT, OKX, KUCOIN = "binance_usdm", "bybit_v5", "okx_v5", "kucoin_futures"
VENUES = (BINANCE, BYBIT, OKX, KUCOIN)

# floor, cap, rate, leverage: Binance's own first tiers of ETHUSDT as of 2024-10, rounded; amounts follow from the recurrence.
_TIERS = ((0, 50_000, "0.004", 125), (50_000, 600_000, "0.005", 100), (600_000, 3_000_000, "0.01", 75),
          (3_000_000, 12_000_000, "0.025", 25), (12_000_000, 50_000_000, "0.05", 20), (50_000_000, 500_000_000, "0.1", 10))

# base, price, tick, quantity step in base units
_COINS = (("BTC", "60000", "0.1", "0.001"), ("ETH", "3000", "0.01", "0.001"), ("SOL", "150", "0.001", "0.01"),
          ("BNB", "600", "0.01", "0.01"), ("XRP", "0.5", "0.0001", "0.1"), ("ACH", "0.0066", "0.000001", "1"))

# OKX ctVal and KuCoin multiplier: base units of a contract
_CONTRACTS = {OKX: {"BTC": "0.01", "ETH": "0.1", "SOL": "1", "BNB": "0.01", "XRP": "100", "ACH": "100"},
              KUCOIN: {"BTC": "0.001", "ETH": "0.01", "SOL": "0.1", "BNB": "0.01", "XRP": "10", "ACH": "100"}}
_STEPS = {OKX: Decimal("0.01"), KUCOIN: Decimal(1)}


def brackets() -> tuple[Bracket, ...]:
    """The tiers of every instrument."""
    made: list[Bracket] = []
    for floor, cap, rate, leverage in _TIERS:
        before = made[-1] if made else None
        amount = before.amount + floor * (Decimal(rate) - before.rate) if before else ZERO
        made.append(Bracket(Decimal(floor), Decimal(cap), Decimal(rate), amount, leverage))
    return tuple(made)


def _symbol(venue: str, base: str, quote: str) -> str:
    if venue == OKX:
        return f"{base}-{quote}-SWAP"
    if venue == KUCOIN:
        return f"{'XBT' if base == 'BTC' else base}{quote}M"
    return f"{base}{quote}" if venue == BINANCE or quote == "USDT" else f"{base}PERP"


def instruments(venue: str) -> dict[str, Instrument]:
    """By symbol, as the venue spells it."""
    made = {}
    for quote in ("USDT", "USDC"):
        for base, price, tick, step in _COINS if quote == "USDT" else _COINS[:2]:
            size = Decimal(_CONTRACTS.get(venue, {}).get(base, "1"))
            symbol = _symbol(venue, base, quote)
            made[symbol] = Instrument(symbol, base, quote, Decimal(price), Decimal(tick), _STEPS.get(venue, Decimal(step)),
                                      contract_size=size, brackets=brackets())
    return made
