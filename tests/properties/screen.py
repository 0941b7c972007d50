"""The screen beside brute force: random accounts of every model under random prices, with changes mid-stream; who was missed."""

import argparse
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from msgspec.structs import replace

from agents.book import book_of, thresholds_for, weights_of
from agents.risk import ladder
from agents.risk.columns import Columns
from agents.risk.laws import law_of
from agents.risk.market import market_of
from agents.risk.rules import Dated, Group, Instrument, Rules, Thresholds
from agents.risk.switch import Switch
from agents.risk.tiers import FLAT, PROGRESSIVE, Bracket, amounts
from agents.risk.world import Control, Mark, World
from tables.rows import LIQUIDATION, MARGIN_CALL, NORMAL, UNKNOWN, WARNING, Account, Balance, Position, Profile, User, position_key

D = Decimal
NOW = 1_700_000_000_000
MULTI = "binance_usdm_multi_asset"  # of the venue binance_usdm
EXCHANGES = {  # model: (venue, settle)
    "binance_usdm": "USDT", MULTI: "USDT", "binance_coinm": "", "bybit_linear": "USDT", "bybit_inverse": "", "okx_swap": "USDT",
    "kucoin_futures": "USDT",
}
PAIRS = {  # price, mode, contract size
    "EURUSD": ("1.1", "FOREX", 100_000), "USDJPY": ("150", "FOREX", 100_000), "GBPUSD": ("1.27", "FOREX_NO_LEVERAGE", 100_000),
    "EURGBP": ("0.866", "CFD_LEVERAGE", 100_000), "AUDUSD": ("0.65", "CFD", 10_000), "DAXEUR": ("18000", "CFD_INDEX", 1),
    "OILUSD": ("80", "FUTURES", 1_000), "AAPGBP": ("150", "EXCH_STOCKS", 100),
}
WEIGHTS = {"USDT/USDT": "0.9999", "USDT/USDC": "0.99", "USDT/BTC": "0.95", "USDT/ETH": "0.9"}


PRICES = {"BTC": 60_000, "ETH": 3_000, "USDC": 1}


class Story(NamedTuple):
    """What a run found. `late` were found on a tick after the one that moved them: they count as missed, too."""

    checked: int
    moved: int
    reported: int
    missed: list[str]
    turns: int


def contract(venue: str, base: str, kind: str, rng: random.Random) -> Instrument:
    """A linear or inverse contract with three tiers near the sizes that are held."""
    flat = venue == "okx_swap"
    unit = "contracts" if flat else "settle" if kind == "inverse" else "notional"
    price = PRICES[base]
    scale = D(1) if flat else D(1) / price if kind == "inverse" else D(1)
    floors = [D(0), 20_000 * scale / (price if flat else 1), 80_000 * scale / (price if flat else 1)]
    floors = [floor.quantize(D("0.00000001")) for floor in floors]
    rates = [D("0.004"), D("0.01"), D("0.05")]
    sums = [D(0)] * 3 if flat else amounts(floors, rates)
    cap = 400_000 * scale if venue == "binance_usdm" else None
    brackets = tuple(Bracket(floor, top, rate, taken) for floor, top, rate, taken
                     in zip(floors, [*floors[1:], cap], rates, sums, strict=True))
    settle = base if kind == "inverse" else "USDT"
    return Instrument(f"{venue}:{base}{'USD' if kind == 'inverse' else 'USDT'}", base, "USD" if kind == "inverse" else "USDT", settle,
                      D(100) if kind == "inverse" else D(1), taker_fee=D("0.0005") * rng.randint(0, 1),
                      tier_policy=FLAT if flat else PROGRESSIVE, tier_unit=unit, brackets=brackets)


def usdc() -> list[Instrument]:
    """A contract that settles in another asset of a weighted pool, and what converts that."""
    brackets = (Bracket(D(0), None, D("0.01"), D(0)),)
    return [Instrument("binance_usdm:BTCUSDC", "BTC", "USDC", "USDC", brackets=brackets),
            Instrument("binance_usdm:USDCUSDT", "USDC", "USDT", "USDT", brackets=brackets)]


