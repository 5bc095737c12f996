# Everything that a developer does, by name. `make` lists the names; `make demo` is the one to begin with.
# All of it stays inside this folder (.venv, .venv-airflow, local/azurite/node_modules, .updraft), except
# for the package tools' own caches.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:

BIN := .venv/bin
# The host that runs the function app in `make up`: `local` (local/functions_host) or `func` (Core Tools).
HOST ?= local
# The Airflow of `make demo` and `make up`: empty, or `next` for the pre-release of local/airflow-next/.
AIRFLOW ?=
# `make up` with 1 in one of them: a process for each function group, as on Flex Consumption; empty queues and an
# empty Airflow.
FLEX ?=
ANEW ?=
# The folder with your own DAGs, beside those in examples/dags.
DAGS ?= dags
# Handed on: make test ARGS="-k relay"
ARGS ?=
# The same for the tests of for_airflow/; its own real Airflow takes minutes more: FOR_AIRFLOW=
FOR_AIRFLOW ?= -m "not stack"
# One worker more than the two cores that the suite is made for: much of it waits for servers. Tests that share
# a costly service run on one worker (tests/support/workers.py).
WORKERS := --numprocesses 3 --dist loadgroup
# How much of the code a selection of tests runs says nothing.
COVERAGE = $(if $(filter -k% -m% tests/%,$(ARGS)),--no-cov,--cov --cov-report=term)
# Both environments' installers, kept in one place; progress bars are for terminals.
UV := $(BIN)/uv --quiet
# Only files that a lock file names by their hashes. Source packages are built with tools of the lock file, and
# only if they are named: an Intel Mac, for which some have no wheel, needs `make setup SOURCES=cryptography`.
SOURCES ?=
INSTALL = $(UV) pip install --require-hashes --only-binary :all: $(addprefix --no-binary ,$(SOURCES)) \
	--build-constraints requirements-dev.txt --python
# Our own packages: from this folder, without dependencies, built with the setuptools of the lock file.
INSTALL_OURS := $(UV) pip install --no-deps --no-build-isolation --offline --python
COMPILE := $(BIN)/uv pip compile --quiet --no-header --universal --python-version 3.13 --generate-hashes
say = @echo "  $(1)" >&2

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- Setting up ----------------------------------------------------------------------------------------

.PHONY: setup
setup: ## Install everything into this folder: the app, Airflow and Azurite
	@$(MAKE) --silent --no-print-directory -j3 .venv/ready .venv-airflow/ready local/azurite/node_modules/ready

.venv/bin/uv:
	$(call say,Making .venv with Python 3.13)
	@"$$(local/find_python.sh)" -m venv .venv
	@awk '/^[^ ]/ {ours = /^uv==/} ours' requirements-dev.txt >.venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all: -r .venv/uv.txt

.venv/ready: requirements.txt requirements-dev.txt pyproject.toml | .venv/bin/uv
	$(call say,Installing the app and its tools into .venv)
	@$(INSTALL) $(BIN)/python -r requirements.txt -r requirements-dev.txt
	@$(INSTALL_OURS) $(BIN)/python --editable .
	@touch $@

.venv-airflow/ready: local/airflow/requirements.txt for_airflow/pyproject.toml | .venv/bin/uv
	$(call say,Installing Airflow and Postgres into .venv-airflow)
	@[ -x .venv-airflow/bin/python ] || $(UV) venv --python "$$(local/find_python.sh)" .venv-airflow
	@$(INSTALL) .venv-airflow/bin/python -r local/airflow/requirements.txt
	@$(INSTALL_OURS) .venv-airflow/bin/python --editable for_airflow
	@touch $@

.PHONY: airflow2
airflow2: .venv-airflow2/ready ## Install an Airflow 2 as well, for the tests of API v1

.PHONY: airflow2-if-possible
airflow2-if-possible: | .venv/bin/uv
	@if $(BIN)/uv python find --no-project --no-python-downloads 3.11 >/dev/null 2>&1; then \
	  $(MAKE) --silent --no-print-directory .venv-airflow2/ready; \
	else echo "  No Python 3.11 here: the tests on a real Airflow 2 are left out" >&2; fi

.venv-airflow2/ready: override SOURCES += python-nvd3
.venv-airflow2/ready: local/airflow2/requirements.txt | .venv/bin/uv
	$(call say,Installing Airflow 2 into .venv-airflow2)
	@[ -x .venv-airflow2/bin/python ] || $(UV) venv --python 3.11 .venv-airflow2
	@$(INSTALL) .venv-airflow2/bin/python -r local/airflow2/requirements.txt
	@touch $@

.venv-airflow-next/ready: local/airflow-next/requirements.txt for_airflow/pyproject.toml | .venv/bin/uv
	$(call say,Installing the next Airflow and Postgres into .venv-airflow-next)
	@[ -x .venv-airflow-next/bin/python ] || $(UV) venv --python "$$(local/find_python.sh)" .venv-airflow-next
	@$(INSTALL) .venv-airflow-next/bin/python -r local/airflow-next/requirements.txt
	@$(INSTALL_OURS) .venv-airflow-next/bin/python --editable for_airflow
	@touch $@

local/azurite/node_modules/ready: local/azurite/package-lock.json local/azurite/.npmrc local/azurite/requirements.txt | .venv/bin/uv
	@$(BIN)/python -m local.processes.node >/dev/null || { \
	  echo "No Node.js 20 or newer here: installing one into .venv" >&2; \
	  $(INSTALL) $(BIN)/python -r local/azurite/requirements.txt; }
	$(call say,Installing Azurite into local/azurite/node_modules)
	@$(BIN)/python -m local.processes.node install >/dev/null
	@touch $@

