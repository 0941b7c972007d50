"""Rows of many users with three positions each, as they stand in the changelogs: what a recovery is measured with."""

import random
from collections.abc import Iterator
from decimal import Decimal

from schemas import money
from schemas.keys import HOUSE
from streams.stack.market import BINANCE, GROUP, INSTRUMENTS, Instrument
from tables.rows import Account, Balance, Figures, Margin, Position, Profile, Sequence, User, Version, position_key

POSITIONS = 3
_HOUSE = tuple(one for one in INSTRUMENTS if one.venue == HOUSE and one.quote == "USD")
_COINS = tuple(one for one in INSTRUMENTS if one.venue == BINANCE)
_NOW_MS = 1_760_000_000_000


def users(count: int, seed: int) -> Iterator[User]:
    """Users `live:1`.., every second one with a house book, the others with an exchange account; the same on every machine."""
    draw = random.Random(f"holdings {seed}")
    for number in range(1, count + 1):
        name = f"live:{number}"
        profile = Profile(GROUP, None, "active", is_active=True, kyc=True, risk_tier="retail", fields={"account_number": str(number)})
        account = _book(draw) if number % 2 else _exchange(name, draw)
        yield User(name, 12, 1, profile, {account.account_id: account}, {"generator": Sequence(draw.randrange(2, 900))},
                   (f"p/generator/{name}/profile",), updated_ms=_NOW_MS + number)


def _book(draw: random.Random) -> Account:
    capital = Decimal(draw.randint(1_000, 9_000)) * 10
    held = [_position(one, capital, draw, None, "") for one in draw.sample(_HOUSE, POSITIONS)]
    fills = tuple(f"{one.instrument.partition(':')[2]}/live:{draw.randrange(10**6)}-{at}" for at, one in enumerate(held))
    return Account(HOUSE, balances={"USD": Balance(_cents(capital, draw), None, _NOW_MS)}, positions=_by_key(held),
                   margin=_margin(capital, draw), realised_pnl=_cents(money.ZERO, draw), recent_fills=fills)


def _exchange(name: str, draw: random.Random) -> Account:
    ident = f"bn-{name.partition(':')[2]}"
    capital = Decimal(draw.randint(2, 20) * 1_000)
    held = [_position(one, capital, draw, _version(draw), "USDM") for one in draw.sample(_COINS, POSITIONS)]
    frames = tuple(f"1/1/{number}" for number in sorted(draw.sample(range(10**5), 8)))
    return Account(ident, BINANCE, BINANCE, "USDT", "external", balances={"USDT": Balance(_cents(capital, draw), _version(draw), _NOW_MS)},
                   positions=_by_key(held), leverages={held[0].instrument: Decimal(draw.randint(5, 50))},
                   margin=_margin(capital, draw), config_versions={f"leverage/{held[0].instrument}": _version(draw)},
                   snapshot_version=_version(draw), recent_frames=frames)


def _by_key(held: list[Position]) -> dict[str, Position]:
    return {position_key(one.instrument, one.side): one for one in held}


def _position(one: Instrument, capital: Decimal, draw: random.Random, version: Version | None, product: str) -> Position:
    price = one.tick * int(one.price * draw.randint(900, 1_100) / 1_000 / one.tick)
    steps = max(1, int(capital / 3 / price / one.step))
    quantity = one.step * steps * draw.choice((1, -1))
    return Position(one.key, quantity=quantity, entry_price=price, version=version, updated_ms=_NOW_MS + draw.randrange(10**6),
                    entry_cost=quantity * price, product=product)


def _version(draw: random.Random) -> Version:
    return Version(1, draw.randrange(1, 9), draw.randrange(10**5), draw.randrange(2), _NOW_MS + draw.randrange(10**6))


def _cents(base: Decimal, draw: random.Random) -> Decimal:
    return base + Decimal(draw.randint(-50_000, 50_000)) / 100


def _margin(capital: Decimal, draw: random.Random) -> Margin:
    """As after the first verdict: figures to twelve places."""
    equity, required = (Decimal(draw.randrange(10**17)).scaleb(-12) for _ in range(2))
    figures = Figures(capital + equity, required, required / 2, capital - required, equity, Decimal(draw.randrange(10**11)).scaleb(-12),
                      Decimal(draw.randrange(10**15)).scaleb(-12))
    return Margin(transition=1, figures=figures, since_ms=_NOW_MS + draw.randrange(10**6))
