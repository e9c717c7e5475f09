# One virtual environment, .venv, that the targets make by themselves.
PYTHON ?= python3
BIN := .venv/bin
# Compiling modules that are never imported would take a fifth of the time and space.
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt

.PHONY: demo test lint weights clean

demo: .venv/installed
	$(BIN)/picosam2 segment examples/images/astronaut.jpg --point 398,427 --out demo

test: .venv/developing lint
	$(BIN)/python -m pytest

lint: .venv/developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# make weights RUN=runs/x DATA=../shared/data: export, measure and describe a run's weights.
weights: .venv/developing
	$(BIN)/python scripts/release_weights.py --run $(RUN) --data $(DATA)

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(PIP) -e .
	@touch $@

.venv/developing: .venv/installed
	$(PIP) -e '.[dev]'
	@touch $@

clean:
	rm -rf .venv demo dist
