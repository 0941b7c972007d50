"""Rules as files hold them: JSON of the message `RiskRule`, a list of them or one a line, each validated and refused by name."""

import json
from collections.abc import Sequence

from google.protobuf import json_format

from agents.risk import shipped
from agents.risk.rules import BadRule, Rules, rules_with
from schemas import engine_pb2 as pb
from streams.stack import strict_json

Json = dict[str, object]


def read_rules(text: str) -> list[pb.RiskRule]:
    """Every rule of a text, validated; raises `BadRule` naming the rule, or its place where it has no name."""
    found = [_message(value, where) for where, value in _values(text)]
    check_rules(found)
    return found


def check_rules(found: Sequence[pb.RiskRule]) -> None:
    """Raises `BadRule` for a rule no worker would take, one whose id is another's, and for the same rule twice."""
    seen: set[str] = set()
    for message in found:
        if message.rule_id != rule_id(message):
            raise BadRule(f"rule_id: expected {rule_id(message)!r}, was {message.rule_id!r}")
        if message.effective_from_ms < 0:
            raise BadRule(f"{message.rule_id}: effective_from_ms: expected 0 or more, was {message.effective_from_ms}")
        if key_of(message) in seen:
            raise BadRule(f"{key_of(message)}: expected once, was repeated")
        seen.add(key_of(message))
        rules_with(Rules(), message, 0)


def rule_id(message: pb.RiskRule) -> str:
    """The id that names what a rule is about; raises `BadRule` where it is about nothing."""
    kind = message.WhichOneof("rule")
    if kind == "instrument":
        return f"instrument:{message.instrument.instrument}"
    if kind == "group" and message.group.group:
        return f"group:{message.group.group}"
    if kind == "withdrawn" and ":" in message.rule_id:
        return message.rule_id
    weight = message.collateral_weight
    if kind == "collateral_weight" and weight.currency and weight.asset:
        return f"weight:{weight.currency}/{weight.asset}"
    raise BadRule(f"{message.rule_id or 'rule'}: expected an instrument, a group or a collateral weight with its name, was {kind}")


def key_of(message: pb.RiskRule) -> str:
    """The key of `risk-rules`: what compaction keeps the last of."""
    return f"{message.rule_id}@{message.effective_from_ms}"


def json_of(message: pb.RiskRule) -> Json:
    """As `read_rules` reads it."""
    found: Json = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return found


def shipped_rules() -> list[pb.RiskRule]:
    """The bracket tables that come with the project, as rules."""
    return [pb.RiskRule(rule_id=f"instrument:binance_usdm:{symbol}", instrument=shipped.message(symbol)) for symbol in shipped.symbols()]


def _values(text: str) -> list[tuple[str, object]]:
    """(place, value) of each: of one list or object, else of each line."""
    try:
        whole = strict_json.parse(text)
    except ValueError:
        lines = [(f"line {number}", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
        return [(where, _parsed(line, where)) for where, line in lines]
    return [(f"[{at}]", value) for at, value in enumerate(whole)] if isinstance(whole, list) else [("input", whole)]


def _parsed(text: str, where: str) -> object:
    try:
        return strict_json.parse(text)
    except ValueError as error:
        raise BadRule(f"{where}: {error}") from None


def _message(value: object, where: str) -> pb.RiskRule:
    if not isinstance(value, dict):
        raise BadRule(f"{where}: expected a rule as an object, was {json.dumps(value)[:80]}")
    named = value.get("rule_id")
    try:
        return json_format.ParseDict(value, pb.RiskRule())
    except (json_format.ParseError, ValueError, RecursionError) as error:
        raise BadRule(f"{named if isinstance(named, str) and named else where}: {' '.join(str(error).split())}") from None
