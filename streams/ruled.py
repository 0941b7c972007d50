"""The rules that checks go by: when others hold, the columns are laid anew and the accounts that rest on them are told, no others."""

from collections.abc import Callable, Iterable

from agents.risk.columns import Columns
from agents.risk.reach import changed, instruments_of, rests_on
from streams.prices import Prices
from tables.rows import User

Name = tuple[str, str]  # user, account


class Ruled:
    """Remembers the rules that were laid last, and when."""

    def __init__(self, prices: Prices, columns: Columns, row_of: Callable[[str], User | None]) -> None:
        self._prices, self._columns, self._row_of = prices, columns, row_of
        self._rules, self._laid_ms, self._begins_ms = prices.rules, 0, prices.rules.next_effective_ms(0)

    def lay(self, now_ms: int, names: Iterable[Name]) -> set[Name]:
        """Lays the rules that hold now, where they are others than before; of `names` and the columns' holders, those to be checked."""
        rules = self._prices.rules
        if rules is self._rules and (self._begins_ms is None or now_ms < self._begins_ms):
            return set()
        ids = changed(self._rules, self._laid_ms, rules, now_ms)
        found = self._resting_on(ids, names)  # also who converted through a pair that is no more
        self._rules, self._laid_ms, self._begins_ms = rules, now_ms, rules.next_effective_ms(now_ms)
        self._columns.ruled(rules, now_ms)
        return (found | set(self._columns.holders(instruments_of(ids)))) if self._prices.caught_up.is_set() else set()

    def _resting_on(self, ids: set[str], names: Iterable[Name]) -> set[Name]:
        instruments = instruments_of(ids)
        found = set(self._columns.holders(instruments))
        if len(ids) > len(instruments):
            rows = ((name, self._row_of(name[0])) for name in list(names))
            found |= {name for name, row in rows if row and name[1] in row.accounts and rests_on(row, row.accounts[name[1]], ids)}
        return found
