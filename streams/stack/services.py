"""Commands of the admin API, the user service and mirrors made anew; each imports what it needs when it runs."""

import argparse
from collections.abc import Callable
from typing import Any

from streams.config import Config

Run = Callable[[argparse.Namespace, Config], int]


def describe(add: Callable[[str, Run, str], Any]) -> None:
    """Adds them to a parser."""
    add("admin", _admin, "the admin API")
    add("grpc", _user_service, "the gRPC user service")
    rebuild = add("rebuild", _rebuild, "a mirror made anew from the topics, beside whatever runs")
    rebuild.add_argument("mirror", choices=("redis", "postgres"))


def _admin(_: argparse.Namespace, config: Config) -> int:
    from streams.admin.process import main

    main(config)
    return 0


def _user_service(_: argparse.Namespace, config: Config) -> int:
    from streams.web.grpc_process import main

    main(config)
    return 0


def _rebuild(options: argparse.Namespace, config: Config) -> int:
    from aiokafka.errors import KafkaError

    from streams.stack.process import StackError
    from streams.stack.rebuild import run
    from streams.stack.supervisor import located

    try:
        return run(options, located(config))
    except KafkaError as error:
        raise StackError(f"kafka at {config.kafka_bootstrap}: expected an answer, was {error!r}") from None
