"""The models that have a law."""

from __future__ import annotations

from agents.risk.exchange import Exchange
from agents.risk.fx import Fx
from agents.risk.law import Law, NoLaw
from agents.risk.policies import MODEL_POLICIES

_LAWS: dict[str, Law] = {**{name: Exchange(model) for name, model in MODEL_POLICIES.items()}, "mt5": Fx()}


def law_of(model: str) -> Law:
    """The law of a model; raises `NoLaw`."""
    if model not in _LAWS:
        raise NoLaw(f"model not implemented yet: {model}")
    return _LAWS[model]
