"""The commands of `marginstream`; each imports what it needs when it runs, so that all start fast."""

import argparse
import io
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from schemas.keys import BadKey, user_key
from streams.bench.options import describe as describe_bench
from streams.config import BadSetting, Config, load
from streams.replay.options import describe as describe_recordings
from streams.rules.options import describe as describe_rules
from streams.stack.process import StackError
from streams.stack.services import describe as describe_services
from streams.venues.account_options import describe_accounts, describe_keys, describe_processes
from streams.venues.options import describe as describe_decode
from streams.venues.simulator.options import describe as describe_simulator

Run = Callable[[argparse.Namespace, Config], int]
_LINE_MAX = 1_000


def _up(options: argparse.Namespace, config: Config) -> int:
    from streams.stack.supervisor import folder, up

    up(config, generator=not options.no_generator, bare=options.bare)
    print(f"addresses in {folder(config) / 'env'}, logs in {folder(config) / 'logs'}")
    return 0


def _down(options: argparse.Namespace, config: Config) -> int:
    from streams.stack.supervisor import down

    down(config, forget=options.forget)
    return 0


def _status(_: argparse.Namespace, config: Config) -> int:
    from streams.stack.supervisor import lines_to_paste, load_state, located, status

    rows = status(config)
    for name, living, text in rows:
        print(f"{name:<16} {'up' if living else 'DOWN':<5} {text}")
    for key, value in load_state(config).addresses.items() if rows else ():
        print(f"{key}={'***' if 'TOKEN' in key and value else value}")
    for line in lines_to_paste(located(config)) if rows else ():
        print(line)
    if not rows:
        print("nothing was started here")
    return 0 if rows and all(living for _, living, _ in rows) else 1


def _run(_: argparse.Namespace, config: Config) -> int:
    from streams.stack.foreground import run

    return run(config)


def _worker(_: argparse.Namespace, config: Config) -> int:
    del config  # the worker reads its own
    from streams.worker import main as work

    work()
    return 0


def _bridge(options: argparse.Namespace, config: Config) -> int:
    if options.mirror == "postgres":
        from streams.bridges.postgres import main as mirror
    elif options.mirror == "relay":
        from streams.bridges.relay import main as mirror
    else:
        from streams.bridges.redis import main as mirror
    mirror(config)
    return 0


def _generator(_: argparse.Namespace, config: Config) -> int:
    from streams.stack.generator import main as generate

    with _broker_answers(config):
        generate(config)
    return 0


def _inject(options: argparse.Namespace, config: Config) -> int:
    from streams.stack.inject import inject
    from streams.stack.supervisor import located

    count = inject(located(config), options.topic, _stdin())
    print(f"{count} records on {options.topic}", file=sys.stderr)
    return 0


def _doctor(_: argparse.Namespace, config: Config) -> int:
    from streams.stack.doctor import examine
    from streams.stack.supervisor import located

    findings = examine(located(config))
    for finding in findings:
        print(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.text}")
    return 0 if all(finding.ok for finding in findings) else 1


def _migrate(_: argparse.Namespace, config: Config) -> int:
    from streams.stack.migrate import migrate
    from streams.stack.supervisor import located

    print(migrate(located(config)))
    return 0


def _evaluate(options: argparse.Namespace, _: Config) -> int:
    from streams.stack.evaluate import evaluate_lines, evaluate_one

    return evaluate_lines(_stdin(), sys.stdout) if options.lines else evaluate_one(_stdin(), sys.stdout)


def _decode(options: argparse.Namespace, config: Config) -> int:
    from streams.venues.command import decode_lines, decode_one
    from streams.venues.frames import Receipt, Unreadable

    receipt = Receipt(user_key(options.user, config.default_user_type), options.account, received_ns=options.received_ns)
    source = io.BytesIO() if sys.stdin is None else sys.stdin.buffer
    try:
        return (decode_lines if options.lines else decode_one)(options.venue, receipt, source, sys.stdout)
    except Unreadable as error:
        raise StackError(str(error)) from None


def _ingestion(options: argparse.Namespace, config: Config) -> int:
    from streams.stack.supervisor import located
    from streams.venues.commands import run

    return run(options, located(config), _stdin())


def _rules(options: argparse.Namespace, config: Config) -> int:
    from streams.rules.commands import run
    from streams.stack.supervisor import located

    return run(options, located(config), _stdin())


def _stress(options: argparse.Namespace, config: Config) -> int:
    from streams.stack.stress import stress_lines, stress_live

    shocks, first = options.shock or ["all=-0.3:0.3:0.05"], max(0, options.first)
    print(json.dumps(stress_live(config, shocks, first) if options.live else stress_lines(_stdin(), shocks, first), indent=1))
    return 0


