"""The alert rules of the admin API rest on names it exposes, and say what is wrong and what to do."""

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from streams.admin import metrics
from streams.ops.metrics import METRICS

RULES = [rule for group in yaml.safe_load(Path(metrics.__file__).with_name("alerts.yml").read_text())["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_a_rule_rests_on_what_is_exposed(rule: dict[str, object]) -> None:
    metrics.ALERTS.labels("liquidation_ordered", "failed").inc(0)
    metrics.AUDIT_SUCCESS.labels("ledger").set(0)
    metrics.AUDIT_DIFFERENCES.labels("ledger").set(0)
    exposed = {sample.name for family in text_string_to_metric_families(METRICS.exposed().decode()) for sample in family.samples}
    names = re.findall(r"\bmarginstream_\w+", str(rule["expr"]))
    assert names and exposed >= set(names)
    notes = rule["annotations"]
    assert isinstance(notes, dict) and set(notes) == {"impact", "resolution"}