# --- Seeing it work ------------------------------------------------------------------------------------

.PHONY: demo
demo: setup $(AIRFLOW:%=.venv-airflow-%/ready) ## Start it all, let events start DAG runs, and tell the story
	@$(BIN)/python -m local.demo --airflow "$(AIRFLOW)"

.PHONY: up
up: setup $(AIRFLOW:%=.venv-airflow-%/ready) ## The same stack, left running until Ctrl-C (HOST=func: in Core Tools; FLEX=1; ANEW=1; DAGS=folder)
	@$(BIN)/python -m local.up --host $(HOST) --airflow "$(AIRFLOW)" --dags "$(DAGS)" $(if $(FLEX),--flex) $(if $(ANEW),--anew)

.PHONY: airflow-stop
airflow-stop: ## Stop the Airflow of a running `make up`, to rehearse an outage
	@$(BIN)/python -m local.part stop airflow

.PHONY: airflow-start
airflow-start: ## Start it again
	@$(BIN)/python -m local.part start airflow

# --- Checking ------------------------------------------------------------------------------------------

.PHONY: test
test: setup airflow2-if-possible test-for-airflow ## Every test, also those on the real Airflow and Azurite (ARGS=… for pytest)
	@$(BIN)/pytest $(WORKERS) $(COVERAGE) $(ARGS)

.PHONY: test-all
test-all: ## And what is too long for every run: the next Airflow, attacks, crash points, faults, bench
	@$(MAKE) --no-print-directory test FOR_AIRFLOW=
	@$(MAKE) --no-print-directory test-airflow-next
	@$(MAKE) --no-print-directory attacks ARGS=
	@$(MAKE) --no-print-directory crashpoints ARGS=
	@$(MAKE) --no-print-directory faults ARGS=
	@$(MAKE) --no-print-directory bench ARGS=

.PHONY: test-for-airflow
test-for-airflow: .venv-airflow/ready ## The tests of for_airflow/, in the environment that Airflow is in
	@cd for_airflow && ../.venv-airflow/bin/python -m pytest $(FOR_AIRFLOW)

# The Airflow that comes next: for_airflow with its own real Airflow, then the demo and the stack's tests of it.
.PHONY: test-airflow-next
test-airflow-next: setup .venv-airflow-next/ready ## The tests that depend on Airflow's version, on the next one
	@cd for_airflow && ../.venv-airflow-next/bin/python -m pytest
	@$(BIN)/python -m local.demo --airflow next
	@AIRFLOW=next $(BIN)/pytest tests/stack/test_live_checks.py tests/stack/test_stack.py

.PHONY: test-fast
test-fast: .venv/ready ## The quick layer: neither Airflow, Azurite, servers nor processes
	@$(BIN)/pytest -m "not stack and not slow" --numprocesses 2 --dist worksteal $(ARGS)

.PHONY: lint
lint: .venv/ready ## Linter, formatter and types
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

.PHONY: bench
bench: .venv/ready ## Measure cold start, cost per event and throughput against their bars
	@$(BIN)/python -m bench $(ARGS)

.PHONY: faults
faults: setup ## Break one thing at a time under a stream of events, and audit Airflow's runs (ARGS="3 11")
	@$(BIN)/python -m tests.faults $(ARGS)

# The attacks of tests/security, and those that stand beside the module that they attack.
ATTACKS := tests/security tests/airflow/test_only_airflow.py tests/event/test_fuzz.py tests/rules/templates tests/test_no_secret_leaks.py

.PHONY: attacks
attacks: setup ## The long form of every attack: many more examples, longer floods (ARGS="-k templates")
	@UPDRAFT_ATTACKS=long $(BIN)/pytest --numprocesses 2 --dist loadgroup --no-cov --timeout 3600 $(ATTACKS) $(ARGS)

.PHONY: crashpoints
crashpoints: setup ## Lose or delay each request of each scenario, or kill the app there (ARGS="window --pairs 100")
	@$(BIN)/python -m tests.crashpoints $(ARGS)

.PHONY: mutants
mutants: .venv/ready ## Change one thing of the source at a time, and see whether the nearest tests notice (ARGS="--count 50 filters")
	@$(BIN)/python -m tests.mutants $(ARGS)

# --- Looking after it ----------------------------------------------------------------------------------

.PHONY: lock
lock: | .venv/bin/uv ## Pin the newest versions that the short lists (*.in) allow
	$(COMPILE) --upgrade requirements.in --output-file requirements.txt
	$(COMPILE) --upgrade requirements-dev.in --output-file requirements-dev.txt
	$(COMPILE) --upgrade local/airflow/requirements.in --output-file local/airflow/requirements.txt
	$(COMPILE) --upgrade local/airflow-next/requirements.in --output-file local/airflow-next/requirements.txt
	$(COMPILE) local/azurite/requirements.in --output-file local/azurite/requirements.txt

.PHONY: wheel
wheel: | .venv/bin/uv ## Build the package that an Airflow installs, updraft-airflow, into dist/
	@$(UV) build --wheel --python $(BIN)/python --build-constraints requirements-dev.txt --require-hashes --out-dir dist for_airflow
	@ls dist/updraft_airflow-*.whl

.PHONY: clean
clean: ## Remove everything that was made here
	rm -rf .venv .venv-airflow .venv-airflow-next .venv-airflow2 .updraft local/azurite/node_modules bench/out build dist *.egg-info
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