def _stdin() -> TextIO:
    """Standard input in UTF-8 wherever we run; bytes that are none stay to be refused by line, a closed one is empty."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    return sys.stdin or io.StringIO()


def _bench(options: argparse.Namespace, _: Config) -> int:
    from streams.bench.commands import run

    return run(options)


def _check(options: argparse.Namespace, config: Config) -> int:
    from streams.stack.selfcheck import check
    from streams.stack.supervisor import located

    config, user = located(config), None if options.user is None else user_key(options.user, config.default_user_type)
    with _broker_answers(config):
        found = check(config, user)
    for line in found.differs:
        print(line)
    if found.moving:
        print(f"moving, not judged: {len(found.moving)} lines such as {found.moving[0]}")
    if not found.differs:
        print("rows, Redis, Postgres and ledger agree")
    return 1 if found.differs else 0


def _simulate(options: argparse.Namespace, _: Config) -> int:
    from streams.venues.simulator.command import simulate

    return simulate(options)


def _recorded(options: argparse.Namespace, config: Config) -> int:
    from streams.replay import commands
    from streams.stack.supervisor import located

    run: Run = {"record": commands.record, "replay": commands.replay, "verify": commands.verify}[options.command]
    return run(options, located(config))


@contextmanager
def _broker_answers(config: Config) -> Iterator[None]:
    from aiokafka.errors import KafkaError

    try:
        yield
    except KafkaError as error:
        raise StackError(f"kafka at {config.kafka_bootstrap}: expected an answer, was {error!r}") from None


def parser() -> argparse.ArgumentParser:
    """Every command with its options."""
    root = argparse.ArgumentParser(prog="marginstream", description="A streaming margin and liquidation engine on Faust and Kafka.")
    commands = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: Run, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=text, description=text)
        one.set_defaults(run=run)
        return one

    up = add("up", _up, "start the local stack and the engine's processes in the background")
    up.add_argument("--no-generator", action="store_true", help="nothing moves until injected")
    up.add_argument("--bare", action="store_true", help="only Kafka, Redis, Postgres, topics and schema")
    add("down", _down, "stop what 'up' started; its data stays").add_argument("--forget", action="store_true", help="remove the data, too")
    add("status", _status, "what runs and where; exit 1 where a process died")
    add("run", _run, "the stack, a board and a self-check in the foreground until Ctrl-C or RUN_SECONDS")
    add("worker", _worker, "one engine worker")
    add("bridge", _bridge, "one mirror, or the relay of admin facts").add_argument("mirror", choices=("postgres", "redis", "relay"))
    describe_services(add)
    describe_processes(lambda name, text: add(name, _ingestion, text))
    describe_accounts(add("accounts", _ingestion, "exchange accounts that are read: list, add, remove"))
    describe_keys(add("keys", _ingestion, "the keys under which users' secrets are sealed"))
    add("generator", _generator, "a seeded market and its users, written to the fact topics")
    add("inject", _inject, 'JSON lines {"key", "value"} from stdin to a topic').add_argument("topic")
    add("doctor", _doctor, "stack, topics, partitions, versions, lag; one line a check, exit 1 where one fails")
    add("migrate", _migrate, "copy the rows into the generation that is set, after a topic was recreated")
    add("evaluate", _evaluate, "one account as JSON from stdin, its margin as JSON").add_argument("--lines", action="store_true")
    describe_decode(add("decode", _decode, "one raw private frame of a venue from stdin, its events as JSON"))
    describe_rules(add("rules", _rules, "rules as data: list, show, apply a file (shown first, refused where it liquidates), publish"))
    stress = add("stress", _stress, "price shocks over accounts as JSON lines (evaluate's) from stdin, or over the live book")
    stress.add_argument("--shock", action="append", metavar="SYMBOL=SHARE,...", help="or a range of them: all=-0.3:0.3:0.05")
    stress.add_argument("--live", action="store_true", help="over what the running workers hold")
    stress.add_argument("--first", type=int, default=20, help="how many of those who go first are named")
    add("check", _check, "consistency of row, Redis, Postgres and ledger; exit 1 on a difference").add_argument("user", nargs="?")
    describe_recordings(
        add("record", _recorded, "a window of the topics into files"),
        add("replay", _recorded, "recorded topics through folds, prices and checks again, under simulated time, also under other rules"),
        add("verify", _recorded, "every verdict derived again from its stamp; exit 1 where one differs"))
    describe_simulator(add("simulate", _simulate, "the simulated venues alone, REST and WebSocket; addresses as JSON on the first line"))
    describe_bench(add("bench", _bench, "speed and latency, beside the peers; a line of JSON a run, and the README's figures of them"))
    return root


def main(words: Sequence[str] | None = None) -> int:
    """Exit status: 0, 1 on failure with one line on stderr, 2 on bad usage. Processes that stay tell their failures to their logs."""
    options = parser().parse_args(words)
    tells_all = options.command in ("worker", "bridge", "admin", "ingest", "execute", "generator")
    if not tells_all:
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the one line on stderr is ours
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        config = load()
        tells_all = tells_all or config.log_level.upper() == "DEBUG"
        status = int(options.run(options, config))
        sys.stdout.flush()
    except (BadSetting, StackError, BadKey) as error:
        return _say(options.command, str(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # who read us has left: nothing more to say, not at exit either
        return 1
    except Exception as error:
        if tells_all:
            raise
        return _say(options.command, f"{type(error).__name__}: {error} (MARGINSTREAM_LOG_LEVEL=DEBUG says where)")
    return status


def _say(command: str, text: str) -> int:
    print(f"marginstream {command}: {' '.join(text.split())[:_LINE_MAX]}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
