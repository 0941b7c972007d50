"""`marginstream rules`: list, show, apply, withdraw, publish."""

import argparse
import getpass
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TextIO

from agents.risk.rules import BadRule
from schemas import engine_pb2 as pb
from streams.config import Config
from streams.rules import store
from streams.rules.apply import apply, preview, shown, withdrawal
from streams.rules.publish import publish
from streams.rules.reading import json_of, read_rules, shipped_rules
from streams.stack.process import StackError

SHIPPED = "shipped"


def run(options: argparse.Namespace, config: Config, stdin: TextIO) -> int:
    """Runs one action; raises `StackError`."""
    try:
        if options.action == "apply":
            return _apply(options, config, stdin)
        if options.action == "withdraw":
            now_ms = time.time_ns() // 1_000_000
            return _change(options, config, [withdrawal(config, options.rule_id, now_ms if options.from_ms is None else options.from_ms)])
    except BadRule as error:
        raise StackError(str(error)) from None
    if options.action == "publish":
        print(json.dumps({"published": publish(config, again=options.all)}))
    elif options.action == "show":
        _print(_versions(config, options.rule_id))
    else:
        _print(_listed(config))
    return 0


def _apply(options: argparse.Namespace, config: Config, stdin: TextIO) -> int:
    rules = read_rules(stdin.read() if options.file == "-" else _text(Path(options.file)))
    if not rules:
        raise StackError(f"{options.file}: expected rules, was none")
    return _change(options, config, rules)


def _change(options: argparse.Namespace, config: Config, rules: Sequence[pb.RiskRule]) -> int:
    if options.dry_run:
        print(json.dumps(shown(rules, preview(config, rules)), indent=1))
    else:
        print(json.dumps(apply(config, rules, f"cli:{getpass.getuser()}", force=options.force)._asdict()))
    return 0


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{file}: expected rules in UTF-8, was {error}") from None


def _versions(config: Config, rule_id: str) -> list[dict[str, object]]:
    shipped: list[pb.RiskRule] = [rule for rule in shipped_rules() if rule_id in (SHIPPED, rule.rule_id)]
    if rule_id == SHIPPED:
        return [json_of(rule) for rule in shipped]
    with store.connected(config.postgres_dsn) as connection:
        kept = [store.shown(found) for found in store.stored(connection, rule_id)]
    if not kept and not shipped:
        raise StackError(f"rule_id: expected a rule that is kept or shipped, was {rule_id[:160]!r}")
    return kept or [{**json_of(rule), "changed_by": SHIPPED} for rule in shipped]


def _listed(config: Config) -> list[dict[str, object]]:
    with store.connected(config.postgres_dsn) as connection:
        return [{"rule_id": found.message.rule_id, "effective_from_ms": found.message.effective_from_ms, "changed_by": found.changed_by,
                 "updated_ms": found.updated_ms, "published_ms": found.published_ms} for found in store.stored(connection)]


def _print(rows: Iterable[dict[str, object]]) -> None:
    for row in rows:
        print(json.dumps(row))
