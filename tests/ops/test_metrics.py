"""The list of metrics is what is scraped, and what alerts and rules of naming rest on."""

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import Metric as Family
from prometheus_client.parser import text_string_to_metric_families

import streams.ops.metrics as module
from streams.ops.metrics import METRICS, Metric, Metrics

ALERTS = Path(module.__file__).with_name("alerts.yml")
FIXED = {"rms_active_users", "rms_liquidations_total", "rms_onPriceUpdate_duration_seconds", "rms_user_equity"}
NAME = re.compile(r"\b(?:rms|marginstream)_\w+")
SERIES = re.compile(r"\b((?:rms|marginstream)_\w+)(?:\{([^}]*)\})?")


def series(metric: Metric) -> set[str]:
    """The series names a scrape has of a metric."""
    return {metric.name + end for end in ("_bucket", "_sum", "_count")} if metric.kind == "histogram" else {metric.name}


def alerts() -> list[dict[str, object]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def scraped(metrics: Metrics) -> dict[str, Family]:
    return {family.name: family for family in text_string_to_metric_families(metrics.exposed().decode())}


def test_the_fixed_names_are_there_and_all_others_are_ours() -> None:
    names = {metric.name for metric in METRICS.listed}
    assert names >= FIXED
    assert all(name.startswith("marginstream_") for name in names - FIXED)
    assert len(names) == len(METRICS.listed)


@pytest.mark.parametrize("metric", METRICS.listed, ids=lambda metric: metric.name)
def test_listed_is_scraped(metric: Metric) -> None:
    family = scraped(Metrics())[metric.name.removesuffix("_total")]
    assert (family.type, family.documentation) == (metric.kind, metric.help)
    assert metric.help.endswith(".")
    assert metric.name.endswith("_total") == (metric.kind == "counter")


def test_nothing_is_scraped_that_is_not_listed() -> None:
    metrics = Metrics()
    metrics.events.labels("wallet-deltas").inc()
    metrics.lag.labels("wallet-deltas", "0").set(3)
    metrics.fold_seconds.observe(0.002)
    listed = set().union(*(series(metric) for metric in metrics.listed))
    found = {sample.name for family in scraped(metrics).values() for sample in family.samples}
    assert found <= listed
    assert {"marginstream_events_total", "marginstream_lag", "marginstream_fold_seconds_bucket"} <= found


def test_every_attribute_is_listed() -> None:
    metrics = Metrics()
    assert len([name for name in vars(metrics) if name not in {"registry", "listed"}]) == len(metrics.listed)


def test_a_registry_each() -> None:
    left, right = Metrics(), Metrics()
    left.folded.inc(2)
    assert left.registry.get_sample_value("marginstream_folded_total") == 2
    assert right.registry.get_sample_value("marginstream_folded_total") == 0


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_alert_rests_on_metrics_there_are(rule: dict[str, object]) -> None:
    labels = {name: set(metric.labels) for metric in METRICS.listed for name in series(metric)}
    used = SERIES.findall(str(rule["expr"]))
    assert used or "up{" in str(rule["expr"])
    for name, matchers in used:
        assert name in labels
        assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= labels[name] | {"instance"}


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_alert_says_impact_and_resolution(rule: dict[str, object]) -> None:
    notes = rule["annotations"]
    assert isinstance(notes, dict)
    assert set(notes) == {"impact", "resolution"}
    assert all(str(note).endswith(".") for note in notes.values())
    assert rule["labels"] in ({"severity": "page"}, {"severity": "ticket"})
    listed = set().union(*(series(metric) | {metric.name} for metric in METRICS.listed))
    assert set(NAME.findall(" ".join(notes.values()))) <= listed


def test_alerts_have_names_of_their_own() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names) >= 10


def test_a_rule_on_a_metric_that_is_not_there_is_found() -> None:
    labels = {name for metric in METRICS.listed for name in series(metric)}
    ((name, matchers),) = SERIES.findall('rate(marginstream_fold_second{topic="a"}[5m])')
    assert (name, matchers) == ("marginstream_fold_second", 'topic="a"')
    assert name not in labels
