"""The rules that hold at one time, each looked up once, and the routes of their pairs."""

from __future__ import annotations

from decimal import Decimal

from agents.risk.routes import Routes
from agents.risk.rules import Group, Instrument, Rules


class Effective:
    """`rules` at `now_ms`."""

    def __init__(self, rules: Rules, now_ms: int) -> None:
        self.rules, self.now_ms, self.routes = rules, now_ms, Routes(rules.pairs)
        self._instruments: dict[str, Instrument | None] = {}

    def instrument(self, name: str) -> Instrument | None:
        if name not in self._instruments:
            self._instruments[name] = self.rules.instrument(name, self.now_ms)
        return self._instruments[name]

    def group(self, name: str) -> Group:
        return self.rules.group(name, self.now_ms)

    def weight(self, currency: str, asset: str) -> Decimal | None:
        return self.rules.weight(f"{currency}/{asset}", self.now_ms)


__all__ = ["Effective"]
