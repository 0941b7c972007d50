"""Accounts of every model whose figures were derived by hand, with fractions and from the venues' formulas, not from the law.

`hand_figures.jsonl`: `figures` are fractions by path into the answer, `said` are values as they stand there.
"""

import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from agents.evaluate import evaluate_json

Json = dict[str, Any]
ROWS: list[Json] = [json.loads(line) for line in Path(__file__).with_name("hand_figures.jsonl").read_text().splitlines()]
NEAR = Fraction(1, 10**18)


def at(found: Any, path: str) -> Any:
    for name in path.split("."):
        found = found[int(name)] if isinstance(found, list) else found[name]
    return found


def near(found: object, wanted: str) -> bool:
    figure = Fraction(wanted)
    return found is not None and abs(Fraction(str(found)) - figure) <= NEAR * max(abs(figure), Fraction(1))


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_the_figures_are_those_of_the_hand(row: Json) -> None:
    found = evaluate_json(row["account"])
    wrong = {path: (at(found, path), wanted) for path, wanted in row.get("figures", {}).items() if not near(at(found, path), wanted)}
    wrong |= {path: (at(found, path), wanted) for path, wanted in row.get("said", {}).items() if at(found, path) != wanted}
    assert wrong == {}


def test_every_model_is_there() -> None:
    models = Counter(row["account"].get("model", "binance_usdm") for row in ROWS)
    print(len(ROWS), "accounts", dict(models), sum(len(row.get("figures", {})) + len(row.get("said", {})) for row in ROWS), "values")
    assert len(models) == 8
