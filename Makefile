# Thin: a virtual environment, pip, oo-sim and pytest. PYTHON chooses the interpreter (3.11 or newer).
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test test-slow check gate bench bench-serve notebook clean

run: $(READY)
	$(BIN)/oo-sim run scenarios/quickstart.yaml

test: $(READY)
	$(BIN)/python -m pytest -n 2

test-slow: $(READY)
	$(BIN)/python -m pytest -m slow --timeout=3000

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gate: $(READY)
	$(BIN)/oo-sim gate check

bench: $(READY)
	$(BIN)/oo-sim bench

bench-serve: $(READY)
	$(BIN)/oo-sim bench serve

notebook: $(READY)
	$(BIN)/jupyter lab notebooks

$(READY): pyproject.toml constraints.txt
	@echo "Setting up $(VENV): a minute or two, once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