def rulebook(rng: random.Random) -> Rules:
    """Every venue's contracts, FX pairs, an index, a future and a share, three groups, collateral weights."""
    found = [contract(venue, base, kind, rng) for venue in EXCHANGES if venue != MULTI for base in ("BTC", "ETH")
             for kind in (("inverse",) if not EXCHANGES[venue] else ("linear",))] + usdc()
    found += [Instrument(f"house:{pair}", pair[:3], pair[3:], pair[3:], D(size), calc_mode=mode, margin_rate=D("0.5"),
                         hedged_mode=rng.choice(("factor", "larger")), hedged_factor=D("0.25"), initial_margin=D(900),
                         tick_size=D("0.1"), tick_value=D("0.2"))
              for pair, (_, mode, size) in PAIRS.items()]
    pairs = {(rule.name.partition(":")[0], rule.base, rule.quote): rule.name for rule in found}
    money = Thresholds("money", D(300), D(200), D(100), D(350))
    groups: Dated[Group] = {
        "standard": ((0, Group("standard")),), "money": ((0, Group("money", by_model={"mt5": money})),),
        "near": ((0, Group("near", Thresholds("ratio", D("0.5"), D("0.6"), D("0.8"), D("0.4"), D("0.7")))),),
    }
    return Rules({rule.name: ((0, rule),) for rule in found}, groups, {name: ((0, D(weight)),) for name, weight in WEIGHTS.items()}, pairs)


