"""Other rules for the same history: rules of a file in the place of the recorded ones, and thresholds for every group."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import msgspec

from agents.risk.law import MODELS
from agents.risk.rules import BadRule, Group, Rules, Thresholds, check_thresholds, rules_with
from schemas import engine_pb2 as pb
from schemas.money import BadNumber, parse
from streams.stack.inject import read_line
from streams.stack.process import StackError
from streams.topics import BY_NAME, RISK_RULES

_FIELDS = ("warning", "margin_call", "liquidation", "release", "auto_reduce")
Changes = Mapping[str, Mapping[str, str | Decimal]]  # by model: fields of `Thresholds`


class Otherwise(Rules, frozen=True):
    """Rules whose groups have changed thresholds; all else is as in `Rules`."""

    changes: Changes = {}

    def group(self, name: str, now_ms: int) -> Group:
        """The group as recorded, with the changes on whatever thresholds it has for a model."""
        found = Rules.group(self, name, now_ms)
        by_model = {model: _changed(found.thresholds_of(model), change, model) for model, change in self.changes.items()}
        return msgspec.structs.replace(found, by_model={**found.by_model, **by_model})


class Alternative(msgspec.Struct, frozen=True):
    """The rules to begin with, and the names whose recorded rules do not count."""

    rules: Rules = Rules()
    replaced: frozenset[str] = frozenset()

    def holds(self, key: bytes, value: bytes | None) -> bool:
        """Whether a recorded rule still counts. Raises protobuf's `DecodeError`."""
        name = key.decode(errors="replace").rpartition("@")[0] if value is None else name_of(pb.RiskRule.FromString(value))
        return name not in self.replaced


def name_of(rule: pb.RiskRule) -> str:
    """The name a rule replaces others under: kind and instrument, group or weight."""
    kind = rule.WhichOneof("rule")
    if kind == "withdrawn":
        return rule.rule_id
    if kind == "collateral_weight":
        return f"weight:{rule.collateral_weight.currency}/{rule.collateral_weight.asset}"
    return f"{kind}:{rule.instrument.instrument if kind == 'instrument' else rule.group.group}"


def alternative(file: Path | None, thresholds: Iterable[str]) -> Alternative:
    """Of `--rules` (lines as `inject risk-rules` takes them) and `--thresholds` ([MODEL:]field=number,...). Raises `StackError`."""
    rules: Rules = Otherwise(changes=_changes(thresholds))
    for model in MODELS:
        with _refused(f"--thresholds of {model}"):
            rules.group("", 0).thresholds_of(model)
    replaced = set()
    for rule, where in _rules(file) if file else ():
        with _refused(where):
            rules = rules_with(rules, rule, -1)
        replaced.add(name_of(rule))
    return Alternative(rules, frozenset(replaced))


def _rules(file: Path) -> Iterable[tuple[pb.RiskRule, str]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{file}: expected lines of rules in UTF-8, was {error}") from None
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{file} line {number}"
            _, value = read_line(line, BY_NAME[RISK_RULES], where, "")
            if value is None:
                raise StackError(f"{where}: expected a rule, was null")
            yield pb.RiskRule.FromString(value), where


def _changes(texts: Iterable[str]) -> dict[str, dict[str, str | Decimal]]:
    found: dict[str, dict[str, str | Decimal]] = {}
    for text in texts:
        model, colon, pairs = text.rpartition(":")
        if colon and model not in MODELS:
            raise StackError(f"--thresholds: expected a model of {', '.join(MODELS)} before ':', was {model!r}")
        for pair in pairs.split(","):
            name, _, number = pair.partition("=")
            for one in [model] if model else [one for one in MODELS if one != "mt5"]:
                found.setdefault(one, {})[name.strip()] = _value(name.strip(), number.strip())
    return found


def _value(name: str, text: str) -> str | Decimal:
    if name == "mode":
        return text
    if name not in _FIELDS:
        raise StackError(f"--thresholds: expected one of mode, {', '.join(_FIELDS)}, was {name!r}")
    try:
        return parse(text, name)
    except BadNumber as error:
        raise StackError(f"--thresholds: {error}") from None


def _changed(found: Thresholds, change: Mapping[str, str | Decimal], model: str) -> Thresholds:
    return check_thresholds(msgspec.structs.replace(found, **change), model)


@contextmanager
def _refused(where: str) -> Iterator[None]:
    try:
        yield
    except BadRule as error:
        raise StackError(f"{where}: {error}") from None
