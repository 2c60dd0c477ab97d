# `make` alone lists the targets. ARGS adds arguments: make test ARGS="tests/domain -x"
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
ARGS ?=
# Tests wait for servers and processes more than they compute.
TESTERS ?= 3

.DEFAULT_GOAL := help
.PHONY: help run test check lint fmt services bench soak cluster lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(INSTALLED) ## every role on embedded SQLite with the example DAGs, state in .flowd
	@$(BIN)/python scripts/first_minute $(ARGS)

test: $(INSTALLED) services ## install and start what the tests need where it is missing, then run every test
	$(BIN)/pytest -n $(TESTERS) --dist loadgroup $(ARGS)

check: lint test ## all that must be green before a commit: lint, then test

lint: $(INSTALLED) ## ruff, mypy and the import floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src tests
	$(BIN)/lint-imports --config .importlinter

fmt: $(INSTALLED) ## let ruff format and fix what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

services: ## the servers and programs of the tests: installed (as root) and started where missing
	@scripts/services

bench: $(INSTALLED) services ## overhead per task and tasks per second, beside the machine's own limit
	$(BIN)/python -m bench $(ARGS)

soak: $(INSTALLED) services ## the long fault campaign: FLOWD_FAULT_SEED repeats a run, FLOWD_FAULT_MINUTES lengthens its random mix
	$(BIN)/pytest -m soak -n $(TESTERS) --dist loadgroup $(ARGS)

cluster: $(INSTALLED) services ## the guide to a cluster, performed on a host each (network namespaces, as root), and every host broken
	$(BIN)/pytest -m cluster $(ARGS) tests/cluster

lock: $(INSTALLED) ## compile requirements*.lock anew from pyproject.toml
	scripts/lock

clean: ## remove the environment, caches and the state of `make run`
	rm -rf $(VENV) .flowd .bench build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests bench examples -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements.lock pyproject.toml scripts/venv
	@scripts/venv $(VENV)
	@touch $@