class Crowd:
    """Accounts, their prices, the screen, and the law that it is compared with."""

    def __init__(self, seed: int, count: int, *, sweeps: bool = False) -> None:
        self.rng = random.Random(seed)
        self.rules, self.columns = rulebook(self.rng), Columns()
        self.columns.ruled(self.rules, NOW)
        if sweeps:  # slices as small as here would never be swept
            self.columns.triggers.switch = Switch(sweep_us=(0.0, 0.1), patience=4)
        self.prices = {name: D(PAIRS[name.partition(":")[2]][0]) if name.startswith("house") else D(PRICES[self._rule_of(name).base])
                       for name in self.rules.instruments}
        self.marks: dict[str, Mark] = {}
        for name in self.prices:
            self._mark(name)
        self.users: dict[str, User] = {}
        for number in range(count):
            self.keep(self.person(f"live:{number}"))

    def person(self, user: str) -> User:
        """Somebody with one account, its rung as the law says now."""
        for _ in range(9):
            model = self.rng.choice([*EXCHANGES, "mt5", "mt5", "mt5", "binance_usdm", MULTI])
            account = self._fx() if model == "mt5" else self._exchange(model)
            group = self.rng.choice(("standard", "standard", "money", "near"))
            found = self.judged(User(user, profile=Profile(group, D(100)), accounts={account.account_id: account}))
            if found.accounts[account.account_id].margin.rung in (NORMAL, WARNING, MARGIN_CALL):
                break
        return found

    def _exchange(self, model: str) -> Account:
        held: dict[str, Position] = {}
        hedge = self.rng.random() < 0.3
        balances: dict[str, Decimal] = {}
        multi, venue = model == MULTI, "binance_usdm" if model == MULTI else model
        for name in self._names(venue, multi=multi):
            rule, price = self._rule_of(name), self.prices[name]
            inverse = rule.settle == rule.base
            settle = rule.settle
            worth = D(self.rng.randint(2_000, 120_000))
            lever = D(self.rng.randint(5, 120))
            balances[settle] = balances.get(settle, D(0)) + worth / lever / (price if inverse else 1)
            for side in ("LONG", "SHORT") if hedge else ("BOTH",):
                if self.rng.random() < 0.8:
                    held |= self._position((rule, side, worth, lever), price, isolated=not multi and self.rng.random() < 0.3)
        if multi:
            balances |= {asset: D(self.rng.randint(-10, 20)) / 100 for asset in ("BTC", "ETH") if self.rng.random() < 0.5}
        for found in held.values():
            balances[self._rule_of(found.instrument).settle] += found.isolated_wallet or D(0)
        currency, early = next(iter(balances)), self.rng.random() < 0.1
        return Account("a1", venue, venue, currency, "venue", early, {a: Balance(v) for a, v in balances.items()}, held, multi_assets=multi)

    def _rule_of(self, name: str) -> Instrument:
        found = self.rules.instrument(name, NOW)
        assert found
        return found

    def _names(self, venue: str, *, multi: bool) -> list[str]:
        return [name for name in self.prices if name.startswith(venue + ":") and (multi or "USDC" not in name)]

    def _position(self, what: tuple[Instrument, str, Decimal, Decimal], price: Decimal, *, isolated: bool) -> dict[str, Position]:
        rule, side, worth, lever = what
        inverse = rule.settle == rule.base
        size = (worth / rule.contract_size if inverse else worth / price).quantize(D("0.001")) * self.rng.randint(5, 10) / 10
        entry = (price * (1 + D(self.rng.randint(-100, 100)) / 10_000)).quantize(D("0.01"))
        if side == "BOTH":
            size *= self.rng.choice((-1, 1))
        wallet = (worth / lever / (price if inverse else 1)).quantize(D("0.00000001"))
        mode = "isolated" if isolated else "cross"
        found = Position(rule.name, side, size, entry, mode, wallet if isolated else None, entry_cost=size * entry)
        return {position_key(rule.name, side): found} if size else {}

    def _fx(self) -> Account:
        held = {}
        for at, pair in enumerate(self.rng.choices(sorted(PAIRS), k=self.rng.randint(1, 5))):
            name = f"house:{pair}"
            size = D(self.rng.randint(1, 100)) / 100 * self.rng.choice((-1, 1))
            entry = (self.prices[name] * (1 + D(self.rng.randint(-50, 50)) / 10_000)).quantize(D("0.00001"))
            rate = D("1.1") if self.rng.random() < 0.2 else None
            held[position_key(name, "BOTH", str(at))] = Position(name, "BOTH", size, entry, position_id=str(at), open_rate=rate,
                                                                   entry_cost=size * entry, swap=D(self.rng.randint(-5, 5)))
        currency = self.rng.choice(("USD", "USD", "EUR", "JPY"))
        money = D(self.rng.randint(200, 6_000)) * (150 if currency == "JPY" else 1)
        balances = {currency: Balance(money)}
        if self.rng.random() < 0.3:
            balances[self.rng.choice(("GBP", "AUD", "EUR", "USD"))] = Balance(D(self.rng.randint(-1_000, 3_000)))
        return Account("house", currency=currency, balances=balances, positions=held)

    def _mark(self, name: str) -> None:
        """Sides move alone, too; a venue says no sides."""
        price = self.prices[name]
        below, above, last = (D(self.rng.choice((1, 5, 5, 5, 40))) / 100_000 for _ in range(3))
        sides = Mark(name, price * (1 - below), price * (1 + above), price * (1 - last), append_ms=NOW)
        self.marks[name] = sides if name.startswith("house") else Mark(name, mark=price, append_ms=NOW)

    def judged(self, user: User) -> User:
        """The user with the rungs that the law says, from the rungs it had."""
        accounts = {}
        for name, account in user.accounts.items():
            rung = self.rung(user, account)
            known = rung if rung != UNKNOWN else account.margin.known_rung
            accounts[name] = replace(account, margin=replace(account.margin, rung=rung, known_rung=known))
        return replace(user, accounts=accounts)

    def rung(self, user: User, account: Account) -> int:
        market = market_of(World(NOW, self.marks, self.rules, Control()))
        group = self.rules.group(user.profile.group, NOW)
        book = book_of(user, account, group, None, weights_of(account, self.rules, NOW))
        thresholds = thresholds_for(account, group)
        found = law_of(book.model).evaluate(book, market, thresholds)
        if market.unknown or found.refused:
            return UNKNOWN
        return max(ladder.rungs(found, thresholds, account.margin.known_rung).values(), default=NORMAL)

    def keep(self, user: User) -> None:
        self.users[user.user_id] = user
        self.columns.put(user.user_id, user)

    def tick(self) -> set[str]:
        """One to three prices move: most a little, some far; the instruments."""
        names = self.rng.sample(sorted(self.prices), self.rng.choice((1, 1, 2, 3)))
        for name in names:
            quiet = name.startswith("house")
            step = self.rng.gauss(0, 8 if quiet else 20) * self.rng.choice((1, 1, 1, 1, 5))
            self.prices[name] = (self.prices[name] * D(1 + step / 10_000)).quantize(D("0.00001"))
            self._mark(name)
        return set(names)

    def disturb(self) -> None:
        """Fills, deposits, somebody new or gone, a rule that changes."""
        user = self.rng.choice(sorted(self.users))
        what = self.rng.random()
        if what < 0.5:
            self.keep(self.person(user))
        elif what < 0.8:
            row = self.users[user]
            accounts = {name: replace(account, balances={asset: replace(held, wallet_balance=held.wallet_balance * D("0.97"))
                                                         for asset, held in account.balances.items()})
                        for name, account in row.accounts.items()}
            self.keep(self.judged(replace(row, accounts=accounts)))
        elif what < 0.95:
            self.columns.drop(user)
            del self.users[user]
            self.keep(self.person(f"live:{self.rng.randint(10**6, 10**7)}"))
        else:
            self._rule()

    def _rule(self) -> None:
        name = self.rng.choice(sorted(self.rules.instruments))
        rule = self._rule_of(name)
        changed = replace(rule, taker_fee=D("0.0004"), margin_rate=D("0.6"))
        self.rules = replace(self.rules, instruments={**self.rules.instruments, name: ((0, changed),)})
        self.columns.ruled(self.rules, NOW)
        for user, row in list(self.users.items()):
            judged = self.judged(row)
            if judged != row:
                self.keep(judged)
            assert user in self.users


