# What a contributor runs.  Every target does its own set-up, and does it once.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
DRIVERS := .venv/.drivers
PEERS := bench/.venv/.ready
MINIMA := .venv-minima

# What the tests need besides Python: Debian's packages, COMMAND:PACKAGE where the names differ.
TOOLS := chromium curl openssl redis-server mariadbd:mariadb-server initdb:postgresql pgbouncer

# What compiling a driver needs besides.
COMPILER := gcc:build-essential pkg-config mariadb_config:libmariadb-dev python3-config:python3-dev

# The files that decide: there every branch is tested, by these tests.
DECISIONS := $(addprefix src/sojourn/,_lifecycle.py _openings.py _endings.py _responses.py _unread.py \
	session.py _session/mapping.py _session/state.py _session/changes.py _session/seen.py)
DECIDING := $(addprefix tests/,test_session.py test_session_mapping.py test_after_release.py \
	test_derived.py test_lifecycle.py test_unread.py test_lazy_start.py test_late_uses.py test_second_sign_in.py \
	test_combining.py test_programs.py contract/test_memory.py contract/test_own.py)

# The core and the contract, over the stores that need no server.
QUICK := $(DECIDING) tests/contract/test_file.py tests/contract/test_sqlite.py tests/providers \
	$(addprefix tests/test_,codec.py config.py config_properties.py cookies.py format.py \
	reading.py reconcile.py sweeper.py tokens.py turns.py urls.py) $(addprefix tests/web/test_,asgi.py wsgi.py)

# Many tests wait for servers: as many processes share them as there are processors, up to four.
IN_PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=loadfile

# A test that waits for ever fails after ten minutes, and its traceback says where it waited.  If it
# waits in C code, where no signal reaches it, its process ends after fifteen.  The slowest test
# takes a minute on a busy machine.
LIMIT := --timeout=600 -o faulthandler_timeout=900 -o faulthandler_exit_on_timeout=true

# The random searches, and how many times longer than in `make test` they take.
SEARCHES := $(shell grep -rl --include='test_*.py' SOJOURN_SEARCH tests)
FACTOR ?= 20

# How long `make prove` searches.
SECONDS ?= 60
# The commit beside which `make against` measures this tree.
COMMIT ?= HEAD

# It runs a block of the page on aiohttp, which shows the typed keys that aiohttp has since 3.14.
NEWER := --deselect tests/neighbours/test_moves_async.py::test_users_of_aiohttp_session_stay_signed_in

# The tests in which other packages take part, without a browser.
BESIDE := tests/contract tests/redis/test_handshake.py tests/web tests/neighbours $(addprefix tests/frameworks/test_,\
	in_process.py opened.py django_commands.py)

.PHONY: help setup demo check quick test minima search prove lint types imports architecture format bench serving against clean

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with everything that the other targets need

demo: $(READY) ## Run the demonstration (PROVIDER=redis, ADDRESS=..., DEMO_ARGS="...")
	$(BIN)/python -m examples.demo $(PROVIDER:%=--provider %) $(if $(ADDRESS),--address '$(ADDRESS)') $(DEMO_ARGS)

check: lint types imports architecture ## All that needs no server: quick, for every save

quick: $(READY) ## The core and the contract over memory, files and SQLite, in a minute
	$(BIN)/pytest -q $(IN_PARALLEL) $(QUICK)

test: $(READY) $(DRIVERS) $(DECISIONS) ## Everything, as continuous integration runs it
	@scripts/need $(TOOLS)
	@$(MAKE) --no-print-directory lint types imports
	$(BIN)/coverage run -m pytest $(LIMIT) $(DECIDING)
	$(BIN)/coverage report --include=$$(echo $(DECISIONS) | tr ' ' ,) --fail-under=100
	$(BIN)/pytest $(IN_PARALLEL) $(LIMIT) $(addprefix --ignore=,$(DECIDING))

minima: ## The tests beside other packages, each at its lowest release (PYTHON=python3.12)
	@scripts/need $(TOOLS) $(COMPILER)
	$(PYTHON) -m venv --clear $(MINIMA)
	$(MINIMA)/bin/python -m pip install --quiet uv
	$(MINIMA)/bin/uv pip install --quiet --python $(MINIMA)/bin/python --resolution lowest-direct \
		--editable '.[all]' --group dev --group drivers
	$(MINIMA)/bin/pytest -W ignore --ignore-glob='*_page*.py' $(NEWER) $(BESIDE)

search: $(READY) $(DRIVERS) ## The random searches, FACTOR times longer (20 unless told)
	@scripts/need $(TOOLS)
	SOJOURN_SEARCH=$(FACTOR) $(BIN)/pytest $(SEARCHES)

prove: $(READY) $(DRIVERS) ## Search for a broken law in simulated worlds (SECONDS=600)
	$(BIN)/python -m tests.proof --seconds $(SECONDS) $(ARGS)

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

bench: $(PEERS) ## Measure beside others and write the pages about performance (ARGS="--quick" tries it)
	@scripts/need wrk
	bench/.venv/bin/python -m bench $(ARGS)

serving: $(PEERS) ## Measure real servers with sessions, by wrk (ARGS="--quick" tries it)
	@scripts/need wrk
	bench/.venv/bin/python -m bench.serving $(ARGS)

against: $(READY) $(DRIVERS) ## Measure this tree beside another one (COMMIT=HEAD~1, ARGS="--store redis")
	@scripts/need redis-server mariadbd:mariadb-server initdb:postgresql
	$(BIN)/python -m bench.against $(COMMIT) $(ARGS)

clean: ## Take away .venv and all caches
	rm -rf .venv $(MINIMA) .*_cache .hypothesis .coverage build dist

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
