# What a contributor runs.  Every target does its own set-up, and does it once.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DRIVERS := .venv/.drivers
PEERS := bench/.venv/.ready

# What the tests need besides Python: Debian's packages, COMMAND:PACKAGE where the names differ.
TOOLS := chromium curl openssl redis-server mariadbd:mariadb-server initdb:postgresql

# What compiling a driver needs besides.
COMPILER := gcc:build-essential pkg-config mariadb_config:libmariadb-dev python3-config:python3-dev

# The files that decide: there every branch is tested.
DECISIONS := $(addprefix src/sojourn/,_lifecycle.py _answers.py session.py _facts.py _fields.py _ledger.py)

.PHONY: help setup demo check test lint types imports architecture format bench clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with everything that the other targets need

demo: $(READY) ## Run the demonstration (PROVIDER=redis, ADDRESS=..., DEMO_ARGS="...")
	$(BIN)/python -m examples.demo $(PROVIDER:%=--provider %) $(if $(ADDRESS),--address '$(ADDRESS)') $(DEMO_ARGS)

check: lint types imports architecture ## All that needs no server: quick, for every save

test: $(READY) $(DRIVERS) $(DECISIONS) ## Everything, as continuous integration runs it
	@scripts/need $(TOOLS)
	@$(MAKE) --no-print-directory lint types imports
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report
	$(BIN)/coverage report --include=$$(echo $(DECISIONS) | tr ' ' ,) --fail-under=100

lint: $(READY) ## Formatting and ruff
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(READY) ## mypy, strict
	$(BIN)/mypy

imports: $(READY) ## Imports go downwards only
	$(BIN)/lint-imports --no-logo

architecture: $(READY) ## Twins, sizes, documented examples, the wheel
	$(BIN)/pytest -q tests/architecture

format: $(READY) ## Format, and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(PEERS) ## Measure beside others and write docs/performance.md (ARGS="--quick" tries it)
	bench/.venv/bin/python -m bench $(ARGS)

clean: ## Take away .venv and all caches
	rm -rf .venv .*_cache .hypothesis .coverage build dist

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo 'Sojourn needs Python 3.11 or newer, for instance: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || scripts/need python3-venv
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

$(DRIVERS): pyproject.toml | $(READY)
	@scripts/need $(COMPILER)
	$(BIN)/python -m pip install --quiet --group drivers
	@touch $@

$(PEERS): bench/requirements.txt pyproject.toml | $(READY)
	@scripts/need $(filter-out chromium,$(TOOLS)) $(COMPILER)
	$(BIN)/python -m venv bench/.venv
	bench/.venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	bench/.venv/bin/python -m pip install --quiet --editable . --requirement bench/requirements.txt
	@touch $@