def _concerned(crowd: Crowd, names: set[str]) -> Iterator[tuple[User, Account]]:
    """Whoever holds one of the instruments; of FX and weighted accounts everybody, as any pair may convert."""
    for row in list(crowd.users.values()):
        for account in row.accounts.values():
            fx = account.model == "mt5" and any(name.startswith("house") for name in names)
            weighted = account.multi_assets and any(name.startswith("binance_usdm") for name in names)
            if fx or weighted or any(position.instrument in names for position in account.positions.values()):
                yield row, account


def run(seed: int, accounts: int, ticks: int, *, sweeps: bool = False) -> Story:
    """Every tick judged both ways."""
    crowd = Crowd(seed, accounts, sweeps=sweeps)
    checked = moved = reported = 0
    missed = []
    for number in range(ticks):
        if number % 3 == 0:
            crowd.disturb()
        names = crowd.tick()
        found = {name[:2] for name in crowd.columns.touched(names, crowd.marks)}
        reported += len(found)
        for row, account in _concerned(crowd, names):
            checked += 1
            rung = crowd.rung(row, account)
            if rung == account.margin.rung:
                continue
            moved += 1
            if (row.user_id, account.account_id) not in found:
                missed.append(f"tick {number} {sorted(names)}: {row.user_id} {account.model} from {account.margin.rung} to {rung}")
            judged = crowd.judged(row)
            if rung == LIQUIDATION and crowd.rng.random() < 0.7:
                judged = crowd.person(row.user_id)
            crowd.keep(judged)
    return Story(checked, moved, reported, missed, crowd.columns.triggers.switch.turns)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    for flag, default in (("--seed", 1), ("--accounts", 10_000), ("--ticks", 2_000)):
        options.add_argument(flag, type=int, default=default)
    options.add_argument("--sweeps", action="store_true", help="small slices are swept, too")
    chosen = options.parse_args()
    story = run(chosen.seed, chosen.accounts, chosen.ticks, sweeps=chosen.sweeps)
    print(f"seed {chosen.seed}: {story.checked} checked, {story.moved} moved, {story.reported} reported, {len(story.missed)} missed, "
          f"{story.turns} turns between index and sweep")
    print("\n".join(story.missed[:20]))
    raise SystemExit(bool(story.missed))
