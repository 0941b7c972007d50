"""The rules that hold at one time, each looked up once, and the routes of their pairs."""

from __future__ import annotations

from decimal import Decimal

from agents.risk.lines import Zone, zone_of
from agents.risk.routes import Routes
from agents.risk.rules import Group, Instrument, Rules
from schemas.keys import HOUSE
from tables.rows import Account


class Effective:
    """`rules` at `now_ms`."""

    def __init__(self, rules: Rules, now_ms: int) -> None:
        self.rules, self.now_ms, self.routes = rules, now_ms, Routes(rules.pairs)
        self._instruments: dict[str, Instrument | None] = {}
        self._groups: dict[str, Group] = {}
        self._zones: dict[tuple[str, str, bool, int], Zone] = {}
        self._moving: dict[tuple[str, str, str, str], frozenset[str]] = {}

    def instrument(self, name: str) -> Instrument | None:
        if name not in self._instruments:
            self._instruments[name] = self.rules.instrument(name, self.now_ms)
        return self._instruments[name]

    def group(self, name: str) -> Group:
        if name not in self._groups:
            self._groups[name] = self.rules.group(name, self.now_ms)
        return self._groups[name]

    def weight(self, currency: str, asset: str) -> Decimal | None:
        return self.rules.weight(f"{currency}/{asset}", self.now_ms)

    def zone(self, group: str, account: Account) -> Zone:
        """Where an account of a group stays on its rung."""
        asked = group, account.model, account.auto_reduce, account.margin.rung
        if asked not in self._zones:
            found = self.group(group).thresholds_of(account.model)
            self._zones[asked] = zone_of(found.early() if account.auto_reduce else found, account.margin.rung)
        return self._zones[asked]

    def moving(self, account: Account, name: str, asset: str = "") -> frozenset[str]:
        """An instrument that an account holds, if any, and those that conversions of its currencies, or of `asset`, go through."""
        asked = account.model, account.venue, account.currency, name or f" {asset}"
        if asked not in self._moving:
            self._moving[asked] = frozenset(self._legs(account, name, asset))
        return self._moving[asked]

    def _legs(self, account: Account, name: str, asset: str) -> set[str]:
        fx, target, rule = account.model == "mt5", account.currency, self.instrument(name) if name else None
        currencies = {asset}
        if rule is not None:
            currencies |= {rule.quote, rule.base} if fx else {rule.settle or rule.quote, rule.settle or rule.base}
        routes = [self.routes.legs(HOUSE if fx else account.venue, source, target) for source in currencies - {target, ""}]
        return {name for name, _ in (leg for legs in routes for leg in legs or ())} | ({name} - {""})


__all__ = ["Effective"]
