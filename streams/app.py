"""Composition root of a worker: settings to topics, ledgers, agents and services."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from typing import Any

from agents.facts import Facts, Reading
from streams.checks import Checks, Room
from streams.config import Config
from streams.engine.boot import CHANGELOG_CONFIGS, create_faust
from streams.engine.ledger import Ledger, Plan
from streams.engine.transport import Bundle
from streams.ops.metrics import METRICS
from streams.ops.watchdog import watch
from streams.portfolios import Portfolios
from streams.prices import Prices
from streams.topics import ACCOUNT_SOURCES, ACCOUNT_STATES, ORDER_SOURCES, ORDER_STATES
from streams.view import View
from streams.web.app import start as start_web
from tables import codec
from tables.policy import Policy

log = logging.getLogger(__name__)
METRICS_INTERVAL_S = 1.0
SURVEY_REST = 20  # times as long as it took: a look at every user is at most a twentieth of the work


def create_app(config: Config) -> Any:
    """The Faust app of one engine worker."""
    app = create_faust(config)
    policy = Policy(config.settle_ms_max, config.report_ms_max, config.gap_held_max)
    accounts, orders = (Ledger(app, plan) for plan in plans(config))
    prices = Prices(config)
    checks = Checks(config, Room(accounts, orders, prices, policy))
    facts = Facts(Reading(config.partitions, config.default_user_type, policy), checks.due, accounts.fits, orders.fits)
    for topic in ACCOUNT_SOURCES:
        _add_agent(app, topic, config.partitions, (facts, accounts, orders))
    portfolios = Portfolios(config, checks)
    view = View(config, app, (accounts, orders), checks, portfolios)
    app.services_first = [prices, checks, portfolios, Outside(config, view, facts)]
    return app


def plans(config: Config) -> tuple[Plan, Plan]:
    """What `accounts` and `orders` are made of."""
    return (_plan(config, "accounts", ACCOUNT_SOURCES, ACCOUNT_STATES), _plan(config, "orders", ORDER_SOURCES, ORDER_STATES))


def _plan(config: Config, name: str, sources: tuple[str, ...], states: str) -> Plan:
    dump, load = (codec.dump_user, codec.load_user) if name == "accounts" else (codec.dump_orders, codec.load_orders)
    return Plan(name, sources, dump, load, states, config.partitions, config.row_bytes_max, CHANGELOG_CONFIGS,
                config.kafka_bootstrap)


def _add_agent(app: Any, name: str, partitions: int, parts: tuple[Facts, Ledger, Ledger]) -> None:
    """The agent of one fact topic: fold a bundle into every ledger that takes it; the end of the loop body acknowledges it."""
    facts, accounts, orders = parts
    topic = app.transport.bundle(app.topic(name, key_type=bytes, value_type=bytes, value_serializer="raw", partitions=partitions))

    @app.agent(topic, name=f"agents.facts.{name}")  # type: ignore[untyped-decorator]  # faust's own
    async def fold(stream: AsyncIterator[Bundle]) -> None:
        async for bundle in stream:
            await accounts.admit(bundle)
            await orders.breathe()
            facts.read(bundle)
            METRICS.events.labels(name).inc(len(bundle.records))
            with METRICS.fold_seconds.time():
                accounts.fold(bundle, facts.account_step, facts.key_of)
                if name in ORDER_SOURCES:
                    orders.fold(bundle, facts.order_step, facts.order_key_of)


class Outside:
    """What faces outside: the web server, the metrics and the watchdog. Started before the first recovery."""

    def __init__(self, config: Config, view: View, facts: Facts) -> None:
        self.config, self.view, self.facts = config, view, facts
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Listen, and watch."""
        runner = await start_web(self.view, self.config.web_host, self.config.web_port, self.config.api_token,
                                 self.config.api_tokens)
        log.info("inspection at %s/inspect", runner.url)
        self._tasks = [asyncio.create_task(self._collect()), asyncio.create_task(self._survey()),
                       asyncio.create_task(watch(self.view.sample, self._stuck, self.config.watchdog_s / 6, self.config.watchdog_s))]

    async def _collect(self) -> None:
        while True:
            await asyncio.sleep(METRICS_INTERVAL_S)
            try:
                self._collect_once()
            except Exception:  # figures decide nothing: the next second tries again
                log.exception("figures not collected")

    async def _survey(self) -> None:
        while True:
            spent_s = 0.0
            try:
                began = time.perf_counter()
                for _ in self.view.survey():
                    spent_s += time.perf_counter() - began
                    await asyncio.sleep(0)
                    began = time.perf_counter()
            except Exception:
                log.exception("users not surveyed")
            await asyncio.sleep(max(METRICS_INTERVAL_S, SURVEY_REST * spent_s))

    def _collect_once(self) -> None:
        self.view.collect()
        for topic, count in self.facts.dead_letters.items():
            self.view._rise(f"dead {topic}", METRICS.dead_letters.labels(topic), count)
        self.view._rise("venue calls", METRICS.venue_margin_calls, self.facts.venue_margin_calls)

    async def _stuck(self, message: str) -> None:
        log.error(message)
        await self.view.app.consumer.halt(RuntimeError(message))
