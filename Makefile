# Thin: two virtual environments, pip, oo-sim and pytest. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV := $(VENV)/.ready-dev
PIP := $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt

# Of `make quick`: the rooms whose tests are run, such as "kernels stats"; those that git says have changed if empty.
ROOMS ?=

.PHONY: run test quick test-slow check gate bench bench-serve notebook docs clean

run: $(READY)
	$(BIN)/oo-sim run scenarios/quickstart.yaml

test: $(DEV)
	$(BIN)/python -m pytest -n 2 --dist worksteal

quick: $(DEV)
	$(BIN)/python tests/quick.py $(ROOMS)

test-slow: $(DEV)
	$(BIN)/python -m pytest -m slow --timeout=3000

check: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gate: $(READY)
	$(BIN)/oo-sim gate check --strict --matrix --served

bench: $(READY)
	$(BIN)/oo-sim bench

bench-serve: $(READY)
	$(BIN)/oo-sim bench serve

notebook: $(DEV)
	$(BIN)/jupyter lab notebooks

docs: $(DEV)
	$(BIN)/python docs/site.py --notebooks site

# What running requires, and no more; pip says what it installs meanwhile.
$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV) for running: a minute, once."
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable '.[serve]'
	touch $@

# What tests, checks and notebooks require besides.
$(DEV): $(READY)
	@echo "Adding the tools for tests, checks and notebooks to $(VENV): a minute, once."
	$(PIP) --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) site
