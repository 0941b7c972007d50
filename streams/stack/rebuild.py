"""`marginstream rebuild`: a mirror made anew from the topics."""

import argparse
import asyncio

from streams.bridges import postgres
from streams.bridges.rebuild import rebuild_postgres, rebuild_redis
from streams.cache.store import AWAY
from streams.config import Config
from streams.stack.process import StackError


def run(options: argparse.Namespace, config: Config) -> int:
    """0, the count of records on stdout; raises `StackError` where the store is away."""
    job = rebuild_redis if options.mirror == "redis" else rebuild_postgres
    try:
        count = asyncio.run(job(config))
    except (*AWAY, *postgres.AWAY) as error:
        raise StackError(f"{options.mirror}: expected an answer, was {type(error).__name__}") from None
    print(f"{options.mirror}: {count} records written again, the newest of each")
    return 0
