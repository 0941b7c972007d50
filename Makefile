# Every target sets up what it needs; a second run finds it there. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
SEED ?= 1
SEEDS ?= 1
FAULTS ?= 30
FACTS ?= 100000
BROKERS ?= 1
WITHOUT ?=
ACCOUNTS ?= 100000
HISTORIES ?= 200
COUNT ?= 100000
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup run up down status test lint types unit clients chaos ingest-campaign histories properties screen oracle lock fuzz proto compose clean clean-data

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "marginstream: expected Python 3.11 or newer, was $$($(PYTHON) --version 2>&1); say PYTHON=..." >&2; exit 1; }
	@test -x $(BIN)/python || { echo "creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing the locked packages (once, some minutes on a slow line)"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps -e .
	@touch $@

setup: $(READY) ## the virtual environment, from requirements.lock by hash

run: $(READY) ## everything on the local stack with a live board, until Ctrl-C or RUN_SECONDS=60
	@$(BIN)/marginstream run

up: $(READY) ## the same in the background
	@$(BIN)/marginstream up

down: $(READY) ## stop it
	@$(BIN)/marginstream down

status: $(READY) ## what runs and where
	@$(BIN)/marginstream status

test: lint types unit ## everything that must pass

lint: $(READY) ## ruff and the import contracts
	$(BIN)/ruff check --no-cache .
	$(BIN)/lint-imports --no-logo

types: $(READY) ## mypy, strict, tests too
	$(BIN)/mypy

unit: $(READY) ## pytest, with real Kafka, Redis and Postgres, in two processes: JOBS=2
	$(BIN)/pytest -q -n $(JOBS) --dist loadfile --no-loadscope-reorder

chaos: $(READY) ## a chaos campaign: SEED=1 SEEDS=1 FAULTS=30 BROKERS=1; WITHOUT=fences, claim or outbox must fail
	@$(BIN)/python -m tests.chaos.campaign --seed $(SEED) --seeds $(SEEDS) --faults $(FAULTS) --facts $(FACTS) --brokers $(BROKERS) --without "$(WITHOUT)"

properties: $(READY) ## the random properties from other seeds: SEED=1 SEEDS=20, until one fails
	@for seed in $$(seq $(SEED) $$(($(SEED) + $(SEEDS) - 1))); do echo "seed $$seed"; \
	  $(BIN)/pytest -q -m hypothesis --hypothesis-profile=further --hypothesis-seed=$$seed --show-capture=no || exit 1; done

money: $(READY) ## histories of money under kills and outages, in one process and on the whole stack: SEED=1 HISTORIES=200
	@$(BIN)/python -m tests.admin.history --seed $(SEED) --histories $(HISTORIES)
	@$(BIN)/python -m tests.admin.campaign --seed $(SEED) --histories $(HISTORIES)

ingest-campaign: $(READY) ## private streams under random faults, real sockets and Kafka: SEED=1 SEEDS=1
	@$(BIN)/python -m tests.venues.campaign --seed $(SEED) --seeds $(SEEDS)

histories: $(READY) ## the same under a simulated clock, the session's machine alone: SEED=1 HISTORIES=200 of each venue
	@$(BIN)/python -m tests.venues.histories --seed $(SEED) --histories $(HISTORIES)

clients: $(READY) ## other people's clients (their own environment, by hash) against the simulated venues
	@$(BIN)/python -m tests.clients.environment
	$(BIN)/pytest -q tests/clients

oracle: $(READY) ## the risk law against its oracle on random accounts of every model: SEED=1 ACCOUNTS=100000
	@$(BIN)/python -m tests.agents.oracle_campaign --seed $(SEED) --accounts $(ACCOUNTS)

screen: $(READY) ## the screen against the law in Decimal: 10,000 accounts, 2,000 ticks, SEED=1
	@$(BIN)/python -m tests.properties.screen --seed $(SEED)

fuzz: $(READY) ## 100,000 malformed market hashes and channel messages, and mutated frames of each venue: SEED=1 COUNT=100000
	@$(BIN)/python -m tests.redis.fuzz --seed $(SEED) --count $(COUNT)
	@$(BIN)/python -m tests.venues.fuzz --seed $(SEED) --frames $(COUNT)

proto: $(READY) ## generate schemas/*_pb2.py
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. schemas/user_data.proto schemas/engine.proto schemas/user_service.proto

lock: ## resolve requirements.lock anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --group pyproject.toml:dev --group pyproject.toml:stack pyproject.toml -o requirements.lock
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
	  --group pyproject.toml:clients -o tests/clients/requirements.txt

compose: ## the same parts in containers
	docker compose up --build

clean: ## caches of tools
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

clean-data: $(READY) ## stop the local stack and forget what it stored
	@$(BIN)/marginstream down --forget
