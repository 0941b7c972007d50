"""The executors' alert rules rest on what they expose, and no end of a step but a good one goes without a rule."""

import inspect
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from streams.venues.execute import course, metrics, runner

GROUPS = yaml.safe_load(Path(metrics.__file__).with_name("alerts.yml").read_text())["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
SERIES = re.compile(r"\b(marginstream_\w+)(?:\{(\w+)=~?\"([^\"]*)\"\})?")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_a_rule_rests_on_what_is_exposed(rule: dict[str, object]) -> None:
    metrics.EXECUTIONS.labels("binance_usdm", "refused").inc(0)
    families = text_string_to_metric_families(generate_latest(REGISTRY).decode())
    exposed = {sample.name: set(sample.labels) for family in families for sample in family.samples}
    used = SERIES.findall(str(rule["expr"]))
    assert used
    for name, label, _ in used:
        assert {label} - {""} <= exposed[name]
    by = re.findall(r"by \((\w+)\)", str(rule["expr"]))
    assert set(by) <= exposed[used[0][0]]
    notes = rule["annotations"]
    assert isinstance(notes, dict) and set(notes) == {"impact", "resolution"}
    assert all(str(note).endswith(".") for note in notes.values())
    assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})


def test_every_end_but_a_good_one_has_a_rule() -> None:
    told = {word for module in (course, runner) for word in re.findall(r'Outcome\(\s*"(\w+)"', inspect.getsource(module))}
    watched = {word for rule in RULES for _, label, words in SERIES.findall(str(rule["expr"])) if label == "status"
               for word in words.split("|")}
    assert told - watched == {"completed", "filled", "accepted", "partially_filled"}
    assert watched <= told
